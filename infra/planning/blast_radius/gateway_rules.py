"""What a change to the gateway does: most take effect in the running proxies within seconds."""

from infra.planning.blast_radius.kubernetes_rules import object_rules
from infra.planning.blast_radius.rules import Effect, Rule, Table, at

_ENVOY = "gateway v1.8.1 and ai-gateway v1.0.0, internal/"
_GATEWAY, _PROXY, _AI = (
    "kubernetes:gateway.networking.k8s.io/v1:",
    "kubernetes:gateway.envoyproxy.io/v1alpha1:",
    "kubernetes:aigateway.envoyproxy.io/v1beta1:",
)


def _live(why: str) -> tuple[Rule, ...]:
    return object_rules(Rule(at("spec"), Effect.UPDATE, why, _ENVOY))


_ROUTES = _live("the next request takes the new route; running ones end as they began")
_POLICIES = _live("the proxies take it over while they run")

# Both are components: what they find in the chart or file are resources of their own.
_DEFINITIONS = (
    Rule(
        at("chart", "version", "values", "file"),
        Effect.UPDATE,
        "CRDs change in place; one that the new version leaves out is deleted with every object of it",
        "pulumi-kubernetes 4, helm.v4.Chart and yaml.v2.ConfigFile",
    ),
    Rule(at("namespace"), Effect.UPDATE, "CRDs are in no namespace", "pulumi-kubernetes 4, helm.v4.Chart"),
)

GATEWAY_RULES: Table = {
    "kubernetes:helm.sh/v4:Chart": _DEFINITIONS,
    "kubernetes:yaml/v2:ConfigFile": _DEFINITIONS,
    f"{_GATEWAY}GatewayClass": object_rules(
        Rule(at("spec.controllerName"), Effect.REPLACE, "the field cannot change", "Gateway API v1.5.1, GatewayClass")
    ),
    f"{_GATEWAY}Gateway": object_rules(
        Rule(
            at("spec"),
            Effect.UPDATE,
            "listeners change in the running proxies; another port is another listener of the load balancer",
            _ENVOY,
        )
    ),
    f"{_GATEWAY}HTTPRoute": _ROUTES,
    f"{_AI}AIGatewayRoute": _ROUTES,
    f"{_AI}AIServiceBackend": _ROUTES,
    f"{_PROXY}Backend": _ROUTES,
    f"{_PROXY}HTTPRouteFilter": _ROUTES,
    f"{_PROXY}BackendTrafficPolicy": _POLICIES,
    f"{_PROXY}ClientTrafficPolicy": _POLICIES,
    f"{_PROXY}EnvoyExtensionPolicy": _POLICIES,
    f"{_PROXY}SecurityPolicy": _POLICIES,
    f"{_PROXY}EnvoyProxy": object_rules(
        Rule(
            at("spec"),
            Effect.UPDATE,
            "proxies are exchanged one after the other and finish what they have begun; another scheme is another load"
            " balancer with another name",
            _ENVOY,
        )
    ),
    "kubernetes:inference.networking.k8s.io/v1:InferencePool": _live("the picker reads it again; servers stay"),
    "kubernetes:cert-manager.io/v1:Certificate": _live("another certificate is asked for and taken over"),
    "kubernetes:networking.k8s.io/v1:Ingress": object_rules(
        Rule(
            at("spec", "metadata.annotations"),
            Effect.UPDATE,
            "the load balancer changes its rules; another scheme is another load balancer with another name",
            "AWS Load Balancer Controller documentation, Ingress annotations",
        )
    ),
    "kubernetes:rbac.authorization.k8s.io/v1:Role": object_rules(
        Rule(at("rules"), Effect.UPDATE, "rights change at once", "Kubernetes documentation, RBAC")
    ),
}

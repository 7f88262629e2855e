"""One way in before all models: a gateway with explicit routes, private unless it is told otherwise."""

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret, Service

from components.serving.gateway.args import AuthenticationArgs, GatewayRouteArgs, InferenceGatewayArgs
from components.serving.gateway.gateway_spec import (
    API_VERSIONS,
    AUTHORIZATION,
    GATEWAY_CLASS,
    certificate_secret,
    certificate_spec,
    client_policy_spec,
    envoy_proxy_spec,
    external_keys_spec,
    forgotten_token_spec,
    gateway_spec,
    security_policy_spec,
)
from components.serving.gateway.routes_spec import (
    ai_backend_spec,
    ai_route_spec,
    backend_spec,
    endpoints_name,
    endpoints_spec,
    path_route_spec,
    refused_filter_spec,
    refused_paths_spec,
    traffic_policy_spec,
)
from components.serving.gateway.values import CONTROLLER
from components.specs import Spec
from infra.planning.api_keys import keys_by_client
from infra.planning.routes import REFUSED_ROUTE, backend_name, counters

_GATEWAY, _ENVOY, _AI = (
    "gateway.networking.k8s.io/v1",
    "gateway.envoyproxy.io/v1alpha1",
    "aigateway.envoyproxy.io/v1beta1",
)


class InferenceGateway(pulumi.ComponentResource):
    """A Gateway of Envoy with its load balancer, who may use it, and its routes to models.

    No generation is tried twice: a route repeats nothing, and one with overflow passes on only what was refused before
    it began.
    """

    gateway: pulumi.Output[str]
    """Name of the Gateway."""

    def __init__(self, name: str, args: InferenceGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:InferenceGateway", name, {}, opts)
        self._name, self._args = name, args
        self._tokens = "jwt" in args.get("authentication", {})
        gateway = self._gateway()
        reached = self._reached()
        parent = {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": name,
            "namespace": args["namespace"],
        }
        for route in args["routes"]:
            self._route(route, parent, gateway, reached)
        refused = refused_paths_spec(parent, args["host_names"], args["paths"])
        if refused and any("path" not in route for route in args["routes"]):
            answer = self._object("refused-filter", "HTTPRouteFilter", REFUSED_ROUTE, refused_filter_spec())
            self._object("refused-paths", "HTTPRoute", REFUSED_ROUTE, refused, needs=[gateway, answer])
        self.gateway = pulumi.Output.from_input(name)
        self.register_outputs({"gateway": self.gateway})

    def _gateway(self) -> CustomResource:
        """The Gateway, after everything it is made of: Envoy never listens without its policies."""
        name, args = self._name, self._args
        kind = CustomResource(
            f"{name}-class",
            api_version=API_VERSIONS["GatewayClass"],
            kind="GatewayClass",
            metadata={"name": GATEWAY_CLASS},
            spec={"controllerName": CONTROLLER},
            opts=pulumi.ResourceOptions(parent=self),
        )
        proxy = self._object("proxy", "EnvoyProxy", name, envoy_proxy_spec(args))
        before: list[pulumi.Resource] = [
            self._object("clients", "ClientTrafficPolicy", name, client_policy_spec(name, args))
        ]
        if "authentication" in args:
            before += self._authentication(args["authentication"])
        if "issuer" in args.get("tls", {}):
            spec = certificate_spec(name, args)
            before.append(self._object("certificate", "Certificate", certificate_secret(name, args), spec))
        return self._object("gateway", "Gateway", name, gateway_spec(name, args), needs=[kind, proxy, *before])

    def _authentication(self, who: AuthenticationArgs) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        if "external_keys" in who:
            secret = who["api_key_secret"]
            spec = external_keys_spec(secret, who["external_keys"])
            made.append(self._object("api-keys", "ExternalSecret", secret, spec))
        if "api_keys" in who:
            keys = pulumi.Output.secret(who["api_keys"]).apply(keys_by_client)
            metadata = self._metadata(who["api_key_secret"], self._args["namespace"])
            inside = pulumi.ResourceOptions(parent=self)
            made.append(Secret(f"{self._name}-api-keys", metadata=metadata, string_data=keys, opts=inside))
        policy = security_policy_spec(self._name, who)
        asking: list[pulumi.Resource] = [
            self._object("authentication", "SecurityPolicy", self._name, policy, needs=made)
        ]
        if self._tokens:
            forgotten = forgotten_token_spec(self._name)
            asking.append(self._object("tokens", "EnvoyExtensionPolicy", self._name, forgotten))
        return asking

    def _reached(self) -> dict[str, pulumi.Resource]:
        """Services by whose name Envoy finds each server, by model."""
        return {
            servers["model"]: Service(
                f"{self._name}-{servers['model']}-endpoints",
                metadata=self._metadata(endpoints_name(servers["model"]), servers["namespace"], wait=False),
                spec=endpoints_spec(servers["selector"], servers["port"]),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for servers in self._args["servers"]
        }

    def _route(
        self, route: GatewayRouteArgs, parent: Spec, gateway: CustomResource, reached: dict[str, pulumi.Resource]
    ) -> None:
        args, place = self._args, route["namespace"]
        counting = counters(args["replicas"], len(args["host_names"]), len(args["paths"]) if "path" in route else 1)
        policy = traffic_policy_spec(route, counting, shared_store=args["shared_store"])
        # The policy is there before the route it names: no request passes without limits and time-outs.
        needs: list[pulumi.Resource] = [
            gateway,
            self._object(f"{route['name']}-traffic", "BackendTrafficPolicy", route["name"], policy, place=place),
        ]
        if "path" in route:
            spec = path_route_spec(route, parent, args["host_names"], args["paths"])
            self._object(f"{route['name']}-route", "HTTPRoute", route["name"], spec, place=place, needs=needs)
            return
        for backend in route["backends"] if "pool" not in route else []:
            named = backend_name(route["name"], backend["model"])
            behind = [reached[backend["model"]]] if backend["model"] in reached else []
            host = self._object(f"{named}-backend", "Backend", named, backend_spec(backend), place=place, needs=behind)
            spec = ai_backend_spec(route["name"], backend, AUTHORIZATION if self._tokens else "")
            made = self._object(f"{named}-ai-backend", "AIServiceBackend", named, spec, place=place, needs=[host])
            needs.append(made)
        spec = ai_route_spec(route, parent, args["host_names"])
        self._object(
            f"{route['name']}-route", "AIGatewayRoute", route["name"], spec, place=place, needs=needs, forced=True
        )

    def _object(
        self,
        suffix: str,
        kind: str,
        name: str,
        spec: Spec,
        *,
        place: str = "",
        needs: list[pulumi.Resource] | None = None,
        forced: bool = False,
    ) -> CustomResource:
        metadata = self._metadata(name, place or self._args["namespace"])
        if forced:
            # A canary's rollout moves weights and owns spec.rules from then on. What an update of the stack says of
            # them counts all the same: who is behind the route now.
            metadata["annotations"] = {"pulumi.com/patchForce": "true"}
        return CustomResource(
            f"{self._name}-{suffix}",
            api_version=API_VERSIONS[kind],
            kind=kind,
            metadata=metadata,
            spec=spec,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs or []),
        )

    def _metadata(self, name: str, namespace: str, *, wait: bool = True) -> Spec:
        labels = {"app.kubernetes.io/part-of": "gpu-platform", "app.kubernetes.io/component": "gateway"}
        metadata: Spec = {"name": name, "namespace": namespace, "labels": labels}
        return metadata if wait else {**metadata, "annotations": {"pulumi.com/skipAwait": "true"}}

"""A tenant's network: nothing in and nothing out, but for what is named here. Plain values in, NetworkPolicies out.

Policies add up: what one of them allows, no other can take back. So the rules for neighbours leave out pods that have a
policy of their own: servers with paths that no key covers, and groups whose pods take orders from each other without
asking who they are (vLLM docs/usage/security.md). What a policy cannot see: volumes are mounted by the node (EFS, FSx,
the Mountpoint driver), so they need no rule; EFA is no IP traffic; health checks come from the pod's own node, which is
always let in (Kubernetes documentation, network policies).

A connection needs both ends: what a neighbour lets in must be let out here.
"""

from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING

from components.specs import Spec
from infra.catalog.kserve import LLM_PODS
from infra.conventions import API_CLIENT_LABEL

if TYPE_CHECKING:
    from components.tenancy.tenancy import TenancyArgs

_NAME = "app.kubernetes.io/name"
_COMPONENT = "app.kubernetes.io/component"
_SPACE = "kubernetes.io/metadata.name"

# Pods with a policy of their own that says who may call them, and on which ports. Those of KServe's InferenceServices
# have the label of our servers.
_SERVER = "model-server"
_GUARDED = (
    _SERVER,
    "model-follower",
    "endpoint-picker",
    LLM_PODS.servers,
    LLM_PODS.prefill_servers,
    LLM_PODS.picker,
)

# What servers call the port of their API. In mode Knative it has another name, so that nobody goes past Knative; in an
# LLMInferenceService it may be that of the engine behind a proxy, so there the number counts.
_API_PORT = "http"

# Pods of others that ask the API server and cannot carry our label: KServe's endpoint picker, and the Job of a canary.
_API_CLIENTS = (LLM_PODS.picker, "canary-rollout")

# Addresses that are not the internet's: RFC 1918; shared address space (RFC 6598) and that of benchmarks (RFC 2544),
# both of which AWS advises for the pods of a VPC that runs out (Amazon EKS best practices, custom networking); and
# link-local, where EC2's metadata service is. A VPC may have others besides: `own_networks`.
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15")
_LINK_LOCAL = "169.254.0.0/16"

# On the proxies of a gateway, and their own ports: Envoy Gateway adds 10000 to those of listeners below 1024
# (envoyproxy/gateway v1.8.2, internal/gatewayapi/translator.go).
_GATEWAY_LABEL = "gateway.envoyproxy.io/owning-gateway-namespace"
_GATEWAY_PORTS = (10080, 10443)

# Where the Pod Identity agent gives pods their AWS credentials (Amazon EKS user guide, Pod Identity).
_POD_IDENTITY = "169.254.170.23/32"


def network_policies(args: "TenancyArgs") -> dict[str, Spec]:
    """`NetworkPolicy.spec` of every policy, by name."""
    private = _private(args.get("own_networks", []))
    found = {
        "default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        "dns": _egress({}, [_dns()]),
        "to-same-namespace": _egress({}, [{"to": [{"podSelector": {}}]}]),
        "from-same-namespace": _ingress(_unguarded(), [{"podSelector": {}}]),
        **(_from_namespaces(args["allow_from"]) if args.get("allow_from") else {}),
        "to-namespaces": _egress({}, [{"to": [_namespaces(args["allow_to"])]}]) if args.get("allow_to") else None,
        "to-gateway": _to_gateway(args["gateway_namespace"]) if args.get("gateway_namespace") else None,
        "downloads": _downloads(_COMPONENT, ["model-download"], private) if args.get("downloads") else None,
        "downloads-of-servers": _downloads(_NAME, args["downloading_servers"], private)
        if args.get("downloading_servers")
        else None,
        "api-server": _api_server({"matchLabels": {API_CLIENT_LABEL: "true"}}, private),
        "api-server-of-others": _api_server(
            {"matchExpressions": [{"key": _COMPONENT, "operator": "In", "values": list(_API_CLIENTS)}]}, private
        ),
        "pod-identity": _egress({}, [{"to": [_block(_POD_IDENTITY)], "ports": [_tcp(80)]}])
        if args.get("pod_identity")
        else None,
        "egress": _egress({}, [_to(rule["cidr"], rule["ports"]) for rule in args["egress"]])
        if args.get("egress")
        else None,
    }
    return {name: spec for name, spec in found.items() if spec is not None}


def _from_namespaces(names: list[str]) -> dict[str, Spec]:
    """Other namespaces: any port of pods without a policy of their own, and the API of servers."""
    their: Spec = _namespaces(names)
    servers, of_llm = {"matchLabels": {_COMPONENT: _SERVER}}, {"matchLabels": {_COMPONENT: LLM_PODS.servers}}
    return {
        "from-namespaces": _ingress(_unguarded(), [their]),
        "from-namespaces-to-servers": _ingress(servers, [their], [{"protocol": "TCP", "port": _API_PORT}]),
        "from-namespaces-to-llm-servers": _ingress(of_llm, [their], [_tcp(LLM_PODS.http)]),
    }


def _to_gateway(namespace: str) -> Spec:
    """The gateway's proxies, on the ports of its listeners; it asks for a key or a token itself."""
    pods = {
        "namespaceSelector": {"matchLabels": {_SPACE: namespace}},
        "podSelector": {"matchLabels": {_GATEWAY_LABEL: namespace}},
    }
    return _egress({}, [{"to": [pods], "ports": [_tcp(port) for port in _GATEWAY_PORTS]}])


def _private(own: list[str]) -> list[str]:
    """Networks that are not the internet's, those of the cluster among them."""
    return [*PRIVATE, *(cidr for cidr in own if not any(_is_within(cidr, known) for known in PRIVATE))]


def _is_within(inner: str, outer: str) -> bool:
    """Whether a network is another, or a part of it; those of IPv6 are not looked at."""
    one, other = ip_network(inner), ip_network(outer)
    return isinstance(one, IPv4Network) and isinstance(other, IPv4Network) and one.subnet_of(other)


def _downloads(label: str, values: list[str], private: list[str]) -> Spec:
    """Public addresses on 443 for some pods. Which of them is Hugging Face cannot be said: its addresses change, and a
    NetworkPolicy knows no names."""
    chosen = {"key": label, "operator": "In", "values": list(values)}
    anywhere = {"ipBlock": {"cidr": "0.0.0.0/0", "except": [*private, _LINK_LOCAL]}}
    return _egress({"matchExpressions": [chosen]}, [{"to": [anywhere], "ports": [_tcp(443)]}])


def _api_server(pods: Spec, private: list[str]) -> Spec:
    """The Service of the API server and the control plane's interfaces have private addresses, or the VPC's own."""
    return _egress(pods, [{"to": [_block(cidr) for cidr in private], "ports": [_tcp(443), _tcp(6443)]}])


def _unguarded() -> Spec:
    return {"matchExpressions": [{"key": _COMPONENT, "operator": "NotIn", "values": list(_GUARDED)}]}


def _dns() -> Spec:
    """CoreDNS, by the label that it and its EKS add-on carry."""
    pods = {
        "namespaceSelector": {"matchLabels": {_SPACE: "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    return {"to": [pods], "ports": [{"protocol": "UDP", "port": 53}, _tcp(53)]}


def _namespaces(names: list[str]) -> Spec:
    return {"namespaceSelector": {"matchExpressions": [{"key": _SPACE, "operator": "In", "values": list(names)}]}}


def _to(cidr: str, ports: list[int]) -> Spec:
    return {"to": [_block(cidr)], "ports": [_tcp(port) for port in ports]}


def _block(cidr: str) -> Spec:
    """Addresses; link-local ones, EC2's metadata among them, only where no wider network brings them along."""
    brought = cidr != _LINK_LOCAL and _is_within(_LINK_LOCAL, cidr)
    return {"ipBlock": {"cidr": cidr, **({"except": [_LINK_LOCAL]} if brought else {})}}


def _tcp(port: int) -> Spec:
    return {"protocol": "TCP", "port": port}


def _ingress(pods: Spec, sources: list[Spec], ports: list[Spec] | None = None) -> Spec:
    rule: Spec = {"from": sources, **({"ports": ports} if ports else {})}
    return {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": [rule]}


def _egress(pods: Spec, rules: list[Spec]) -> Spec:
    return {"podSelector": pods, "policyTypes": ["Egress"], "egress": rules}

"""Who may reach a model's servers: the shape of their NetworkPolicy. Plain values in, dicts out.

A policy sees addresses and ports, never paths: whoever it lets in may call every path of the engine's port, those that
the API key does not cover among them. So it lets in the gateway, which has a list of paths, what scrapes metrics, and
whom the settings name. Probes come from the pod's own node, which no policy keeps out (Kubernetes documentation,
Network Policies: "Traffic to and from the node where a Pod is running is always allowed").

Policies add up: a component whose pods must reach servers too may bring one of its own, or give its pods the label
`gpu-platform/client-of`. What leaves the pods is the namespace's matter.
"""

from collections.abc import Sequence

from components.serving.place_args import ClientsArgs
from components.specs import Spec
from infra.conventions import CLIENT_OF_LABEL, GATEWAY_NAMESPACE, MONITORING_NAMESPACE

_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def network_policy_spec(
    name: str, selector: Spec, clients: ClientsArgs, http_port: int, metrics_port: int | None = None
) -> Spec:
    """`NetworkPolicy.spec` for ingress to the servers of the model `name`.

    Args:
        metrics_port: where it is another one than that of the API.
    """
    callers = [
        from_namespaces([clients.get("gateway_namespace", GATEWAY_NAMESPACE), *clients.get("namespaces", [])]),
        {"podSelector": {}}
        if clients.get("same_namespace")
        else {"podSelector": {"matchLabels": {CLIENT_OF_LABEL: name}}},
    ]
    monitor = from_namespaces([clients.get("monitoring_namespace", MONITORING_NAMESPACE)])
    return {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": callers, "ports": tcp_ports([http_port])},
            {"from": [monitor], "ports": tcp_ports([metrics_port or http_port])},
        ],
    }


def from_namespaces(names: Sequence[str]) -> Spec:
    """Pods of namespaces, by the label with the name that the API server keeps on each."""
    expression = {"key": _NAMESPACE_NAME, "operator": "In", "values": sorted(set(names))}
    return {"namespaceSelector": {"matchExpressions": [expression]}}


def tcp_ports(ports: Sequence[int]) -> list[Spec]:
    """Ports of a rule."""
    return [{"protocol": "TCP", "port": port} for port in ports]

"""Bringing the simulated nodes to the API server, and taking away those the plan no longer needs."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from infra.planning.placement import quantity
from simulator.client import ApiError, Client
from simulator.nodes import MADE_BY, SimulatedNode

_NODES = "/api/v1/nodes"


def put_nodes(client: Client, nodes: Sequence[SimulatedNode], advance: Callable[[str], None]) -> None:
    """Create nodes that are missing and correct those that differ.

    Args:
        advance: called with each node's name when it is done.
    """
    there = {item["metadata"]["name"]: item for item in client.items(_NODES)}
    for node in nodes:
        if node.name not in there:
            # A plain create, as kubelet registers: server-side apply would drop the status.
            client.create(_NODES, node.body)
        elif not _covers(there[node.name], node.body):
            _correct(client, there[node.name], node)
        advance(node.name)


def cordon_others(client: Client, keep: Sequence[SimulatedNode]) -> list[str]:
    """Let no new pod onto nodes this project made that are not in `keep`; returns their names."""
    wanted = {node.name for node in keep}
    listed = client.items(_NODES, labelSelector=f"{MADE_BY}=gpu-platform")
    others = [item["metadata"]["name"] for item in listed if item["metadata"]["name"] not in wanted]
    for name in others:
        client.merge(f"{_NODES}/{name}", {"spec": {"unschedulable": True}})
    return others


def remove_nodes(client: Client, names: Sequence[str]) -> None:
    """Delete nodes with the pods on them.

    The pods are deleted at once. A kubelet that is gone cannot confirm their end, and their owners make new ones.
    """
    for name in names:
        client.delete(f"{_NODES}/{name}")
        for pod in client.items("/api/v1/pods", fieldSelector=f"spec.nodeName={name}"):
            client.delete(client.path_of({"apiVersion": "v1", "kind": "Pod", **pod}), grace_seconds=0)


def _correct(client: Client, there: dict[str, Any], node: SimulatedNode) -> None:
    path = f"{_NODES}/{node.name}"
    body = node.body
    if there["spec"].get("providerID") != body["spec"]["providerID"]:  # immutable: the node is another one now
        client.delete(path)
        client.create(_NODES, body)
        return
    gone = dict.fromkeys(_strange_labels(there, body))
    labels = {**gone, **body["metadata"]["labels"]}
    client.merge(
        path, {"metadata": {"labels": labels}, "spec": {"taints": _taints(there, body), "unschedulable": None}}
    )
    try:
        client.merge(f"{path}/status", {"status": {key: body["status"][key] for key in ("capacity", "allocatable")}})
    except ApiError as error:
        if error.status != 409:  # kwok wrote at the same moment; the next `up` sees a node that differs
            raise


def _taints(there: dict[str, Any], body: dict[str, Any]) -> list[dict[str, Any]]:
    """The pool's taints and those of the node controller (`node.kubernetes.io/...`), which are its own to lift."""
    own = [item for item in there["spec"].get("taints") or () if item["key"].startswith("node.kubernetes.io/")]
    return [*body["spec"]["taints"], *own]


def _strange_labels(there: dict[str, Any], body: dict[str, Any]) -> list[str]:
    """Labels that left the plan. The node controller's own copies (`beta.kubernetes.io/...`) are not among them."""
    labels, wanted = there["metadata"].get("labels", {}), body["metadata"]["labels"]
    return [key for key in labels if key not in wanted and not key.startswith("beta.kubernetes.io/")]


def _covers(there: dict[str, Any], body: dict[str, Any]) -> bool:
    labels, wanted = there["metadata"].get("labels", {}), body["metadata"]["labels"]
    own = _taints({"spec": {}}, body)
    taints = [item for item in there["spec"].get("taints") or () if not item["key"].startswith("node.kubernetes.io/")]
    same_taints = [{"value": "", **item} for item in taints] == own
    if there["spec"].get("unschedulable"):  # it was on its way out, and is wanted again
        return False
    same_size = all(_amounts(there, key) == _amounts(body, key) for key in ("capacity", "allocatable"))
    return (
        not _strange_labels(there, body)
        and all(labels.get(key) == value for key, value in wanted.items())
        and same_taints
        and same_size
    )


def _amounts(node: dict[str, Any], key: str) -> dict[str, Decimal]:
    """As numbers: the server writes 192000 as 192k."""
    return {name: quantity(value) for name, value in ((node.get("status") or {}).get(key) or {}).items()}

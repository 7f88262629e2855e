"""A spot machine is taken back: what EC2 and Karpenter's AWS provider do, done here, as the kwok provider has neither.

On EC2's warning the provider reports it, remembers the offering as unavailable for a while, and deletes the NodeClaim
(karpenter-provider-aws v1.14.1, pkg/controllers/interruption/utils.go); the core drains the node. Two minutes after the
warning EC2 takes the machine, drained or not. The memory of unavailable offerings cannot be had: it lives inside the
provider, so a replacement may be of the same type in the same zone.
"""

from infra.conventions import CAPACITY_TYPE_LABEL
from infra.errors import PlatformError
from simulator.client import ApiError, Client, Json

_NODES = "/api/v1/nodes"
_NODE_CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"


def warn(client: Client, node: str) -> str:
    """EC2's warning arrives: Karpenter gives the node up; returns the name of its NodeClaim.

    Raises:
        PlatformError: when the node is not on spot, or Karpenter did not start it.
    """
    claim = _claim_of(client, node)
    kind = claim["metadata"]["labels"].get(CAPACITY_TYPE_LABEL)
    if kind != "spot":
        raise PlatformError(f"node {node} is {kind}: EC2 interrupts spot machines only", "name a node on spot")
    name = str(claim["metadata"]["name"])
    client.delete(f"{_NODE_CLAIMS}/{name}")
    return name


def reclaim(client: Client, node: str) -> bool:
    """EC2 takes the machine: kubelet and pods end at once; False when Karpenter had drained and ended it before.

    The node turns NotReady, which is how Karpenter learns that nobody is left to drain.
    """
    path = f"{_NODES}/{node}"
    try:
        found = client.get(path)
        conditions = [_not_ready(item) for item in found["status"]["conditions"]]
        client.merge(f"{path}/status", {"status": {"conditions": conditions}})
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    for pod in client.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node}"):
        client.delete(client.path_of({"apiVersion": "v1", "kind": "Pod", **pod}), grace_seconds=0)
    return True


def _claim_of(client: Client, node: str) -> Json:
    """The NodeClaim of the node's machine, found as the AWS provider finds it: by the machine's id."""
    machines = {item["metadata"]["name"]: item["spec"].get("providerID") for item in client.items(_NODES)}
    for claim in client.items(_NODE_CLAIMS):
        machine = (claim.get("status") or {}).get("providerID")
        if machine and machine == machines.get(node):
            return claim
    raise PlatformError(f"no NodeClaim has started the node {node}", "name a node that Karpenter started")


def _not_ready(condition: Json) -> Json:
    if condition["type"] != "Ready":
        return condition
    return {**condition, "status": "Unknown", "reason": "NodeStatusUnknown", "message": "EC2 has taken the machine"}

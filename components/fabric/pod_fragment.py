"""What a training pod needs for the fabric of its node, as pieces to merge into a pod specification.

A pure builder: plain values in, dicts out. Pods on EFA nodes need no host networking; it is a choice of its own, for
launchers that demand it.

A trap for whoever runs pods through Kubeflow Trainer: `trainer.resourcesPerNode` of a TrainJob replaces the resources
of the runtime's container. EFA is lost without a word, and NCCL falls back to TCP. Give it `Fragment.resources` too
(aicr issue 2275).
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from components.specs import Spec
from infra.conventions import EFA_RESOURCE, GPU_RESOURCE, GPU_TAINT, HUGE_PAGES_RESOURCE, PURPOSE_LABEL
from infra.errors import PlatformError
from infra.planning.fabric import nccl_environment, obsolete_variables, pod_share

SHARED_MEMORY = "shared-memory"

# NCCL and data loaders talk through it inside a pod; the container runtime's own is 64 MiB. Our estimate; it counts
# against the pod's memory limit, page by page as it is written.
_SHARED_MEMORY_PART = 4


@dataclass(frozen=True, slots=True)
class PodNeeds:
    """What the pod is and where it runs.

    Attributes:
        instance_type: EC2 instance type of its nodes, such as `p5.48xlarge`.
        gpus: GPUs; all of a node is the sure way.
        memory_gib: memory limit in GiB; Kubernetes demands one beside huge pages.
        purpose: of its pool, whose taint it tolerates.
        efa_interfaces: default: as large a share as of the GPUs.
        huge_pages_mib: default: 5120, less where several such pods share a node.
        shared_memory_gib: size of /dev/shm in GiB. Default: a quarter of the memory.
        host_network: whether it shares the network of its node.
    """

    instance_type: str
    gpus: int
    memory_gib: int
    purpose: str = "training"
    efa_interfaces: int | None = None
    huge_pages_mib: int | None = None
    shared_memory_gib: int | None = None
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class Fragment:
    """Pieces of a pod: `pod` goes into its specification, `container` into the container with the GPUs.

    Attributes:
        notes: what a person should know before it runs.
    """

    pod: Spec
    container: Spec
    notes: tuple[str, ...] = ()

    @property
    def resources(self) -> Spec:
        """For `trainer.resourcesPerNode` of a TrainJob, which replaces what the container asks for."""
        return deepcopy(self.container["resources"])


def efa_fragment(needs: PodNeeds) -> Fragment:
    """For a pod on nodes of a pool with `fabric: efa`.

    Raises:
        PlatformError: when it asks for more than such a node has.
    """
    share = pod_share(needs.instance_type, needs.gpus, needs.efa_interfaces, needs.huge_pages_mib)
    amounts = {
        EFA_RESOURCE: str(share.efa_interfaces),
        HUGE_PAGES_RESOURCE: f"{share.huge_pages_mib}Mi",
    }
    container = _container(needs, amounts, nccl_environment(needs.instance_type))
    # Memory registered with the card stays where it is; without the right to lock it libfabric finds no provider.
    container["securityContext"] = {"capabilities": {"add": ["IPC_LOCK"]}}
    return Fragment(_pod(needs), container, share.notes)


def host_network_fragment(needs: PodNeeds) -> Fragment:
    """For a pod on nodes of a pool with `fabric: host-network`: NCCL over sockets of the node, no EFA."""
    container = _container(needs, {}, nccl_environment(needs.instance_type, efa=False))
    note = "pods on the network of the host share its ports; two of them on one node need different ones"
    return Fragment(_pod(needs, host_network=True), container, (note,))


def with_fragment(pod: Mapping[str, Any], container: str, fragment: Fragment) -> Spec:
    """A pod specification with the fragment merged in; what the pod says itself wins where both give one value.

    Args:
        pod: a PodSpec; not changed.
        container: name of its container with the GPUs.

    Raises:
        PlatformError: when there is no such container, or it sets a variable that must not be set any more.
    """
    merged = _merged(fragment.pod, pod)
    names = [item["name"] for item in merged.get("containers", [])]
    if container not in names:
        raise PlatformError(f"the pod has no container {container}", f"name one of: {', '.join(names)}")
    position = names.index(container)
    given = merged["containers"][position]
    if found := obsolete_variables(item["name"] for item in given.get("env", [])):
        name, reason = next(iter(found.items()))
        raise PlatformError(f"container {container} sets {name}: {reason}", "remove it")
    merged["containers"][position] = _merged(fragment.container, given)
    return merged


def _pod(needs: PodNeeds, host_network: bool = False) -> Spec:
    size = needs.shared_memory_gib or max(1, needs.memory_gib // _SHARED_MEMORY_PART)
    tolerations: list[Spec] = [{"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"}]
    if needs.purpose != "inference":
        taint = {"key": PURPOSE_LABEL, "operator": "Equal", "value": needs.purpose, "effect": "NoSchedule"}
        tolerations.append(taint)
    pod: Spec = {
        "tolerations": tolerations,
        "volumes": [{"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": f"{size}Gi"}}],
    }
    if needs.host_network or host_network:
        # With the default policy a pod on the host's network asks the node's resolver, which knows no Service.
        pod |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    return pod


def _container(needs: PodNeeds, amounts: Mapping[str, str], environment: Mapping[str, str]) -> Spec:
    asked = {GPU_RESOURCE: str(needs.gpus), "memory": f"{needs.memory_gib}Gi", **amounts}
    return {
        "env": [{"name": name, "value": value} for name, value in sorted(environment.items())],
        "resources": {"requests": dict(asked), "limits": dict(asked)},
        "volumeMounts": [{"name": SHARED_MEMORY, "mountPath": "/dev/shm"}],  # noqa: S108 - the pod's own
    }


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Spec:
    """Both, `over` winning; lists are joined, and of named items the one in `over` stays."""
    found: Spec = deepcopy(dict(base))
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = _merged(found[key], value)
        elif isinstance(value, list) and isinstance(found.get(key), list):
            found[key] = _joined(found[key], value)
        else:
            found[key] = deepcopy(value)
    return found


def _joined(base: list[Any], over: list[Any]) -> list[Any]:
    taken = [item.get("name", item) if isinstance(item, Mapping) else item for item in over]
    kept = [item for item in base if (item.get("name", item) if isinstance(item, Mapping) else item) not in taken]
    return [*deepcopy(over), *deepcopy(kept)]

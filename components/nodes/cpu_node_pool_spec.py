"""The shape of the CPU pool's NodePool and EC2NodeClass (karpenter-provider-aws v1.14)."""

from typing import TYPE_CHECKING

from components.nodes.node_class_spec import node_class, root_volume
from components.specs import Spec
from infra.conventions import CAPACITY_TYPE_LABEL, PURPOSE_LABEL, ZONE_ID_LABEL

if TYPE_CHECKING:
    from components.nodes.cpu_node_pool import CpuNodePoolArgs

CPU_PURPOSE = "cpu"

# General, compute and memory machines; none of these families has a GPU or another accelerator.
_CATEGORIES = ("c", "m", "r")
# Newer than the fifth generation: Nitro, DDR5 from the seventh on, and the deepest pools of spare capacity.
_NEWER_THAN_GENERATION = "5"

# 100 GiB hold the images of controllers, routers and exporters; gp3's baseline of 125 MiB/s and 3000 IOPS costs nothing
# extra. Source: Amazon EBS user guide, gp3.
DEFAULT_ROOT_GIB = 100
ROOT_THROUGHPUT = 125
ROOT_IOPS = 3000


def cpu_node_class_spec(args: "CpuNodePoolArgs") -> Spec:
    """`EC2NodeClass.spec` of the CPU pool."""
    size = args.get("root_volume_gib", DEFAULT_ROOT_GIB)
    root = root_volume(size, ROOT_THROUGHPUT, ROOT_IOPS, args.get("key_arn"))
    spec = node_class(args["cluster_name"], args["node_role"], args["ami_alias"], root)
    if args.get("tags"):
        spec["tags"] = dict(args["tags"])
    return spec


def cpu_node_pool_spec(name: str, args: "CpuNodePoolArgs") -> Spec:
    """`NodePool.spec` of the CPU pool: no taint, so that whatever names no pool lands here."""
    return {
        "template": {
            "metadata": {"labels": {PURPOSE_LABEL: CPU_PURPOSE, **args.get("labels", {})}},
            "spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": name},
                "requirements": _requirements(args),
                "expireAfter": args["expire_after"],
                "terminationGracePeriod": args["termination_grace_period"],
            },
        },
        "limits": {"cpu": str(args["cpu_limit"]), "memory": f"{args['memory_limit_gib']}Gi"},
        "disruption": {
            "consolidationPolicy": "WhenEmptyOrUnderutilized",
            "consolidateAfter": args["consolidate_after"],
            "budgets": [dict(budget) for budget in args.get("budgets", [])] or [{"nodes": "10%"}],
        },
    }


def _requirements(args: "CpuNodePoolArgs") -> list[Spec]:
    wanted = [
        ("karpenter.k8s.aws/instance-category", "In", _CATEGORIES),
        ("karpenter.k8s.aws/instance-generation", "Gt", (_NEWER_THAN_GENERATION,)),
        (CAPACITY_TYPE_LABEL, "In", args["capacity_types"]),
        ("kubernetes.io/arch", "In", args.get("architectures") or ["amd64"]),
        ("kubernetes.io/os", "In", ("linux",)),
        (ZONE_ID_LABEL, "In", args.get("zones", [])),
    ]
    return [{"key": key, "operator": operator, "values": list(values)} for key, operator, values in wanted if values]

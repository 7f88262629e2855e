"""The shape of a GPU pool's NodePool and EC2NodeClass (karpenter-provider-aws v1.14)."""

from typing import TYPE_CHECKING

from components.nodes.node_class_spec import node_class, root_volume, user_data
from components.specs import Spec
from infra.conventions import (
    CAPACITY_TYPE_LABEL,
    GPU_NAME_LABEL,
    GPU_RESOURCE,
    GPU_TAINT,
    INSTANCE_TYPE_LABEL,
    PURPOSE_LABEL,
    ZONE_ID_LABEL,
)

if TYPE_CHECKING:
    from components.nodes.gpu_node_pool import GpuNodePoolArgs

# gp3 at its largest throughput (MiB/s), with the IOPS that throughput needs: 4 per MiB/s. Source: Amazon EBS user
# guide, gp3. Image pull and weights are bound by it where there is no NVMe; FastImagePull wants 600 or more.
ROOT_THROUGHPUT = 1000
ROOT_IOPS = 4000

# Kind of the reservation a node runs in: default or capacity-block (Karpenter, well-known labels).
RESERVATION_TYPE_LABEL = "karpenter.k8s.aws/capacity-reservation-type"


def node_class_spec(args: "GpuNodePoolArgs") -> Spec:
    """`EC2NodeClass.spec`: the machine image, network, disks and metadata service of the pool's nodes."""
    root = root_volume(args["root_volume_gib"], ROOT_THROUGHPUT, ROOT_IOPS, args.get("key_arn"))
    spec = node_class(args["cluster_name"], args["node_role"], args["ami_alias"], root)
    if args["local_nvme"]:
        spec["instanceStorePolicy"] = "RAID0"
    if args.get("reservations"):
        spec["capacityReservationSelectorTerms"] = [{"id": reservation} for reservation in args["reservations"]]
    if args.get("network_interfaces"):
        spec["networkInterfaces"] = [
            {"networkCardIndex": item["card"], "deviceIndex": item["device"], "interfaceType": item["kind"]}
            for item in args["network_interfaces"]
        ]
    if args.get("placement_group"):
        spec["placementGroupSelector"] = {"name": args["placement_group"]}
    if args.get("max_pods"):
        spec["kubelet"] = {"maxPods": args["max_pods"]}
    at_boot = user_data(args["ami_alias"], args.get("topology_manager"), args.get("fast_image_pull", False))
    if at_boot:
        spec["userData"] = at_boot
    if args.get("tags"):
        spec["tags"] = dict(args["tags"])
    return spec


def node_pool_spec(name: str, args: "GpuNodePoolArgs") -> Spec:
    """`NodePool.spec`: what may be started, how much of it, and when nodes are replaced."""
    spec: Spec = {
        "template": {
            "metadata": {"labels": {PURPOSE_LABEL: args["purpose"], **args.get("labels", {})}},
            "spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": name},
                "requirements": _requirements(args),
                "taints": _taints(args),
                "expireAfter": args["expire_after"],
                "terminationGracePeriod": args["termination_grace_period"],
            },
        },
        "limits": {**_device_limits(args), "nodes": str(args["node_limit"])},
        "disruption": _disruption(args),
    }
    if args.get("startup_taints"):
        spec["template"]["spec"]["startupTaints"] = [dict(taint) for taint in args["startup_taints"]]
    if args.get("static_nodes"):
        return spec | _static(args)
    if args.get("weight"):
        spec["weight"] = args["weight"]
    return spec


def _static(args: "GpuNodePoolArgs") -> Spec:
    """What differs in a pool of a fixed size: the CRD refuses other limits and a weight, and nothing is consolidated.

    `disruption` stays, because its budgets bind drift here too, and with it the CRD wants `consolidateAfter`.
    """
    return {
        "replicas": args["static_nodes"],
        "limits": {"nodes": str(args["node_limit"])},
        "disruption": {"consolidateAfter": "Never", "budgets": _budgets(args)},
    }


def _device_limits(args: "GpuNodePoolArgs") -> Spec:
    """Karpenter counts what nodes report: slices where GPUs are cut, and then no whole GPU."""
    limits = args.get("device_limits") or {GPU_RESOURCE: args["gpu_limit"]}
    return {resource: str(most) for resource, most in limits.items()}


def _requirements(args: "GpuNodePoolArgs") -> list[Spec]:
    machines = (
        (GPU_NAME_LABEL, [args["gpu"]]) if args.get("gpu") else (INSTANCE_TYPE_LABEL, args.get("instance_types", []))
    )
    wanted = [
        machines,
        (CAPACITY_TYPE_LABEL, args["capacity_types"]),
        ("kubernetes.io/arch", args["architectures"]),
        ("kubernetes.io/os", ["linux"]),
        (ZONE_ID_LABEL, args.get("zones", [])),
        # Only nodes in a reservation have this label, so that nothing else is ever started for the pool.
        (RESERVATION_TYPE_LABEL, ["capacity-block"] if args.get("capacity_block") else []),
    ]
    return [{"key": key, "operator": "In", "values": list(values)} for key, values in wanted if values]


def _taints(args: "GpuNodePoolArgs") -> list[Spec]:
    taints: list[Spec] = [{"key": GPU_TAINT, "value": "true", "effect": "NoSchedule"}]
    if args["purpose"] != "inference":
        taints.append({"key": PURPOSE_LABEL, "value": args["purpose"], "effect": "NoSchedule"})
    taints += [dict(taint) for taint in args.get("taints", [])]
    return taints


def _disruption(args: "GpuNodePoolArgs") -> Spec:
    default_policy = "WhenEmpty" if args["purpose"] == "training" else "WhenEmptyOrUnderutilized"
    return {
        "consolidationPolicy": args.get("consolidation_policy") or default_policy,
        "consolidateAfter": args["consolidate_after"],
        "budgets": _budgets(args),
    }


def _budgets(args: "GpuNodePoolArgs") -> list[Spec]:
    given: list[Spec] = [dict(budget) for budget in args.get("budgets", [])]
    if given:
        return given
    if args["purpose"] == "training":
        # A running training job is not moved for a better price or a new AMI: nodes change when the job is over.
        return [{"nodes": "0", "reasons": ["Drifted", "Underutilized"]}, {"nodes": "100%", "reasons": ["Empty"]}]
    return [{"nodes": "10%"}]

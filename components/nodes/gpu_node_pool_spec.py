"""The shape of a GPU pool's NodePool and EC2NodeClass (karpenter-provider-aws v1.14)."""

from typing import TYPE_CHECKING

from components.specs import Spec
from infra.conventions import (
    CAPACITY_TYPE_LABEL,
    DISCOVERY_TAG,
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
# guide, gp3. Image pull and weights are bound by it where there is no NVMe.
ROOT_THROUGHPUT = 1000
ROOT_IOPS = 4000


def node_class_spec(args: "GpuNodePoolArgs") -> Spec:
    """`EC2NodeClass.spec`: the machine image, network, disks and metadata service of the pool's nodes."""
    discovery = [{"tags": {DISCOVERY_TAG: args["cluster_name"]}}]
    spec: Spec = {
        "amiSelectorTerms": [{"alias": args["ami_alias"]}],
        "role": args["node_role"],
        "subnetSelectorTerms": discovery,
        "securityGroupSelectorTerms": discovery,
        # IMDSv2 only, and one hop: a pod without host networking cannot take the node's role.
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        },
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/xvda",
                "rootVolume": True,
                "ebs": {
                    "volumeSize": f"{args['root_volume_gib']}Gi",
                    "volumeType": "gp3",
                    "throughput": ROOT_THROUGHPUT,
                    "iops": ROOT_IOPS,
                    "encrypted": True,
                    "deleteOnTermination": True,
                },
            }
        ],
    }
    if args["local_nvme"]:
        spec["instanceStorePolicy"] = "RAID0"
    if args.get("reservations"):
        spec["capacityReservationSelectorTerms"] = [{"id": reservation} for reservation in args["reservations"]]
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
        "limits": {GPU_RESOURCE: str(args["gpu_limit"]), "nodes": str(args["node_limit"])},
        "disruption": _disruption(args),
    }
    if args.get("weight"):
        spec["weight"] = args["weight"]
    return spec


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
    ]
    return [{"key": key, "operator": "In", "values": list(values)} for key, values in wanted if values]


def _taints(args: "GpuNodePoolArgs") -> list[Spec]:
    taints: list[Spec] = [{"key": GPU_TAINT, "value": "true", "effect": "NoSchedule"}]
    if args["purpose"] != "inference":
        taints.append({"key": PURPOSE_LABEL, "value": args["purpose"], "effect": "NoSchedule"})
    taints += [dict(taint) for taint in args.get("taints", [])]
    return taints


def _disruption(args: "GpuNodePoolArgs") -> Spec:
    training = args["purpose"] == "training"
    default_policy = "WhenEmpty" if training else "WhenEmptyOrUnderutilized"
    # A running training job is not moved for a better price or a new AMI: nodes change when the job is over.
    default_budgets: list[Spec] = (
        [{"nodes": "0", "reasons": ["Drifted", "Underutilized"]}, {"nodes": "100%", "reasons": ["Empty"]}]
        if training
        else [{"nodes": "10%"}]
    )
    return {
        "consolidationPolicy": args.get("consolidation_policy") or default_policy,
        "consolidateAfter": args["consolidate_after"],
        "budgets": [dict(budget) for budget in args.get("budgets", [])] or default_budgets,
    }

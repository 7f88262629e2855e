"""The CPU pool: what may start, what it is limited to, and how it is built."""

from typing import Any

from components.nodes.cpu_node_pool import CpuNodePool, CpuNodePoolArgs
from components.nodes.cpu_node_pool_spec import cpu_node_class_spec, cpu_node_pool_spec
from infra.plan.manifests import kubernetes_manifests
from simulator.apply import dry_run
from simulator.client import Client
from tests.embedded import Listener
from tests.evaluation.programs import run


def args(**more: Any) -> CpuNodePoolArgs:
    wanted: CpuNodePoolArgs = {
        "cluster_name": "llm",
        "node_role": "KarpenterNodeRole-llm",
        "capacity_types": ["on-demand", "spot"],
        "cpu_limit": 256,
        "memory_limit_gib": 1024,
        "consolidate_after": "5m",
        "expire_after": "336h",
        "termination_grace_period": "1h",
        "ami_alias": "al2023@v20260714",
    }
    return wanted | more  # type: ignore[return-value]  # keys of the TypedDict


def requirements(**more: Any) -> dict[str, tuple[str, list[str]]]:
    found = cpu_node_pool_spec("cpu", args(**more))["template"]["spec"]["requirements"]
    return {item["key"]: (item["operator"], item["values"]) for item in found}


def test_it_starts_modern_machines_without_gpu() -> None:
    assert requirements(zones=["use2-az1"]) == {
        "karpenter.k8s.aws/instance-category": ("In", ["c", "m", "r"]),
        "karpenter.k8s.aws/instance-generation": ("Gt", ["5"]),
        "karpenter.sh/capacity-type": ("In", ["on-demand", "spot"]),
        "kubernetes.io/arch": ("In", ["amd64"]),
        "kubernetes.io/os": ("In", ["linux"]),
        "topology.k8s.aws/zone-id": ("In", ["use2-az1"]),
    }


def test_zones_and_architectures_are_choices() -> None:
    found = requirements(architectures=["arm64", "amd64"])

    assert found["kubernetes.io/arch"] == ("In", ["arm64", "amd64"])
    assert "topology.k8s.aws/zone-id" not in found


def test_whatever_needs_no_gpu_may_land_there() -> None:
    spec = cpu_node_pool_spec("cpu", args(labels={"team": "ml"}))

    assert "taints" not in spec["template"]["spec"]
    assert spec["template"]["metadata"]["labels"] == {"gpu-platform/purpose": "cpu", "team": "ml"}


def test_it_is_limited_and_replaced_a_few_at_a_time() -> None:
    spec = cpu_node_pool_spec("cpu", args())

    assert spec["limits"] == {"cpu": "256", "memory": "1024Gi"}
    assert spec["disruption"] == {
        "consolidationPolicy": "WhenEmptyOrUnderutilized",
        "consolidateAfter": "5m",
        "budgets": [{"nodes": "10%"}],
    }
    assert spec["template"]["spec"]["expireAfter"] == "336h"


def test_given_budgets_replace_the_default() -> None:
    spec = cpu_node_pool_spec("cpu", args(budgets=[{"nodes": "1"}]))

    assert spec["disruption"]["budgets"] == [{"nodes": "1"}]


def test_its_nodes_are_encrypted_and_keep_their_metadata_to_themselves() -> None:
    spec = cpu_node_class_spec(args(key_arn="arn:aws:kms:us-east-2:111122223333:key/1"))
    (mapping,) = spec["blockDeviceMappings"]

    assert spec["metadataOptions"]["httpTokens"] == "required"
    assert spec["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert mapping["ebs"]["encrypted"] is True
    assert mapping["ebs"]["kmsKeyID"] == "arn:aws:kms:us-east-2:111122223333:key/1"
    assert mapping["ebs"]["volumeSize"] == "100Gi"


def test_the_api_server_accepts_it_and_the_pool_goes_before_its_class(
    control_plane: Client, listener: Listener
) -> None:
    plan = run(lambda: CpuNodePool("cpu", args(tags={"team": "ml"}, root_volume_gib=50)), "stand-in")
    pool, node_class = (
        next(item for item in plan if item.inputs.get("kind") == kind) for kind in ("NodePool", "EC2NodeClass")
    )

    assert dry_run(control_plane, kubernetes_manifests(plan), listener) == []
    assert node_class.urn in pool.dependencies
    assert pool.parent == node_class.parent != ""

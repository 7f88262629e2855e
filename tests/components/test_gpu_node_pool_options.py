"""What a GPU pool can be asked beyond the usual, each answer judged by the CRDs on a real API server."""

from typing import Any

import pytest
import yaml

from components.nodes.gpu_node_pool import GpuNodePool, GpuNodePoolArgs
from components.nodes.gpu_node_pool_spec import node_class_spec, node_pool_spec
from infra.plan.manifests import Manifest, kubernetes_manifests
from simulator.apply import dry_run
from simulator.client import Client
from tests.embedded import Listener
from tests.evaluation.programs import run

KEY = "arn:aws:kms:us-east-2:111122223333:key/1"


def args(**more: Any) -> GpuNodePoolArgs:
    wanted: GpuNodePoolArgs = {
        "cluster_name": "llm",
        "node_role": "KarpenterNodeRole-llm",
        "purpose": "training",
        "instance_types": ["p5.48xlarge"],
        "architectures": ["amd64"],
        "capacity_types": ["reserved"],
        "reservations": ["cr-0123456789abcdef0"],
        "gpu_limit": 32,
        "node_limit": 4,
        "consolidate_after": "30m",
        "expire_after": "Never",
        "termination_grace_period": "2h",
        "ami_alias": "al2023@v20260714",
        "root_volume_gib": 500,
        "local_nvme": True,
    }
    return wanted | more  # type: ignore[return-value]  # keys of the TypedDict


def node_config(**more: Any) -> Any:
    return yaml.safe_load(node_class_spec(args(**more))["userData"])


def requirements(**more: Any) -> dict[str, list[str]]:
    found = node_pool_spec("p5", args(**more))["template"]["spec"]["requirements"]
    return {item["key"]: item["values"] for item in found}


def test_nothing_is_added_that_was_not_asked_for() -> None:
    spec = node_class_spec(args())

    assert not {"kubelet", "userData", "placementGroupSelector"} & spec.keys()
    assert "kmsKeyID" not in spec["blockDeviceMappings"][0]["ebs"]
    assert "karpenter.k8s.aws/capacity-reservation-type" not in requirements()
    assert "replicas" not in node_pool_spec("p5", args())


def test_pods_on_a_node_are_the_kubelets_maximum() -> None:
    assert node_class_spec(args(max_pods=250))["kubelet"] == {"maxPods": 250}


def test_the_topology_manager_aligns_devices_and_whole_cores_of_a_pod() -> None:
    config = node_config(topology_manager="restricted")

    assert (config["apiVersion"], config["kind"]) == ("node.eks.aws/v1alpha1", "NodeConfig")
    assert config["spec"] == {
        "kubelet": {
            "config": {
                "topologyManagerPolicy": "restricted",
                "topologyManagerScope": "pod",
                "cpuManagerPolicy": "static",
            }
        }
    }


def test_fast_image_pull_is_a_feature_gate_of_nodeadm() -> None:
    assert node_config(fast_image_pull=True)["spec"] == {"featureGates": {"FastImagePull": True}}


def test_both_are_one_document() -> None:
    """Karpenter takes user data as one NodeConfig; a second document in it would be lost."""
    text = node_class_spec(args(topology_manager="best-effort", fast_image_pull=True))["userData"]

    assert len(list(yaml.safe_load_all(text))) == 1
    assert yaml.safe_load(text)["spec"].keys() == {"featureGates", "kubelet"}


def test_bottlerocket_is_told_in_its_own_words() -> None:
    text = node_class_spec(args(ami_alias="bottlerocket@v1.52.0", topology_manager="single-numa-node"))["userData"]

    assert text.splitlines() == [
        "[settings.kubernetes]",
        'topology-manager-policy = "single-numa-node"',
        'topology-manager-scope = "pod"',
        'cpu-manager-policy = "static"',
    ]


def test_a_placement_group_is_selected_by_name() -> None:
    assert node_class_spec(args(placement_group="training"))["placementGroupSelector"] == {"name": "training"}


def test_the_root_volume_takes_our_key() -> None:
    (mapping,) = node_class_spec(args(key_arn=KEY))["blockDeviceMappings"]

    assert mapping["ebs"]["kmsKeyID"] == KEY
    assert mapping["ebs"]["encrypted"] is True


def test_a_capacity_block_starts_nothing_outside_it() -> None:
    assert requirements(capacity_block=True)["karpenter.k8s.aws/capacity-reservation-type"] == ["capacity-block"]


def test_a_static_pool_keeps_its_size_and_its_budgets() -> None:
    spec = node_pool_spec("p5", args(static_nodes=4, weight=10))

    assert spec["replicas"] == 4
    assert spec["limits"] == {"nodes": "4"}
    assert "weight" not in spec
    assert "consolidationPolicy" not in spec["disruption"]
    assert {"nodes": "0", "reasons": ["Drifted", "Underutilized"]} in spec["disruption"]["budgets"]


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "max-pods": {"max_pods": 250},
    "topology-manager": {"topology_manager": "single-numa-node"},
    "fast-image-pull": {"fast_image_pull": True},
    "placement-group": {"placement_group": "training"},
    "capacity-block": {"capacity_block": True},
    "static": {"static_nodes": 4, "weight": 10},
    "key": {"key_arn": KEY},
    "all": {
        "max_pods": 250,
        "topology_manager": "restricted",
        "fast_image_pull": True,
        "placement_group": "training",
        "capacity_block": True,
        "static_nodes": 2,
        "key_arn": KEY,
    },
}


@pytest.mark.parametrize("option", OPTIONS)
def test_the_api_server_accepts_it(option: str, control_plane: Client, listener: Listener) -> None:
    plan = run(lambda: GpuNodePool("p5", args(**OPTIONS[option])), "stand-in")

    assert dry_run(control_plane, kubernetes_manifests(plan), listener) == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"weight": 10}, "'weight' is not supported on static NodePools"),
        ({"limits": {"nvidia.com/gpu": "32"}}, "only 'limits.nodes' is supported on static NodePools"),
        ({"disruption": {"budgets": [{"nodes": "1"}]}}, "consolidateAfter"),
    ],
)
def test_the_api_server_refuses_what_a_static_pool_leaves_out(
    spec: dict[str, Any], said: str, control_plane: Client, listener: Listener
) -> None:
    """The reasons for what `static_nodes` drops and keeps; when one is gone, so may the code be."""
    body = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "p5"},
        "spec": node_pool_spec("p5", args(static_nodes=4)) | spec,
    }

    (rejection,) = dry_run(control_plane, [Manifest(body, "")], listener)

    assert said in rejection.message


def test_the_api_server_knows_no_topology_manager_in_a_node_class(control_plane: Client, listener: Listener) -> None:
    """Why it goes into user data."""
    body = {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {"name": "p5"},
        "spec": node_class_spec(args()) | {"kubelet": {"topologyManagerPolicy": "restricted"}},
    }

    (rejection,) = dry_run(control_plane, [Manifest(body, "")], listener)

    assert "topologyManagerPolicy" in rejection.message

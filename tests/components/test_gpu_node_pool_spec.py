"""The shape of a GPU pool's NodePool and EC2NodeClass, without Pulumi: what may start, how much, how it is replaced."""

from typing import Any

import pytest

from components.nodes import GpuNodePoolArgs
from components.nodes.gpu_node_pool_spec import node_class_spec, node_pool_spec

Json = dict[str, Any]


def arguments(**changes: Any) -> GpuNodePoolArgs:
    args: Any = {
        "cluster_name": "gpu-test",
        "node_role": "KarpenterNodeRole-gpu-test",
        "purpose": "inference",
        "instance_types": ["g6.2xlarge", "g6.12xlarge"],
        "architectures": ["amd64"],
        "capacity_types": ["on-demand"],
        "gpu_limit": 8,
        "node_limit": 4,
        "consolidate_after": "15m",
        "expire_after": "336h",
        "termination_grace_period": "1h",
        "ami_alias": "al2023@v20260714",
        "root_volume_gib": 500,
        "local_nvme": True,
        **changes,
    }
    return args  # type: ignore[no-any-return]


def pool(**changes: Any) -> Json:
    found: Json = node_pool_spec("l4", arguments(**changes))
    return found


def node_class(**changes: Any) -> Json:
    found: Json = node_class_spec(arguments(**changes))
    return found


def requirements(**changes: Any) -> dict[str, list[str]]:
    found = pool(**changes)["template"]["spec"]["requirements"]
    assert all(item["operator"] == "In" and item["values"] for item in found)
    return {item["key"]: item["values"] for item in found}


# --- what may be started ----------------------------------------------------------------------------------------------


def test_exactly_these_instance_types() -> None:
    found = requirements(zones=["use2-az1"])

    assert found["node.kubernetes.io/instance-type"] == ["g6.2xlarge", "g6.12xlarge"]
    assert found["karpenter.sh/capacity-type"] == ["on-demand"]
    assert found["topology.k8s.aws/zone-id"] == ["use2-az1"]
    assert found["kubernetes.io/os"] == ["linux"]
    assert "karpenter.k8s.aws/instance-gpu-name" not in found


def test_any_instance_type_with_this_gpu() -> None:
    found = requirements(gpu="l40s", instance_types=[])

    assert found["karpenter.k8s.aws/instance-gpu-name"] == ["l40s"]
    assert "node.kubernetes.io/instance-type" not in found


def test_a_pool_without_zones_has_no_requirement_on_them() -> None:
    assert "topology.k8s.aws/zone-id" not in requirements(zones=[])


def test_every_pool_has_limits_on_gpus_and_nodes() -> None:
    assert pool(gpu_limit=48, node_limit=24)["limits"] == {"nvidia.com/gpu": "48", "nodes": "24"}


def test_the_pool_uses_its_own_node_class() -> None:
    reference = pool()["template"]["spec"]["nodeClassRef"]

    assert reference == {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "l4"}


def test_weight_is_there_only_where_it_is_given() -> None:
    assert pool(weight=50)["weight"] == 50
    assert "weight" not in pool()


# --- who may land there -----------------------------------------------------------------------------------------------


def test_every_pool_is_tainted_so_that_nothing_without_a_gpu_lands_there() -> None:
    for purpose in ("inference", "training"):
        assert {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"} in pool(purpose=purpose)["template"][
            "spec"
        ]["taints"]


def test_a_training_pool_is_tainted_with_its_purpose_too() -> None:
    training = {"key": "gpu-platform/purpose", "value": "training", "effect": "NoSchedule"}

    assert training in pool(purpose="training")["template"]["spec"]["taints"]
    assert [taint["key"] for taint in pool()["template"]["spec"]["taints"]] == ["nvidia.com/gpu"]


def test_further_taints_and_labels_are_added() -> None:
    found = pool(taints=[{"key": "team", "effect": "NoExecute"}], labels={"team": "ml"})["template"]

    assert {"key": "team", "effect": "NoExecute"} in found["spec"]["taints"]
    assert found["metadata"]["labels"] == {"gpu-platform/purpose": "inference", "team": "ml"}


# --- how nodes are replaced -------------------------------------------------------------------------------------------


def test_inference_nodes_are_replaced_a_tenth_at_a_time() -> None:
    assert pool()["disruption"] == {
        "consolidationPolicy": "WhenEmptyOrUnderutilized",
        "consolidateAfter": "15m",
        "budgets": [{"nodes": "10%"}],
    }


def test_a_running_training_job_is_not_moved() -> None:
    found = pool(purpose="training")["disruption"]

    assert found["consolidationPolicy"] == "WhenEmpty"
    assert {"nodes": "0", "reasons": ["Drifted", "Underutilized"]} in found["budgets"]
    assert {"nodes": "100%", "reasons": ["Empty"]} in found["budgets"]


def test_budgets_and_policy_that_are_given_replace_the_defaults() -> None:
    budget = {"nodes": "0", "schedule": "0 7 * * mon-fri", "duration": "12h"}
    found = pool(budgets=[budget], consolidation_policy="WhenEmpty")["disruption"]

    assert found["budgets"] == [budget]
    assert found["consolidationPolicy"] == "WhenEmpty"


def test_a_node_has_an_age_and_a_bounded_drain() -> None:
    found = pool(expire_after="720h", termination_grace_period="4h")["template"]["spec"]

    assert (found["expireAfter"], found["terminationGracePeriod"]) == ("720h", "4h")


# --- the machines -----------------------------------------------------------------------------------------------------


def test_the_image_is_pinned() -> None:
    assert node_class()["amiSelectorTerms"] == [{"alias": "al2023@v20260714"}]


def test_a_pod_cannot_take_the_role_of_its_node() -> None:
    """IMDSv2, and one hop: a request from a pod's own network namespace dies on the way."""
    assert node_class()["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }


def test_disks_are_encrypted_sized_and_go_with_the_node() -> None:
    (disk,) = node_class(root_volume_gib=300)["blockDeviceMappings"]

    assert disk["rootVolume"] is True
    assert disk["ebs"]["volumeSize"] == "300Gi"
    assert disk["ebs"]["encrypted"] is True
    assert disk["ebs"]["deleteOnTermination"] is True
    # EBS refuses a throughput of more than a quarter MiB/s for each provisioned IOPS.
    assert disk["ebs"]["throughput"] * 4 <= disk["ebs"]["iops"]


def test_nvme_is_used_where_every_machine_has_it() -> None:
    assert node_class()["instanceStorePolicy"] == "RAID0"
    assert "instanceStorePolicy" not in node_class(local_nvme=False)


def test_subnets_and_security_groups_are_those_of_the_cluster() -> None:
    found = node_class(cluster_name="gpu-test")

    assert found["subnetSelectorTerms"] == [{"tags": {"karpenter.sh/discovery": "gpu-test"}}]
    assert found["securityGroupSelectorTerms"] == [{"tags": {"karpenter.sh/discovery": "gpu-test"}}]
    assert found["role"] == "KarpenterNodeRole-gpu-test"


@pytest.mark.parametrize("ids", [["cr-1"], ["cr-1", "cr-2"]])
def test_reservations_are_selected_by_id(ids: list[str]) -> None:
    found = node_class(capacity_types=["reserved"], reservations=ids)

    assert found["capacityReservationSelectorTerms"] == [{"id": item} for item in ids]
    assert "capacityReservationSelectorTerms" not in node_class()


def test_tags_are_copied() -> None:
    tags = {"owner": "ml"}
    found = node_class(tags=tags)

    assert found["tags"] == tags
    assert found["tags"] is not tags
    assert "tags" not in node_class()


def test_arguments_are_not_changed() -> None:
    args: Any = arguments(taints=[{"key": "a", "effect": "NoSchedule"}], labels={"a": "b"}, budgets=[{"nodes": "1"}])
    before = repr(args)

    node_pool_spec("l4", args)["template"]["spec"]["taints"].append("x")
    node_class_spec(args)

    assert repr(args) == before

"""What changes of the cluster, its node group, add-ons and network do, and what follows from them."""

from typing import Any
from unittest.mock import patch

import pytest

from infra.planning.blast_radius import BlastRadius, Effect, blast_radius
from infra.planning.blast_radius.table import RULES
from tests.conftest import ENVIRONMENTS
from tests.evaluation.programs import plan_of
from tests.planning.edits import edited, effect_of, named, one, setting

GROUP, CLUSTER = "gpu-prod-system-group", "gpu-prod-control-plane"


def quiet(found: BlastRadius) -> bool:
    """Nothing but changes in place."""
    return {item.effect for item in found.findings} == {Effect.UPDATE}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_type_of_our_plans_is_in_the_table(env: str) -> None:
    components = {item.type_token for item in plan_of(env) if not item.custom and not item.remote}

    assert {item.type_token for item in plan_of(env)} - components <= set(RULES)


def test_every_rule_has_a_reason_and_a_source() -> None:
    for token, rules in RULES.items():
        for rule in rules:
            assert rule.why and rule.source, token
            assert not rule.why.endswith("."), token


# --- node group -------------------------------------------------------------------------------------------------------


def test_other_machines_replace_the_node_group() -> None:
    found = effect_of("prod", setting("cluster.systemNodes.instanceTypes", ["m7i.2xlarge"]))

    finding = one(found, GROUP, Effect.REPLACE)
    assert (finding.measure.nodes, finding.measure.gpus) == (3, 0)
    assert "eks/node_group.go" in finding.source
    assert "second node group" in finding.instead
    assert not finding.data


def test_more_system_nodes_replace_nothing() -> None:
    assert quiet(effect_of("prod", setting("cluster.systemNodes.count", 4)))


def test_tags_reach_the_node_group_through_its_launch_template() -> None:
    found = effect_of("prod", setting("tags.owner", "another-team"))

    finding = one(found, GROUP, Effect.DRAIN)
    assert finding.caused_by == ("LaunchTemplate gpu-prod-system-template",)
    assert finding.measure.nodes == 3
    # updateConfig.maxUnavailable is 1: three nodes one after the other.
    assert finding.measure.seconds.high == 3 * 900


# --- control plane ----------------------------------------------------------------------------------------------------


def test_a_newer_kubernetes_upgrades_in_place_and_moves_every_node() -> None:
    before = edited("prod", setting("cluster.kubernetesVersion", "1.35"))

    found = blast_radius(before, plan_of("prod"))

    assert one(found, CLUSTER, Effect.UPGRADE).certain
    assert one(found, GROUP, Effect.DRAIN).measure.nodes == 3
    # al2023@... is resolved for the cluster's version, so Karpenter sees another AMI.
    assert one(found, "inference-l40s-node-class", Effect.DRAIN).caused_by == (f"Cluster {CLUSTER}",)
    assert found.gpus == 38 + 8 + 16  # the pools of slices and of groups too
    assert named(found, Effect.UPGRADE) >= {"gpu-prod-coredns", "gpu-prod-kube-proxy"}
    assert not found.of(Effect.REPLACE, Effect.NOT_KNOWN)


def test_an_older_kubernetes_is_not_called_an_upgrade() -> None:
    found = effect_of("prod", setting("cluster.kubernetesVersion", "1.35"))

    assert "goes back" in one(found, CLUSTER, Effect.NOT_KNOWN).why
    assert not [item for item in found.of(Effect.DRAIN) if item.kind == "EC2NodeClass"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("cluster.access", []),
        ("cluster.logRetentionDays", 400),
        ("cluster.deletionProtection", False),
    ],
)
def test_what_eks_changes_on_a_living_cluster_disturbs_nothing(path: str, value: object) -> None:
    edit = setting(path, value)
    if path == "cluster.access":
        edit = setting("cluster.access[1].access", "view")

    found = effect_of("prod", edit)

    assert quiet(found)
    assert (found.nodes, found.restarted) == (0, {})


def test_other_service_addresses_replace_the_cluster_and_all_that_is_in_it() -> None:
    found = effect_of("prod", setting("cluster.serviceCidr", "172.21.0.0/16"))

    cluster = one(found, CLUSTER, Effect.REPLACE)
    assert found.findings[0] is cluster
    assert "every object in the cluster" in cluster.data
    assert "AWS refuses until it is off" in cluster.data
    assert sum(found.restarted.values()) == 17 + 1 + 3 * 2  # a group counts once; and three pickers
    assert found.gpus == 38 + 8 + 16
    assert GROUP in named(found, Effect.REPLACE)
    goes = {item.kind for item in found.of(Effect.REPLACE) if item.caused_by == (f"Cluster {CLUSTER}",)}
    assert {"Deployment", "NodePool", "Addon", "Release"} <= goes
    assert not [item for item in found.findings if item.resource.type_token.startswith("aws:iam/")]


def test_another_cluster_name_replaces_the_provider_and_every_object_of_it() -> None:
    found = effect_of("dev", setting("cluster.name", "gpu-other"))

    provider = one(found, "cluster", Effect.REPLACE)
    assert [change.path for change in provider.changes if change.path == "clusterIdentifier"]
    assert {item.kind for item in found.of(Effect.REPLACE)} >= {"Deployment", "Service", "NodePool", "Namespace"}
    assert sum(found.restarted.values()) == 4  # models of KServe among them


# --- add-ons and charts -----------------------------------------------------------------------------------------------


def test_another_addon_version_upgrades_that_addon_only() -> None:
    found = effect_of("prod", setting("cluster.addonVersions", {"coredns": "v1.15.0-eksbuild.1"}))

    assert named(found, Effect.UPGRADE) == {"gpu-prod-coredns"}
    assert len(found.findings) == 1
    assert not found.nodes


def test_an_addon_that_goes_is_deleted() -> None:
    def edit(settings: dict[str, Any]) -> None:
        settings["cluster"]["addons"].remove("aws-fsx-csi-driver")

    found = effect_of("prod", edit)

    assert "gpu-prod-aws-fsx-csi-driver" in named(found, Effect.DELETE)
    assert (found.nodes, found.restarted) == (0, {})


def test_another_version_of_karpenter_upgrades_its_releases_and_drains_nothing() -> None:
    with patch("stacks.platform_layer.KARPENTER", "1.14.2"):
        after = edited("prod")

    found = blast_radius(plan_of("prod"), after)

    assert named(found, Effect.UPGRADE) == {"karpenter-crds", "karpenter-controller"}
    assert {change.path for item in found.findings for change in item.changes} == {"version"}
    assert found.nodes == 0


# --- network ----------------------------------------------------------------------------------------------------------


def test_another_range_of_the_vpc_replaces_the_network_and_with_it_the_cluster() -> None:
    found = effect_of("prod", setting("network.cidr", "10.52.0.0/16"))

    assert one(found, "network-vpc", Effect.REPLACE).changes
    assert one(found, CLUSTER, Effect.REPLACE).caused_by == ("Vpc network-vpc",)
    assert {"Subnet", "NatGateway", "RouteTable", "SecurityGroup", "NodePool"} <= {
        item.kind for item in found.of(Effect.REPLACE)
    }
    assert "Repository" not in {item.kind for item in found.findings}


def test_one_more_zone_may_replace_the_node_group() -> None:
    """Its subnets are fixed at creation; the plan does not know their ids, but knows that they come from one more."""

    def edit(settings: dict[str, Any]) -> None:
        settings["network"]["zones"] = ["usw2-az1", "usw2-az2", "usw2-az3"]

    found = effect_of("dev", edit)

    finding = one(found, "gpu-dev-system-group", Effect.REPLACE)
    assert not finding.certain
    assert "subnetIds" in {change.path for change in finding.changes}


def test_subnets_that_go_take_the_nodes_that_stand_in_them() -> None:
    found = effect_of("prod", setting("network.zones", ["use2-az2", "use2-az1", "use2-az3"]))

    drifting = [item for item in found.of(Effect.DRAIN) if "nodes stand in Subnets that go" in item.why]
    assert "inference-l40s-node-class" in {item.resource.name for item in drifting}


def test_one_gateway_for_all_zones_deletes_the_others() -> None:
    found = effect_of("prod", setting("network.natGateways", "one"))

    assert {item.kind for item in found.of(Effect.DELETE)} >= {"NatGateway", "Eip", "Route"}
    assert (found.nodes, found.restarted) == (3, {})  # the node group's subnets come from other routes than before
    assert not one(found, GROUP, Effect.REPLACE).certain


def test_a_repository_that_goes_loses_its_images_and_stands_first() -> None:
    found = effect_of("prod", setting("registry.repositories", ["vllm"]))

    assert found.findings[0].resource.name == "images-training"
    assert "its images" in found.findings[0].data

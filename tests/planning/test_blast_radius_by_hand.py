"""Plans written by hand: MIG layouts, which settings cannot express yet, names, unknowns and types nobody knows."""

from dataclasses import replace
from typing import Any

import pytest

from infra.plan import Marker, Plan, PlannedOptions, PlannedResource
from infra.planning.blast_radius import Effect, Finding, blast_radius
from tests.plan.builders import plan, resource, urn

POOL_TYPE = "kubernetes:karpenter.sh/v1:NodePool"
GROUP_TYPE = "aws:eks/nodeGroup:NodeGroup"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
MIG = "nvidia.com/mig.config"


def node_pool(layout: str = "", **spec: Any) -> PlannedResource:
    """Two p5.48xlarge that always stand."""
    labels = {MIG: layout} if layout else {}
    requirements = [
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["p5.48xlarge"]},
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
    ]
    template = {"metadata": {"labels": labels}, "spec": {"requirements": requirements}}
    inputs = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "sliced"},
        "spec": {"template": template, "replicas": 2, "disruption": {"budgets": [{"nodes": "1"}]}, **spec},
    }
    return resource("sliced", type_token=POOL_TYPE, inputs=inputs)


def node_group(labels: dict[str, str], **inputs: Any) -> PlannedResource:
    base: dict[str, Any] = {
        "instanceTypes": ["p4d.24xlarge"],
        "scalingConfig": {"desiredSize": 3, "minSize": 3, "maxSize": 3},
        "updateConfig": {"maxUnavailable": 1},
        "labels": labels,
    }
    return resource("gpus", type_token=GROUP_TYPE, inputs={**base, **inputs})


def server(gpus: int, replicas: int = 2, **selector: str) -> PlannedResource:
    container = {"name": "engine", "image": "x:1", "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}
    pod = {"containers": [container], "nodeSelector": selector}
    spec = {"replicas": replicas, "template": {"metadata": {"labels": {"app": "m"}}, "spec": pod}}
    inputs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "m", "namespace": "n"}, "spec": spec}
    return resource("m", type_token=DEPLOYMENT, inputs=inputs)


def only(old: Plan, new: Plan) -> Finding:
    (finding,) = blast_radius(old, new).findings
    return finding


# --- MIG --------------------------------------------------------------------------------------------------------------


def test_another_mig_layout_of_a_pool_drains_its_nodes() -> None:
    pods = server(4, 4)
    finding = only(plan(node_pool("all-1g.10gb"), pods), plan(node_pool("all-2g.20gb"), pods))

    assert finding.effect is Effect.DRAIN
    assert "MIG layout" in finding.why
    assert (finding.measure.nodes, finding.measure.gpus) == (2, 16)
    assert finding.measure.restarted == {"Deployment n/m": 4}
    assert [(change.path, change.old, change.new) for change in finding.changes] == [
        (f"spec.template.metadata.labels[{MIG}]", "all-1g.10gb", "all-2g.20gb")
    ]


def test_a_mig_label_on_a_node_group_reaches_all_living_nodes_at_once() -> None:
    pods = server(8, 3)
    finding = only(plan(node_group({MIG: "a"}), pods), plan(node_group({MIG: "b"}), pods))

    assert finding.effect is Effect.DRAIN
    assert (finding.measure.nodes, finding.measure.gpus, finding.measure.out_at_once) == (3, 24, 3)
    assert "new layout" in finding.instead


def test_another_label_on_a_node_group_drains_nothing() -> None:
    assert only(plan(node_group({"team": "a"})), plan(node_group({"team": "b"}))).effect is Effect.UPDATE


def layouts(text: str) -> PlannedResource:
    inputs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mig"}, "data": {"config.yaml": text}}
    return resource("mig", inputs=inputs)


def test_other_layouts_in_the_config_map_drain_the_nodes_that_carry_one() -> None:
    pool = node_pool("all-1g.10gb")
    finding = only(plan(pool, layouts("mig-configs: {a: 1}")), plan(pool, layouts("mig-configs: {a: 2}")))

    assert finding.effect is Effect.DRAIN
    assert (finding.measure.gpus, finding.certain) == (16, True)
    assert finding.measure.gpu_hours.low == pytest.approx(16 * 70 / 3600)  # nodes without pods only start anew


def test_other_layouts_drain_nothing_that_is_certain_where_no_node_carries_one() -> None:
    finding = only(plan(node_pool(), layouts("mig-configs: 1")), plan(node_pool(), layouts("mig-configs: 2")))

    assert (finding.effect, finding.certain, finding.measure.nodes) == (Effect.DRAIN, False, 0)


def test_any_other_config_map_is_made_anew() -> None:
    finding = only(plan(layouts("colour: red")), plan(layouts("colour: blue")))

    assert finding.effect is Effect.REPLACE
    assert not finding.data


def test_mig_settings_of_a_chart_drain_the_nodes_that_carry_a_layout() -> None:
    def release(strategy: str) -> PlannedResource:
        values = {"mig": {"strategy": strategy}, "driver": {"enabled": False}}
        return resource("op", type_token="kubernetes:helm.sh/v3:Release", inputs={"values": values})

    pool = node_pool("all-1g.10gb")
    finding = only(plan(pool, release("single")), plan(pool, release("mixed")))

    assert (finding.effect, finding.measure.gpus) == (Effect.DRAIN, 16)


# --- objects of Kubernetes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "effect"),
    [
        ("apps/v1:Deployment", "spec.selector.matchLabels.app", Effect.REPLACE),
        ("apps/v1:Deployment", "spec.template.spec.serviceAccountName", Effect.RESTART),
        ("apps/v1:Deployment", "spec.strategy.type", Effect.UPDATE),
        ("apps/v1:StatefulSet", "spec.serviceName", Effect.REPLACE),
        ("core/v1:Secret", "stringData.token", Effect.REPLACE),
        ("core/v1:Service", "spec.clusterIP", Effect.REPLACE),
        ("core/v1:Service", "spec.type", Effect.UPDATE),
        ("core/v1:PersistentVolumeClaim", "spec.storageClassName", Effect.REPLACE),
        ("core/v1:Namespace", "metadata.labels.team", Effect.UPDATE),
        ("core/v1:Namespace", "metadata.name", Effect.REPLACE),
        ("policy/v1:PodDisruptionBudget", "spec.maxUnavailable", Effect.UPDATE),
        ("helm.sh/v3:Release", "namespace", Effect.REPLACE),
        ("helm.sh/v3:Release", "values.replicas", Effect.UPGRADE),
        ("helm.sh/v3:Release", "timeout", Effect.UPDATE),
        ("acme.io/v1:Widget", "metadata.annotations.a", Effect.UPDATE),
        ("acme.io/v1:Widget", "spec.size", Effect.NOT_KNOWN),
    ],
)
def test_a_field_of_an_object(kind: str, field: str, effect: Effect) -> None:
    def with_value(value: str) -> PlannedResource:
        inputs: Any = {"apiVersion": "v1", "kind": kind.partition(":")[2], "metadata": {"name": "x"}}
        *parents, last = field.split(".")
        place = inputs
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = value
        return resource("x", type_token=f"kubernetes:{kind}", inputs=inputs)

    finding = only(plan(with_value("a")), plan(with_value("b")))

    assert (finding.effect, finding.changes[0].path) == (effect, field)


# --- what nobody knows ------------------------------------------------------------------------------------------------


def test_a_type_nobody_knows_is_listed_and_not_called_harmless() -> None:
    old = resource("x", type_token="acme:index:Thing", inputs={"size": 1})

    finding = only(plan(old), plan(replace(old, inputs={"size": 2})))

    assert finding.effect is Effect.NOT_KNOWN
    assert finding.changes[0].path == "size"


def test_a_field_nobody_knows_is_listed_beside_those_that_are_known() -> None:
    old = resource("v", type_token="aws:ec2/vpc:Vpc", inputs={"cidrBlock": "10.0.0.0/16", "novelty": 1})
    new = replace(old, inputs={"cidrBlock": "10.1.0.0/16", "novelty": 2})

    effects = {
        item.effect: [change.path for change in item.changes] for item in blast_radius(plan(old), plan(new)).findings
    }

    assert effects == {Effect.REPLACE: ["cidrBlock"], Effect.NOT_KNOWN: ["novelty"]}


def test_an_unknown_value_that_was_known_may_change() -> None:
    old = resource("v", type_token="aws:ec2/vpc:Vpc", inputs={"cidrBlock": "10.0.0.0/16"})
    new = replace(old, inputs={"cidrBlock": Marker.UNKNOWN})

    finding = only(plan(old), plan(new))

    assert (finding.effect, finding.certain) == (Effect.REPLACE, False)


def test_unknown_on_both_sides_is_the_same_while_it_comes_from_the_same() -> None:
    links = {"vpcId": (urn("a"),)}
    old = resource(
        "s", type_token="aws:ec2/subnet:Subnet", inputs={"vpcId": Marker.UNKNOWN}, property_dependencies=links
    )

    assert blast_radius(plan(resource("a"), old), plan(resource("a"), old)).findings == ()

    moved = replace(old, property_dependencies={"vpcId": (urn("b"),)})
    found = blast_radius(plan(resource("a"), resource("b"), old), plan(resource("a"), resource("b"), moved))
    (finding,) = found.findings
    assert (finding.effect, finding.certain, finding.changes[0].path) == (Effect.REPLACE, False, "vpcId")


def test_secrets_of_equal_place_are_equal() -> None:
    old = resource("s", inputs={"data": {"token": Marker.SECRET}})

    assert blast_radius(plan(old), plan(old)).findings == ()


# --- names and the engine's side --------------------------------------------------------------------------------------


def test_a_resource_with_the_same_inputs_under_another_name_was_renamed() -> None:
    old = resource("queue", type_token="aws:sqs/queue:Queue", inputs={"messageRetentionSeconds": 300})
    new = replace(old, urn=urn("events", old.type_token), name="events")

    finding = only(plan(old), plan(new))

    assert finding.effect is Effect.REPLACE
    assert "aliases" in finding.instead
    assert finding.old is not None
    assert finding.old.name == "queue"


def test_a_resource_with_other_inputs_under_another_name_is_another_one() -> None:
    old = resource("queue", type_token="aws:sqs/queue:Queue", inputs={"messageRetentionSeconds": 300})
    new = replace(old, urn=urn("events", old.type_token), name="events", inputs={"fifoQueue": True})

    assert {item.effect for item in blast_radius(plan(old), plan(new)).findings} == {Effect.CREATE, Effect.DELETE}


def test_what_is_protected_or_kept_is_said_where_it_goes() -> None:
    old = resource("fs", type_token="aws:efs/fileSystem:FileSystem", inputs={})

    def gone(**options: Any) -> str:
        return only(plan(replace(old, options=PlannedOptions(**options))), plan()).data

    assert gone() == "lost with it: its files"
    assert "engine refuses" in gone(protect=True)
    assert gone(retain_on_delete=True) == "retainOnDelete: it stays in the cloud, and the stack knows it no more"


def test_protect_that_is_taken_away_is_a_change() -> None:
    old = resource("fs", type_token="aws:efs/fileSystem:FileSystem", inputs={}, options=PlannedOptions(protect=True))

    finding = only(plan(old), plan(replace(old, options=PlannedOptions())))

    assert (finding.effect, finding.changes[0].path) == (Effect.UPDATE, "(options).protect")


def test_everything_of_a_provider_goes_with_it() -> None:
    provider = resource("k", type_token="pulumi:providers:kubernetes", inputs={"clusterIdentifier": "a"})
    service = resource("s", type_token="kubernetes:core/v1:Service", provider=provider.urn)

    found = blast_radius(plan(provider, service), plan(replace(provider, inputs={"clusterIdentifier": "b"}), service))

    assert {item.resource.name for item in found.of(Effect.REPLACE)} == {"k", "s"}


def test_a_kubeconfig_without_identifier_may_replace_everything() -> None:
    old = resource("k", type_token="pulumi:providers:kubernetes", inputs={"kubeconfig": "a"})
    found = only(plan(old), plan(replace(old, inputs={"kubeconfig": "b"})))
    assert (found.effect, found.certain) == (Effect.REPLACE, False)

    named = {"clusterIdentifier": "c"}
    same = blast_radius(
        plan(replace(old, inputs={"kubeconfig": "a", **named})), plan(replace(old, inputs={"kubeconfig": "b", **named}))
    )
    assert [item.effect for item in same.findings] == [Effect.UPDATE]


def test_stacks_and_modes_that_differ_are_a_warning_and_not_a_difference() -> None:
    one = plan(resource("x"))
    other = Plan(
        "gpu-platform", "prod", "stand-in", (replace(one.resources[0], urn=urn("x").replace("test", "prod")),), {}
    )

    found = blast_radius(one, other)

    assert found.findings == ()
    assert "test and prod" in found.warnings[0]
    assert "unknown and stand-in" in found.warnings[1]


def test_an_output_that_goes_breaks_those_who_require_it() -> None:
    finding = only(plan(exports={"url": "a", "kept": 1}), plan(exports={"kept": 1}))

    assert "fails" in finding.why
    assert finding.changes[0].path == "url"


@pytest.mark.parametrize("spec", [None, 3, {}, {"replicas": "many", "template": {"spec": {"containers": "none"}}}])
def test_an_object_that_cannot_be_read_is_noted_and_does_not_stop_the_rest(spec: Any) -> None:
    inputs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "odd"}, "spec": spec}
    odd = resource("odd", type_token=DEPLOYMENT, inputs=inputs)

    found = blast_radius(plan(odd, server(1)), plan(odd, server(2)))

    assert found.restarted == {"Deployment n/m": 2}
    assert any("odd" in text for text in found.assumptions)

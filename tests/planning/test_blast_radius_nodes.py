"""What changes of pools and machine images do: which nodes drift, and how many GPUs that drains."""

import math
from typing import Any

import pytest

from infra.planning.blast_radius import Effect
from tests.evaluation.programs import plan_of
from tests.planning.edits import effect_of, model, named, one, pool, setting

L40S = "inference-l40s"
CLASS, POOL = f"{L40S}-node-class", f"{L40S}-node-pool"


def test_another_ami_drains_the_nodes_of_its_pool_and_only_those() -> None:
    found = effect_of("prod", lambda s: pool(s, L40S).update(amiAlias="al2023@v20260801"))

    finding = one(found, CLASS, Effect.DRAIN)
    assert [item.effect for item in found.findings] == [Effect.DRAIN]
    assert [(change.path, change.old, change.new) for change in finding.changes] == [
        ("spec.amiSelectorTerms[0].alias", "al2023@v20260714", "al2023@v20260801")
    ]
    # 3 x 4 and 2 x 8 GPUs, six and four servers of one GPU.
    assert found.gpus == finding.measure.gpus == 12 + 16 + 6 + 4
    assert found.restarted == {
        "Deployment models/qwen3-32b": 3,
        "Deployment models/qwen25-72b": 2,
        "Deployment models/qwen3-8b": 6,
        "Deployment batch/summaries": 4,
    }
    assert "karpenter-provider-aws 1.14.1" in finding.source


def test_gpu_hours_are_gpus_times_node_start_image_and_engine() -> None:
    found = effect_of("prod", lambda s: pool(s, L40S).update(amiAlias="al2023@v20260801"))

    # Startup probes: 30 min, but an hour for the 72B model; node 70 to 900 s, image 45 to 112 s, engine from 39 s.
    high = 38 * (900 + 112) + 16 * 3600 + sum(gpus * seconds for gpus, seconds in _startup_seconds())
    assert found.gpu_hours.low == pytest.approx(38 * (70 + 45 + 39) / 3600)
    assert found.gpu_hours.high == pytest.approx(high / 3600)


def _startup_seconds() -> list[tuple[int, float]]:
    found = []
    for resource in plan_of("prod").of_type("kubernetes:apps/v1:Deployment"):
        spec: Any = resource.inputs["spec"]
        container = spec["template"]["spec"]["containers"][0]
        if resource.name.endswith("-picker-deployment"):
            continue  # on the CPU pool
        probe = container["startupProbe"]
        if resource.name.startswith("helper"):
            continue  # on slices of another pool
        if resource.name.startswith("qwen25-72b"):
            assert probe["failureThreshold"] * probe["periodSeconds"] == 3600
            continue
        gpus = int(container["resources"]["limits"]["nvidia.com/gpu"]) * spec["replicas"]
        found.append((gpus, probe["failureThreshold"] * probe["periodSeconds"]))
    return found


@pytest.mark.parametrize(
    ("budget", "at_once"), [([{"nodes": "10%"}], "10%"), ([{"nodes": "5"}], "5"), ([{"nodes": "100%"}], "100%")]
)
def test_a_wider_budget_makes_the_drain_shorter_and_not_cheaper(budget: list[dict[str, str]], at_once: str) -> None:
    def edit(settings: dict[str, Any]) -> None:
        pool(settings, L40S).update(amiAlias="al2023@v20260801")
        pool(settings, L40S)["disruption"]["budgets"] = budget

    found = effect_of("prod", edit)

    measure = one(found, CLASS, Effect.DRAIN).measure
    nodes = measure.nodes
    width = math.ceil(nodes * int(at_once[:-1]) / 100) if at_once.endswith("%") else int(at_once)
    waves = math.ceil(nodes / width)
    assert measure.seconds.high == pytest.approx(waves * (900 + 112 + 3600 + 325))
    assert any(f"{width} of {nodes} nodes at a time" in note for note in measure.notes)
    assert one(found, POOL, Effect.UPDATE).measure.nodes == 0
    assert found.gpu_hours.low == pytest.approx(38 * (70 + 45 + 39) / 3600)


def test_a_budget_that_lets_no_node_drift_holds_everything_back() -> None:
    def edit(settings: dict[str, Any]) -> None:
        pool(settings, L40S).update(amiAlias="al2023@v20260801")
        pool(settings, L40S)["disruption"]["budgets"] = [{"nodes": "0", "reasons": ["Drifted"]}]

    found = effect_of("prod", edit)

    assert (found.nodes, found.gpus, found.restarted) == (0, 0, {})
    assert any("lets no node drift" in note for note in one(found, CLASS, Effect.DRAIN).measure.notes)


def test_pods_out_at_a_time_are_bound_by_the_budget_of_the_pool_and_of_the_pods() -> None:
    def edit(settings: dict[str, Any]) -> None:
        pool(settings, L40S).update(amiAlias="al2023@v20260801")
        pool(settings, L40S)["disruption"]["budgets"] = [{"nodes": "100%"}]

    # All nodes at once: each of the four models has a PodDisruptionBudget of one.
    assert one(effect_of("prod", edit), CLASS, Effect.DRAIN).measure.out_at_once == 4


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rootVolumeGib": 600}, "blockDeviceMappings"),
        ({"topologyManager": "best-effort"}, "userData"),
        ({"maxPods": 50}, "kubelet"),
        ({"placementGroup": "one", "zones": ["use2-az1"]}, "placementGroupSelector"),
    ],
)
def test_what_a_node_class_hashes_drains(change: dict[str, object], field: str) -> None:
    found = effect_of("prod", lambda s: pool(s, L40S).update(change))

    finding = one(found, CLASS, Effect.DRAIN)
    assert field in {change.field[1] for change in finding.changes}
    assert found.gpus == 38


@pytest.mark.parametrize(
    "change",
    [
        {"taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]},
        {"labels": {"team": "a"}},
        {"expireAfter": "100h"},
        {"terminationGracePeriod": "2h"},
    ],
)
def test_what_a_node_pool_hashes_drains(change: dict[str, object]) -> None:
    found = effect_of("prod", lambda s: pool(s, L40S).update(change))

    assert one(found, POOL, Effect.DRAIN).measure.gpus == 38


@pytest.mark.parametrize(
    "change",
    [
        {"limits": {"gpus": 64, "nodes": 30}},
        {"weight": 60},
        {"disruption": {"consolidateAfter": "45m", "budgets": [{"nodes": "20%"}]}},
    ],
)
def test_what_only_steers_karpenter_drains_nothing(change: dict[str, object]) -> None:
    found = effect_of("prod", lambda s: pool(s, L40S).update(change))

    assert named(found, Effect.UPDATE) >= {POOL}
    assert found.nodes == found.gpus == 0
    assert not found.of(Effect.DRAIN, Effect.RESTART, Effect.REPLACE, Effect.NOT_KNOWN)


def test_wider_requirements_drain_nothing() -> None:
    found = effect_of("prod", lambda s: pool(s, L40S)["capacityTypes"].append("spot"))

    finding = one(found, POOL, Effect.UPDATE)
    assert "every node that the old ones did" in finding.why
    assert not found.of(Effect.DRAIN)


def test_narrower_requirements_drain_only_the_nodes_they_refuse() -> None:
    def edit(settings: dict[str, Any]) -> None:
        pool(settings, L40S)["instanceTypes"].remove("g6e.2xlarge")

    found = effect_of("prod", edit)

    finding = one(found, POOL, Effect.DRAIN)
    # The ten servers of one GPU stand on g6e.2xlarge; those of four and eight GPUs do not.
    assert finding.certain
    assert finding.measure.gpus == finding.measure.nodes == 10
    assert set(found.restarted) == {"Deployment models/qwen3-8b", "Deployment batch/summaries"}


def test_narrower_requirements_that_refuse_no_node_the_plan_needs_may_drain() -> None:
    def edit(settings: dict[str, Any]) -> None:
        pool(settings, L40S)["instanceTypes"].remove("g6e.4xlarge")

    finding = one(effect_of("prod", edit), POOL, Effect.DRAIN)

    assert not finding.certain
    assert finding.measure.nodes == 0
    assert any("g6e.4xlarge" in note for note in finding.measure.notes)


def test_a_pool_that_no_pod_of_the_plan_needs_says_what_jobs_may_hold() -> None:
    found = effect_of("prod", lambda s: pool(s, "training-h100").update(amiAlias="al2023@v20260801"))

    finding = one(found, "training-h100-node-class", Effect.DRAIN)
    assert finding.measure.nodes == 0
    assert any("jobs may hold up to 4 nodes and 32 GPUs" in note for note in finding.measure.notes)


def test_a_pool_whose_class_and_template_change_is_drained_once() -> None:
    def edit(settings: dict[str, Any]) -> None:
        pool(settings, L40S).update(amiAlias="al2023@v20260801", labels={"team": "a"})

    found = effect_of("prod", edit)

    assert named(found, Effect.DRAIN) == {CLASS, POOL}
    assert found.gpus == 38
    assert sum(found.restarted.values()) == 15


def test_other_reservations_drain_nodes_only_where_they_stand_in_one_that_left() -> None:
    def edit(settings: dict[str, Any]) -> None:
        pool(settings, "training-h100-reserved")["reservations"][0]["id"] = "cr-0fedcba9876543210"

    finding = one(effect_of("prod", edit), "training-h100-reserved-node-class", Effect.DRAIN)

    assert not finding.certain


def test_a_tag_drains_every_node_because_karpenter_hashes_it() -> None:
    found = effect_of("prod", setting("tags.owner", "another-team"))

    assert CLASS in named(found, Effect.DRAIN)
    assert found.gpus == 38 + 8 + 16  # the pools of slices and of groups too
    assert one(found, CLASS, Effect.DRAIN).instead


def test_a_pool_that_goes_drains_its_nodes_unless_its_pods_leave_first() -> None:
    def elsewhere(settings: dict[str, Any]) -> None:
        settings["nodePools"].remove(pool(settings, "inference-l4-spot"))
        model(settings, "qwen3-8b")["nodePools"] = ["inference-l40s-spot"]

    found = effect_of("dev", elsewhere)

    assert one(found, "inference-l4-spot-node-pool", Effect.DELETE).measure.nodes == 1
    # The Deployment rolls to the other pool before the engine deletes this one: the pod restarts once.
    assert found.restarted == {"Deployment models/qwen3-8b": 1}

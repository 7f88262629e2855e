"""Where pods can run: requirements, taints, sizes, limits, order of choice, and the reasons for a refusal."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.catalog.instances import gpu_instance_types
from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.planning.placement import (
    NodeClass,
    Packing,
    Requirement,
    match,
    node_pools,
    pack,
    pod_demands,
    quantity,
    show_quantity,
)
from infra.planning.placement.shapes import shapes
from tests.simulator.manifests import (
    GPU_TAINT,
    L40S,
    deployment,
    ec2_node_class,
    gpu_pod,
    manifest,
    node_pool,
    requirement,
)

GIB = 1024**3


def packed(*manifests: Manifest) -> Packing:
    return pack(pod_demands(manifests), node_pools(manifests))


def refusal(pool: Manifest, pod: dict[str, Any], *more: Manifest) -> str:
    found = packed(ec2_node_class(), pool, deployment("x", pod), *more)
    assert len(found.unplaced) == 1, found.nodes
    return dict(found.unplaced[0].refusals)[pool.name]


def types(found: Packing) -> list[str]:
    return [node.offer.shape.name for node in found.nodes]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"),
        ("16Gi", str(16 * GIB)),
        ("1.5", "1.5"),
        ("2e3", "2000"),
        (8, "8"),
        ("1E", str(10**18)),
        ("3k", "3000"),
    ],
)
def test_quantities_are_exact(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "16GiB", "abc", "1 2", "Gi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(PlatformError, match="is not a Kubernetes quantity"):
        quantity(text)


def test_quantities_are_shown_as_people_write_them() -> None:
    assert [show_quantity("memory", Decimal(16 * GIB)), show_quantity("cpu", Decimal("3.920"))] == ["16Gi", "3.92"]


@pytest.mark.parametrize(
    ("operator", "values", "met", "unmet"),
    [
        ("In", ("a", "b"), "a", None),
        ("NotIn", ("a",), None, "a"),
        ("Exists", (), "", None),
        ("DoesNotExist", (), None, ""),
        ("Gt", ("4",), "5", "4"),
        ("Lt", ("4",), "3", "4"),
        ("Gte", ("4",), "4", "3"),
        ("Lte", ("4",), "4", None),
    ],
)
def test_requirement_operators(operator: str, values: tuple[str, ...], met: str | None, unmet: str | None) -> None:
    item = Requirement("key", operator, values)
    assert item.allows(met)
    assert not item.allows(unmet)


def test_allocatable_memory_is_what_karpenter_publishes() -> None:
    listed = {name: item.allocatable_memory_mib for name, item in gpu_instance_types().items()}
    found = {shape.name: int(shape.allocatable(NodeClass(""))["memory"] / 1024**2) for shape in shapes()}
    differing = {
        name: (found[name], mib) for name, mib in listed.items() if mib and name in found and found[name] != mib
    }
    assert differing == {}


def test_cpu_and_storage_of_a_node_are_what_karpenter_publishes() -> None:
    # Karpenter 1.14 reference page of instance types, m7i.2xlarge: cpu 7910m, ephemeral-storage 17Gi, memory 29317Mi.
    shape = next(shape for shape in shapes() if shape.name == "m7i.2xlarge")
    assert shape.allocatable(NodeClass("")) == {
        "cpu": Decimal("7.91"),
        "memory": Decimal(29317 * 1024**2),
        "ephemeral-storage": Decimal(17 * GIB),
        "pods": Decimal(58),
    }


def test_storage_and_fabric_follow_the_node_class() -> None:
    shape = next(shape for shape in shapes() if shape.name == "p5.48xlarge")
    classes = node_pools([ec2_node_class(), node_pool()])[0].node_class
    assert shape.capacity(classes)["ephemeral-storage"] == 200 * GIB
    assert shape.capacity(NodeClass("", raid0=True))["ephemeral-storage"] == 30400 * 10**9
    assert shape.capacity(NodeClass(""))["vpc.amazonaws.com/efa"] == 32
    assert "vpc.amazonaws.com/efa" not in shape.capacity(NodeClass("", efa_only_interfaces=0))


def test_the_cheapest_type_that_fits_is_chosen() -> None:
    pool = node_pool(requirements=L40S)
    assert types(packed(ec2_node_class(), pool, deployment("a", gpu_pod(1)))) == ["g6e.xlarge"]
    assert types(packed(ec2_node_class(), pool, deployment("a", gpu_pod(4)))) == ["g6e.12xlarge"]
    assert types(packed(ec2_node_class(), pool, deployment("a", gpu_pod(5)))) == ["g6e.48xlarge"]


def test_pods_share_a_node_until_it_is_full() -> None:
    eight = node_pool(requirements=(*L40S, requirement("karpenter.k8s.aws/instance-gpu-count", "8")))
    found = packed(ec2_node_class(), eight, deployment("a", gpu_pod(3), replicas=3))
    assert [len(node.pods) for node in found.nodes] == [2, 1]


def test_required_anti_affinity_by_host_keeps_pods_apart() -> None:
    apart = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "a"}}}
            ]
        }
    }
    eight = node_pool(requirements=(*L40S, requirement("karpenter.k8s.aws/instance-gpu-count", "8")))
    found = packed(ec2_node_class(), eight, deployment("a", gpu_pod(affinity=apart), 3), deployment("b", gpu_pod(), 2))
    assert sorted(len(node.pods) for node in found.nodes) == [1, 1, 3]


@pytest.mark.parametrize(
    ("allowed", "reserves", "expected"),
    [
        (("reserved", "spot", "on-demand"), True, "reserved"),
        (("reserved", "spot", "on-demand"), False, "spot"),
        (("on-demand", "spot"), False, "spot"),
        (("on-demand",), True, "on-demand"),
    ],
)
def test_capacity_types_are_tried_in_karpenters_order(allowed: tuple[str, ...], reserves: bool, expected: str) -> None:
    terms: dict[str, Any] = {"capacityReservationSelectorTerms": [{"tags": {"pool": "a"}}]} if reserves else {}
    pool = node_pool(requirements=(L40S[0], requirement("karpenter.sh/capacity-type", *allowed)))
    found = packed(ec2_node_class(**terms), pool, deployment("a", gpu_pod()))
    assert [node.offer.capacity_type for node in found.nodes] == [expected]


def test_the_pool_of_greater_weight_comes_first_and_the_next_takes_what_exceeds_its_limit() -> None:
    first = node_pool("first", L40S, weight=10, limits={"nvidia.com/gpu": 1})
    second = node_pool("second", L40S, weight=1)
    found = packed(ec2_node_class(), second, first, deployment("a", gpu_pod(), replicas=2))
    assert [node.pool.name for node in found.nodes] == ["first", "second"]


def test_nodes_are_named_the_same_every_time_and_spread_over_zones() -> None:
    plan = [ec2_node_class(), node_pool(requirements=L40S), deployment("a", gpu_pod(), replicas=4)]
    first, second = packed(*plan), packed(*plan)
    assert first == second
    assert [node.name for node in first.nodes] == [f"gpu-g6e-xlarge-{number}" for number in (1, 2, 3, 4)]
    assert sorted(node.offer.place.zone_id for node in first.nodes) == ["use1-az4", "use1-az4", "use1-az6", "use1-az6"]


def test_a_static_pool_has_its_nodes_without_pods() -> None:
    found = packed(ec2_node_class(), node_pool(requirements=L40S, replicas=2))
    assert types(found) == ["g6e.xlarge"] * 2


def test_pods_without_gpu_go_to_a_cpu_pool() -> None:
    wanted = (
        requirement("karpenter.k8s.aws/instance-category", "c", "m", "r"),
        requirement("kubernetes.io/arch", "amd64"),
    )
    cpu = node_pool("cpu", wanted, taints=())
    web = {"containers": [{"name": "web", "resources": {"requests": {"cpu": "3", "memory": "10Gi"}}}]}
    assert types(packed(ec2_node_class(), node_pool(requirements=L40S), cpu, deployment("web", web))) == ["m7i.xlarge"]


def test_a_daemon_set_takes_its_share_of_every_node_it_runs_on() -> None:
    agent = {
        "containers": [{"name": "agent", "resources": {"requests": {"cpu": "1500m"}}}],
        "tolerations": [{"operator": "Exists"}],
    }
    daemon = manifest("apps/v1", "DaemonSet", "agent", "ops", spec={"template": {"spec": agent}})
    plan = [ec2_node_class(), node_pool(requirements=L40S), deployment("a", gpu_pod())]
    assert types(packed(*plan)) == ["g6e.xlarge"]  # 3.92 cores, 2 are asked for
    assert types(packed(*plan, daemon)) == ["g6e.xlarge"]
    thirsty = {**agent, "containers": [{"name": "agent", "resources": {"requests": {"cpu": "2"}}}]}
    daemon = manifest("apps/v1", "DaemonSet", "agent", "ops", spec={"template": {"spec": thirsty}})
    assert types(packed(*plan, daemon)) == ["g6e.2xlarge"]


def test_a_pool_chooses_the_value_of_its_own_label_that_the_pod_wants() -> None:
    pool = node_pool(requirements=(*L40S, requirement("example.com/tier", "gold", "silver")))
    found = packed(ec2_node_class(), pool, deployment("a", gpu_pod(nodeSelector={"example.com/tier": "silver"})))
    assert found.nodes[0].offer.labels["example.com/tier"] == "silver"


def test_start_up_containers_count_by_their_peak_and_sidecars_for_good() -> None:
    def container(cpu: str, **more: Any) -> dict[str, Any]:
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    pod = {
        "initContainers": [container("1", restartPolicy="Always"), container("5")],
        "containers": [container("2"), container("2")],
        "overhead": {"cpu": "250m"},
    }
    demand = pod_demands([deployment("a", pod)])[0]
    assert demand.requests["cpu"] == Decimal("6.25")


def test_jobs_ask_for_the_pods_that_run_at_once() -> None:
    spec = {"parallelism": 4, "completions": 3, "template": {"spec": gpu_pod()}}
    assert pod_demands([manifest("batch/v1", "Job", "a", "x", spec=spec)])[0].count == 3
    assert pod_demands([manifest("batch/v1", "Job", "a", "x", spec={**spec, "suspend": True})]) == []


def test_an_untolerated_taint_is_named() -> None:
    assert refusal(node_pool(requirements=L40S), gpu_pod(tolerations=[])) == (
        "the pod does not tolerate its taint nvidia.com/gpu=true:NoSchedule"
    )


def test_a_soft_taint_keeps_nobody_away() -> None:
    soft = {**GPU_TAINT, "effect": "PreferNoSchedule"}
    found = packed(
        ec2_node_class(), node_pool(requirements=L40S, taints=(soft,)), deployment("a", gpu_pod(tolerations=[]))
    )
    assert found.unplaced == ()


def test_a_condition_no_node_meets_is_named_with_what_the_pool_has() -> None:
    wanted = gpu_pod(nodeSelector={"karpenter.k8s.aws/instance-gpu-name": "h100"})
    assert refusal(node_pool(requirements=L40S), wanted) == (
        "the pod needs a node with karpenter.k8s.aws/instance-gpu-name In [h100]; its nodes have [l40s]"
    )


def test_a_request_no_node_can_give_is_named_with_both_numbers() -> None:
    assert refusal(node_pool(requirements=L40S), gpu_pod(16)) == (
        "the pod asks for nvidia.com/gpu 16; the most a node of it can give is 8 (g6e.48xlarge)"
    )


def test_a_limit_is_named_with_all_its_numbers() -> None:
    pool = node_pool(requirements=L40S, limits={"nvidia.com/gpu": 3})
    found = packed(ec2_node_class(), pool, deployment("a", gpu_pod(), replicas=5))
    missed = found.unplaced[0]
    assert (missed.count, missed.pod.count) == (2, 5)
    assert dict(missed.refusals)["gpu"] == (
        "its limit of nvidia.com/gpu is 3; its nodes have 3 and one more g6e.xlarge adds 1"
    )


def test_requirements_that_contradict_each_other_are_said() -> None:
    pool = node_pool(requirements=(*L40S, requirement("karpenter.k8s.aws/instance-category", "p")))
    assert refusal(pool, gpu_pod()) == "no instance type of the catalogue meets its requirements in its zones"


def test_a_type_that_is_not_offered_in_the_zone_is_not_chosen() -> None:
    # p5e is sold in us-west-2 az3 only, as far as the catalogue knows.
    h200 = requirement("karpenter.k8s.aws/instance-family", "p5e")
    sold = requirement("karpenter.sh/capacity-type", "reserved", "on-demand", "spot")
    here = node_pool(requirements=(h200, sold, requirement("topology.k8s.aws/zone-id", "usw2-az3")))
    there = node_pool(requirements=(h200, sold, requirement("topology.k8s.aws/zone-id", "usw2-az1")))
    reserving = ec2_node_class(capacityReservationSelectorTerms=[{"id": "cr-1"}])
    assert types(packed(reserving, here, deployment("a", gpu_pod(8)))) == ["p5e.48xlarge"]
    assert packed(reserving, there, deployment("a", gpu_pod(8))).nodes == ()


def test_a_pool_without_a_place_stands_beside_the_others_and_says_so() -> None:
    placed = node_pool("placed", (L40S[0], requirement("topology.k8s.aws/zone-id", "usw2-az1")))
    free = node_pool("free", (L40S[0],), weight=5)
    found = packed(ec2_node_class(), placed, free, deployment("a", gpu_pod()))
    assert [node.offer.place.region for node in found.nodes] == ["us-west-2"]
    assert found.notes == ("NodePool free names no region or zone; its nodes are shown in us-west-2",)


def test_one_pool_can_be_asked_alone() -> None:
    pool = node_pools([ec2_node_class(), node_pool(requirements=L40S, limits={"nodes": "1"})])[0]
    pod = pod_demands([deployment("a", gpu_pod())])[0]
    assert match(pod, pool).offers[0].shape.name == "g6e.xlarge"
    assert match(pod, pool, used={"nodes": Decimal(1)}).refusal.startswith("its limit of nodes is 1")


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 3)), min_size=1, max_size=5),
    st.integers(0, 20),
)
def test_packing_never_overfills_a_node_or_a_limit_and_loses_no_pod(pods: list[tuple[int, int]], limit: int) -> None:
    plan = [
        ec2_node_class(),
        node_pool(requirements=L40S, limits={"nvidia.com/gpu": limit}),
        *(deployment(f"d{index}", gpu_pod(gpus), replicas) for index, (gpus, replicas) in enumerate(pods)),
    ]
    found = packed(*plan)
    gpus = {f"Deployment llm/d{index}": gpus for index, (gpus, _) in enumerate(pods)}

    for node in found.nodes:
        assert sum(gpus[owner] for owner in node.pods) <= node.offer.shape.gpus
    assert sum(node.offer.shape.gpus for node in found.nodes) <= limit
    placed = sum(len(node.pods) for node in found.nodes)
    assert placed + sum(missed.count for missed in found.unplaced) == sum(count for _, count in pods)

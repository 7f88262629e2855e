"""What NodeOverlays add to nodes, and what huge pages take of their memory."""

from decimal import Decimal
from typing import Any

import pytest

from infra.plan.manifests import Manifest
from infra.planning.placement import node_pools, offers_of, pack, pod_demands
from simulator.karpenter.instance_types import instance_types, size_conflicts
from simulator.nodes import nodes_for
from tests.simulator.manifests import GPU_TAINT, deployment, ec2_node_class, gpu_pod, manifest, node_pool, requirement

MIB = 1024**2
P5 = (
    requirement("node.kubernetes.io/instance-type", "p5.48xlarge"),
    requirement("topology.k8s.aws/zone-id", "use2-az2"),
)
PAGES = "hugepages-2Mi"


def overlay(name: str = "pages", pool: str = "efa", pages: str = "10256Mi", **spec: Any) -> Manifest:
    body = {"requirements": [requirement("karpenter.sh/nodepool", pool)], "capacity": {PAGES: pages}, **spec}
    return manifest("karpenter.sh/v1alpha1", "NodeOverlay", name, spec=body)


def pool(name: str = "efa") -> Manifest:
    return node_pool(name, P5, limits={"nvidia.com/gpu": 32})


def pod(pages: str, memory: str = "64Gi") -> dict[str, Any]:
    limits = {"memory": memory, "nvidia.com/gpu": "8", PAGES: pages}
    container = {"name": "trainer", "image": "train:1", "resources": {"limits": limits}}
    return gpu_pod() | {"containers": [container]}


def refusal(*manifests: Manifest) -> str:
    (missed,) = pack(pod_demands(manifests), node_pools(manifests)).unplaced
    return dict(missed.refusals)["efa"]


def test_a_node_has_what_the_overlay_of_its_pool_adds() -> None:
    found = node_pools([ec2_node_class(), pool(), pool("other"), overlay()])
    pages = {item.name: offers_of(item)[0].allocatable.get(PAGES) for item in found}

    assert pages == {"efa": Decimal(10256 * MIB), "other": None}


def test_kubelet_takes_huge_pages_off_the_memory_of_pods() -> None:
    with_pages, without = (
        offers_of(item)[0] for item in node_pools([ec2_node_class(), pool(), pool("other"), overlay()])
    )

    assert without.allocatable["memory"] - with_pages.allocatable["memory"] == 10256 * MIB
    assert without.capacity["memory"] == with_pages.capacity["memory"]


def test_a_pod_that_asks_for_huge_pages_lands_on_a_node_that_has_them() -> None:
    (node,) = nodes_for([ec2_node_class(), pool(), overlay(), deployment("x", pod("5120Mi"))])

    assert node.body["status"]["allocatable"][PAGES] == str(10256 * MIB)


def test_without_the_overlay_no_node_is_started_for_it() -> None:
    assert refusal(ec2_node_class(), pool(), deployment("x", pod("5120Mi"))) == (
        f"the pod asks for {PAGES} 5Gi; the most a node of it can give is 0Mi"
    )


def test_more_than_the_driver_sets_aside_is_refused_with_both_numbers() -> None:
    assert refusal(ec2_node_class(), pool(), overlay(), deployment("x", pod("12Gi"))) == (
        f"the pod asks for {PAGES} 12Gi; the most a node of it can give is 10Gi (p5.48xlarge)"
    )


@pytest.mark.parametrize(
    ("first", "second", "wins"), [((1, "1Gi"), (2, "2Gi"), "2Gi"), ((5, "3Gi"), (5, "4Gi"), "3Gi")]
)
def test_the_heavier_overlay_wins_then_the_name(first: tuple[int, str], second: tuple[int, str], wins: str) -> None:
    a = overlay("a", weight=first[0], pages=first[1])
    b = overlay("b", weight=second[0], pages=second[1])
    (found,) = node_pools([ec2_node_class(), pool(), b, a])

    assert offers_of(found)[0].allocatable[PAGES] == Decimal(int(wins[0]) * 1024 * MIB)


def test_karpenters_kwok_provider_is_told_of_them() -> None:
    plan = [ec2_node_class(), pool(), pool("other"), overlay()]
    (p5,) = [item for item in instance_types(plan) if item["name"] == "p5.48xlarge"]

    assert p5["resources"][PAGES] == str(10256 * MIB)
    assert "p5.48xlarge" in size_conflicts(plan)
    assert "p5.48xlarge" not in size_conflicts([ec2_node_class(), pool(), overlay()])


def test_the_taint_is_still_what_keeps_other_pods_away() -> None:
    """The overlay adds resources; it does not open the pool."""
    stranger = {"containers": [{"name": "a", "image": "a:1", "resources": {"limits": {"memory": "1Gi", PAGES: "2Mi"}}}]}

    assert GPU_TAINT["key"] in refusal(ec2_node_class(), pool(), overlay(), deployment("x", stranger))

"""Karpenter's real controller and pods that ask for EFA and huge pages: the overlay is what gets them a node."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.fabric.pod_fragment import PodNeeds, efa_fragment, with_fragment
from infra.plan.manifests import Manifest
from simulator.client import wait_for
from simulator.crds import SOURCES, needed
from simulator.environment import Throwaway, throwaway
from tests.components.test_pod_fragment import efa_pool
from tests.embedded import Listener
from tests.simulator.manifests import manifest

SECONDS = 60.0
NODES = "/api/v1/nodes"


def training_job(name: str, pods: int) -> Manifest:
    part = efa_fragment(PodNeeds("p5.48xlarge", gpus=8, memory_gib=1024))
    container = {"name": "trainer", "image": "registry.example/train:1"}
    pod = with_fragment({"restartPolicy": "Never", "containers": [container]}, "trainer", part)
    spec = {"parallelism": pods, "completions": pods, "template": {"spec": pod}}
    return manifest("batch/v1", "Job", name, "batch", spec=spec)


@pytest.fixture(scope="module")
def environment(state_root: Path) -> Iterator[Throwaway]:
    del state_root
    with throwaway(Listener(), efa_pool(), karpenter=True) as running:
        yield running


def pods_of(environment: Throwaway, job: str) -> list[dict[str, Any]]:
    return environment.client.items(
        "/api/v1/namespaces/batch/pods", labelSelector=f"batch.kubernetes.io/job-name={job}"
    )


def test_each_pod_gets_a_node_with_all_its_efa_and_huge_pages(environment: Throwaway) -> None:
    environment.apply([training_job("train", 2)])
    seen: dict[str, dict[str, Any]] = {}

    def both_have_one() -> bool:
        # kwok ends a Job's pods at once, so the second may come to the node of the first; the other was made for it.
        made = environment.client.items(NODES, labelSelector="node.kubernetes.io/instance-type=p5.48xlarge")
        seen.update({item["metadata"]["name"]: item for item in made if item["status"].get("allocatable")})
        placed = sum(bool(pod["spec"].get("nodeName")) for pod in pods_of(environment, "train"))
        return placed == len(seen) == 2

    assert wait_for(both_have_one, SECONDS), environment.log("karpenter-kwok")[-2000:]
    for node in seen.values():
        assert node["status"]["allocatable"]["vpc.amazonaws.com/efa"] == "32"
        assert node["status"]["allocatable"]["hugepages-2Mi"] == str(10256 * 1024**2)


def test_crds_are_installed_where_a_plan_uses_their_group() -> None:
    policy = manifest("sriovnetwork.openshift.io/v1", "SriovNetworkNodePolicy", "roce", "sriov", spec={})
    sriov = [source for source in SOURCES if source.group == "sriovnetwork.openshift.io"]

    assert sriov
    assert not set(sriov) & set(needed(SOURCES, efa_pool()))
    assert set(sriov) <= set(needed(SOURCES, [policy]))

"""Servers that must be spread over zones, on the real scheduler: they wait for a zone that has no node yet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.serving.model_server_spec import deployment_spec
from infra.plan.manifests import Manifest
from infra.progress import SilentProgress
from simulator.client import Json, wait_for
from simulator.environment import Throwaway, throwaway
from simulator.node_objects import put_nodes
from simulator.nodes import nodes_for
from tests.simulator.manifests import deployment, ec2_node_class, gpu_pod, manifest, node_pool, requirement

SECONDS = 60.0
NAMESPACE = "llm"


def pool(zone: str) -> Manifest:
    """One that starts nodes with eight GPUs in one zone."""
    asked = (
        requirement("node.kubernetes.io/instance-type", "g6e.48xlarge"),
        requirement("karpenter.sh/capacity-type", "on-demand"),
        requirement("topology.k8s.aws/zone-id", zone),
    )
    return node_pool(zone, requirements=asked, limits={"nvidia.com/gpu": 8})


def servers(name: str, place: Json) -> list[Manifest]:
    """Two servers with one GPU each, as they are rendered."""
    args: Any = {
        "namespace": NAMESPACE,
        "replicas": 2,
        "engine": {"model": "Qwen/Qwen3-8B", "tensor_parallel": 1},
        "pod": {
            "image": "docker.io/vllm/vllm-openai:v0.33.0",
            "node_pools": ["use1-az4", "use1-az6"],
            "spot_allowed": False,
            "startup_seconds": 1800,
            "pre_stop_seconds": 15,
            "shutdown_timeout_seconds": 90,
            "cpu": 2,
            "memory_gib": 8,
            "cache_gib": 20,
            "shared_memory_gib": 2,
            "place": {"zones_apart": "required", **place},
        },
    }
    spec = deployment_spec(name, args)
    return [
        manifest("v1", "ServiceAccount", name, NAMESPACE),
        manifest("apps/v1", "Deployment", name, NAMESPACE, spec=spec),
    ]


# One node in one zone, with room for all servers.
PLAN = [ec2_node_class(), pool("use1-az4"), deployment("holder", gpu_pod())]


@pytest.fixture(scope="module")
def environment(state_root: Path) -> Iterator[Throwaway]:
    del state_root
    with throwaway(SilentProgress(), PLAN) as running:
        yield running


def places(environment: Throwaway, name: str) -> list[str]:
    """The zone of each server of a model, empty where it waits."""
    zones = {
        node["metadata"]["name"]: node["metadata"]["labels"]["topology.kubernetes.io/zone"]
        for node in environment.client.items("/api/v1/nodes")
    }
    path, selector = f"/api/v1/namespaces/{NAMESPACE}/pods", f"app.kubernetes.io/name={name}"
    found = environment.client.items(path, labelSelector=selector)
    return sorted(zones.get(pod["spec"].get("nodeName", ""), "") for pod in found)


def waits_for_a_zone(environment: Throwaway) -> bool:
    """Whether the scheduler has said so of a pod."""
    conditions = [
        condition
        for pod in environment.client.items(f"/api/v1/namespaces/{NAMESPACE}/pods")
        for condition in pod["status"].get("conditions", [])
    ]
    return any("didn't match pod topology spread constraints" in item.get("message", "") for item in conditions)


def test_a_server_waits_for_its_zone_rather_than_stand_beside_the_other(environment: Throwaway) -> None:
    # Without a number of zones one with all servers is evenly spread: what the number is for.
    environment.apply(servers("careless", {}))
    assert wait_for(lambda: "" not in (found := places(environment, "careless")) and len(found) == 2, SECONDS)
    assert len(set(places(environment, "careless"))) == 1

    environment.apply(servers("spread", {"zones": 2}))
    assert wait_for(lambda: waits_for_a_zone(environment), SECONDS), places(environment, "spread")
    waiting, standing = places(environment, "spread")
    assert waiting == "" != standing

    (node,) = nodes_for([ec2_node_class(), pool("use1-az6"), deployment("other", gpu_pod())])
    put_nodes(environment.client, [node], lambda _: None)
    assert wait_for(lambda: "" not in places(environment, "spread"), SECONDS), places(environment, "spread")
    assert len(set(places(environment, "spread"))) == 2

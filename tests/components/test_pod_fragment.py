"""What a training pod gets for the fabric, merged into a pod and judged by the API server and by placement."""

from dataclasses import replace
from typing import Any

import pytest

from components.fabric.efa_fabric_spec import huge_pages_overlay_spec
from components.fabric.pod_fragment import Fragment, PodNeeds, efa_fragment, host_network_fragment, with_fragment
from components.nodes.gpu_node_pool import GpuNodePool
from infra.catalog.fabric import efa_layouts
from infra.errors import PlatformError
from infra.plan.manifests import Manifest, kubernetes_manifests
from infra.planning.fabric import OBSOLETE_VARIABLES
from infra.planning.placement import Packing, node_pools, pack, pod_demands
from simulator.apply import dry_run
from simulator.client import Client
from simulator.nodes import nodes_for
from tests.components.test_gpu_node_pool_options import args
from tests.embedded import Listener
from tests.evaluation.programs import run
from tests.simulator.manifests import manifest

P5 = PodNeeds("p5.48xlarge", gpus=8, memory_gib=1024)


def fragment(**more: Any) -> Fragment:
    return efa_fragment(replace(P5, **more))


def training_pod(part: Fragment, **container: Any) -> dict[str, Any]:
    plain = {"name": "trainer", "image": "registry.example/train:1", "command": ["torchrun"], **container}
    return dict(with_fragment({"restartPolicy": "Never", "containers": [plain]}, "trainer", part))


def job(pod: dict[str, Any], name: str = "train", parallelism: int = 1) -> Manifest:
    return manifest("batch/v1", "Job", name, "batch", spec={"parallelism": parallelism, "template": {"spec": pod}})


def efa_pool() -> list[Manifest]:
    """A pool as the program makes it, with the overlay of its huge pages."""
    interfaces = [
        {"card": item.card, "device": item.device, "kind": item.kind}
        for item in efa_layouts()["p5.48xlarge"].interfaces
    ]
    wanted = args(
        capacity_types=["on-demand"],
        reservations=[],
        zones=["use2-az2"],
        network_interfaces=interfaces,
        local_nvme=True,
    )
    made = kubernetes_manifests(run(lambda: GpuNodePool("p5", wanted), "stand-in"))
    overlay = manifest("karpenter.sh/v1alpha1", "NodeOverlay", "p5-huge-pages", spec=huge_pages_overlay_spec("p5"))
    return [*made, overlay]


def packed(*jobs: Manifest) -> Packing:
    manifests = [*efa_pool(), *jobs]
    return pack(pod_demands(manifests), node_pools(manifests))


def test_a_whole_node_in_full() -> None:
    pod = training_pod(fragment())
    (container,) = pod["containers"]

    asked = {
        "nvidia.com/gpu": "8",
        "memory": "1024Gi",
        "vpc.amazonaws.com/efa": "32",
        "hugepages-2Mi": "5120Mi",
    }
    assert container["resources"] == {"requests": asked, "limits": asked}
    assert container["securityContext"] == {"capabilities": {"add": ["IPC_LOCK"]}}
    assert container["volumeMounts"] == [{"name": "shared-memory", "mountPath": "/dev/shm"}]  # noqa: S108
    assert pod["volumes"] == [{"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "256Gi"}}]
    assert {item["key"] for item in pod["tolerations"]} == {"nvidia.com/gpu", "gpu-platform/purpose"}
    assert "hostNetwork" not in pod


def test_the_api_server_takes_such_pods(control_plane: Client, listener: Listener) -> None:
    host = host_network_fragment(P5)
    parts = {"whole": fragment(), "half": fragment(gpus=4), "on-host": fragment(host_network=True), "sockets": host}
    jobs = [job(training_pod(part), name) for name, part in parts.items()]

    assert [str(item) for item in dry_run(control_plane, jobs, listener)] == []


def test_the_api_server_refuses_huge_pages_without_memory(control_plane: Client, listener: Listener) -> None:
    """Why the memory limit is part of it."""
    part = fragment()
    for amounts in part.container["resources"].values():
        del amounts["memory"]

    (rejection,) = dry_run(control_plane, [job(training_pod(part))], listener)

    assert "HugePages require cpu or memory" in rejection.message


def test_the_api_server_takes_the_pool_and_its_overlay(control_plane: Client, listener: Listener) -> None:
    assert [str(item) for item in dry_run(control_plane, efa_pool(), listener)] == []


def test_four_such_pods_get_four_nodes_and_the_fifth_learns_of_the_limit() -> None:
    found = packed(job(training_pod(fragment()), parallelism=5))

    assert [node.offer.shape.name for node in found.nodes] == ["p5.48xlarge"] * 4
    (missed,) = found.unplaced
    assert missed.count == 1
    assert "its limit of nodes is 4" in dict(missed.refusals)["p5"]


def test_two_halves_share_a_node() -> None:
    found = packed(job(training_pod(fragment(gpus=4, memory_gib=512)), parallelism=2))

    assert len(found.nodes) == 1
    assert not found.unplaced


def test_a_simulated_node_shows_what_the_pod_asks_for() -> None:
    (node,) = nodes_for([*efa_pool(), job(training_pod(fragment()))])

    allocatable = node.body["status"]["allocatable"]
    assert allocatable["vpc.amazonaws.com/efa"] == "32"
    assert allocatable["hugepages-2Mi"] == str(10256 * 1024**2)


def test_more_efa_than_the_pools_class_lists_is_refused_with_both_numbers() -> None:
    pod = training_pod(fragment())
    for amounts in pod["containers"][0]["resources"].values():
        amounts["vpc.amazonaws.com/efa"] = "33"

    (missed,) = packed(job(pod)).unplaced

    assert dict(missed.refusals)["p5"] == (
        "the pod asks for vpc.amazonaws.com/efa 33; the most a node of it can give is 32 (p5.48xlarge)"
    )


def test_too_much_is_refused_where_the_pod_is_built() -> None:
    for wrong in ({"efa_interfaces": 33}, {"huge_pages_mib": 20000}, {"instance_type": "g6.xlarge", "gpus": 1}):
        with pytest.raises(PlatformError):
            fragment(**wrong)


def test_the_network_of_the_host_is_a_choice() -> None:
    on_host, sockets = fragment(host_network=True), host_network_fragment(P5)

    for part in (on_host, sockets):
        assert (part.pod["hostNetwork"], part.pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert "vpc.amazonaws.com/efa" in on_host.resources["limits"]
    assert set(sockets.resources["limits"]) == {"nvidia.com/gpu", "memory"}
    assert "FI_PROVIDER" not in {item["name"] for item in sockets.container["env"]}


def test_what_the_pod_says_itself_stays() -> None:
    given = {
        "env": [{"name": "NCCL_DEBUG", "value": "WARN"}, {"name": "EPOCHS", "value": "3"}],
        "resources": {"requests": {"cpu": "90"}, "limits": {"cpu": "90"}},
        "securityContext": {"runAsNonRoot": True, "capabilities": {"drop": ["ALL"]}},
    }
    (container,) = training_pod(fragment(), **given)["containers"]
    variables = {item["name"]: item["value"] for item in container["env"]}

    assert variables["NCCL_DEBUG"] == "WARN"
    assert variables["EPOCHS"] == "3"
    assert variables["FI_PROVIDER"] == "efa"
    assert len(container["env"]) == len(variables)
    assert container["resources"]["limits"]["cpu"] == "90"
    assert container["resources"]["limits"]["vpc.amazonaws.com/efa"] == "32"
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"], "add": ["IPC_LOCK"]},
    }


def test_merging_changes_neither_the_pod_nor_the_fragment() -> None:
    part, pod = fragment(), {"containers": [{"name": "trainer", "image": "a:1", "env": [{"name": "A", "value": "1"}]}]}
    with_fragment(pod, "trainer", part)["containers"][0]["env"].clear()

    assert pod == {"containers": [{"name": "trainer", "image": "a:1", "env": [{"name": "A", "value": "1"}]}]}
    assert part == fragment()


@pytest.mark.parametrize("name", OBSOLETE_VARIABLES)
def test_a_pod_with_an_obsolete_variable_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(PlatformError) as raised:
        training_pod(fragment(), env=[{"name": name, "value": "1"}])

    assert OBSOLETE_VARIABLES[name] in raised.value.message


def test_a_container_that_is_not_there_is_named() -> None:
    with pytest.raises(PlatformError, match="no container trainer"):
        with_fragment({"containers": [{"name": "main"}]}, "trainer", fragment())


def test_resources_for_a_train_job_hold_efa_too() -> None:
    """`resourcesPerNode` replaces what the runtime's container asks for."""
    assert fragment().resources["limits"]["vpc.amazonaws.com/efa"] == "32"

"""The environment through its public door: what runs, what a second `up` changes, what `down` leaves."""

import json
import socket
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from simulator.client import Client, wait_for
from simulator.control_plane import client_of
from simulator.environment import down, status, up
from simulator.folders import Layout
from simulator.state import State
from simulator.status import EnvironmentStatus
from tests.embedded import Listener, processes_in
from tests.simulator.manifests import deployment, gpu_pod, manifest, small_plan

NAME = "shared"


def client(state_root: Path) -> Client:
    layout = Layout(state_root / NAME)
    state = State.load(layout.state)
    assert state is not None
    return client_of(layout, state)


def pids(found: EnvironmentStatus) -> dict[str, int]:
    return {process.name: process.pid for process in found.processes}


def _ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def kill(found: EnvironmentStatus, *names: str) -> None:
    for name in names:
        process = psutil.Process(pids(found)[name])
        process.kill()
        assert wait_for(partial(_ended, process), 5)


def test_pods_run_on_nodes_made_from_the_pool(state_root: Path, listener: Listener) -> None:
    found = up(NAME, small_plan(replicas=2), listener)

    assert found.is_running
    assert found.kubernetes_version == "v1.36.3"
    assert [(pod.namespace, pod.phase, pod.ready) for pod in found.pods] == [("llm", "Running", True)] * 2
    assert {pod.node for pod in found.pods} == {node.name for node in found.nodes}
    assert [(node.pool, node.instance_type, node.capacity_type, node.gpus, node.ready) for node in found.nodes] == [
        ("gpu", "g6e.xlarge", "spot", 1, True)
    ] * 2

    node = client(state_root).get(f"/api/v1/nodes/{found.nodes[0].name}")
    labels = node["metadata"]["labels"]
    assert labels["karpenter.k8s.aws/instance-gpu-name"] == "l40s"
    assert labels["topology.k8s.aws/zone-id"] in {"use1-az4", "use1-az6"}
    assert labels["pool"] == "gpu"
    assert node["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "1"


def test_the_kubeconfig_is_for_its_owner_only_and_the_status_is_json(listener: Listener) -> None:
    found = up(NAME, small_plan(), listener)

    assert found.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert found.server.startswith("https://127.0.0.1:")
    assert json.loads(json.dumps(found.as_json()))["nodes"][0]["pool"] == "gpu"
    assert set(found.phases) == {"tools", "control plane", "crds", "nodes", "objects", "workloads"}


def test_servers_listen_on_the_loopback_only(listener: Listener) -> None:
    found = up(NAME, small_plan(), listener)

    for process in found.processes:
        for connection in psutil.Process(process.pid).net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1", process.name


def test_a_second_up_restarts_and_changes_nothing(state_root: Path, listener: Listener) -> None:
    first = up(NAME, small_plan(), listener)
    path = "/apis/apps/v1/namespaces/llm/deployments/qwen"
    before = client(state_root).get(path)["metadata"]
    listener.notes.clear()

    second = up(NAME, small_plan(), listener)

    after = client(state_root).get(path)["metadata"]
    assert pids(second) == pids(first)
    assert second.pods == first.pods
    assert (after["uid"], after["generation"]) == (before["uid"], before["generation"])
    assert listener.notes == []


CLIENTS = ["kube-controller-manager", "kube-scheduler", "kwok"]


@pytest.mark.parametrize(
    ("victim", "followers"),
    [
        ("etcd", ["etcd", "kube-apiserver", *CLIENTS]),
        ("kube-apiserver", ["kube-apiserver", *CLIENTS]),
        ("kube-scheduler", ["kube-scheduler"]),
    ],
)
def test_a_killed_process_is_started_again_on_the_same_data(
    victim: str, followers: list[str], state_root: Path, listener: Listener
) -> None:
    first = up(NAME, small_plan(), listener)
    uid = client(state_root).get("/api/v1/namespaces/llm")["metadata"]["uid"]
    kill(first, victim)
    stopped = status(NAME)
    assert stopped is not None
    assert not stopped.is_running

    second = up(NAME, small_plan(), listener)

    # Whoever reads from it follows; everybody else runs on.
    changed = [name for name, pid in pids(second).items() if pid != pids(first)[name]]
    assert changed == followers
    assert f"{victim} had ended; started again" in listener.notes
    assert client(state_root).get("/api/v1/namespaces/llm")["metadata"]["uid"] == uid
    assert second.is_running


def _bound(squatter: socket.socket, port: int) -> bool:
    try:
        squatter.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def test_a_port_that_somebody_took_is_replaced_and_said(state_root: Path, listener: Listener) -> None:
    first = up(NAME, small_plan(), listener)
    port = int(first.server.rpartition(":")[2])
    kill(first, "kube-apiserver")
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        assert wait_for(partial(_bound, squatter, port), 5)  # the killed server's sockets close a moment later
        squatter.listen()
        second = up(NAME, small_plan(), listener)

    assert second.is_running
    assert second.server != first.server
    assert second.server in second.kubeconfig.read_text()
    assert any(str(port) in note and "taken" in note for note in listener.notes)
    # Those that read the server's address from a file follow it: a new pod still gets scheduled and runs.
    third = up(NAME, small_plan(replicas=3), listener)
    assert [pod.ready for pod in third.pods] == [True] * 3
    assert client(state_root).get("/version")


def test_what_leaves_the_plan_is_pruned_and_nothing_else(state_root: Path, listener: Listener) -> None:
    extra = [manifest("v1", "ConfigMap", "old", "away", data={"a": "b"}), deployment("second", gpu_pod())]
    before = up(NAME, [*small_plan(1), *extra], listener)
    foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}}
    client(state_root).create("/api/v1/namespaces/llm/configmaps", foreign)
    assert len(before.nodes) == 2

    after = up(NAME, small_plan(1), listener)

    api = client(state_root)
    assert not api.exists("/api/v1/namespaces/away")
    assert not api.exists("/apis/apps/v1/namespaces/llm/deployments/second")
    assert api.exists("/api/v1/namespaces/llm/configmaps/mine")
    assert api.exists("/apis/apps/v1/namespaces/llm/deployments/qwen")
    assert len(after.nodes) == 1


def test_an_object_with_a_changed_immutable_field_is_replaced(listener: Listener) -> None:
    def job(image: str) -> Manifest:
        container = {"name": "main", "image": image, "resources": {"limits": {"nvidia.com/gpu": "1"}}}
        pod = {**gpu_pod(), "containers": [container], "restartPolicy": "Never"}
        return manifest("batch/v1", "Job", "load", "llm", spec={"template": {"spec": pod}})

    up(NAME, [*small_plan(1), job("docker.io/a/a:1")], listener)
    up(NAME, [*small_plan(1), job("docker.io/a/a:2")], listener)

    assert any("Job llm/load was replaced" in note for note in listener.notes)


def test_a_workload_that_does_not_start_is_named_with_the_schedulers_reason(listener: Listener) -> None:
    nowhere = {
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "nobody"}}}
            ]
        }
    }
    plan = [*small_plan(1), deployment("lonely", gpu_pod(affinity=nowhere))]

    with pytest.raises(PlatformError) as error:
        up(NAME, plan, listener, timeout=3)

    assert "Deployment llm/lonely: 0 of 1 replicas available" in error.value.message
    assert "pod lonely-" in error.value.message
    assert "didn't match pod affinity rules" in error.value.message
    assert "qwen" not in error.value.message
    found = status(NAME)
    assert found is not None
    assert found.is_running


def test_pods_that_fit_nowhere_stop_before_anything_starts(state_root: Path, listener: Listener) -> None:
    with pytest.raises(PlatformError) as error:
        up("too-big", [*small_plan(), deployment("huge", gpu_pod(gpus=16))], listener)

    assert "1 of 1 pods of Deployment llm/huge fit on no NodePool" in error.value.message
    assert "gpu: the pod asks for nvidia.com/gpu 16; the most a node of it can give is 8" in error.value.message
    assert not (state_root / "too-big").exists()
    assert status("too-big") is None


def test_down_leaves_nothing_and_can_be_repeated(state_root: Path, listener: Listener) -> None:
    up(NAME, small_plan(1), listener)

    begin = time.monotonic()
    first = down(NAME, listener)
    seconds = time.monotonic() - begin
    second = down(NAME, listener)

    assert seconds < 3  # every process ends on SIGTERM; one that must be killed costs 3 s more
    assert (first.existed, first.stopped_processes) == (True, 5)
    assert (second.existed, second.stopped_processes) == (False, 0)
    assert status(NAME) is None
    assert not (state_root / NAME).exists()
    assert processes_in(state_root / NAME) == []


def test_a_name_that_could_leave_the_folder_is_refused(listener: Listener) -> None:
    with pytest.raises(PlatformError, match="cannot be the name"):
        up("../other", small_plan(), listener)
    with pytest.raises(PlatformError, match="cannot be the name"):
        down("", listener)


def test_a_file_in_the_way_of_the_state_folder_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: Listener
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GPU_PLATFORM_STATE", str(tmp_path / "file" / "state"))
    with pytest.raises(PlatformError, match="a file is in the way"):
        up("dev", small_plan(), listener)

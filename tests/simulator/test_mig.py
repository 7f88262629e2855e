"""Divided GPUs before the real API server: every object of the example, and the gate's commands under its policy."""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from components.partitioning.partition_gate_spec import NAME, NAMESPACE, commands
from infra.plan import Manifest, kubernetes_manifests
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator import apply
from simulator.client import Client, wait_for
from simulator.throwaway import Throwaway, throwaway
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.simulator.manifests import manifest

Json = dict[str, Any]
NODE, OTHER = "mig-node", "other-node"
TAINT = {"key": "gpu-platform/partitioning", "effect": "NoSchedule"}
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{NAME}"


@pytest.fixture(scope="module")
def manifests() -> list[Manifest]:
    return kubernetes_manifests(evaluate(load_stack_file(ROOT / "examples/mig/Pulumi.mig.yaml"), "stand-in"))


def test_the_api_server_accepts_every_object(manifests: list[Manifest], control_plane: Client) -> None:
    kinds = {item.kind for item in manifests}
    assert {"NodeOverlay", "ValidatingAdmissionPolicy", "DeviceClass", "ResourceClaimTemplate", "DaemonSet"} <= kinds

    rejections = apply.dry_run(control_plane, manifests, SilentProgress())

    assert not rejections, "\n".join(str(item) for item in rejections)


def test_an_overlay_that_touches_memory_is_refused(manifests: list[Manifest], control_plane: Client) -> None:
    """Else the test above would pass on a server that does not know the kind."""
    good = next(item for item in manifests if item.kind == "NodeOverlay")
    bad = Manifest({**good.body, "spec": {**good.body["spec"], "capacity": {"memory": "1Gi"}}}, good.urn)

    (rejection,) = apply.dry_run(control_plane, [bad], SilentProgress())

    assert "invalid resource restricted" in rejection.message


class Kubectl:
    """kubectl as the gate's pod runs it: with the pod's account, and the node that its token names."""

    def __init__(self, environment: Throwaway) -> None:
        self._tool = environment.running.tools["kubectl"]
        self._config = environment.kubeconfig

    def run(self, arguments: list[str], node: str = NODE) -> subprocess.CompletedProcess[str]:
        extra = [f"--as-user-extra=authentication.kubernetes.io/node-name={node}"] if node else []
        user = [f"--as={ACCOUNT}", "--as-group=system:authenticated", *extra]
        command = [str(self._tool), "--kubeconfig", str(self._config), *arguments, *user]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def gate(manifests: list[Manifest]) -> Iterator[Throwaway]:
    """A cluster with the gate and two nodes that wait to be cut."""
    mine = [
        item
        for item in manifests
        if item.name in {NAME, NAMESPACE} and (item.namespace in {"", NAMESPACE} or item.kind == "Namespace")
    ]
    assert {"DaemonSet", "ClusterRoleBinding", "ValidatingAdmissionPolicyBinding"} <= {item.kind for item in mine}
    with throwaway(SilentProgress(), mine) as environment:
        for name in (NODE, OTHER):
            body = manifest("v1", "Node", name, spec={"taints": [GPU_TAINT, TAINT]}).body
            body["metadata"] |= {
                "labels": {"nvidia.com/mig.config": "all-1g.10gb", "kubernetes.io/hostname": name},
                "annotations": {"kwok.x-k8s.io/node": "fake"},
            }
            body["status"] = {"allocatable": {"cpu": "8", "memory": "8Gi", "pods": "10"}}
            environment.client.create("/api/v1/nodes", body)
        # The API server takes a new policy up within a second or two.
        attempt = ["annotate", "node", OTHER, "a=b", "--dry-run=server"]
        assert wait_for(lambda: Kubectl(environment).run(attempt).returncode != 0, 30, every=0.5)
        yield environment


def gates_on(environment: Throwaway, node: str) -> list[Json]:
    pods = environment.client.items(f"/api/v1/namespaces/{NAMESPACE}/pods", fieldSelector=f"spec.nodeName={node}")
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def keys_of_taints(environment: Throwaway, node: str = NODE) -> set[str]:
    taints = environment.client.get(f"/api/v1/nodes/{node}")["spec"].get("taints") or []
    return {taint["key"] for taint in taints if not taint["key"].startswith("node.kubernetes.io/")}


# What a pod of the gate might try with its right to patch nodes, and the words of the refusal.
TRIED = {
    "another node": (["taint", "node", OTHER, "gpu-platform/partitioning-"], "only the node it runs on"),
    "another taint": (["taint", "node", NODE, "nvidia.com/gpu-"], "no taint but gpu-platform/partitioning"),
    "a new taint": (["taint", "node", NODE, "mine=x:NoSchedule"], "no taint but gpu-platform/partitioning"),
    "keep pods off": (["taint", "node", NODE, "gpu-platform/partitioning=x:NoExecute"], "may not keep pods off"),
    "cordon": (["cordon", NODE], "may not keep pods off"),
    "another label": (["label", "node", NODE, "role=admin"], "no label but gpu-platform/partitioned"),
    "a lost label": (["label", "node", NODE, "nvidia.com/mig.config-"], "no label but gpu-platform/partitioned"),
    "an annotation": (["annotate", "node", NODE, "a=b"], "no annotation"),
}


@pytest.mark.parametrize("name", TRIED)
def test_the_gate_may_do_nothing_else(name: str, gate: Throwaway) -> None:
    arguments, words = TRIED[name]

    assert words in Kubectl(gate).run(arguments).stderr


def test_a_token_that_names_no_node_may_do_nothing(gate: Throwaway) -> None:
    result = Kubectl(gate).run(["taint", "node", NODE, "gpu-platform/partitioning-"], node="")

    assert "only the node it runs on" in result.stderr


def test_the_gate_has_no_other_right(gate: Throwaway) -> None:
    result = Kubectl(gate).run(["get", "secrets", "--all-namespaces"])

    assert "forbidden" in result.stderr


def test_the_taint_goes_when_the_layout_is_ready_and_the_gate_goes_with_it(gate: Throwaway) -> None:
    kubectl, steps = Kubectl(gate), commands(NODE)
    assert wait_for(lambda: bool(gates_on(gate, NODE)) and bool(gates_on(gate, OTHER)), 30)
    waiting = kubectl.run([*steps["wait"][:-1], "--timeout=1s"])
    assert "timed out" in waiting.stderr
    assert keys_of_taints(gate) == {"nvidia.com/gpu", "gpu-platform/partitioning"}

    gate.client.merge(f"/api/v1/nodes/{NODE}", {"metadata": {"labels": {"nvidia.com/mig.config.state": "success"}}})
    for _ in range(2):  # again, as after a crash or a reboot
        for step in ("wait", "soften", "lift"):
            result = kubectl.run(steps[step])
            assert result.returncode == 0, (step, result.stderr)
        assert keys_of_taints(gate) == {"nvidia.com/gpu"}
    assert gates_on(gate, NODE)
    assert kubectl.run(steps["label"]).returncode == 0

    assert wait_for(lambda: not gates_on(gate, NODE), 30)
    assert gates_on(gate, OTHER)
    assert keys_of_taints(gate, OTHER) == {"nvidia.com/gpu", "gpu-platform/partitioning"}

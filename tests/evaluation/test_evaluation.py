"""The one evaluation of the platform's own program: repeatable, complete, and without secrets."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.conventions import GPU_RESOURCE
from infra.errors import InputError
from infra.plan import Marker, Plan, kubernetes_manifests, plan_as_json, plan_as_tree
from infra.plan.ordering import predecessors
from infra.plan.records import Mode
from infra.settings import ModelSettings, StackFile
from infra.settings.slices import devices_of
from stacks.evaluation import evaluate
from tests.conftest import ROOT, Golden
from tests.evaluation.programs import plan_of, stack_file

GOLDEN = Path(__file__).parent / "golden"
MODES: tuple[Mode, ...] = ("unknown", "stand-in")

# Two lines that a stack file may hold: what `pulumi config set --secret` writes.
CIPHERTEXT = "v1:dGhpcyBpcyBub3Qg:Y2lwaGVydGV4dC1vZi10aGUtdG9rZW4="
GATED = """
    gpu-platform:platform:
      target: local
      cluster: {name: test}
      nodePools:
        - name: l4
          purpose: inference
          instanceTypes: [g6.2xlarge]
          capacityTypes: [on-demand]
          limits: {gpus: 3, nodes: 3}
      models:
        - {name: open, model: Qwen/Qwen3-8B, traffic: interactive, nodePools: [l4], namespace: public}
        - {name: gated, model: Qwen/Qwen3-8B, traffic: interactive, nodePools: [l4], gated: true}
"""
WITH_TOKEN = f"    gpu-platform:huggingFaceToken:\n      secure: {CIPHERTEXT}\n" + GATED.lstrip("\n")


def as_text(plan: Plan) -> str:
    return json.dumps(plan_as_json(plan), ensure_ascii=False)


@pytest.mark.parametrize("mode", MODES)
def test_two_evaluations_are_equal(stack: StackFile, mode: Mode) -> None:
    first, second = plan_of(stack.name, mode), evaluate(stack, mode)

    assert first == second
    assert as_text(first) == as_text(second)
    assert plan_as_tree(first) == plan_as_tree(second)


def test_processes_with_other_hash_seeds_print_the_same_bytes() -> None:
    """Sets and dictionaries of text change their order with the seed. The largest environment has most of them."""
    outputs = []
    for seed in ("1", "20261121"):
        result = subprocess.run(
            [sys.executable, "-c", "from cli.main import main; main()", "preview", "--env", "prod", "--json"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        )
        outputs.append(result.stdout)

    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 1000


def test_the_tree_of_an_environment(env: str, golden: Golden) -> None:
    """What a person reads in a preview. After a change on purpose: pytest --update-golden, and review the diff."""
    golden(GOLDEN / f"{env}.txt", plan_as_tree(plan_of(env)))


def test_the_urns_of_an_environment(env: str, golden: Golden) -> None:
    """A URN that changes without an alias is a resource deleted and created again, in production too."""
    golden(GOLDEN / f"{env}.urns.txt", "\n".join(sorted(item.urn for item in plan_of(env))) + "\n")


def test_both_modes_register_the_same_resources(env: str) -> None:
    unknown, stand_in = (plan_of(env, mode) for mode in MODES)

    assert {item.urn for item in unknown} == {item.urn for item in stand_in}
    assert set(unknown.exports) == set(stand_in.exports)


def test_a_stand_in_plan_has_no_unknown_left_and_becomes_manifests(env: str) -> None:
    plan = plan_of(env, "stand-in")

    assert "$unknown" not in as_text(plan)
    manifests = kubernetes_manifests(plan)
    kinds = {manifest.kind for manifest in manifests}
    assert {"NodePool", "EC2NodeClass", "Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"} <= kinds
    assert len({(item.kind, item.namespace, item.name) for item in manifests}) == len(manifests)


def test_the_order_of_manifests_is_one_they_can_be_applied_in(env: str) -> None:
    seen: set[str] = set()
    for manifest in kubernetes_manifests(plan_of(env, "stand-in")):
        if manifest.namespace and manifest.namespace not in ("default", "kube-system"):
            assert f"Namespace {manifest.namespace}" in seen, manifest
        if manifest.kind == "NodePool":
            assert f"EC2NodeClass {manifest.name}" in seen, manifest
        seen.add(str(manifest))


def test_everything_of_the_settings_is_in_the_plan(stack: StackFile) -> None:
    manifests = {(item.kind, item.name): item.body for item in kubernetes_manifests(plan_of(stack.name, "stand-in"))}

    for pool in stack.settings.node_pools:
        limits = manifests["NodePool", pool.name]["spec"]["limits"]
        devices = devices_of(pool, stack.settings.mig_layouts, pool.limits.gpus) if pool.partition else {}
        gpus = {name: str(count) for name, count in devices.items() if count} or {GPU_RESOURCE: str(pool.limits.gpus)}
        assert limits == {**gpus, "nodes": str(pool.limits.nodes)}
    for model in stack.settings.models:
        replicas, container = _served(model, manifests)
        assert replicas == model.replicas
        asked = f"nvidia.com/mig-{model.mig}" if model.mig else GPU_RESOURCE
        assert container["resources"]["limits"][asked] == str(model.tensor_parallel)
        assert f"--tensor-parallel-size={model.tensor_parallel}" in container["args"]


def _served(model: ModelSettings, manifests: Mapping[tuple[str, str], dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Replicas and the engine's container: of a Deployment, of a group's leader, or of KServe's predictor."""
    if model.kserve:
        spec = manifests[model.kserve.kind, model.name]["spec"]["predictor"]
        return spec["minReplicas"], spec["containers"][0]
    if model.nodes > 1:
        spec = manifests["LeaderWorkerSet", f"{model.name}-group"]["spec"]
        assert spec["leaderWorkerTemplate"]["size"] == model.nodes
        return spec["replicas"], spec["leaderWorkerTemplate"]["leaderTemplate"]["spec"]["containers"][0]
    spec = manifests["Deployment", model.name]["spec"]
    return spec["replicas"], spec["template"]["spec"]["containers"][0]


def test_every_resource_in_the_cluster_has_the_explicit_provider(env: str) -> None:
    """With the default provider it would land wherever the engineer's kubeconfig points."""
    plan = plan_of(env)
    (provider,) = plan.of_type("pulumi:providers:kubernetes")

    for resource in plan:
        if resource.type_token.startswith("kubernetes:"):
            assert resource.provider == provider.urn, resource.urn


def test_servers_wait_for_the_pools_they_may_run_on(stack: StackFile) -> None:
    """And so the servers go first when all is destroyed."""
    plan = plan_of(stack.name)
    needs: dict[str, set[str]] = {}
    for item in plan:  # in dependency order
        near = predecessors(item)
        needs[item.urn] = near.union(*(needs.get(urn, set()) for urn in near))

    pools = {item.name: item.urn for item in plan if item.type_token.endswith(":NodePool")}
    for model in stack.settings.models:
        kinds = ("deployment", "groups", "inference-service")
        (server,) = [item for item in plan if item.name in {f"{model.name}-{kind}" for kind in kinds}]
        assert {pools[f"{name}-node-pool"] for name in model.node_pools} <= needs[server.urn]


@pytest.mark.parametrize("mode", MODES)
def test_a_token_never_shows(mode: Mode, tmp_path: Path) -> None:
    stack = stack_file(WITH_TOKEN, tmp_path)

    plan = evaluate(stack, mode)

    (secret,) = plan.of_type("kubernetes:core/v1:Secret")
    assert secret.inputs["stringData"] in ({"token": Marker.SECRET}, Marker.SECRET)
    for text in (repr(plan), as_text(plan), plan_as_tree(plan)):
        assert CIPHERTEXT not in text
        assert "stand-in-huggingFaceToken" not in text
    if mode == "stand-in":
        bodies = {manifest.kind: manifest.body for manifest in kubernetes_manifests(plan)}
        assert bodies["Secret"]["stringData"] == {"token": "redacted"}


def test_only_a_gated_model_gets_the_token(tmp_path: Path) -> None:
    plan = evaluate(stack_file(WITH_TOKEN, tmp_path), "stand-in")

    by_name = {str(item): item.body for item in kubernetes_manifests(plan)}
    assert [name for name in by_name if name.startswith("Secret ")] == ["Secret models/hugging-face"]
    variables = {
        name: {item["name"] for item in body["spec"]["template"]["spec"]["containers"][0]["env"]}
        for name, body in by_name.items()
        if name.startswith("Deployment ")
    }
    assert "HF_TOKEN" in variables["Deployment models/gated"]
    assert "HF_TOKEN" not in variables["Deployment public/open"]


def test_a_gated_model_without_a_token_is_bad_input_with_a_place(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        evaluate(stack_file(GATED, tmp_path))

    (problem,) = caught.value.problems
    assert problem.path == "models[1].gated"
    assert "pulumi config set --secret gpu-platform:huggingFaceToken" in problem.mend


@pytest.mark.parametrize("env", ["local", "dev"])
def test_an_environment_without_aws_does_not_pay_for_its_sdk(env: str) -> None:
    """Nothing is imported that the stack does not use; benchmarks/ measures what it costs."""
    types = {item.type_token.partition(":")[0] for item in plan_of(env)}
    code = (
        "import sys, json; from cli.main import app\n"
        f"app(['preview', '--env', '{env}'], standalone_mode=False)\n"
        "print(json.dumps(sorted(name for name in sys.modules if '.' not in name)), file=sys.stderr)"
    )

    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    loaded = set(json.loads(result.stderr.splitlines()[-1]))
    assert "pulumi_kubernetes" in loaded
    assert not loaded & {"kubernetes", "rich", "simulator", "cryptography", "pytest", "pulumi_policy"}
    for module, package in (("pulumi_aws", "aws"), ("pulumi_eks", "eks")):
        assert module not in loaded or package in types, f"{module} is imported, and {env} holds nothing of {package}"


def test_nothing_of_this_machine_is_in_a_plan(env: str) -> None:
    text = as_text(plan_of(env))

    assert str(ROOT) not in text
    assert str(Path.home()) not in text or str(Path.home()) == "/"

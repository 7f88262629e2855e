"""The app team's program, run without an engine against the recorded outputs of prod."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra.errors import PlatformError
from infra.plan import Plan
from infra.settings import load_stack_file
from stacks.contract import CONTRACT_VERSION, OUTPUTS, VERSION_OUTPUT
from stacks.evaluation import evaluate_split
from tests.conftest import ROOT, Golden
from tests.examples.recorded import RECORDED, Outputs, evaluate_program, recorded_outputs

PROGRAM = "app-team-python"


@pytest.fixture
def outputs() -> Outputs:
    return recorded_outputs()


@pytest.fixture
def plan(outputs: Outputs) -> Plan:
    return evaluate_program(PROGRAM, outputs)


def test_the_recorded_outputs_are_those_of_prod(golden: Golden) -> None:
    stacks = evaluate_split(load_stack_file(ROOT / "Pulumi.prod.yaml"), "stand-in").values()

    exported = {plan.stack: dict(plan.exports) for plan in stacks}
    golden(RECORDED, json.dumps(exported, indent=2, sort_keys=True) + "\n")


def test_the_recorded_outputs_are_the_whole_contract(outputs: Outputs) -> None:
    recorded = {name: value for values in outputs.values() for name, value in values.items()}

    assert recorded.keys() == {VERSION_OUTPUT, *(output.name for output in OUTPUTS)}
    assert [output.name for output in OUTPUTS if not isinstance(recorded[output.name], output.kind)] == []


def test_it_makes_its_namespace_and_one_model_server(plan: Plan) -> None:
    made = sorted((item.type_token, item.inputs["metadata"]["name"]) for item in plan if item.is_kubernetes_object)  # type: ignore[index,call-overload]

    assert made == [
        ("kubernetes:apps/v1:Deployment", "support-bot-qwen3-8b"),
        ("kubernetes:core/v1:Namespace", "support-bot"),
        ("kubernetes:core/v1:Service", "support-bot-qwen3-8b"),
        ("kubernetes:core/v1:ServiceAccount", "support-bot-qwen3-8b"),
        ("kubernetes:networking.k8s.io/v1:NetworkPolicy", "support-bot-qwen3-8b"),
        ("kubernetes:policy/v1:PodDisruptionBudget", "support-bot-qwen3-8b"),
    ]
    assert plan.exports == {"url": "http://support-bot-qwen3-8b.support-bot.svc"}


def test_everything_is_in_the_teams_namespace_of_the_referenced_cluster(plan: Plan, outputs: Outputs) -> None:
    (provider,) = plan.of_type("pulumi:providers:kubernetes")

    assert provider.inputs["kubeconfig"] == outputs["prod-foundation"]["kubeconfig"]
    assert provider.inputs["clusterIdentifier"] == outputs["prod-foundation"]["clusterName"]
    for item in plan:
        if item.is_kubernetes_object:
            metadata: Any = item.inputs["metadata"]
            assert item.provider == provider.urn
            assert metadata.get("namespace", metadata["name"]) == "support-bot"


def test_the_server_lands_on_the_pool_after_the_namespace_is_there(plan: Plan) -> None:
    (deployment,) = plan.of_type("kubernetes:apps/v1:Deployment")
    (namespace,) = plan.of_type("kubernetes:core/v1:Namespace")

    spec: Any = deployment.inputs["spec"]
    affinity = spec["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    where = affinity["nodeSelectorTerms"][0]["matchExpressions"]
    assert {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["inference-l40s"]} in where
    component = plan.by_urn()[deployment.parent]
    assert namespace.urn in deployment.dependencies or namespace.urn in component.dependencies


def test_one_stack_may_hold_all_layers(outputs: Outputs) -> None:
    whole = {name: value for values in outputs.values() for name, value in values.items()}
    both = {"platformStack": "gpu-platform/dev", "foundationStack": "gpu-platform/dev"}

    plan = evaluate_program(PROGRAM, {"dev": whole}, both)

    (reference,) = plan.of_type("pulumi:pulumi:StackReference")
    assert reference.name == "organization/gpu-platform/dev"
    assert len(plan.of_type("kubernetes:apps/v1:Deployment")) == 1


def no_contract(outputs: Outputs) -> None:
    outputs["prod-foundation"] = {"bucket": "something else"}


def another_version(outputs: Outputs) -> None:
    outputs["prod"][VERSION_OUTPUT] = CONTRACT_VERSION + 1


def missing_output(outputs: Outputs) -> None:
    del outputs["prod-foundation"]["kubeconfig"]


def other_pools(outputs: Outputs) -> None:
    outputs["prod"]["nodePools"] = ["training-h100"]


@pytest.mark.parametrize(
    ("change", "message", "mend"),
    [
        (
            no_contract,
            "the stack organization/gpu-platform/prod-foundation exports no contractVersion",
            "run pulumi up for organization/gpu-platform/prod-foundation first",
        ),
        (another_version, f"has version {CONTRACT_VERSION + 1} of the contract", "same version of gpu-platform"),
        (missing_output, "prod-foundation exports no kubeconfig", "run pulumi up for the stack that holds the layer"),
        (other_pools, "no node pool inference-l40s; it has training-h100", "ask the platform team"),
    ],
)
def test_what_it_cannot_work_with_is_said(
    change: Callable[[Outputs], None], message: str, mend: str, outputs: Outputs
) -> None:
    change(outputs)

    with pytest.raises(PlatformError) as caught:
        evaluate_program(PROGRAM, outputs)
    assert message in caught.value.message
    assert mend in caught.value.mend

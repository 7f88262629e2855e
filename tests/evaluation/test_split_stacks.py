"""An environment split over stacks makes the same objects as the whole, and says what is wrong with a reference."""

from pathlib import Path
from typing import Any

import pytest

from infra.errors import PlatformError
from infra.plan import Plan, Value
from infra.settings import load_stack_file
from infra.settings.target import LAYERS
from stacks.contract import CONTRACT_VERSION, OUTPUTS
from stacks.evaluation import ORGANIZATION, evaluate, evaluate_split
from stacks.layers import stack_of

ROOT = Path(__file__).resolve().parents[2]


def objects(*plans: Plan) -> dict[tuple[str, str], dict[str, Any]]:
    """Inputs by type and name, without providers, references and the guard of each stack, which differ by design."""
    return {
        (item.type_token, item.name): dict(item.inputs)
        for plan in plans
        for item in plan
        if not item.type_token.startswith("pulumi:") and item.name != "guard"
    }


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
@pytest.mark.parametrize("mode", ["unknown", "stand-in"])
def test_the_layers_apart_make_what_the_whole_makes(environment: str, mode: Any) -> None:
    stack = load_stack_file(ROOT / f"Pulumi.{environment}.yaml")
    parts = evaluate_split(stack, mode)

    assert objects(*parts.values()) == objects(evaluate(stack, mode))
    for layer, plan in parts.items():
        assert plan.stack == stack_of(layer, environment)
        assert set(plan.exports) - {"contractVersion"} == {item.name for item in OUTPUTS if item.layer == layer}


@pytest.mark.parametrize(("name", "layer"), [("prod-foundation", "foundation"), ("prod-workloads", "workloads")])
def test_the_file_of_a_layer_takes_its_settings_from_the_environment(name: str, layer: str) -> None:
    part, whole = load_stack_file(ROOT / f"Pulumi.{name}.yaml"), load_stack_file(ROOT / "Pulumi.prod.yaml")

    assert (part.name, part.environment, part.layers) == (name, "prod", (layer,))
    assert part.settings == whole.settings


def test_the_committed_stacks_of_prod_hold_every_layer_once() -> None:
    held = [load_stack_file(path).layers for path in sorted(ROOT.glob("Pulumi.prod*.yaml"))]

    assert sorted(layer for layers in held for layer in layers) == sorted(LAYERS)


WHOLE: dict[str, Value] = {
    "contractVersion": CONTRACT_VERSION,
    "clusterName": "gpu-prod",
    "clusterArn": "arn:aws:eks:us-east-2:333333333333:cluster/gpu-prod",
    "kubeconfig": "{}",
    "keyArn": "arn:aws:kms:us-east-2:333333333333:key/1",
    "vpcId": "vpc-1",
    "nodeSubnetIds": ["subnet-1"],
    "nodeSecurityGroupId": "sg-1",
}


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "exports no contractVersion: it is not a stack of gpu-platform"),
        ({**WHOLE, "contractVersion": CONTRACT_VERSION + 1}, "has version 2 of the contract, this program needs 1"),
        ({key: WHOLE[key] for key in WHOLE if key != "kubeconfig"}, "exports no kubeconfig"),
        ({**WHOLE, "kubeconfig": ["not", "text"]}, "kubeconfig of the stack .* is list, not str"),
    ],
)
def test_a_stack_without_the_contract_is_refused(outputs: dict[str, Value], message: str) -> None:
    stack = load_stack_file(ROOT / "Pulumi.prod.yaml")
    references = {f"{ORGANIZATION}/gpu-platform/prod-foundation": outputs}

    with pytest.raises(PlatformError, match=message) as caught:
        evaluate(stack, "stand-in", ("platform",), references)
    assert caught.value.mend

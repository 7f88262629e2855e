"""The outputs of prod as its stacks export them, and programs of app teams evaluated against them."""

import json
import runpy
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import pulumi

from infra.plan import Plan, Value
from infra.settings import load_stack_file
from stacks.evaluation import ORGANIZATION, evaluate
from tests.conftest import ROOT

RECORDED = Path(__file__).with_name("prod-outputs.json")
EXAMPLES = ROOT / "examples"

Outputs = dict[str, dict[str, Value]]


def recorded_outputs() -> Outputs:
    """Outputs by stack name: `prod-foundation`, `prod`, `prod-workloads`."""
    outputs: Outputs = json.loads(RECORDED.read_text(encoding="utf-8"))
    return outputs


def evaluate_program(folder: str, outputs: Outputs, config: Mapping[str, str] | None = None) -> Plan:
    """The plan of the Python program in `examples/<folder>`, where the stacks of gpu-platform export `outputs`."""

    def program(*_: object) -> None:
        pulumi.runtime.set_all_config({f"gpu-platform:{key}": value for key, value in (config or {}).items()})
        try:
            runpy.run_path(str(EXAMPLES / folder / "__main__.py"), run_name="__main__")
        finally:
            pulumi.runtime.set_all_config({})

    references = {f"{ORGANIZATION}/gpu-platform/{stack}": values for stack, values in outputs.items()}
    with patch("stacks.evaluation.deploy", program):
        return evaluate(load_stack_file(ROOT / "Pulumi.local.yaml"), "stand-in", references=references)

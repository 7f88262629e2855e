"""The example of divided GPUs, evaluated once."""

from functools import cache

import pytest

from infra.plan import Manifest, Plan, kubernetes_manifests
from infra.settings import StackFile, load_stack_file
from stacks.evaluation import evaluate
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "mig" / "Pulumi.mig.yaml"


@cache
def example_plan() -> Plan:
    return evaluate(load_stack_file(EXAMPLE), "stand-in")


@pytest.fixture(scope="session")
def example() -> StackFile:
    return load_stack_file(EXAMPLE)


@pytest.fixture(scope="session")
def plan() -> Plan:
    return example_plan()


@pytest.fixture(scope="session")
def manifests() -> list[Manifest]:
    return kubernetes_manifests(example_plan())

"""The example of KServe: its settings, to be changed by tests, and its plan, evaluated once."""

import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import yaml

from infra.errors import InputError, Problem
from infra.plan import Manifest, Plan, kubernetes_manifests
from infra.settings import PlatformSettings, load_stack_file
from infra.settings.loading import PLATFORM_KEY, parse_settings
from stacks.evaluation import evaluate
from tests.conftest import ROOT

EXAMPLE = ROOT / "examples" / "kserve" / "Pulumi.kserve.yaml"
CHAT, DRAFT, SUMMARIES, ASSISTANT, CLASSIC = range(5)

Json = dict[str, Any]


@cache
def _read() -> Json:
    document: Json = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    settings: Json = document["config"][PLATFORM_KEY]
    return settings


def settings_with(edit: Callable[[Json], object]) -> PlatformSettings:
    """The example's settings, edited."""
    raw = copy.deepcopy(_read())
    edit(raw)
    return parse_settings(raw)


def problems_with(edit: Callable[[Json], object]) -> list[Problem]:
    """What is wrong with the example's settings, edited; nothing when they are accepted."""
    try:
        settings_with(edit)
    except InputError as error:
        return list(error.problems)
    return []


@cache
def plan() -> Plan:
    """The example's plan, with stand-ins for what only the cloud knows."""
    return evaluate(load_stack_file(EXAMPLE), "stand-in")


@cache
def objects() -> list[Manifest]:
    """Its Kubernetes objects."""
    return kubernetes_manifests(plan())


def body_of(kind: str, name: str) -> Json:
    """One object of the plan."""
    (found,) = (item.body for item in objects() if (item.kind, item.name) == (kind, name))
    return dict(found)

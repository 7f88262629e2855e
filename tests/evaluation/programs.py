"""Running a small program through the one evaluation, in place of the platform's own."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from textwrap import dedent, indent
from typing import Any
from unittest.mock import patch

import pulumi

from infra.plan import Plan
from infra.plan.records import Mode
from infra.settings import StackFile, load_stack_file
from stacks.evaluation import evaluate
from tests.conftest import ROOT

Program = Callable[[], object]


def stack_file(text: str, folder: Path, name: str = "test") -> StackFile:
    """A stack whose configuration is `text`, as YAML under `config`."""
    path = folder / f"Pulumi.{name}.yaml"
    path.write_text("config:\n" + indent(dedent(text), "  "), encoding="utf-8")
    return load_stack_file(path)


@cache
def plan_of(env: str, mode: Mode = "unknown") -> Plan:
    """The plan of a committed environment, evaluated once for all tests that only read it."""
    return evaluate(load_stack_file(ROOT / f"Pulumi.{env}.yaml"), mode)


def run(program: Program, mode: Mode = "unknown") -> Plan:
    """The plan of `program`, evaluated as the platform is."""
    with patch("stacks.evaluation.deploy", lambda *_, **__: program() and None):
        return evaluate(replace(load_stack_file(ROOT / "Pulumi.local.yaml"), name="test"), mode)


def unknown(secret: bool = False) -> "pulumi.Output[Any]":
    """An Output whose value only the cloud knows."""
    futures: list[asyncio.Future[Any]] = [asyncio.Future() for _ in range(3)]
    for future, value in zip(futures, (None, False, secret), strict=True):
        future.set_result(value)
    return pulumi.Output(set(), futures[0], futures[1], futures[2])

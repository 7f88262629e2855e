"""Running a small program through the one evaluation, in place of the platform's own."""

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pulumi

from infra.plan import Plan
from infra.plan.records import Mode
from infra.settings import StackFile, parse_settings
from stacks.evaluation import evaluate

Program = Callable[[], object]


def stack_file(name: str = "test", secrets: frozenset[str] = frozenset()) -> StackFile:
    """A stack with no pools and no models."""
    return StackFile(name, parse_settings({"target": "local", "cluster": {"name": "test"}}), secrets)


def run(program: Program, mode: Mode = "unknown") -> Plan:
    """The plan of `program`, evaluated as the platform is."""
    with patch("stacks.evaluation.deploy", lambda *_, **__: program() and None):
        return evaluate(stack_file(), mode)


def unknown(secret: bool = False) -> "pulumi.Output[Any]":
    """An Output whose value only the cloud knows."""
    futures: list[asyncio.Future[Any]] = [asyncio.Future() for _ in range(3)]
    for future, value in zip(futures, (None, False, secret), strict=True):
        future.set_result(value)
    return pulumi.Output(set(), futures[0], futures[1], futures[2])

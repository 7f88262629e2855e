"""Where a plan comes from on the command line: an environment, a stack file, or a plan that was kept as JSON."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.options import environments, load_stack
from infra.errors import InputError, Problem

if TYPE_CHECKING:
    from infra.plan import Plan

STDIN = "-"

_KEEP = "keep one with: gpu-platform preview --env NAME --json > plan.json"


def load_plan(argument: str, word: str) -> "Plan":
    """The plan that a word on the command line means.

    Args:
        argument: how the command calls it, for messages.
        word: the name of a committed environment, the path of a stack file or of a kept plan, or `-` for a kept plan on
            standard input. A name without a dot or a slash is an environment.

    Raises:
        InputError: with every problem found.
    """
    if word == STDIN:
        return _kept(sys.stdin.read(), "standard input")
    if word in environments():
        return _evaluated(word, None)
    path = Path(word)
    if not path.exists():
        from infra.settings.reporting import shown
        from infra.settings.values import did_you_mean

        known = environments()
        accepted = f"an environment ({', '.join(known)}), a stack file, or a plan written by preview --json"
        mend = did_you_mean(word, known, f"check the path; {_KEEP}")
        raise InputError([Problem(argument, shown(word), accepted, mend)], "the command line")
    if path.suffix in (".yaml", ".yml"):
        return _evaluated("", path)
    return _kept(_text(path), word)


def _evaluated(env: str, file: Path | None) -> "Plan":
    stack = load_stack(env, file)

    from stacks.evaluation import evaluate

    return evaluate(stack)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problem = Problem("", f"{reason}", "a stack file in YAML, or a plan in JSON", _KEEP, file=str(path))
        raise InputError([problem], "the command line") from None


def _kept(text: str, name: str) -> "Plan":
    from infra.plan import plan_from_json

    try:
        return plan_from_json(json.loads(text))
    except json.JSONDecodeError as error:
        found = f"no JSON: {error.msg}"
        accepted = "a plan as preview --json writes it; a stack file ends in .yaml"
        problem = Problem("", found, accepted, _KEEP, file=name, line=error.lineno)
        raise InputError([problem], "the plan") from None
    except InputError as error:
        raise InputError([replace(problem, file=name) for problem in error.problems], "the plan") from None

"""Whatever the settings hold, parsing them gives settings or clear problems, never anything else.

Good configurations, the four committed ones, are mutated: keys and values go, come twice, change their name or their
type. `derandomize` makes a run in CI the same every time.
"""

import copy
import datetime
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.errors import InputError
from infra.plan import plan_as_json, plan_as_tree
from infra.settings import PlatformSettings, load_stack_file, parse_settings
from infra.settings.loading import PLATFORM_KEY
from stacks.evaluation import evaluate
from tests.conftest import ENVIRONMENTS, ROOT

Place = tuple[Any, Any]  # a container of the configuration, and a key or index in it

TEXTS = {name: (ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8") for name in ENVIRONMENTS}
GOOD = {name: yaml.safe_load(text)["config"][PLATFORM_KEY] for name, text in TEXTS.items()}
LOCAL = load_stack_file(ROOT / "Pulumi.local.yaml")

# Words that mean something somewhere, so that they turn up where they do not belong.
WORDS = st.sampled_from(
    ["", ".", "[0]", "a.b", "config", PLATFORM_KEY, "name", "nodePools", "Never", "0s", "9" * 30 + "h", "al2023@latest",
     "g6f.large", "p5.48xlarge", "l40s", "10.0.0.0/33", "0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "spot", "reserved",
     "inference", "training", "100%", "1.36", "\ud800", "a\nb", "\x1b[31m", "\N{ARABIC-INDIC DIGIT THREE}%",
     "cr-1", "secure", "use2-az1"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 200),
    st.sampled_from([2**31, 2**63, -(2**63), 10**30, 10**400]),
    st.sampled_from([0.5, 1.0, -0.0, 1e308, math.nan, math.inf, -math.inf]),
    st.sampled_from([datetime.date(2026, 1, 1), b"bytes"]),
    st.text(max_size=8),
    WORDS,
)
KEYS = st.one_of(
    WORDS, st.text(max_size=4), st.none(), st.booleans(), st.integers(0, 3), st.just(datetime.date(2026, 1, 1))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
OPERATIONS = ("replace", "replace", "delete", "duplicate", "rename", "add", "swap")


def places(value: object) -> Iterator[Place]:
    """Every place in a configuration."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A committed configuration after one to three mutations."""
    raw = copy.deepcopy(GOOD[draw(st.sampled_from(ENVIRONMENTS))])
    for _ in range(draw(st.integers(1, 3))):
        everywhere = list(places(raw))
        if not everywhere:
            break
        container, key = everywhere[draw(st.integers(0, len(everywhere) - 1))]
        operation = draw(st.sampled_from(OPERATIONS))
        if operation == "replace":
            container[key] = draw(VALUES)
        elif operation == "delete":
            del container[key]
        elif operation == "duplicate" and isinstance(container, list):
            container.insert(draw(st.integers(0, len(container))), copy.deepcopy(container[key]))
        elif operation in ("rename", "duplicate") and isinstance(container, dict):
            kept = container[key] if operation == "duplicate" else container.pop(key)
            container[draw(KEYS)] = copy.deepcopy(kept)
        elif operation == "add" and isinstance(container[key], dict):
            container[key][draw(KEYS)] = draw(VALUES)
        elif operation == "add" and isinstance(container[key], list):
            container[key].append(draw(VALUES))
        elif operation == "swap":
            other, there = everywhere[draw(st.integers(0, len(everywhere) - 1))]
            container[key] = copy.deepcopy(other[there])
    return raw


def assert_clear(error: InputError) -> None:
    """Each problem says where, what was found, what is accepted and how to mend it, in four lines."""
    assert error.problems
    for problem in error.problems:
        assert problem.found.strip()
        assert problem.accepted.strip()
        assert problem.mend.strip()
        assert problem.path.strip() or problem.file
        lines = str(problem).splitlines()
        assert len(lines) == 4
        assert all(line.isprintable() for line in lines)
        assert "see the schema" not in problem.mend


@settings(max_examples=10_000, derandomize=True)
@given(mutated())
def test_settings_are_valid_or_every_problem_is_clear(raw: object) -> None:
    try:
        found = parse_settings(raw)
    except InputError as error:
        assert_clear(error)
        assert all(problem.path.strip() for problem in error.problems)
    else:
        assert isinstance(found, PlatformSettings)


@settings(max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_what_is_valid_can_be_evaluated(raw: object) -> None:
    """Nothing that the settings accept ends the preview with a traceback."""
    try:
        found = parse_settings(raw)
    except InputError:
        return
    try:
        plan = evaluate(replace(LOCAL, name="mutated", settings=found, secrets=frozenset()))
    except InputError as error:  # a gated model without its token
        assert_clear(error)
        return
    assert plan_as_json(plan)["resources"]
    assert plan_as_tree(plan)


@st.composite
def mutated_text(draw: st.DrawFn) -> bytes:
    """The text of a committed stack file with pieces cut out, put in or put elsewhere."""
    text = TEXTS[draw(st.sampled_from(ENVIRONMENTS))].encode()
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 20)))
        new = draw(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from([b": ", b"\n", b"  ", b"- ", b"{", b"}", b"[" * 50, b"*a ", b"&a ", b"\t", b"<<: ",
                                 b"!!python/object:os.system ", b"!secret ", b"? ", b"---\n", b"0x" + b"f" * 5000,
                                 b"2026-13-45", b"1e999", b".nan", b"012", b"1:99", b"\x00", b"\xff", b'"\\ud800"']),
            )
        )  # fmt: skip
        text = text[:start] + new + text[end:]
    return text


@settings(max_examples=500, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=mutated_text())
def test_a_file_is_valid_or_every_problem_is_clear(tmp_path_factory: Any, text: bytes) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "Pulumi.mutated.yaml"
    path.write_bytes(text)
    try:
        load_stack_file(path, shown_as="Pulumi.mutated.yaml")
    except InputError as error:
        assert_clear(error)
        assert {problem.file for problem in error.problems} == {"Pulumi.mutated.yaml"}

"""Routes apart: no two of one name, none that chance decides between, none that KServe makes past the listed paths."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import InputError, Problem
from infra.planning.routes import CREDENTIAL_HEADERS, OWN_HEADERS, OWN_PREFIXES
from tests.conftest import ROOT
from tests.serving.gateway_example import Change, raw, settings_of

OTHER = {"backends": [{"model": "qwen3-8b"}], "balance": "service"}


def only(edit: Callable[[Change], object]) -> Problem:
    change = raw()
    edit(change)
    with pytest.raises(InputError) as caught:
        settings_of(change)
    (problem,) = caught.value.problems
    return problem


def route(name: str, **more: Any) -> Callable[[Change], object]:
    match = {"headers": {"x-other": "yes", "x-more": "yes", "x-most": "yes"}}
    return lambda change: change["gateway"]["routes"].append({"name": name, "match": match, **OTHER, **more})


def test_a_name_is_taken_once() -> None:
    found = only(route("economy"))

    assert (found.path, found.found) == ("gateway.routes[4].name", '"economy", the name of gateway.routes[2]')


def test_the_way_of_long_prompts_has_a_name_too() -> None:
    found = only(route("small-long"))

    assert (found.path, found.found) == (
        "gateway.routes[4].name", '"small-long", the name of gateway.routes[1].longContext',
    )  # fmt: skip


@pytest.mark.parametrize("name", ["refused-paths", "qwen3-32b-kserve-route"])
def test_names_of_routes_that_others_write_are_refused(name: str) -> None:
    found = only(route(name))

    assert (found.path, found.found, found.mend) == ("gateway.routes[4].name", f'"{name}"', "rename it")


def test_backends_that_get_one_name_are_refused() -> None:
    def edit(change: Change) -> None:
        change["models"][4]["name"] = "b"
        change["models"][3]["name"] = "a-b"
        change["gateway"]["routes"][1]["longContext"]["model"] = "a-b"
        for name, model in (("x", "a-b"), ("x-a", "b")):
            change["gateway"]["routes"].append({"name": name, "match": {"model": name}, "backends": [{"model": model}]})

    found = only(edit)
    assert (found.path, found.found) == (
        "gateway.routes[5].name", '"x-a", whose backend x-a-b has the name of one of gateway.routes[4]',
    )  # fmt: skip


def test_two_routes_that_match_the_same_are_refused() -> None:
    def edit(change: Change) -> None:
        change["gateway"]["routes"][1]["match"]["model"] = "qwen3-8b"
        route("other", match={"model": "qwen3-8b"})(change)

    found = only(edit)
    assert (found.path, found.found) == ("gateway.routes[4].match", "the match of gateway.routes[1]")


def test_two_routes_with_one_condition_each_are_refused_and_the_mend_is_accepted() -> None:
    def edit(change: Change) -> None:
        change["gateway"]["routes"][2]["match"] = {"headers": {"x-tier": "economy"}}

    found = next(item for item in _problems(edit) if item.path == "gateway.routes[2].match")
    assert found.found == "{headers: {x-tier: economy}}, beside {model: qwen3-32b} of gateway.routes[0]"

    written = "{model: qwen3-32b, headers: {x-tier: economy}}"
    assert f"match: {written} for" in found.mend
    change = raw()
    change["gateway"]["routes"][2]["match"] = yaml.safe_load(written)
    assert settings_of(change).gateway


def test_a_header_of_long_prompts_may_meet_another_header() -> None:
    found = only(route("other", match={"model": "small", "headers": {"x-tier": "gold"}}))

    assert (found.path, "gateway.routes[1].longContext" in found.found) == ("gateway.routes[4].match", True)


def _problems(edit: Callable[[Change], object]) -> list[Problem]:
    change = raw()
    edit(change)
    try:
        settings_of(change)
    except InputError as error:
        return list(error.problems)
    return []


MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["m", "n"]),
        "headers": st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(["1", "2"]), min_size=1),
    },
).filter(bool)


@settings(max_examples=60)
@given(st.lists(MATCHES, min_size=2, max_size=3))
def test_chance_decides_between_routes_exactly_where_they_are_refused(matches: list[dict[str, Any]]) -> None:
    """Every request of the small world is tried: the best of its routes is one, or the settings are refused."""
    worlds = itertools.product(["m", "n", "other"], [None, "1", "2"], [None, "1", "2"])

    def best(model: str, one: str | None, two: str | None) -> list[int]:
        sent = {"x-a": one, "x-b": two}
        ranks = [
            len(match.get("headers", {})) + ("model" in match)
            if match.get("model", model) == model
            and all(sent[name] == value for name, value in match.get("headers", {}).items())
            else 0
            for match in matches
        ]
        return [rank for rank in ranks if rank and rank == max(ranks)]

    def edit(change: Change) -> None:
        change["gateway"]["routes"] = [
            {"name": f"r{index}", "match": match, **OTHER} for index, match in enumerate(matches)
        ]

    refused = any(item.path.endswith(".match") for item in _problems(edit))
    assert refused == any(len(best(*world)) > 1 for world in worlds)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["*.example.com", "chat.example.com"], '"chat.example.com" beside "*.example.com"'),
        (["a.b-c.com", "a-b.c.com"], '"a-b.c.com" beside "a.b-c.com"'),
        (["a.example.com", "a.example.com"], '"a.example.com" beside "a.example.com"'),
    ],
)
def test_host_names_have_a_listener_each(names: list[str], found: str) -> None:
    problem = only(lambda change: change["gateway"].update(hostNames=names))

    assert (problem.path, problem.found) == ("gateway.hostNames[1]", found)


@pytest.mark.parametrize("name", [*OWN_HEADERS, *(f"{prefix}anything" for prefix in OWN_PREFIXES)])
def test_a_header_that_the_gateway_takes_away_is_no_match(name: str) -> None:
    found = only(lambda change: change["gateway"]["routes"][2]["match"]["headers"].update({name: "x"}))

    assert found.path.startswith("gateway.routes[2].match.headers")
    assert "the gateway takes away" in found.accepted


@pytest.mark.parametrize("name", CREDENTIAL_HEADERS)
def test_a_header_with_a_secret_is_no_match_and_is_not_shown(name: str) -> None:
    found = only(lambda change: change["gateway"]["routes"][2]["match"]["headers"].update({name: "abcdef"}))

    assert found.path.startswith("gateway.routes[2].match.headers")
    assert "who a client is belongs to gateway.classes" in found.accepted
    assert "abcdef" not in f"{found.found} {found.accepted} {found.mend}"


def test_kserves_own_route_past_the_listed_paths_is_refused() -> None:
    path = ROOT / "examples" / "kserve" / "Pulumi.kserve.yaml"
    change = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]["gpu-platform:platform"]
    (name,) = [
        item["name"] for item in change["models"] if item["kserve"].get("kind") == "LLMInferenceService"
    ]  # fmt: skip
    change["gateway"] = {"routes": [{"name": "a", "match": {"model": name}, "backends": [{"model": name}]}]}
    assert settings_of(change).kserve  # on another gateway than ours

    change["kserve"]["gateway"] = {"namespace": "gateway", "name": "inference"}
    with pytest.raises(InputError) as caught:
        settings_of(change)

    (found,) = caught.value.problems
    assert found.path.endswith(".kserve.route")
    assert "gateway/inference, the platform's own gateway" in found.found

"""Limits of the gateway: everybody has one, by whichever route, and its number is granted once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.errors import InputError, Problem
from infra.plan import Manifest, kubernetes_manifests
from infra.planning.routes import CLIENT_HEADER, client_pattern, counters
from infra.settings import load_stack_file
from simulator.apply import dry_run
from simulator.client import Client
from stacks.evaluation import evaluate
from tests.embedded import Listener
from tests.serving.gateway_example import Change, named, raw, settings_of, written

STORE = "valkey.cache.svc:6379"


def problems(edit: Callable[[Change], object]) -> list[Problem]:
    change = raw()
    edit(change)
    with pytest.raises(InputError) as caught:
        settings_of(change)
    return list(caught.value.problems)


def only(edit: Callable[[Change], object]) -> Problem:
    (problem,) = problems(edit)
    return problem


def limits(*given: dict[str, Any], index: int = 0) -> Callable[[Change], object]:
    return lambda change: change["gateway"]["routes"][index].update(limits=list(given))


def lead_elsewhere(change: Change) -> None:
    """The route by path to a model that no other route reaches."""
    change["gateway"]["routes"][3]["backends"] = [{"model": "phi-4-mini"}]


def policies(change: Change, folder: Path) -> dict[str, Manifest]:
    plan = evaluate(load_stack_file(written(change, folder)), "stand-in")
    return {item.name: item for item in kubernetes_manifests(plan) if item.kind == "BackendTrafficPolicy"}


def counted(rules: list[dict[str, Any]], client: str | None, *, local: bool) -> list[int]:
    """Numbers of the rules that count a request of `client`, as Envoy Gateway 1.8.2 translates them."""

    def holds(header: dict[str, Any]) -> bool:
        assert (header["type"], header["name"]) == ("RegularExpression", CLIENT_HEADER)
        inverted: bool = header.get("invert", False)
        return bool(client and re.fullmatch(header["value"], client)) != inverted

    selected = [
        rule["limit"]["requests"]
        for rule in rules
        if "clientSelectors" in rule and all(holds(item) for one in rule["clientSelectors"] for item in one["headers"])
    ]
    rest = [rule["limit"]["requests"] for rule in rules if "clientSelectors" not in rule]
    assert len(rest) <= 1
    # The local rule without selectors is the bucket of what no other counts; a global one would count everybody.
    return (selected or rest) if local else [*selected, *rest]


@pytest.mark.parametrize("store", [False, True], ids=["each for itself", "store"])
@pytest.mark.parametrize(
    ("client", "limit"),
    [("chat-app", 600), ("assistant", 600), ("nightly", 60), ("unknown", 30), ("chat-app2", 30), (None, 30)],
)
def test_each_client_has_one_limit_with_and_without_a_store(
    client: str | None, limit: int, store: bool, tmp_path: Path
) -> None:
    change = raw()
    if store:
        change["gateway"]["rateLimitStore"] = STORE
    found = policies(change, tmp_path)["qwen3-32b"].body["spec"]["rateLimit"]
    rules = found["global" if store else "local"]["rules"]

    # Each of two Envoys grants half. In a store one number is shared by every rule and host name of the route.
    assert counted(rules, client, local=not store) == [limit if store else limit // 2]
    assert {rule.get("shared", False) for rule in rules} == {store}


def test_parts_that_several_counters_grant_are_the_whole_together() -> None:
    change = raw()
    change["gateway"]["hostNames"] = ["a.example.com", "b.example.com"]
    assert counters(2, 2, 3) == 12
    assert counters(3, 0, 1) == 3

    lead_elsewhere(change)
    limits({"requestsPerMinute": 12}, index=3)(change)  # by path: three paths, two names, two Envoys
    assert settings_of(change).gateway
    limits({"requestsPerMinute": 11}, index=3)(change)
    with pytest.raises(InputError) as caught:
        settings_of(change)
    (found,) = caught.value.problems
    assert (found.path, found.found) == ("gateway.routes[3].limits[0].requestsPerMinute", "11 among 12 counters")
    change["gateway"]["rateLimitStore"] = STORE
    assert settings_of(change).gateway


def test_a_route_by_path_grants_its_limit_once(tmp_path: Path) -> None:
    change = raw()
    lead_elsewhere(change)
    limits({"requestsPerMinute": 120}, index=3)(change)
    (rule,) = policies(change, tmp_path)["batch"].body["spec"]["rateLimit"]["local"]["rules"]

    # Two Envoys, and an HTTPRoute with a rule for each of three paths.
    assert rule["limit"]["requests"] == 20


def test_long_prompts_have_limits_of_their_own(tmp_path: Path) -> None:
    change = raw()
    limits({"requestsPerMinute": 100}, index=1)(change)
    limits({"requestsPerMinute": 100}, index=3)(change)  # leads to qwen3-8b as well
    limits({"requestsPerMinute": 100}, index=2)(change)
    with pytest.raises(InputError) as caught:
        settings_of(change)
    (found,) = caught.value.problems
    assert (found.path, found.found) == ("gateway.routes[1].longContext.limits", "none, beside limits of small")

    change["gateway"]["routes"][1]["longContext"]["limits"] = [{"requestsPerMinute": 8}]
    made = policies(change, tmp_path)
    granted = {
        name: made[name].body["spec"]["rateLimit"]["local"]["rules"][0]["limit"]["requests"]
        for name in ("small", "small-long")
    }
    assert granted == {"small": 50, "small-long": 4}


def test_the_api_server_accepts_limits_in_a_store(control_plane: Client, listener: Listener, tmp_path: Path) -> None:
    change = raw()
    change["gateway"]["rateLimitStore"] = STORE
    limits(
        {"clientClass": "batch", "tokensPerMinute": 9000, "requestsPerMinute": 1}, {"tokensPerMinute": 1000}
    )(change)  # fmt: skip
    made = policies(change, tmp_path)
    rules = made["qwen3-32b"].body["spec"]["rateLimit"]["global"]["rules"]

    assert [("cost" in rule, rule["limit"]["requests"]) for rule in rules] == [(False, 1), (True, 9000), (True, 1000)]
    assert rules[2]["clientSelectors"] == [
        {"headers": [{"type": "RegularExpression", "name": CLIENT_HEADER, "value": "nightly", "invert": True}]}
    ]
    plan = evaluate(load_stack_file(tmp_path / "Pulumi.gateway.yaml"), "stand-in")
    homes = [item for item in kubernetes_manifests(plan) if item.kind == "Namespace"]
    for home in homes:
        control_plane.apply(home.body)
    assert [str(item) for item in dry_run(control_plane, [*homes, *made.values()], listener)] == []


def test_clients_of_no_class_have_a_limit_where_classes_have() -> None:
    found = only(limits({"clientClass": "interactive", "requestsPerMinute": 600}))

    assert (found.path, found.found) == ("gateway.routes[0].limits", "limits for interactive only")
    assert found.mend == "add {requestsPerMinute: 600}, for all others together"


@pytest.mark.parametrize("name", [None, "batch"], ids=["no class", "class"])
def test_two_limits_for_the_same_clients_are_refused(name: str | None) -> None:
    twice = {"requestsPerMinute": 10} if name is None else {"clientClass": name, "requestsPerMinute": 10}
    found = only(
        limits(twice, {**twice, "requestsPerMinute": 20}, *([] if name is None else [{"requestsPerMinute": 9}]))
    )

    assert (found.path, found.mend) == ("gateway.routes[0].limits[1]", "make them one")


def test_a_class_or_client_named_twice_is_refused() -> None:
    found = only(lambda change: change["gateway"]["classes"].append({"name": "batch", "clients": ["other"]}))
    assert (found.path, found.found) == ("gateway.classes[2].name", '"batch", the name of gateway.classes[1]')

    found = only(lambda change: change["gateway"]["classes"][1]["clients"].append("chat-app"))
    assert (found.path, found.found) == (
        "gateway.classes[1].clients[1]", '"chat-app", which is in the class interactive',
    )  # fmt: skip


@pytest.mark.parametrize("way", ["backend", "overflow", "longContext"])
def test_a_model_with_limits_is_reached_without_by_no_other_route(way: str) -> None:
    route: dict[str, Any] = {"name": "round", "match": {"model": "round"}, "backends": [{"model": "phi-4-mini"}]}
    more: dict[str, dict[str, Any]] = {
        "backend": {"backends": [{"model": "qwen3-32b"}]},
        "overflow": {"overflow": "qwen3-32b"},
        "longContext": {"longContext": {"aboveTokens": 8192, "model": "qwen3-32b"}},
    }
    found = only(lambda change: change["gateway"]["routes"].append({**route, **more[way]}))

    assert found.path == "gateway.routes[4]" + (".longContext" if way == "longContext" else "") + ".limits"
    assert found.found == "none, and qwen3-32b is behind gateway.routes[2].limits"


def test_tokens_without_a_store_are_refused() -> None:
    found = only(limits({"tokensPerMinute": 1000}))

    assert found.path == "gateway.routes[0].limits[0].tokensPerMinute"
    assert "rateLimitStore" in found.mend


def test_a_class_too_large_for_one_expression_is_refused_with_the_numbers() -> None:
    def edit(count: int) -> Callable[[Change], object]:
        clients = [f"application-number-{number:04}" for number in range(count)]  # 23 characters and one between
        return lambda change: change["gateway"]["classes"][0].update(clients=clients)

    change = raw()
    edit(42)(change)
    assert settings_of(change).gateway
    found = only(edit(43))
    assert found.path == "gateway.classes[0]"
    assert "1024 characters" in found.accepted
    assert "these 43 take 1031" in found.accepted


def test_a_name_with_a_dot_is_no_other_name() -> None:
    assert re.fullmatch(client_pattern(["a.b", "c-d"]), "a.b")
    assert not re.fullmatch(client_pattern(["a.b", "c-d"]), "axb")
    assert named("SecurityPolicy", "inference")["apiKeyAuth"]["forwardClientIDHeader"] == CLIENT_HEADER

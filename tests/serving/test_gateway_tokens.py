"""Tokens end at the gateway: no server sees one, by whichever route and at whichever try."""

from pathlib import Path
from typing import Any

import pytest

from infra.plan import Manifest, kubernetes_manifests
from infra.planning.destroy import violations
from infra.settings import load_stack_file
from simulator.apply import dry_run
from simulator.client import Client
from stacks.evaluation import evaluate
from tests.embedded import Listener
from tests.serving.gateway_example import manifests, raw, written

JWT = {
    "issuer": "https://login.example.com/",
    "audiences": ["models"],
    "jwksUri": "https://login.example.com/keys",
    "clientClaim": "sub",
}


@pytest.fixture
def with_tokens(tmp_path: Path) -> list[Manifest]:
    change = raw()
    change["gateway"]["authentication"] = {"jwt": JWT}
    plan = evaluate(load_stack_file(written(change, tmp_path)), "stand-in")
    assert [str(item) for item in violations(plan)] == []
    return list(kubernetes_manifests(plan))


def specs(found: list[Manifest], kind: str) -> list[Any]:
    return [item.body["spec"] for item in found if item.kind == kind]


def test_a_token_is_taken_away_on_every_route(with_tokens: list[Manifest]) -> None:
    (policy,) = specs(with_tokens, "EnvoyExtensionPolicy")
    (security,) = specs(with_tokens, "SecurityPolicy")

    assert policy["targetRefs"] == security["targetRefs"]  # the Gateway, so every route
    assert [item["type"] for item in policy["lua"]] == ["Inline"]
    assert 'handle:headers():remove("authorization")' in policy["lua"][0]["inline"]


def test_a_second_try_does_not_bring_it_back(with_tokens: list[Manifest]) -> None:
    backends = specs(with_tokens, "AIServiceBackend")

    assert backends
    assert {tuple(item["headerMutation"]["remove"]) for item in backends} == {("authorization",)}


def test_keys_are_taken_away_by_the_filter_that_reads_them() -> None:
    assert specs(list(manifests()), "EnvoyExtensionPolicy") == []
    assert all("headerMutation" not in item for item in specs(list(manifests()), "AIServiceBackend"))


def test_the_api_server_accepts_it(with_tokens: list[Manifest], control_plane: Client, listener: Listener) -> None:
    for item in with_tokens:
        if item.kind == "Namespace":
            control_plane.apply(item.body)
    kinds = ("Namespace", "EnvoyExtensionPolicy", "SecurityPolicy", "AIServiceBackend")

    refused = dry_run(control_plane, [item for item in with_tokens if item.kind in kinds], listener)

    assert [str(item) for item in refused] == []

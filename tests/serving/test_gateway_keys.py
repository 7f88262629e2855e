"""Where the gateway's API keys come from: a store outside the cluster, or a Pulumi secret that never shows."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from infra.errors import InputError
from infra.plan import Marker, Plan, kubernetes_manifests, plan_as_json
from infra.planning.api_keys import keys_by_client
from infra.planning.destroy import DestroyGraph, violations
from infra.settings import load_stack_file
from infra.settings.tokens import problem_of_keys
from stacks.evaluation import evaluate
from tests.serving.gateway_example import Change, raw, written

TENANT = {
    "name": "models",
    "team": "models",
    "quota": {"gpus": 64},
    "secrets": {"huggingFaceToken": {"key": "ml/hugging-face"}},
}


def with_keys(api_keys: dict[str, Any], **areas: Any) -> Change:
    """The example with API keys from elsewhere, and with whole areas changed."""
    changed = {**raw(), **areas}
    changed["gateway"]["authentication"] = {"apiKeys": api_keys}
    return changed


def external(**areas: Any) -> Change:
    return with_keys({"external": {"store": "company", "remoteKey": "gateway/keys"}}, **areas)


def plan_of(change: Change, folder: Path) -> Plan:
    return evaluate(load_stack_file(written(change, folder)), "stand-in")


def charts(plan: Plan) -> list[str]:
    releases = plan.of_type("kubernetes:helm.sh/v3:Release")
    return [item.name for item in releases if "external-secrets" in str(item.inputs["chart"])]


@pytest.mark.parametrize("tenants", [[], [TENANT]], ids=["gateway", "gateway and tenant"])
def test_keys_from_a_store_bring_the_operator_once(tenants: list[Any], tmp_path: Path) -> None:
    plan = plan_of(external(tenants=tenants), tmp_path)

    assert charts(plan) == ["external-secrets-crds", "external-secrets-operator"]
    (keys,) = [item for item in plan if item.inputs.get("kind") == "ExternalSecret" and item.name.startswith("inf")]
    (operator,) = [item for item in plan if item.name == "external-secrets-operator"]
    order = DestroyGraph(plan).order()
    assert order.holds(keys.urn, operator.urn)
    assert [str(item) for item in violations(plan)] == []
    # Its right to read secrets is for a tenant's store; the gateway's is somebody else's.
    assert ("external-secrets-identity" in {item.name for item in plan}) is bool(tenants)


def test_an_operator_that_is_there_is_not_installed_again(tmp_path: Path) -> None:
    cluster = {"name": "theirs", "installed": ["external-secrets", "envoy-gateway", "aws-load-balancer-controller"]}

    assert charts(plan_of(external(target="existing", cluster=cluster), tmp_path)) == []


def test_without_anything_from_a_store_there_is_no_operator(tmp_path: Path) -> None:
    assert charts(plan_of(raw(), tmp_path)) == []


KEY = "sk-never-to-be-seen-anywhere"
ENCRYPTED = {"secure": "v1:AAAA:BBBB"}
FROM_PULUMI = {"secret": "our-keys", "pulumiSecret": True}


def stack_file(folder: Path, secret: Any, change: Change | None = None) -> Path:
    """The example with keys from a Pulumi secret, and what the file holds of it."""
    path = written(change or with_keys(FROM_PULUMI), folder)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if secret is not None:
        config["config"]["gpu-platform:gatewayApiKeys"] = secret
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.mark.parametrize("secret", [ENCRYPTED, {"chat-app": ENCRYPTED, "nightly": ENCRYPTED}], ids=["whole", "clients"])
def test_a_pulumi_secret_becomes_the_secret_that_the_gateway_asks_and_never_shows(secret: Any, tmp_path: Path) -> None:
    stack = load_stack_file(stack_file(tmp_path, secret))
    plan = evaluate(stack, "stand-in")

    assert stack.secrets == {"gatewayApiKeys"}
    (made,) = [item for item in plan.of_type("kubernetes:core/v1:Secret") if item.name == "inference-api-keys"]
    (policy,) = [item for item in plan if item.inputs.get("kind") == "SecurityPolicy"]
    metadata, spec = cast(Any, made.inputs["metadata"]), cast(Any, policy.inputs["spec"])
    assert (metadata["name"], metadata["namespace"]) == ("our-keys", "gateway")
    assert made.inputs["stringData"] == {"stand-in": Marker.SECRET}
    assert spec["apiKeyAuth"]["credentialRefs"] == [{"kind": "Secret", "name": "our-keys"}]
    assert DestroyGraph(plan).order().holds(policy.urn, made.urn)
    assert [str(item) for item in violations(plan)] == []
    (body,) = [item.body for item in kubernetes_manifests(plan) if item.name == "our-keys"]
    assert body["stringData"] == {"stand-in": "redacted"}


def test_before_the_engine_decrypts_it_nothing_of_it_is_known(tmp_path: Path) -> None:
    plan = evaluate(load_stack_file(stack_file(tmp_path, ENCRYPTED)), "unknown")

    (made,) = [item for item in plan.of_type("kubernetes:core/v1:Secret") if item.name == "inference-api-keys"]
    assert made.inputs["stringData"] is Marker.SECRET
    assert "BBBB" not in json.dumps(plan_as_json(plan))


def refused(path: Path) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        load_stack_file(path)
    return {item.path: str(item) for item in caught.value.problems}


def test_keys_that_the_stack_does_not_hold_are_missed_before_anything_is_made(tmp_path: Path) -> None:
    found = refused(stack_file(tmp_path, None))

    assert (
        "pulumi config set --secret --path gpu-platform:gatewayApiKeys.CLIENT"
        in (found["gateway.authentication.apiKeys.pulumiSecret"])
    )


@pytest.mark.parametrize(
    "secret", [KEY, {"chat-app": KEY}, {"chat-app": ENCRYPTED, "nightly": KEY}, {"secure": {}}, {}]
)
def test_keys_in_clear_are_refused_and_not_repeated(secret: Any, tmp_path: Path) -> None:
    found = refused(stack_file(tmp_path, secret))

    assert "a value in clear" in found["config.gpu-platform:gatewayApiKeys"]
    assert KEY not in str(found)


def test_two_sources_are_one_too_many(tmp_path: Path) -> None:
    both = {**FROM_PULUMI, "external": {"store": "company", "remoteKey": "gateway/keys"}}

    found = refused(stack_file(tmp_path, ENCRYPTED, with_keys(both)))

    assert "one of external and pulumiSecret" in found["gateway.authentication.apiKeys"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (KEY, "no JSON"),
        (f'["{KEY}"]', "no JSON object of client to key"),
        ("{}", "no JSON object of client to key"),
        (f'{{"chat": "{KEY}", "chat": "other"}}', "a client with two keys"),
        (f'{{"{KEY} with spaces": "a"}}', "1 of 1 clients with other characters"),
        (f'{{"chat": "{KEY}", "nightly": ""}}', "1 of 2 clients without a key"),
        (f'{{"chat": ["{KEY}"]}}', "1 of 1 clients without a key, or with one that is no text"),
        (f'{{"chat": "{KEY}", "nightly": "{KEY}"}}', "one key for several clients"),
    ],
)
def test_a_secret_that_holds_no_keys_is_told_without_a_word_of_it(text: str, said: str) -> None:
    problem = problem_of_keys(text)

    assert problem is not None
    assert said in problem.found
    assert KEY not in str(problem)


def test_keys_are_the_clients_own() -> None:
    assert keys_by_client(f'{{"chat-app": "{KEY}", "nightly": "other"}}') == {"chat-app": KEY, "nightly": "other"}
    assert problem_of_keys(f'{{"chat-app": "{KEY}"}}') is None

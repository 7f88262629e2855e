"""Where the gateway's API keys come from: a store outside the cluster, whose operator is installed once."""

from pathlib import Path
from typing import Any

import pytest

from infra.plan import Plan
from infra.planning.destroy import DestroyGraph, violations
from infra.settings import load_stack_file
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

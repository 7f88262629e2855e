"""What the example of two tenants creates: its objects, their order, and the numbers that checks reckon with."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components.tenancy.tenancy import _as_before
from infra.conventions import GPU_RESOURCE
from infra.plan import Manifest, kubernetes_manifests
from infra.planning.destroy import DestroyGraph, violations
from infra.planning.placement.pods import pod_demands
from infra.planning.quota import CLAIMED_KEY, Ask, shortfalls_of_plan
from infra.settings import StackFile
from infra.settings.storage import StorageSettings
from infra.settings.tenant_demand import asks_of
from stacks.evaluation import evaluate
from tests.tenancy.examples import CHAT, example, manifests, objects, plan, quota, with_canary

NAMESPACE = "kubernetes:core/v1:Namespace"


def test_the_order_of_a_destroy_is_safe() -> None:
    assert [str(item) for item in violations(plan())] == []


def test_pods_come_after_what_bounds_them_and_go_before() -> None:
    order = DestroyGraph(plan()).order()
    urns = {f"{item.inputs.get('kind')} {item.name}": item.urn for item in plan() if item.is_kubernetes_object}
    server = urns["Deployment llama-8b-deployment"]
    bounds = [urn for name, urn in urns.items() if name.startswith(("NetworkPolicy chat-", "ResourceQuota chat-"))]

    assert len(bounds) > 5
    assert all(order.holds(server, bound) for bound in bounds)
    assert order.holds(urns["ExternalSecret chat-hugging-face"], urns["SecretStore chat-store"])


def test_quotas_refuse_what_is_not_granted() -> None:
    chat = objects("ResourceQuota", "chat")["quota"]["spec"]["hard"]

    assert chat[f"requests.{GPU_RESOURCE}"] == "6"
    assert chat["requests.nvidia.com/mig-3g.40gb"] == "0"  # another tenant's slices; a quota of GPUs counts none
    assert chat[CLAIMED_KEY] == "0"
    assert (chat["services.loadbalancers"], chat["services.nodeports"]) == ("0", "0")
    assert not [key for key in chat if key.startswith("limits.")]


def test_the_quotas_hold_every_pod_of_the_plan() -> None:
    assert shortfalls_of_plan(manifests()) == {}


def test_a_quota_too_small_for_the_plan_is_told() -> None:
    tight = [
        replace(item, body={**item.body, "spec": {"hard": {"requests.nvidia.com/gpu": "4", "pods": "3"}}})
        if (item.kind, item.namespace) == ("ResourceQuota", "chat")
        else item
        for item in manifests()
    ]

    assert {item.key: (int(item.granted), int(item.asked)) for item in shortfalls_of_plan(tight)["chat"]} == {
        "requests.nvidia.com/gpu": (4, 5),
        "pods": (3, 6),  # three servers and two, and the download
    }


@pytest.mark.parametrize("namespace", ["chat", "research"])
def test_settings_reckon_with_what_is_rendered(namespace: str) -> None:
    assert reckoned(example(), namespace) == rendered(manifests(), namespace)
    assert StorageSettings() != example().settings.storage


def test_settings_reckon_with_a_canary_as_it_is_rendered() -> None:
    stack = example(quota(CHAT, gpus=8, memoryGib=420), with_canary)
    objects = kubernetes_manifests(evaluate(stack, "stand-in"))
    checks = [item for item in objects if item.kind == "Job" and "-check-" in item.name]
    # The script lets one of the checks go at a time.
    running = [item for item in objects if item not in checks] + [awake(checks[0])]

    assert len(checks) == 4
    assert reckoned(stack, "chat") == rendered(running, "chat")


def awake(job: Manifest) -> Manifest:
    return replace(job, body={**job.body, "spec": {**job.body["spec"], "suspend": False}})


def reckoned(stack: StackFile, namespace: str) -> dict[str, Any]:
    settings = stack.settings
    pools = {pool.name: pool for pool in settings.node_pools}
    return total(
        asks_of(
            [model for model in settings.models if model.namespace == namespace],
            lambda model: [pools[name] for name in model.node_pools],
            settings.mig_layouts,
            settings.storage,
        )
    )


def rendered(manifests: Sequence[Manifest], namespace: str) -> dict[str, Any]:
    """What the pods of a namespace ask for, with one more of each Deployment while a new version comes."""
    return total(
        [
            Ask(demand.owner, demand.count + demand.owner.startswith("Deployment "), demand.requests)
            for demand in pod_demands(manifests)
            if demand.namespace == namespace
        ]
    )


def total(asks: list[Ask]) -> dict[str, Any]:
    counted: Counter[str] = Counter()
    for ask in asks:
        amounts = ask.amounts()
        counted.update({key: value for key, value in amounts.items() if key != "requests.pods"})
    return {key: value for key, value in counted.items() if value}


def test_the_token_comes_from_one_place() -> None:
    (secret,) = objects("ExternalSecret", "chat").values()

    assert secret["spec"]["target"]["name"] == "hugging-face"
    assert [item["secretKey"] for item in secret["spec"]["data"]] == ["token"]
    assert objects("Secret", "chat") == {}


def test_a_group_gets_its_role_and_its_principal_the_group() -> None:
    bindings = objects("RoleBinding", "chat")
    roles = {
        binding["roleRef"]["name"]: [subject["name"] for subject in binding["subjects"]]
        for binding in bindings.values()
    }

    assert roles == {"edit": ["chat-developers"], "view": ["auditors"]}
    (cluster,) = [item for item in plan() if item.type_token == "eks:index:Cluster"]
    entries: Any = cluster.inputs["accessEntries"]
    assert entries["auditors"]["kubernetesGroups"] == ["auditors"]
    assert "accessPolicies" not in entries["auditors"]


def test_a_namespace_that_gets_a_tenant_is_taken_over_and_not_made_anew() -> None:
    """Its URN changes with its parent; without an alias the engine would delete the namespace and all in it."""

    def without_tenants(settings: dict[str, Any]) -> None:
        del settings["tenants"]
        for model in settings["models"]:
            model.pop("gated", None)

    before = evaluate(example(without_tenants), "stand-in")
    alone = {item.name for item in before if item.type_token == NAMESPACE and not item.parent}
    owned = {item.name: item.options.aliases for item in plan() if item.type_token == NAMESPACE}

    assert {"chat-namespace", "research-namespace"} <= alone
    for name in ("chat-namespace", "research-namespace"):
        assert owned[name] == (f"name {name}",)
    (alias,) = _as_before("chat-namespace")
    assert (alias.name, alias.parent) == ("chat-namespace", pulumi.ROOT_STACK_RESOURCE)

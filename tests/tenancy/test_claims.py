"""Claims on storage and load balancers: what quotas must hold of them, and that settings and plan agree."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from infra.plan import kubernetes_manifests
from infra.planning.quota import Objects, shortfalls_of_plan
from infra.settings import StackFile
from infra.settings.tenant_claims import objects_of
from stacks.evaluation import evaluate
from tests.tenancy.examples import CHAT, RESEARCH, Edit, example, problems, quota, tenant, with_canary

GIB = 2**30


def many_stores(settings: dict[str, Any]) -> None:
    """Every kind of store that is a claim: of both namespaces, of a copy on local disks, and of training jobs."""
    settings["storage"]["weights"] += [
        {"name": "block", "kind": "storage-class", "storageClass": "fast"},
        {"name": "sized", "kind": "storage-class", "storageClass": "fast", "capacityGib": 700},
        {"name": "copies", "kind": "nvme-cache", "source": "sized"},
    ]
    for index, store in enumerate(("shared-weights", "block", "copies")):
        settings["models"][index] |= {"weights": store, "revision": f"{index:040d}"}
    settings["storage"]["checkpoints"] = [
        {"name": "runs", "namespace": "research", "kind": "storage-class", "storageClass": "fast",
         "accessMode": "ReadWriteMany", "capacityGib": 500},
    ]  # fmt: skip


def with_compile_cache(settings: dict[str, Any]) -> None:
    settings["models"][1]["compileCache"] = {"kind": "claim", "storageClass": "shared", "gib": 30}


def exposed(kind: str) -> Edit:
    def edit(settings: dict[str, Any]) -> None:
        settings["models"][1]["expose"] = {"kind": kind}

    return edit


def one(*edits: Edit) -> tuple[str, str, str, str]:
    """Path, found, accepted and mend of the only problem."""
    found = problems(*edits)
    assert len(found) == 1, [str(item) for item in found]
    return found[0].path, found[0].found, found[0].accepted, found[0].mend


def reckoned(stack: StackFile, namespace: str) -> Mapping[str, Decimal]:
    models = [model for model in stack.settings.models if model.namespace == namespace]
    return total(objects_of(namespace, models, stack.settings.storage))


def total(objects: list[Objects]) -> dict[str, Decimal]:
    counted: Counter[str] = Counter()
    for item in objects:
        counted.update(item.amounts())
    return {key: Decimal(amount) for key, amount in counted.items()}


def rendered(stack: StackFile, namespace: str) -> Mapping[str, Decimal]:
    """What a quota of nothing would refuse of the plan, but for pods."""
    nothing = {"persistentvolumeclaims": "0", "requests.storage": "0", "services.loadbalancers": "0"}
    objects = kubernetes_manifests(evaluate(stack, "stand-in"))
    for item in objects:
        if (item.kind, item.namespace) == ("ResourceQuota", namespace):
            item.body["spec"] = {"hard": nothing}
    return {short.key: short.asked for short in shortfalls_of_plan(objects).get(namespace, [])}


@pytest.mark.parametrize("namespace", ["chat", "research"])
@pytest.mark.parametrize(
    "edits",
    [
        [],
        [many_stores, with_compile_cache, exposed("LoadBalancer"), quota(CHAT, loadBalancers=1)],
        [quota(CHAT, gpus=8, memoryGib=420), with_canary, exposed("Ingress")],
    ],
    ids=["example", "much", "canary"],
)
def test_settings_reckon_with_what_is_rendered(edits: list[Edit], namespace: str) -> None:
    stack = example(*edits, quota(CHAT, persistentVolumeClaims=9))

    assert reckoned(stack, namespace) == rendered(stack, namespace)


def test_a_load_balancer_needs_the_quota_to_have_one() -> None:
    path, found, accepted, mend = one(exposed("LoadBalancer"))

    assert (path, found) == ("tenants[0].quota.loadBalancers", "0")
    assert accepted == "at least 1: models[].expose of qwen3-14b 1"
    assert mend.startswith("write loadBalancers: 1, or lead to it by expose.kind: Ingress")
    assert problems(exposed("LoadBalancer"), quota(CHAT, loadBalancers=1)) == []
    assert problems(exposed("Ingress")) == []


def test_claims_above_the_quota_are_refused_with_their_owners() -> None:
    path, found, accepted, mend = one(quota(CHAT, persistentVolumeClaims=1))

    assert (path, found) == ("tenants[0].quota.persistentVolumeClaims", "1")
    assert accepted == "at least 2: the store shared-weights 2"  # the readers' and the download's
    assert mend.startswith("write persistentVolumeClaims: 2, or ")
    assert problems(quota(CHAT, persistentVolumeClaims=2)) == []


def test_storage_above_the_quota_is_refused_with_the_least_that_works() -> None:
    edits = (many_stores, with_compile_cache)
    asked = reckoned(example(*edits, quota(CHAT, persistentVolumeClaims=9)), "chat")["requests.storage"]
    path, found, accepted, mend = one(*edits, quota(CHAT, storageGib=30))
    least = int(asked / GIB)

    assert (path, found) == ("tenants[0].quota.storageGib", "30 GiB")
    assert accepted.startswith(f"at least {least} GiB: the store shared-weights ")
    assert "the compile cache of qwen3-14b 30 GiB" in accepted
    assert mend.startswith(f"write storageGib: {least}, or ")
    assert problems(*edits, quota(CHAT, storageGib=least)) == []
    assert problems(*edits, quota(CHAT, storageGib=least - 1)) != []


def test_checkpoints_count_where_their_jobs_are() -> None:
    path, _, accepted, _ = one(many_stores, quota(RESEARCH, storageGib=1000))

    assert path == "tenants[1].quota.storageGib"
    assert accepted == "at least 1200 GiB: the store sized 700 GiB, the checkpoints runs 500 GiB"


def test_a_default_above_the_largest_is_refused() -> None:
    path, _, accepted, mend = one(tenant(CHAT, defaults={"memoryMib": 2049, "maxMemoryGib": 2}))

    assert path == "tenants[0].defaults"
    assert "memoryMib of at most 2048" in accepted
    assert "2049" in accepted
    assert mend.startswith("write maxMemoryGib: 3")


@pytest.mark.parametrize(
    ("defaults", "key", "least"),
    [
        ({"cpuMillicores": 1001}, "cpu", 2),
        ({"memoryMib": 1025}, "memoryGib", 2),
        ({"ephemeralStorageMib": 3000}, "ephemeralStorageGib", 3),
    ],
)
def test_a_default_that_no_quota_holds_is_refused(defaults: dict[str, int], key: str, least: int) -> None:
    def no_models(settings: dict[str, Any]) -> None:
        settings["models"] = [model for model in settings["models"] if model["namespace"] != "chat"]

    path, _, accepted, mend = one(no_models, tenant(CHAT, defaults=defaults, secrets=None), quota(CHAT, **{key: 1}))
    enough = tenant(CHAT, defaults=defaults, secrets=None)

    assert path == "tenants[0]"
    assert str(next(iter(defaults.values()))) in accepted
    assert mend.startswith(f"write quota.{key}: {least}")
    assert problems(no_models, enough, quota(CHAT, **{key: least})) == []

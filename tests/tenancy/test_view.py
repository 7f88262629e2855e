"""What `preview` says of tenants."""

from dataclasses import replace
from typing import Any

from cli.tenancy_view import tenancy_as_json, tenancy_as_text, tenancy_notes
from infra.plan import known_manifests
from stacks.evaluation import evaluate
from tests.tenancy.examples import example


def test_ceilings_that_add_up_to_more_than_there_is_are_said() -> None:
    assert tenancy_as_text(example().settings, []).splitlines() == [
        "Tenants",
        "  chat (chat): 6 GPUs, 64 CPU, 400 GiB, 40 pods, 4 claims",
        "  research (research): 8 GPUs, 4 x mig-3g.40gb, 60 pods",
        "  note: quotas grant 14 of nvidia.com/gpu and pools may start 12: whoever comes first has them",
    ]


def test_machines_read_the_quotas_as_kubernetes_has_them() -> None:
    found: Any = tenancy_as_json(example().settings, [])

    assert found["quotas"]["chat"]["requests.nvidia.com/gpu"] == "6"
    assert found["notes"] == tenancy_notes(example().settings)


def test_production_without_tenants_is_said_and_development_is_not() -> None:
    def alone(settings: dict[str, Any]) -> None:
        del settings["tenants"]
        for model in settings["models"]:
            model.pop("gated", None)

    def in_production(settings: dict[str, Any]) -> None:
        settings["stage"] = "production"

    assert tenancy_as_text(example(alone).settings, []) == ""
    assert "none in production: chat, research has no quota" in tenancy_as_text(
        example(alone, in_production).settings, []
    )


def test_what_the_plans_own_quotas_refuse_is_said() -> None:
    """Of a plan as `preview` makes it, in which much is not known yet; pods and claims are."""
    manifests = known_manifests(evaluate(example(), "unknown"))
    tight = [
        replace(item, body={**item.body, "spec": {"hard": {"persistentvolumeclaims": "1", "requests.memory": "32Gi"}}})
        if (item.kind, item.namespace) == ("ResourceQuota", "chat")
        else item
        for item in manifests
    ]

    assert "refused" not in tenancy_as_text(example().settings, manifests)
    refused: Any = tenancy_as_json(example().settings, tight)["refused"]
    memory, claims = sorted(refused, key=lambda line: "claims" in line)
    assert claims == (
        "chat may have 1 of persistentvolumeclaims, and the plan has 2:"
        " PersistentVolumeClaim chat/shared-weights 1, PersistentVolumeClaim chat/shared-weights-writer 1"
    )
    assert memory.startswith("chat may have 32 GiB of requests.memory, and the plan has ")
    assert f"  refused: {claims}" in tenancy_as_text(example().settings, tight)

"""What the settings of tenants refuse, with the numbers and the nearest that would do."""

from typing import Any

import pytest

from infra.settings.canary import canary_of
from tests.tenancy.examples import CHAT, RESEARCH, Edit, example, problems, quota, tenant, with_canary


def one(*edits: Edit) -> tuple[str, str, str, str]:
    """Path, found, accepted and mend of the only problem."""
    found = problems(*edits)
    assert len(found) == 1, [str(item) for item in found]
    return found[0].path, found[0].found, found[0].accepted, found[0].mend


def test_the_example_is_accepted() -> None:
    assert problems() == []


def test_a_quota_below_what_models_ask_during_a_rollout_is_refused_with_the_sum() -> None:
    path, found, accepted, mend = one(quota(CHAT, gpus=4))

    assert (path, found) == ("tenants[0].quota.gpus", "4")
    # Two servers and one, and one more of each while a new version comes.
    assert accepted == "at least 5: llama-8b 3 x 1, qwen3-14b 2 x 1"
    assert mend.startswith("write gpus: 5")


ENOUGH = {"gpus": 8, "cpu": 64, "memoryGib": 410, "pods": 10}
_CANARY = canary_of(example(quota(CHAT, gpus=8, memoryGib=420), with_canary).settings.models[0]).name


@pytest.mark.parametrize(
    ("given", "path", "found", "accepted"),
    [
        ({"gpus": 7}, "gpus", "7", f"at least 8: llama-8b 3 x 1, {_CANARY} 3 x 1, qwen3-14b 2 x 1"),
        ({"pods": 9}, "pods", "9", "the quality check of llama-8b's canary 1"),
        ({"memoryGib": 409}, "memoryGib", "409 GiB", "the quality check of llama-8b's canary 1 x 1 GiB"),
    ],
)
def test_a_canary_counts_with_its_servers_and_its_jobs(
    given: dict[str, int], path: str, found: str, accepted: str
) -> None:
    where, what, least, mend = one(quota(CHAT, **ENOUGH | given), with_canary)

    assert (where, what) == (f"tenants[0].quota.{path}", found)
    assert accepted in least
    assert mend.startswith(f"write {path}: {ENOUGH[path]},")
    assert problems(quota(CHAT, **ENOUGH), with_canary) == []


def test_a_rollout_without_surge_needs_no_more_than_the_servers() -> None:
    def replace_in_place(settings: dict[str, Any]) -> None:
        for model in settings["models"]:
            model["rollout"] = {"strategy": "replace"}

    assert problems(quota(CHAT, gpus=3), replace_in_place) == []


@pytest.mark.parametrize(
    ("given", "path", "least"),
    [
        ({"cpu": 16}, "tenants[0].quota.cpu", 17),
        ({"memoryGib": 128}, "tenants[0].quota.memoryGib", 129),
        ({"pods": 5}, "tenants[0].quota.pods", 6),
    ],
)
def test_cpu_memory_and_pods_count_downloads_too(given: dict[str, int], path: str, least: int) -> None:
    where, _, accepted, mend = one(quota(CHAT, **given))

    assert where == path
    number = int(accepted.removeprefix("at least ").split(maxsplit=1)[0].rstrip(":"))
    assert number >= least
    assert ("the download of llama-8b 1" in accepted) is (path != "tenants[0].quota.gpus")
    assert f"{path.rpartition('.')[2]}: {number}" in mend
    assert problems(quota(CHAT, **{path.rpartition(".")[2]: number})) == []
    assert problems(quota(CHAT, **{path.rpartition(".")[2]: number - 1})) != []


def test_a_quota_of_gpus_does_not_stand_for_slices() -> None:
    path, found, accepted, mend = one(quota(RESEARCH, migSlices={}, gpus=8))

    assert (path, found) == ("tenants[1].quota.migSlices", "0 of 3g.40gb")
    assert accepted == "at least 3: qwen3-8b 3 x 1"
    assert mend.startswith("write {3g.40gb: 3}")


def test_slices_are_named_as_mig_names_them() -> None:
    assert one(quota(RESEARCH, migSlices={"nvidia.com/mig-3g.40gb": 4}))[3] == 'write "3g.40gb"'
    found = problems(quota(RESEARCH, migSlices={"3g.40gb": 4, "3g.20gb": 1}))
    assert [(item.path, item.mend) for item in found] == [("tenants[1].quota.migSlices", 'did you mean "3g.40gb"?')]


def test_guaranteed_quotas_must_be_there_for_all_at_once() -> None:
    assert problems(quota(RESEARCH, guaranteed=True, gpus=6)) == []  # 6 + 6 of 12
    path, found, accepted, _ = one(quota(RESEARCH, guaranteed=True))

    assert path == "tenants[1].quota.guaranteed"
    assert found == "14 of nvidia.com/gpu promised up to here"
    assert accepted.startswith("at most 12")


def test_a_model_belongs_to_a_tenant_once_there_is_one() -> None:
    def misspelt(settings: dict[str, Any]) -> None:
        settings["models"][2]["namespace"] = "reserch"

    found = {item.path: item for item in problems(misspelt)}

    assert found["models[2].namespace"].mend == 'did you mean "research"?'


def test_without_tenants_nothing_changes() -> None:
    def none(settings: dict[str, Any]) -> None:
        del settings["tenants"]
        for model in settings["models"]:
            model.pop("gated", None)

    assert problems(none) == []


def test_a_container_must_be_allowed_what_its_server_has() -> None:
    path, found, accepted, mend = one(tenant(CHAT, defaults={"maxMemoryGib": 16}))

    assert (path, found) == ("tenants[0].defaults.maxMemoryGib", "16")
    least = accepted.removeprefix("at least ").split(maxsplit=1)[0]
    assert f"maxMemoryGib: {least}" in mend
    assert problems(tenant(CHAT, defaults={"maxMemoryGib": int(least)})) == []


def test_a_looser_level_needs_its_reason() -> None:
    assert "podSecurityReason" in one(tenant(CHAT, podSecurity="privileged"))[2]
    reason = "multi-node servers lock memory for EFA"
    assert problems(tenant(CHAT, podSecurity="privileged", podSecurityReason=reason)) == []


def test_downloads_are_not_closed_under_a_model_that_needs_them() -> None:
    path, found, accepted, _ = one(tenant(CHAT, downloads=False))

    assert (path, found) == ("tenants[0].downloads", "false")
    assert "llama-8b fetches its weights from outside" in accepted


@pytest.mark.parametrize(
    ("group", "mend"),
    [("chat-developer", 'did you mean "chat-developers"?'), ("nobody", "add an entry to cluster.access")],
)
def test_a_group_that_nobody_is_in_opens_no_door(group: str, mend: str) -> None:
    path, _, accepted, found = one(tenant(CHAT, access=[{"group": group, "role": "view"}]))

    assert path == "tenants[0].access[0].group"
    assert "auditors, chat-developers, research" in accepted
    assert found.startswith(mend)


def test_nobody_becomes_an_administrator_of_the_cluster_by_a_tenant() -> None:
    assert one(tenant(CHAT, access=[{"group": "system:masters", "role": "view"}]))[3] == 'write "masters"'


def test_names_are_the_teams_own() -> None:
    twice = [item.path for item in problems(tenant(RESEARCH, name="chat"))]
    assert "tenants[1].name" in twice
    assert "tenants[1].name" in [item.path for item in problems(tenant(RESEARCH, name="gateway"))]
    assert "tenants[1]" in [item.path for item in problems(tenant(RESEARCH, name="kube-system"))]


def test_an_entry_without_rights_is_refused() -> None:
    def bare(settings: dict[str, Any]) -> None:
        settings["cluster"]["access"].append(
            {"name": "nothing", "principalArn": "arn:aws:iam::222222222222:role/nothing"}
        )

    assert one(bare)[2] == "access, groups or both"

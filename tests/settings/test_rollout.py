"""Rollouts that would hang are told with the numbers, and each way out that is named is one."""

import re
from typing import Any

import pytest

from infra.catalog.zones import zones_offering
from infra.errors import InputError
from infra.settings import PlatformSettings, parse_settings
from infra.settings.checks.rollout import rollout_problems
from infra.settings.pool_zones import zones_of_pools
from infra.settings.target import AwsSettings
from infra.settings.tenant_demand import pods_at_most

Json = dict[str, Any]


def pool(**changes: Any) -> Json:
    return {
        "name": "l4",
        "purpose": "inference",
        "instanceTypes": ["g6.2xlarge", "g6.12xlarge"],
        "capacityTypes": ["on-demand"],
        "limits": {"gpus": 4, "nodes": 4},
        **changes,
    }


def model(name: str = "chat", **changes: Any) -> Json:
    return {
        "name": name,
        "model": "Qwen/Qwen3-8B",
        "traffic": "interactive",
        "nodePools": ["l4"],
        "rollout": {"strategy": "replace"},
        **changes,
    }


def parsed(models: list[Json], pools: list[Json] | None = None) -> PlatformSettings:
    return parse_settings(
        {"target": "local", "cluster": {"name": "here"}, "nodePools": pools or [pool()], "models": models}
    )


def surging(settings: PlatformSettings) -> PlatformSettings:
    """The same with the first model on the default strategy."""
    first = settings.models[0]
    changed = first.model_copy(update={"rollout": type(first.rollout)()})
    return settings.model_copy(update={"models": (changed, *settings.models[1:])})


@pytest.mark.parametrize(("replicas", "refused"), [(1, False), (3, False), (4, True)])
def test_a_surge_is_refused_where_the_limits_allow_no_more(replicas: int, refused: bool) -> None:
    settings = parsed([model(replicas=replicas)])

    assert rollout_problems(settings) == []
    assert [problem.path for problem in rollout_problems(surging(settings))] == ["models[0].rollout"] * refused


def test_the_numbers_are_told_and_both_ways_out_are_ways_out() -> None:
    settings = parsed([model(tensorParallel=4), model("other", replicas=2)], [pool(limits={"gpus": 8, "nodes": 4})])
    (problem,) = rollout_problems(surging(settings))

    assert "1 more of 4 nvidia.com/gpu" in problem.found
    assert "beside 6 " in problem.found
    assert "models/other 2 x 1" in problem.found
    assert "l4 (at most 8 GPUs on 4 nodes)" in problem.accepted
    limits = re.search(r"limits: \{gpus: (\d+), nodes: (\d+)\} for pool l4", problem.mend)
    assert limits
    raised = {"gpus": int(limits[1]), "nodes": int(limits[2])}
    assert raised["gpus"] == 10
    assert rollout_problems(surging(parsed([model(tensorParallel=4), model("other")], [pool(limits=raised)]))) == []
    assert "rollout: {strategy: replace}, which serves with 0 of 1" in problem.mend
    assert rollout_problems(settings) == []


def test_more_servers_than_the_limits_hold_are_another_fault() -> None:
    settings = parsed([model(replicas=4)])
    many = settings.model_copy(update={"models": (settings.models[0].model_copy(update={"replicas": 5}),)})

    (problem,) = rollout_problems(many)

    assert problem.path == "models[0].replicas"
    assert problem.found.startswith("5 of 1 nvidia.com/gpu")


def paths(models: list[Json], pools: list[Json]) -> list[str]:
    """Where something is wrong with settings that as a whole are not valid."""
    with pytest.raises(InputError) as caught:
        parsed(models, pools)
    return [problem.path for problem in caught.value.problems]


def test_a_model_that_has_room_is_not_told_of_one_elsewhere_that_has_none() -> None:
    other = pool(name="other", limits={"gpus": 8, "nodes": 8})

    assert paths([model(replicas=5), model("here", nodePools=["other"])], [pool(), other]) == ["models[0].replicas"]


def test_of_servers_that_crowd_one_another_those_are_told_that_can_end_it() -> None:
    many, few = model("many", replicas=9), model("few")

    assert paths([few, many], [pool()]) == ["models[1].replicas"]
    both = [model("one", replicas=6), model("two", replicas=6)]
    assert paths(both, [pool()]) == ["models[0].replicas", "models[1].replicas"]


def test_a_server_that_no_node_holds_crowds_nobody_out() -> None:
    large = model("large", resources={"memoryGib": 9000})

    assert paths([model(), large], [pool()]) == ["models[1].resources.memoryGib"]


def test_what_a_server_asks_for_unsaid_counts_beside_what_another_says() -> None:
    """On four GPUs with 38 cores for servers: one with 30, and two with their share of nine each."""
    node = pool(instanceTypes=["g6.12xlarge"], limits={"gpus": 4, "nodes": 1})
    large = model("large", resources={"cpu": 30})

    assert parsed([model(replicas=3)], [node])
    assert paths([model(replicas=2), large], [node]) == ["models[0].replicas", "models[1].replicas"]


def test_the_limits_that_are_named_hold_all_servers() -> None:
    with pytest.raises(InputError) as caught:
        parsed([model(replicas=9), model("few")], [pool(limits={"gpus": 8, "nodes": 2})])
    (problem,) = caught.value.problems
    limits = re.fullmatch(r"write limits: \{gpus: (\d+), nodes: (\d+)\} for pool l4, or lower replicas", problem.mend)
    assert limits
    raised = {"gpus": int(limits[1]), "nodes": int(limits[2])}

    assert parsed([model(replicas=9), model("few")], [pool(limits=raised)])


def test_pools_for_spot_alone_are_no_room_for_interactive_servers() -> None:
    both = [pool(limits={"gpus": 1, "nodes": 1}), pool(name="spot", capacityTypes=["spot"])]
    interactive = parsed([model(nodePools=["l4", "spot"])], both)
    interruptible = parsed([model(nodePools=["l4", "spot"], traffic="interruptible")], both)

    assert rollout_problems(surging(interactive))
    assert rollout_problems(surging(interruptible)) == []


def test_no_more_new_servers_are_counted_than_there_are_to_be() -> None:
    settings = parsed([model(replicas=2, rollout={"atOnce": 9})])

    assert rollout_problems(settings) == []
    assert pods_at_most(settings.models[0]) == 4


def test_servers_apart_need_a_node_for_the_surge() -> None:
    machines = [pool(instanceTypes=["g6.12xlarge"], limits={"gpus": 8, "nodes": 2})]
    together = parsed([model(replicas=2)], machines)
    apart = parsed([model(replicas=2, spread={"nodes": "required"})], machines)

    assert rollout_problems(surging(together)) == []
    assert rollout_problems(surging(apart))


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"compileCache": {"kind": "claim"}}, "models[0].compileCache"),
        ({"compileCache": {"storageClass": "efs"}}, "models[0].compileCache"),
        (
            {"compileCache": {"kind": "claim", "storageClass": "efs"}, "nodePools": ["l4", "l40s"]},
            "models[0].compileCache",
        ),
        ({"priorityClass": "system-node-critical"}, "models[0].priorityClass"),
        ({"rollout": {"strategy": "surge", "atOnce": 0}}, "models[0].rollout.atOnce"),
    ],
)
def test_a_place_that_cannot_be_is_refused(changes: Json, path: str) -> None:
    pools = [pool(), pool(name="l40s", instanceTypes=["g6e.2xlarge"])]

    with pytest.raises(InputError) as refused:
        parsed([model(**changes)], pools)

    assert [problem.path for problem in refused.value.problems] == [path]


@pytest.mark.parametrize("zones", [[], ["use1-az4"]])
def test_a_required_spread_needs_two_zones(zones: list[str]) -> None:
    spread = model(spread={"zones": "required"})
    with pytest.raises(InputError) as caught:
        parsed([spread], [pool(zones=zones)])

    (problem,) = caught.value.problems
    assert problem.path == "models[0].spread.zones"
    parsed([spread], [pool(zones=["use1-az4", "use1-az6"])])
    parsed([model()], [pool(zones=zones)])


def test_a_zone_that_sells_none_of_the_machines_is_not_waited_for() -> None:
    (only,) = parsed([model()], [pool(instanceTypes=["g6e.2xlarge"], zones=["use1-az3", "use1-az4"])]).node_pools
    aws = AwsSettings.model_validate({"accountId": "111111111111", "region": "us-east-1"})
    offered = zones_offering("g6e.2xlarge", "us-east-1")

    assert zones_of_pools([only], None, aws) == {"use1-az4"}
    assert "use1-az3" not in offered
    assert zones_of_pools([only], None, None) == {"use1-az3", "use1-az4"}

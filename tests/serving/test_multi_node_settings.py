"""Settings of servers over several nodes that cannot work: where, what was found, and the nearest that works."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import InputError, Problem
from infra.settings import parse_settings
from tests.conftest import ROOT

Change = dict[str, Any]
EXAMPLE = ROOT / "examples" / "multi-node" / "Pulumi.multi-node.yaml"
RAW: Change = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["config"]["gpu-platform:platform"]

Edit = Callable[[Change], object]


def problems(edit: Edit) -> list[Problem]:
    """What is wrong with the example once edited."""
    changed = copy.deepcopy(RAW)
    edit(changed)
    try:
        parse_settings(changed)
    except InputError as error:
        return list(error.problems)
    return []


def model(changed: Change, index: int = 0) -> Any:
    return changed["models"][index]


def on_spot(changed: Change) -> None:
    changed["nodePools"][1]["capacityTypes"] = ["spot"]
    drain = {"preStopSeconds": 15, "shutdownTimeoutSeconds": 90}
    model(changed, 2).update(traffic="interruptible", drain=drain)


def two_groups_that_surge(changed: Change) -> None:
    model(changed).update(replicas=2)


def another_placement_group(changed: Change) -> None:
    changed["fabric"] = {"placementGroups": ["near"]}
    changed["nodePools"].append({**changed["nodePools"][0], "name": "other", "placementGroup": "near"})
    model(changed)["nodePools"] = ["inference-h100", "other"]


def a_canary_of_a_group(changed: Change, replicas: int = 1) -> None:
    """Two nodes more beside the two that there are, of four; and two for a surge."""
    model(changed, 2).update(canary={"maxModelLen": 8192, "replicas": replicas}, rollout={"strategy": "replace"})
    route = {"name": "a", "match": {"model": "a"}, "backends": [{"model": "qwen3-14b"}]}
    changed["gateway"] = {"authentication": {"apiKeys": {}}, "routes": [route]}
    changed["tenants"][1]["quota"]["gpus"] = 12


def a_canary_that_surges(changed: Change) -> None:
    a_canary_of_a_group(changed)
    del model(changed, 2)["rollout"]


CASES: dict[str, tuple[Edit, str, str, str]] = {
    "no way to cut it over nodes": (
        lambda raw: model(raw).update(pipelineParallel=1),
        "models[0].nodes",
        "1 part of tensorParallel 8",
        "write pipelineParallel: 2",
    ),
    "a canary that no group's nodes are left for": (
        lambda raw: a_canary_of_a_group(raw, 2),
        "models[2].canary",
        "2 x 2 nodes of 1 GPUs, 4 in all",
        "write limits: {gpus: 6, nodes: 6} for pool inference-l4, or remove the canary",
    ),
    "a surge that the canary leaves no room for": (
        a_canary_that_surges,
        "models[2].rollout",
        "2 in all; on the same pools models/qwen3-14b-canary-",
        "write limits: {gpus: 6, nodes: 6} for pool inference-l4; or write rollout",
    ),
    "half a node": (
        lambda raw: model(raw).update(tensorParallel=4),
        "models[0].tensorParallel",
        "8 GPUs over 2 nodes, 4 on each",
        "write tensorParallel: 8",
    ),
    "an image without EFA": (
        lambda raw: model(raw).update(image="docker.io/vllm/vllm-openai:v0.33.0"),
        "models[0].image",
        "neither libfabric nor aws-ofi-nccl",
        "vllm-openai:v0.33.0-efa",
    ),
    "sockets by accident": (
        lambda raw: model(raw, 2).update(group={"downloadPerNode": True}),
        "models[2].nodePools",
        "inference-l4 without EFA",
        "transport: tcp",
    ),
    "a download by every node": (
        lambda raw: model(raw).pop("weights"),
        "models[0].weights",
        "each of 2 nodes downloads 438 GiB at each start, 876 GiB a group",
        "downloadPerNode: true",
    ),
    "no room for one more group": (
        two_groups_that_surge,
        "models[0].rollout",
        "2 more nodes of 8 GPUs",
        "write limits: {gpus: 64, nodes: 8} for pool inference-h100; or write rollout",
    ),
    "more GPUs than a node has": (
        lambda raw: model(raw, 2).update(pipelineParallel=4),
        "models[2].pipelineParallel",
        "pipelineParallel 4: 4 GPUs over 2 nodes, 2 on each",
        "write pipelineParallel: 2, or name a pool with larger nodes",
    ),
    "two nodes made one": (
        lambda raw: model(raw).update(nodes=1),
        "models[0].pipelineParallel",
        "tensorParallel 8 x pipelineParallel 2: 16 GPUs",
        "write pipelineParallel: 1, or name a pool with larger nodes",
    ),
    "a group without nodes": (
        lambda raw: model(raw, 2).update(nodes=1, pipelineParallel=1),
        "models[2].group",
        "nodes: 1",
        "write nodes",
    ),
    "a drain longer than spot gives": (
        on_spot,
        "models[2].drain",
        "130 s from the eviction of a follower",
        "shutdownTimeoutSeconds: 80",
    ),
    "stages that differ": (
        lambda raw: model(raw, 2).update(pipelineParallel=16),
        "models[2].pipelineParallel",
        "16 stages of 40 layers, the largest with 3",
        "write pipelineParallel: 2",
    ),
    "a name that is no DNS name": (
        lambda raw: model(raw).update(name="1-model"),
        "models[0].name",
        '"1-model" with nodes: 2',
        "rename it",
    ),
    "half inside a placement group": (
        another_placement_group,
        "models[0].nodePools",
        "inference-h100 (none), other (near)",
        "name one of them",
    ),
}


def test_a_canary_that_has_its_nodes_is_accepted() -> None:
    assert problems(a_canary_of_a_group) == []


def test_the_example_has_no_finding() -> None:
    assert problems(lambda _raw: None) == []


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_work_is_refused_with_the_nearest_that_does(case: str) -> None:
    edit, path, found, mend = CASES[case]
    (said,) = [item for item in problems(edit) if item.path == path]
    assert found in said.found
    assert mend in said.mend


REPLACE = {"strategy": "replace"}


@settings(max_examples=60, derandomize=True)
@given(st.integers(0, 2), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), st.integers(1, 4))
def test_the_numbers_that_are_offered_pass(index: int, tensor: int, stages: int, copies: int, nodes: int) -> None:
    def edit(raw: Change) -> None:
        asked = {"tensorParallel": tensor, "pipelineParallel": stages, "nodes": nodes, "rollout": REPLACE}
        model(raw, index).update(asked)
        model(raw, index).setdefault("engineOptions", {})["dataParallel"] = copies
        raw["nodePools"][0]["limits"] = raw["nodePools"][1]["limits"] = {"gpus": 800, "nodes": 100}
        raw["tenants"] = [{**tenant, "quota": {"gpus": 800}} for tenant in raw["tenants"]]
        if nodes == 1:
            model(raw, index).pop("group", None)

    first = problems(edit)
    offered = {
        setting: int(number)
        for problem in first
        if problem.path.rpartition(".")[2] in ("nodes", "pipelineParallel", "dataParallel")
        for setting, number in re.findall(r"([a-zP]+Parallel): (\d+)", problem.mend)
    }

    def mended(raw: Change) -> None:
        edit(raw)
        options = {"dataParallel": offered.pop("dataParallel")} if "dataParallel" in offered else {}
        model(raw, index).update(offered)
        model(raw, index)["engineOptions"] |= options

    if offered:
        assert [problem for problem in problems(mended) if _is_of_the_cut(problem)] == []


def _is_of_the_cut(problem: Problem) -> bool:
    return problem.path.rpartition(".")[2] in ("tensorParallel", "pipelineParallel", "dataParallel", "nodes")


def test_a_destroy_waits_for_followers_who_outlive_their_leader() -> None:
    def edit(raw: Change) -> None:
        raw["destroy"] = {"drainMinutes": 11}
        raw["models"] = raw["models"][2:]
        model(raw)["drain"] = {"preStopSeconds": 15, "shutdownTimeoutSeconds": 635}
        raw["nodePools"][1]["terminationGracePeriod"] = "2h"

    # 15 + 635 + 10 s are the 11 minutes of the leader; a follower has 15 s more.
    (said,) = problems(edit)
    assert said.path == "destroy.drainMinutes"
    assert said.mend.startswith("write 12")


def test_another_engine_is_refused_for_a_group() -> None:
    said = problems(lambda raw: model(raw).update(engine="sglang", image="docker.io/lmsysorg/sglang:v0.5.23"))
    assert any(item.path == "models[0].engine" and "with nodes: 2" in item.found for item in said)


def test_the_limits_that_are_named_hold_groups_that_share_nodes() -> None:
    """Three pods of half a node need two nodes, not the nodes of one and a half."""

    def halves(limits: dict[str, int]) -> Edit:
        def edit(raw: Change) -> None:
            cut = {"nodes": 3, "tensorParallel": 4, "pipelineParallel": 3, "group": {"transport": "tcp"}}
            cut |= {"model": "Qwen/Qwen3-14B", "replicas": 2, "weights": "shared"}
            raw["models"] = [{**model(raw), **cut}]
            raw["models"][0].pop("revision", None)
            raw["nodePools"][0]["limits"] = limits

        return edit

    (problem,) = (found for found in problems(halves({"gpus": 24, "nodes": 3})) if found.path.endswith(".rollout"))

    assert problem.path == "models[0].rollout"
    assert "write limits: {gpus: 40, nodes: 5} for pool inference-h100" in problem.mend
    assert [found for found in problems(halves({"gpus": 40, "nodes": 5})) if found.path.endswith(".rollout")] == []

"""One server against the machines of its pools: what no machine holds is refused with the numbers, before a preview."""

import copy
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.errors import InputError, Problem
from infra.settings import load_stack_file, parse_settings
from infra.settings.server_requests import host_request
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.settings.engine_samples import BASE

Raw = dict[str, Any]
LOCAL = load_stack_file(ROOT / "Pulumi.local.yaml")


def local(model: Raw, **pool: Any) -> Raw:
    """The same pools and one model on a local target."""
    pools = [{**copy.deepcopy(BASE["nodePools"][0]), **pool}]
    named = {"name": "qwen", "model": "Qwen/Qwen3-8B", "traffic": "interactive", "nodePools": ["l4"], **model}
    return {"target": "local", "cluster": {"name": "here"}, "nodePools": pools, "models": [named]}


def problems(data: Raw) -> list[Problem]:
    try:
        parse_settings(data)
    except InputError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize(
    ("model", "place", "found", "mend"),
    [
        (
            {"tensorParallel": 4, "pipelineParallel": 2},
            "pipelineParallel",
            "tensorParallel 4 x pipelineParallel 2: 8 GPUs",
            "write pipelineParallel: 1,",
        ),
        ({"pipelineParallel": 6}, "pipelineParallel", "pipelineParallel 6: 6 GPUs", "write pipelineParallel: 4,"),
        (
            {"tensorParallel": 2, "pipelineParallel": 2, "engineOptions": {"dataParallel": 3}},
            "engineOptions.dataParallel",
            "tensorParallel 2 x pipelineParallel 2 x dataParallel 3: 12 GPUs",
            "write engineOptions.dataParallel: 1,",
        ),
    ],
)
def test_more_gpus_than_a_node_has(model: Raw, place: str, found: str, mend: str) -> None:
    (problem,) = problems(local(model))

    assert problem.path == f"models[0].{place}"
    assert problem.found == found
    assert problem.accepted.startswith("at most 4 on a node")
    assert problem.mend.startswith(mend)


def test_a_pool_that_may_start_none_of_its_machines_is_no_place() -> None:
    (problem,) = problems(local({}, instanceTypes=["g6.12xlarge"], limits={"gpus": 2, "nodes": 2}))

    assert "whose smallest machine for it has 4" in problem.accepted
    assert "raise limits.gpus of l4 to 4" in problem.mend


def test_a_pool_for_spot_alone_has_no_node_for_interactive_servers() -> None:
    data = local({"nodePools": ["l4", "large"], "tensorParallel": 8})
    large = {**data["nodePools"][0], "name": "large", "instanceTypes": ["g6.48xlarge"], "capacityTypes": ["spot"]}
    data["nodePools"].append(large)

    assert [problem.path for problem in problems(data)] == ["models[0].tensorParallel"]
    data["models"][0]["traffic"] = "interruptible"
    assert problems(data) == []


@pytest.mark.parametrize(
    ("model", "place", "mend"),
    [
        ({"resources": {"memoryGib": 500}}, "resources.memoryGib", "write 153 or less"),
        ({"resources": {"memoryGib": 154}}, "resources.memoryGib", "write 153 or less"),
        ({"resources": {"memoryGib": 152}, "tensorParallel": 2}, "resources.memoryGib", "write 151 or less"),
        ({"resources": {"cpu": 48}}, "resources.cpu", "write 38 or less"),
        ({"sharedMemoryGib": 200, "tensorParallel": 2}, "sharedMemoryGib", "write 68 or less"),
    ],
)
def test_cpu_and_memory_that_no_machine_has(model: Raw, place: str, mend: str) -> None:
    """g6.12xlarge: 48 vCPU and 192 GiB, of which a fifth is the system's."""
    (problem,) = problems(local(model))

    assert problem.path == f"models[0].{place}"
    assert problem.mend.startswith(mend)
    wanted = copy.deepcopy(model)
    number = re.search(r"\d+", problem.mend)
    assert number
    key = place.rpartition(".")[2]
    (wanted["resources"] if "." in place else wanted)[key] = int(number[0])
    assert problems(local(wanted)) == []


def test_cpu_of_one_machine_and_memory_of_another() -> None:
    """g6.12xlarge: 48 vCPU and 192 GiB; gr6.8xlarge: 32 and 256."""
    pool = {"instanceTypes": ["g6.12xlarge", "gr6.8xlarge"]}
    (both,) = problems(local({"resources": {"cpu": 30, "memoryGib": 200}}, **pool))

    assert both.path == "models[0].resources"
    assert problems(local({"resources": {"cpu": 25, "memoryGib": 200}}, **pool)) == []
    assert problems(local({"resources": {"cpu": 30, "memoryGib": 150}}, **pool)) == []


def test_the_default_of_memory_leaves_room_for_what_lies_in_memory() -> None:
    """Half of g6.12xlarge: 192 GiB x 2/4 x 0.8 for the engine and its /dev/shm together."""
    data = local({"tensorParallel": 2})
    found = parse_settings(data)

    request = host_request(found.models[0], found.node_pools, found.mig_layouts)

    assert (request.memory_gib, request.in_memory_gib, request.all_memory_gib) == (74, 2, 76)


def test_a_pair_over_small_nodes_fits_what_its_machine_has_for_pods() -> None:
    found = load_stack_file(ROOT / "examples" / "multi-node" / "Pulumi.multi-node.yaml").settings
    model = next(item for item in found.models if item.group.transport == "tcp")
    pools = [pool for pool in found.node_pools if pool.name in model.node_pools]
    (machine,) = pools[0].candidates

    assert machine.allocatable_memory_mib is not None
    assert host_request(model, pools, found.mig_layouts).all_memory_gib * 1024 < machine.allocatable_memory_mib


@settings(max_examples=60, derandomize=True)
@given(
    st.tuples(st.integers(1, 10), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3)),
    st.tuples(st.integers(1, 60), st.integers(1, 300), st.integers(0, 250)),
    st.integers(1, 12),
)
def test_what_is_valid_can_be_evaluated(cut: tuple[int, int, int, int], host: tuple[int, int, int], limit: int) -> None:
    (tensor, stages, copies, nodes), (cpu, memory, shared) = cut, host
    model: Raw = {
        "tensorParallel": tensor, "pipelineParallel": stages, "engineOptions": {"dataParallel": copies},
        "nodes": nodes, "resources": {"cpu": cpu, "memoryGib": memory}, "sharedMemoryGib": shared,
        "rollout": {"strategy": "replace"},
    }  # fmt: skip
    if nodes > 1:
        model["group"] = {"transport": "tcp", "downloadPerNode": True}
    try:
        found = parse_settings(local(model, limits={"gpus": limit, "nodes": 8}))
    except InputError:
        return
    assert evaluate(replace(LOCAL, name="here", settings=found, secrets=frozenset())).resources


def test_slices_are_not_joined_by_a_pipeline_either() -> None:
    data = local({"pipelineParallel": 2, "gpuMemoryUtilization": 0.4}, partition={"timeSlicing": 2})

    (problem,) = problems(data)

    assert problem.path == "models[0].pipelineParallel"


def test_a_startup_probe_gives_the_weights_time_to_come() -> None:
    (problem,) = problems(local({"startupSeconds": 5}))

    least = re.match(r"at least (\d+): (\d+) s for 15.26 GiB of weights from the Hub", problem.accepted)
    assert problem.path == "models[0].startupSeconds"
    assert least
    # 15.26 GiB at 490 MiB/s from the Hub, again at 5400 MiB/s from NVMe, and 39 s until the engine is ready.
    assert (int(least[1]), int(least[2])) == (74, 35)
    assert problems(local({"startupSeconds": 74})) == []
    assert problem.mend.startswith("write 148 or more")


def test_what_lies_on_the_node_before_the_engine_starts_is_only_read() -> None:
    stored = local({"startupSeconds": 42, "weights": "own"})
    stored["storage"] = {"weights": [{"name": "own", "kind": "oci-image", "reference": "registry.example/qwen:1"}]}

    assert problems(stored) == []
    assert [problem.path for problem in problems(local({"startupSeconds": 42}))] == ["models[0].startupSeconds"]


def test_a_pool_whose_limits_hold_none_of_its_machines_is_named() -> None:
    (problem,) = problems(local({}, instanceTypes=["p5.48xlarge"], limits={"gpus": 4, "nodes": 1}))

    assert (problem.path, problem.found) == ("models[0].nodePools", "tensorParallel 1: 1 GPU")
    assert problem.mend == "raise limits.gpus of l4 to 8, or remove it from nodePools"

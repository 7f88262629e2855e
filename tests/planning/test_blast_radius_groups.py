"""Servers that are more, or other, than a Deployment's pod: groups over several nodes, and KServe's models."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from infra.plan import Manifest, Plan, kubernetes_manifests
from infra.planning.blast_radius import BlastRadius, Effect, blast_radius
from infra.planning.blast_radius.fleet import Fleet, fleet
from infra.planning.blast_radius.measuring import drain
from infra.planning.blast_radius.workloads import workload
from infra.planning.placement import pod_demands
from infra.settings import load_stack_file
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.planning.edits import one

GROUPS = "LeaderWorkerSet large-models/qwen3-235b-group"  # one group over two nodes of eight GPUs, surging


@cache
def plan(example: str) -> Plan:
    return evaluate(load_stack_file(ROOT / "examples" / example / f"Pulumi.{example}.yaml"), "stand-in")


@cache
def running(example: str) -> Fleet:
    return fleet(plan(example))


def with_spec(example: str, name: str, edit: Callable[[Any], None]) -> BlastRadius:
    """What a change of the `spec` of one object does."""
    before = plan(example)
    (old,) = [item for item in before if item.name == name]
    (body,) = [item.body for item in kubernetes_manifests(before) if item.urn == old.urn]
    inputs = {**old.inputs, "spec": _copy(body["spec"])}
    edit(inputs["spec"])
    new = replace(old, inputs=inputs)
    return blast_radius(before, replace(before, resources=tuple(new if item is old else item for item in before)))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def test_a_group_is_one_server_with_all_its_gpus() -> None:
    found = {item.owner: item for item in running("multi-node").workloads.values()}

    assert (found[GROUPS].replicas, found[GROUPS].gpus) == (1, 16)
    assert (found[GROUPS].surge, found[GROUPS].unavailable) == (1, 0)
    replaced = found["LeaderWorkerSet large-models/deepseek-v3-group"]
    assert (replaced.surge, replaced.unavailable, replaced.evictable) == (0, 1, 1)
    # A follower stays until its leader has finished.
    assert found[GROUPS].stop.high > 615


def test_another_image_exchanges_whole_groups() -> None:
    def image(spec: Any) -> None:
        for template in ("leaderTemplate", "workerTemplate"):
            spec["leaderWorkerTemplate"][template]["spec"]["containers"][0]["image"] = "docker.io/vllm/vllm-openai:v1"

    found = with_spec("multi-node", "qwen3-235b-groups", image)

    measure = one(found, "qwen3-235b-groups", Effect.RESTART).measure
    assert found.restarted == {GROUPS: 1}
    assert (measure.spare_gpus, measure.out_at_once) == (16, 0)
    assert measure.gpu_hours.low == pytest.approx(16 * 39 / 3600)
    assert measure.notes == ()


def test_more_groups_are_started_and_not_pods() -> None:
    found = with_spec("multi-node", "qwen3-235b-groups", lambda spec: spec.update(replicas=3))

    assert one(found, "qwen3-235b-groups", Effect.SCALE).measure.started == {GROUPS: 2}


def test_a_surge_of_a_group_needs_all_its_nodes() -> None:
    """The example's pool of 48 GPUs has 32 in use: two nodes are left, for one group more and not for two."""
    groups = next(item for item in running("multi-node").workloads.values() if item.owner == GROUPS)

    assert running("multi-node").room_for(groups, 1)
    assert not running("multi-node").room_for(groups, 2)


def test_a_group_is_counted_once_however_many_of_its_nodes_are_drained() -> None:
    here = running("multi-node")
    nodes = [node for node in here.nodes if GROUPS in node.pods]

    assert len(nodes) == 2
    for some in (nodes[:1], nodes):
        assert drain(some, here, at_once=1).restarted == {GROUPS: 1}
        assert drain(some, here, at_once=2).out_at_once == 1


def test_models_of_kserve_are_servers_too() -> None:
    found = {item.name: item for item in running("kserve").workloads.values()}

    standard, knative, llm = found["models/chat"], found["models/draft"], found["models/assistant"]
    assert (standard.replicas, standard.gpus, standard.surge, standard.unavailable) == (2, 1, 0, 1)
    assert (knative.replicas, knative.surge, knative.unavailable) == (1, 1, 0)
    assert knative.stop.high > 30  # its time-out, and not what Kubernetes takes by default
    # Two decode with two GPUs each, two fill with one each: a Deployment each, of which a quarter may surge; the
    # endpoint picker is no server.
    assert (llm.replicas, llm.gpus, llm.surge, llm.unavailable) == (4, 1.5, 2, 0)
    assert (standard.evictable, llm.evictable) == (1, 1)


@pytest.mark.parametrize(("name", "servers"), [("chat-inference-service", 2), ("assistant-llm-inference-service", 4)])
def test_a_change_of_a_model_of_kserve_restarts_its_servers(name: str, servers: int) -> None:
    part = {"chat-inference-service": "predictor", "assistant-llm-inference-service": "template"}[name]

    found = with_spec("kserve", name, lambda spec: spec[part].update(priorityClassName="other"))

    assert sum(found.restarted.values()) == servers
    assert one(found, name, Effect.RESTART).measure.gpu_hours.low > 0


def test_without_a_strategy_a_group_goes_before_the_next_comes() -> None:
    (body,) = [item for item in kubernetes_manifests(plan("multi-node")) if item.name == "qwen3-235b-group"]
    bare = Manifest({**body.body, "spec": {**body.body["spec"], "replicas": 4, "rolloutStrategy": {}}}, body.urn)

    found = workload(bare.urn, bare, pod_demands([bare]), [])

    assert found is not None
    assert (found.replicas, found.gpus, found.surge, found.unavailable, found.evictable) == (4, 16, 0, 1, 4)

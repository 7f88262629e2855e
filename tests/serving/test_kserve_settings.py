"""Bad settings of models that KServe serves: where, what was found, and a mend that is itself accepted."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.planning.drain import EXIT_MARGIN_SECONDS
from infra.planning.kserve import (
    KNATIVE_LONGEST_TIMEOUT_SECONDS,
    default_surge,
    default_unavailable,
    longest_knative_drain,
    revision_timeout_seconds,
)
from tests.serving.kserve_example import ASSISTANT, CHAT, CLASSIC, DRAFT, SUMMARIES, Json, problems_with

Edit = Callable[[Json], object]


def kserve(index: int, **fields: Any) -> Edit:
    return lambda raw: raw["models"][index]["kserve"].update(fields)


def without(index: int, field: str) -> Edit:
    return lambda raw: raw["models"][index]["kserve"].pop(field)


def model(index: int, **fields: Any) -> Edit:
    return lambda raw: raw["models"][index].update(fields)


def both(*edits: Edit) -> Edit:
    def edit(raw: Json) -> None:
        for item in edits:
            item(raw)

    return edit


def test_the_example_is_accepted() -> None:
    assert problems_with(lambda _: None) == []


REFUSED = [
    (without(CHAT, "mode"), "models[0].kserve.mode", "write mode: Standard"),
    (kserve(ASSISTANT, mode="Standard"), "models[3].kserve.mode", "remove it"),
    (kserve(CHAT, canaryTrafficPercent=10), "models[0].kserve.canaryTrafficPercent", "weights of a gateway route"),
    (kserve(ASSISTANT, canaryTrafficPercent=10), "models[3].kserve.canaryTrafficPercent", "InferenceService with mode"),
    (kserve(CHAT, minReplicas=0), "models[0].kserve.minReplicas", "`replicas`"),
    (kserve(CHAT, containerConcurrency=1), "models[0].kserve.containerConcurrency", "admission limits"),
    (kserve(CHAT, prefill={"replicas": 1}), "models[0].kserve.prefill", "write kind: LLMInferenceService"),
    (kserve(ASSISTANT, runtime="vllm"), "models[3].kserve.runtime", "remove it"),
    (kserve(CHAT, runtime="tgi"), "models[0].kserve.runtime", "write engine: tgi"),
    (kserve(DRAFT, minReplicas=4), "models[1].kserve.maxReplicas", "write 4 or more"),
    (
        model(SUMMARIES, drain={"shutdownTimeoutSeconds": 31}),
        "models[2].drain.shutdownTimeoutSeconds",
        "write 30, or runtime: vllm",
    ),
    (
        model(DRAFT, drain={"shutdownTimeoutSeconds": 561}),
        "models[1].drain.shutdownTimeoutSeconds",
        "write 560, or mode: Standard",
    ),
    (kserve(ASSISTANT, prefill={"tensorParallel": 16}), "models[3].kserve.prefill.tensorParallel", "write 8"),
    (kserve(ASSISTANT, prefill={"tensorParallel": 3}), "models[3].kserve.prefill.tensorParallel", "write 2"),
    (
        both(model(ASSISTANT, tensorParallel=1, pipelineParallel=4), kserve(ASSISTANT, prefill={"tensorParallel": 4})),
        "models[3].kserve.prefill.tensorParallel",
        "write 2",
    ),
    (
        both(
            model(ASSISTANT, model="microsoft/phi-4", maxModelLen=8192),
            kserve(ASSISTANT, prefill={"tensorParallel": 4}),
        ),
        "models[3].kserve.prefill.tensorParallel",
        "write 5",
    ),
    (
        kserve(ASSISTANT, lora={"adapters": [{"name": "assistant", "uri": "hf://example-org/legal"}]}),
        "models[3].kserve.lora.adapters[0].name",
        "rename it",
    ),
    (
        kserve(ASSISTANT, lora={"adapters": [{"name": "a", "uri": f"hf://example-org/{item}"} for item in "bc"]}),
        "models[3].kserve.lora.adapters[1].name",
        "rename it",
    ),
    (lambda raw: raw.pop("kserve"), "models[3].kserve.route", "add kserve: {gateway:"),
    (model(SUMMARIES, image="docker.io/example-org/server:v0.33.0"), "models[2].image", "write runtime: vllm"),
    (model(SUMMARIES, pipelineParallel=2), "models[2].pipelineParallel", "write runtime: vllm"),
    (model(CLASSIC, pipelineParallel=2), "models[4].pipelineParallel", "remove pipelineParallel"),
    (model(DRAFT, drain={"preStopSeconds": 20}), "models[1].drain.preStopSeconds", "write mode: Standard"),
    (model(DRAFT, clients={"sameNamespace": True}), "models[1].clients", "write mode: Standard"),
    (model(DRAFT, rollout={"strategy": "replace"}), "models[1].rollout", "write mode: Standard"),
    (model(DRAFT, rollout={"atOnce": 2}), "models[1].rollout", "give the pools room"),
    (model(DRAFT, replicas=4), "models[1].replicas", "write 3"),
    (model(ASSISTANT, rollout={"strategy": "replace"}), "models[3].rollout", "mode: Standard"),
    (model(ASSISTANT, rollout={"strategy": "surge"}, replicas=4), "models[3].rollout", "remove it"),
    (model(ASSISTANT, model="/models/qwen", checkpointGib=15.0), "models[3].model", "kind: InferenceService"),
    (
        model(ASSISTANT, engineOptions={"kvOffload": {"gib": 8.0}}),
        "models[3].engineOptions.kvOffload",
        "kserve.prefill",
    ),
    (
        model(ASSISTANT, engineOptions={"loraAdapters": [{"name": "tax", "source": "example-org/tax"}]}),
        "models[3].engineOptions.loraAdapters",
        "move it to kserve.lora",
    ),
    (model(ASSISTANT, nodes=2), "models[3].kserve", "remove kserve or nodes"),
    (model(DRAFT, expose={"kind": "LoadBalancer"}), "models[1].expose", "gateway.routes"),
    (model(ASSISTANT, expose={"kind": "Ingress"}), "models[3].expose", "gateway.routes"),
    (lambda raw: raw.pop("cpuPool"), "cpuPool", "add cpuPool"),
    (kserve(DRAFT, maxReplicas=200), "models[1].kserve.maxReplicas", "or lower kserve.maxReplicas"),
]


@pytest.mark.parametrize(("edit", "path", "mend"), REFUSED, ids=[f"{path} {mend}" for _, path, mend in REFUSED])
def test_what_kserve_would_ignore_or_cut_is_refused(edit: Edit, path: str, mend: str) -> None:
    found = {problem.path: problem for problem in problems_with(edit)}

    assert path in found, sorted(found)
    assert mend in found[path].mend


def test_a_canary_where_it_is_ignored_says_what_would_happen() -> None:
    (problem,) = problems_with(kserve(CHAT, canaryTrafficPercent=10))

    assert problem.found == "10 in mode Standard"
    assert "every request meets the new version" in problem.accepted
    assert "10 of 100" in problem.mend


@pytest.mark.parametrize("seconds", [30, 560])
def test_the_nearest_working_setting_works(seconds: int) -> None:
    index = SUMMARIES if seconds == 30 else DRAFT

    assert problems_with(model(index, drain={"shutdownTimeoutSeconds": seconds})) == []


def test_an_option_that_the_hugging_face_server_would_drop_says_who_takes_it() -> None:
    (problem,) = problems_with(model(SUMMARIES, engineOptions={"maxConcurrentSequences": 64}))

    assert problem.path == "models[2].engineOptions.maxConcurrentSequences"
    assert "runtime vllm takes engineOptions.maxConcurrentSequences" in problem.accepted


def test_a_canary_cannot_bring_an_image_of_its_own_to_the_hugging_face_server() -> None:
    def edit(raw: Json) -> None:
        raw["models"][DRAFT]["kserve"] = {"kind": "InferenceService", "mode": "Knative", "runtime": "huggingface"}
        raw["models"][DRAFT]["drain"] = {"shutdownTimeoutSeconds": 30}
        raw["models"][DRAFT]["canary"] = {"image": "docker.io/example-org/server:v0.33.0"}

    (problem,) = problems_with(edit)

    assert problem.path == "models[1].canary.image"


@pytest.mark.parametrize("kind", ["LoadBalancer", "Ingress"])
def test_a_server_in_mode_standard_may_have_a_load_balancer(kind: str) -> None:
    assert problems_with(model(CHAT, expose={"kind": kind})) == []


# --- routes -----------------------------------------------------------------------------------------------------------


def routed(route: Json) -> Edit:
    def edit(raw: Json) -> None:
        raw["gateway"] = {"routes": [{"name": "way", **route}]}

    return edit


@pytest.mark.parametrize("name", ["chat", "draft", "summaries", "assistant", "classic"])
def test_every_form_may_stand_behind_a_route(name: str) -> None:
    assert problems_with(routed({"match": {"model": name}, "backends": [{"model": name}]})) == []


@pytest.mark.parametrize(
    "route",
    [
        {"match": {"model": "assistant"}, "backends": [{"model": "assistant"}], "balance": "service"},
        {"match": {"model": "assistant"}, "backends": [{"model": "assistant"}], "overflow": "chat"},
        {"match": {"model": "chat"}, "backends": [{"model": "chat"}], "overflow": "assistant"},
        {"match": {"model": "other"}, "backends": [{"model": "assistant"}]},
    ],
)
def test_a_route_past_the_picker_would_ask_prefill_servers_for_answers(route: Json) -> None:
    (problem,) = problems_with(routed(route))

    assert problem.path == "gateway.routes[0]"
    assert "remove kserve.prefill" in problem.mend
    assert problems_with(both(routed(route), without(ASSISTANT, "prefill"))) == []


# --- rollouts and room ------------------------------------------------------------------------------------------------


def pool(**limits: int) -> Edit:
    return lambda raw: raw["nodePools"][0]["limits"].update(limits)


def test_a_surge_without_room_is_refused_as_for_a_deployment() -> None:
    def edit(raw: Json) -> None:
        raw["models"] = [raw["models"][CHAT]]
        raw["models"][0].pop("rollout")
        pool(gpus=2, nodes=2)(raw)

    (problem,) = problems_with(edit)

    assert problem.path == "models[0].rollout"
    assert "write rollout: {strategy: replace}" in problem.mend
    assert problems_with(both(edit, model(0, rollout={"strategy": "replace"}))) == []


def test_a_quarter_of_an_llm_service_goes_first_so_it_needs_no_room() -> None:
    """Kubernetes' default strategy: with four servers one may go, with three none may."""

    def edit(replicas: int) -> Edit:
        def change(raw: Json) -> None:
            raw["models"] = [raw["models"][ASSISTANT]]
            raw["models"][0].update(replicas=replicas, tensorParallel=1)
            raw["models"][0]["kserve"].pop("prefill")
            pool(gpus=replicas, nodes=replicas)(raw)

        return change

    assert [problem.path for problem in problems_with(edit(3))] == ["models[0].rollout"]
    assert problems_with(edit(4)) == []


def test_prefill_servers_need_room_too() -> None:
    def edit(raw: Json) -> None:
        raw["models"] = [raw["models"][ASSISTANT]]  # 2 x 2 GPUs that decode, 2 x 1 that read prompts
        pool(gpus=5, nodes=5)(raw)

    assert {problem.path for problem in problems_with(edit)} == {
        "models[0].replicas", "models[0].kserve.prefill.replicas",
    }  # fmt: skip


@given(st.integers(1, 200))
def test_kubernetes_default_strategy_always_moves(replicas: int) -> None:
    """As Deployments document it: a quarter up is rounded up, a quarter down is rounded down."""
    assert default_surge(replicas) >= 1
    assert 0 <= default_surge(replicas) - default_unavailable(replicas) <= 1
    assert (default_unavailable(replicas) == 0) == (replicas < 4)


# --- adapters and drains ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["hf://example-org/adapter", "pvc://adapters/legal"])
def test_adapters_must_be_fetched_by_somebody(uri: str) -> None:
    """KServe mounts those on claims no more than it fetches others, when it does not fetch the model."""

    def edit(raw: Json) -> None:
        raw["models"][ASSISTANT]["weights"] = "shared"
        raw["models"][ASSISTANT]["kserve"]["lora"] = {"adapters": [{"name": "legal", "uri": uri}]}

    assert "models[3].kserve.lora.adapters[0].uri" in {problem.path for problem in problems_with(edit)}


@pytest.mark.parametrize("uri", ["s3://bucket/adapter", "hf://adapter", "/mnt/adapter"])
def test_an_adapter_kserve_cannot_fetch_is_refused(uri: str) -> None:
    adapters = [{"name": "legal", "uri": uri}]
    (problem,) = problems_with(kserve(ASSISTANT, lora={"adapters": adapters}))

    assert problem.path == "models[3].kserve.lora.adapters[0].uri"


@given(st.integers(1, 10_000))
def test_a_revision_outlives_its_longest_request(generation: int) -> None:
    timeout = revision_timeout_seconds(generation)

    assert timeout >= generation + EXIT_MARGIN_SECONDS
    assert (timeout <= KNATIVE_LONGEST_TIMEOUT_SECONDS) == (generation <= longest_knative_drain())


@pytest.mark.parametrize(("longest", "shutdown"), [("129s", 90), ("120s", 81)])
def test_the_end_of_a_knative_server_nests_in_that_of_its_node(longest: str, shutdown: int) -> None:
    """Knative gives a pod its revision's time-out to end in: 30 s of its own, the longest generation and the exit."""

    def edit(raw: Json) -> None:
        raw["nodePools"].append({**raw["nodePools"][0], "name": "short", "terminationGracePeriod": longest})
        raw["models"][DRAFT].update(nodePools=["short"], drain={"shutdownTimeoutSeconds": shutdown})

    (problem,) = problems_with(edit)

    assert problem.path == "models[1].drain"
    assert problem.found.startswith(f"{revision_timeout_seconds(shutdown)} s")


def test_a_knative_server_on_spot_ends_within_the_notice() -> None:
    def edit(raw: Json, shutdown: int = 90) -> None:
        raw["nodePools"].append({**raw["nodePools"][0], "name": "spot", "capacityTypes": ["spot"]})
        drain = {"shutdownTimeoutSeconds": shutdown}
        raw["models"][DRAFT].update(nodePools=["spot"], traffic="interruptible", drain=drain)

    (problem,) = problems_with(edit)

    assert (problem.path, problem.mend) == ("models[1].drain", "write shutdownTimeoutSeconds: 80 or less")
    assert problems_with(lambda raw: edit(raw, 80)) == []


def test_a_destroy_waits_for_a_knative_server() -> None:
    def edit(raw: Json) -> None:
        raw["nodePools"][0]["terminationGracePeriod"] = "2h"
        raw["models"][DRAFT]["drain"] = {"shutdownTimeoutSeconds": 510}
        raw["destroy"] = {"drainMinutes": 9}

    (problem,) = problems_with(edit)

    assert (problem.path, problem.mend) == ("destroy.drainMinutes", "write 10, or shorten the drain of draft")

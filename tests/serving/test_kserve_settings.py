"""Bad settings of models that KServe serves: where, what was found, and a mend that is itself accepted."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.planning.drain import EXIT_MARGIN_SECONDS
from infra.planning.kserve import KNATIVE_LONGEST_TIMEOUT_SECONDS, longest_knative_drain, revision_timeout_seconds
from tests.serving.kserve_example import ASSISTANT, CHAT, DRAFT, SUMMARIES, Json, problems_with

Edit = Callable[[Json], object]


def kserve(index: int, **fields: Any) -> Edit:
    return lambda raw: raw["models"][index]["kserve"].update(fields)


def without(index: int, field: str) -> Edit:
    return lambda raw: raw["models"][index]["kserve"].pop(field)


def model(index: int, **fields: Any) -> Edit:
    return lambda raw: raw["models"][index].update(fields)


def test_the_example_is_accepted() -> None:
    assert problems_with(lambda _: None) == []


REFUSED = [
    (without(CHAT, "mode"), "models[0].kserve.mode", "write mode: Standard"),
    (kserve(ASSISTANT, mode="Standard"), "models[3].kserve.mode", "remove it"),
    (kserve(CHAT, canaryTrafficPercent=10), "models[0].kserve.canaryTrafficPercent", "weights of a gateway route"),
    (kserve(ASSISTANT, canaryTrafficPercent=10), "models[3].kserve.canaryTrafficPercent", "write mode: Knative"),
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
    (lambda raw: raw.pop("kserve"), "models[3].kserve.route", "add kserve: {gateway:"),
]


@pytest.mark.parametrize(("edit", "path", "mend"), REFUSED, ids=[path for _, path, _ in REFUSED])
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


def test_adapters_must_be_fetched_by_somebody() -> None:
    def edit(raw: Json) -> None:
        raw["models"][ASSISTANT]["weights"] = "shared"

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

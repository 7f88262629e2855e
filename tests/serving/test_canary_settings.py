"""A canary in the settings: what is refused, and what becomes of it as a model of its own."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from cli.headroom_view import rollouts_of
from infra.errors import InputError
from infra.planning.canary import faults_of_steps, nearest_steps
from infra.settings import PlatformSettings, parse_settings
from infra.settings.canary import canary_of, with_canaries, without_canaries
from infra.settings.gateway import RouteSettings
from stacks.canary_layer import canary_rollout_args
from tests.conftest import ROOT


def example(model: dict[str, Any] | None = None, canary: dict[str, Any] | None = None, **areas: Any) -> dict[str, Any]:
    """The settings of examples/canary with changes of the model, of its canary and of whole areas; None removes."""
    text = (ROOT / "examples" / "canary" / "Pulumi.canary.yaml").read_text(encoding="utf-8")
    platform: dict[str, Any] = yaml.safe_load(text)["config"]["gpu-platform:platform"]
    served = platform["models"][0]
    served |= model or {}
    served["canary"] = {
        key: value for key, value in {**served["canary"], **(canary or {})}.items() if value is not None
    }
    return {key: value for key, value in {**platform, **areas}.items() if value is not None}


def problems(raw: dict[str, Any]) -> dict[str, str]:
    """Path of each problem, and what is said of it."""
    with pytest.raises(InputError) as caught:
        parse_settings(raw)
    return {item.path: f"{item.found} | {item.accepted} | {item.mend}" for item in caught.value.problems}


def settings() -> PlatformSettings:
    return parse_settings(example())


def test_a_canary_is_a_model_of_its_own_behind_the_same_routes_without_traffic() -> None:
    found = with_canaries(settings())

    stable, canary = found.models
    assert (canary.canary, canary.max_model_len) == (None, 32768)
    assert canary.name.startswith("qwen3-8b-canary-")
    assert stable == settings().models[0]
    assert found.gateway is not None
    (route,) = found.gateway.routes
    assert [(item.model, item.weight) for item in route.backends] == [("qwen3-8b", 100), (canary.name, 0)]
    assert without_canaries(route, {model.name: model for model in found.models}) == raw_route()


def raw_route() -> RouteSettings:
    gateway = settings().gateway
    assert gateway is not None
    return gateway.routes[0]


def test_the_name_of_a_canary_is_of_what_its_servers_are_told() -> None:
    def name(model: dict[str, Any] | None = None, **canary: Any) -> str:
        return canary_of(parse_settings(example(model, canary)).models[0]).name

    assert name() == name(replicas=3) == name(bakeSeconds=60) == name(steps=[50]) == name({"replicas": 1})
    # Also what it has from its model: those servers are others too.
    assert (
        len({name(), name(maxModelLen=24576), name(gpuMemoryUtilization=0.8), name({"gpuMemoryUtilization": 0.8})}) == 3
    )


def test_settings_without_a_canary_stay_as_they_are() -> None:
    raw = example()
    del raw["models"][0]["canary"]
    parsed = parse_settings(raw)

    assert with_canaries(parsed) is parsed


def test_another_checkpoint_brings_no_revision_and_size_of_the_old_one() -> None:
    raw = example({"revision": "a" * 40}, {"model": "Qwen/Qwen3-4B", "checkpointGib": 7.5, "maxModelLen": None})
    canary = canary_of(parse_settings(raw).models[0])

    assert (canary.model, canary.revision) == ("Qwen/Qwen3-4B", None)


def test_a_path_route_keeps_the_stable_version() -> None:
    raw = example()
    raw["gateway"]["routes"].append({"name": "batch", "match": {"path": "/batch"}, "backends": [{"model": "qwen3-8b"}]})
    found = with_canaries(parse_settings(raw))

    assert found.gateway is not None
    assert [(route.name, len(route.backends)) for route in found.gateway.routes] == [("chat", 2), ("batch", 1)]


def test_in_knative_the_canary_is_the_next_revision_of_the_same_service() -> None:
    canary = {"qualityCheck": None}
    found = with_canaries(parse_settings(example({"kserve": {"mode": "Knative"}}, canary, gateway=None)))

    (model,) = found.models
    assert model.kserve is not None
    assert (model.max_model_len, model.kserve.canary_traffic_percent) == (32768, 0)


@pytest.mark.parametrize(("fewest", "wanted"), [({}, 2), ({"minReplicas": 1}, 1)])
def test_knative_keeps_no_more_servers_of_a_canary_than_the_fewest(fewest: dict[str, int], wanted: int) -> None:
    kserve = {"mode": "Knative", "maxReplicas": 2, **fewest}
    found = parse_settings(example({"kserve": kserve}, {"qualityCheck": None}, gateway=None))
    (model,) = found.models
    assert model.canary

    assert canary_rollout_args(model, model.canary, found)["canary_servers"] == wanted


def test_a_canary_that_knative_lets_go_of_is_refused() -> None:
    raw = example({"kserve": {"mode": "Knative", "minReplicas": 0}}, {"qualityCheck": None}, gateway=None)

    assert "at least 1 while there is a canary" in problems(raw)["models[0].kserve.minReplicas"]


@pytest.mark.parametrize(
    ("model", "canary", "path", "said"),
    [
        ({}, {"image": "docker.io/lmsysorg/sglang:v0.5.23"}, "models[0].canary.image", "this is one of sglang"),
        ({}, {"image": "docker.io/vllm/vllm-openai:v0.10.0"}, "models[0].canary.image", "vLLM 0.18 or newer"),
        (
            {"engineOptions": {"quantization": "awq"}, "model": "org/awq", "checkpointGib": 6.0},
            {"model": "Qwen/Qwen3-8B"},
            "models[0].canary",
            "engineOptions.quantization",
        ),
        (
            {"startupSeconds": 200},
            {"model": "org/large", "checkpointGib": 400.0, "maxModelLen": None},
            "models[0].canary",
            "startupSeconds 200, which the canary has from models[0]",
        ),
    ],
)
def test_what_no_server_could_be_told_is_refused_of_a_canary_too(
    model: dict[str, Any], canary: dict[str, Any], path: str, said: str
) -> None:
    assert said in problems(example(model, canary))[path]


def test_heads_of_a_canary_are_divided_as_those_of_its_model() -> None:
    raw = example({"tensorParallel": 4}, {"model": "microsoft/phi-4", "maxModelLen": None})
    raw["nodePools"][0] |= {"instanceTypes": ["g6e.12xlarge"], "limits": {"gpus": 32, "nodes": 8}}
    found = problems(raw)["models[0].canary"]

    assert found.startswith("tensorParallel 4, which the canary has from models[0] | ")
    assert "10 key-value heads of microsoft/phi-4 | write 2 (tensorParallel of models[0])" in found


@pytest.mark.parametrize("kserve", [None, {"mode": "Knative"}])
def test_another_model_has_no_commit_and_no_size_of_the_one_before(kserve: dict[str, str] | None) -> None:
    stable: dict[str, Any] = {"revision": "a" * 40, "checkpointGib": 20.0, "shapeOf": "Qwen/Qwen3-8B"}
    canary = {"model": "Qwen/Qwen3-14B", "maxModelLen": None, "qualityCheck": None}
    raw = example({**stable, "kserve": kserve}, canary, **({"gateway": None} if kserve else {}))

    found = with_canaries(parse_settings(raw)).models[-1]

    assert (found.model, found.revision, found.checkpoint_gib, found.shape_of) == ("Qwen/Qwen3-14B", None, None, None)


@pytest.mark.parametrize(
    ("raw", "path", "said"),
    [
        (example(gateway=None), "models[0].canary", "no route of the gateway"),
        (
            example({"kserve": {"mode": "Standard"}}, {"qualityCheck": None}),
            "models[0].canary",
            "KServe ignores canaryTrafficPercent",
        ),
        (
            example({"kserve": {"kind": "LLMInferenceService"}}, {"qualityCheck": None}),
            "models[0].canary",
            "write kserve: {kind: InferenceService, mode: Knative}",
        ),
        (example({"kserve": {"mode": "Knative"}}), "models[0].canary.qualityCheck", "no address of its own"),
        (example(canary={"maxModelLen": None}), "models[0].canary", "at least one of image"),
        (example(canary={"replicas": 1}), "models[0].canary.replicas", "at least 2"),
        (example(canary={"steps": [100]}), "models[0].canary.steps", "at most 50"),
        (example(canary={"steps": [25, 10]}), "models[0].canary.steps", "larger than the one before"),
        (example(canary={"minRequests": 99}), "models[0].canary.minRequests", "100"),
        (example(canary={"bakeSeconds": 9000}), "models[0].canary.bakeSeconds", "write 7200 or less"),
        (example(canary={"image": "vllm/vllm-openai:latest"}), "models[0].canary.image", "version tag or a digest"),
        (example(canary={"image": "vllm/vllm-openai:v0.17.1"}), "models[0].canary.image", "requests would be cut"),
        (example(canary={"image": "lmsysorg/sglang:v0.5.9"}), "models[0].canary.image", "this is one of sglang"),
        (example(canary={"image": "vllm/vllm-openai:v0.34.0"}), "models[0].canary.image", "unconfirmed: accept"),
        (example(canary={"maxModelLen": 65536}), "models[0].canary.maxModelLen", "write 40960 or less"),
        (example(canary={"qualityCheck": {}}), "models[0].canary.qualityCheck", "one of image and url"),
        (example({"name": "q" * 34}), "models[0].name", "at most 33"),
        (example({"name": "q" * 32, "nodes": 2, "pipelineParallel": 2}), "models[0].name", "at most 30"),
        (example(canary={"steps": [60, 100]}), "models[0].canary.steps", "[60, 100] | "),
        (example(canary={"steps": [60, 100]}), "models[0].canary.steps", "at most 50"),
        (example(canary={"steps": [60, 100]}), "models[0].canary.steps", "write [50, 60, 100]"),
        (example(canary={"steps": [25, 10, 0, 400]}), "models[0].canary.steps", "write [1, 10, 25, 100]"),
    ],
)
def test_what_cannot_be_judged_or_split_is_refused(raw: dict[str, Any], path: str, said: str) -> None:
    found = problems(raw)

    assert said in found[path]


@settings_of(max_examples=60)
@given(st.lists(st.integers(-200, 200), max_size=8))
def test_the_steps_that_are_proposed_work(steps: list[int]) -> None:
    assert faults_of_steps(nearest_steps(steps)) == ""


def canary_name() -> str:
    return canary_of(settings().models[0]).name


def with_limits(gpus: int, nodes: int, model: dict[str, Any] | None = None, **canary: Any) -> dict[str, Any]:
    raw = example(model, canary)
    raw["nodePools"][0]["limits"] = {"gpus": gpus, "nodes": nodes}
    return raw


def test_a_canary_without_room_is_refused_with_the_numbers_and_the_limits_that_hold_it() -> None:
    found = problems(with_limits(3, 3))["models[0].canary"]

    assert found.startswith("2 of 1 nvidia.com/gpu, beside what shares its pools")
    assert f"models/qwen3-8b 2 x 1, models/{canary_name()} 2 x 1" in found
    assert "inference-l40s (at most 3 GPUs on 3 nodes)" in found
    limits = re.search(r"write limits: \{gpus: (\d+), nodes: (\d+)\} for pool inference-l40s", found)
    assert limits
    parse_settings(with_limits(int(limits[1]), int(limits[2])))
    assert list(problems(with_limits(int(limits[1]) - 1, int(limits[2]) - 1)))


def test_a_rollout_that_only_the_canary_leaves_no_room_for_is_refused() -> None:
    assert problems(with_limits(4, 4)).keys() == {"models[0].rollout"}
    assert f"models/{canary_name()} 2 x 1" in problems(with_limits(4, 4))["models[0].rollout"]
    parse_settings(with_limits(4, 4, {"rollout": {"strategy": "replace"}}))
    raw = with_limits(4, 4)
    del raw["models"][0]["canary"]
    parse_settings(raw)


def test_what_does_not_fit_without_the_canary_is_said_of_the_model_alone() -> None:
    assert problems(with_limits(1, 1)).keys() == {"models[0].replicas"}


def test_a_revision_of_knative_needs_as_much_room_as_the_canary_says() -> None:
    def raw(gpus: int) -> dict[str, Any]:
        changed = with_limits(gpus, gpus, {"kserve": {"mode": "Knative"}}, replicas=4, qualityCheck=None)
        del changed["gateway"]
        return changed

    assert "surge: 4 more of 1 nvidia.com/gpu" in problems(raw(5))["models[0].rollout"]
    parse_settings(raw(6))


def test_a_preview_shows_the_rollout_of_the_canary_too() -> None:
    stable, canary = rollouts_of(settings())

    assert (stable.model, canary.model) == ("models/qwen3-8b", f"models/{canary_name()}")
    assert (stable.room.taken, stable.room.most, stable.room.fits) == (4, 8, True)

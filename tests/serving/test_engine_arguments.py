"""Arguments and variables of every engine, from options in words of our own."""

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.serving.engine_arguments import engine_arguments, engine_of, engine_variables, gpus_of, home_of
from components.serving.pod_parts import engine_container, object_labels, pod_security, pod_spec, resources
from components.serving.serving_args import EngineOptionsArgs, ServingPodArgs
from infra.catalog.engines import argument_problems, engines, flag_table
from infra.errors import PlatformError

POD: ServingPodArgs = {
    "image": "registry.test/engine:1",
    "node_pools": ["l4"],
    "spot_allowed": False,
    "startup_seconds": 900,
    "pre_stop_seconds": 15,
    "shutdown_timeout_seconds": 60,
    "cpu": 4,
    "memory_gib": 24,
    "cache_gib": 40,
    "shared_memory_gib": 2,
}
CUSTOM: EngineOptionsArgs = {
    "engine": "custom",
    "model": "Qwen/Qwen3-8B",
    "tensor_parallel": 2,
    "run_as": {"user": 1001, "group": 1002, "home": "/srv/app"},
    "custom": {
        "port": 9000,
        "command": ["serve"],
        "arguments": ["--model=$(MODEL)"],
        "variables": {"LEVEL": "info"},
        "start_path": "/started",
        "ready_path": "/ready",
        "live_path": "/alive",
        "metrics_path": "/metrics",
        "metrics_port": 9001,
        "drain_flag": "--finish-within",
    },
}


def options(engine: str = "vllm", **values: Any) -> EngineOptionsArgs:
    return cast(EngineOptionsArgs, {"engine": engine, "model": "Qwen/Qwen3-8B", "tensor_parallel": 1, **values})


def arguments(engine: str = "vllm", **values: Any) -> list[str]:
    return engine_arguments("qwen", options(engine, **values), POD)


def variables(given: EngineOptionsArgs, pod: ServingPodArgs = POD) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in engine_variables(given, pod)}


# --- each engine ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (
            "vllm",
            [
                "Qwen/Qwen3-8B", "--served-model-name=qwen", "--tensor-parallel-size=1", "--shutdown-timeout=60",
                "--allowed-media-domains", "nothing.invalid",
            ],
        ),
        (
            "sglang",
            [
                "--model-path=Qwen/Qwen3-8B", "--host=0.0.0.0", "--port=30000", "--enable-metrics",
                "--served-model-name=qwen", "--tp-size=1", "--allowed-media-domains", "nothing.invalid",
            ],
        ),
        (
            "tgi",
            [
                "--model-id=Qwen/Qwen3-8B", "--hostname=0.0.0.0", "--port=3000", "--num-shard=1",
                "--graceful-termination-timeout=60",
            ],
        ),
        (
            "triton-tensorrt-llm",
            [
                "--model-repository=Qwen/Qwen3-8B", "--http-port=8000", "--metrics-port=8002",
                "--exit-timeout-secs=60",
            ],
        ),
        ("trtllm-serve", ["Qwen/Qwen3-8B", "--host=0.0.0.0", "--port=8000", "--tp_size=1"]),
    ],
)  # fmt: skip
def test_the_least_that_an_engine_is_told(engine: str, expected: list[str]) -> None:
    assert arguments(engine) == expected


def test_an_engine_that_is_not_named_is_vllm() -> None:
    given: EngineOptionsArgs = {"model": "Qwen/Qwen3-8B", "tensor_parallel": 1}

    assert engine_arguments("qwen", given, POD) == arguments("vllm")
    assert engine_of(given).name == "vllm"


@pytest.mark.parametrize("engine", engines())
def test_an_option_is_a_flag_of_the_engine_or_nothing(engine: str) -> None:
    everything = arguments(
        engine, tensor_parallel=2, max_model_len=4096, gpu_memory_utilization=0.8, data_parallel=2,
        expert_parallel=True, quantization="fp8", kv_cache_gib=2.5, prefix_caching=False,
        kv_offload={"gib": 4.0, "backend": "native"}, lora_adapters=[{"name": "a", "source": "/a"}], max_loras=2,
        max_lora_rank=16,
        speculative={"method": "NGRAM" if engine == "sglang" else "ngram", "tokens": 3},
        max_queued_requests=5, max_queued_tokens=6, max_sequences=7,
        max_batched_tokens=8, trust_remote_code=True, chat_template="/t.jinja", revision="abc",
    )  # fmt: skip
    given = [item for item in everything if item != "Qwen/Qwen3-8B"]

    assert list(argument_problems(flag_table(engine), given)) == []


@pytest.mark.parametrize("engine", engines())
def test_container_and_pod_follow_the_table(engine: str) -> None:
    facts, given = engines()[engine], options(engine)
    container = engine_container("qwen", given, POD)

    assert container.get("command", []) == list(facts.command)
    assert container["ports"][0]["containerPort"] == facts.port
    assert container["readinessProbe"]["httpGet"]["path"] == facts.ready_path
    assert container["livenessProbe"]["httpGet"]["path"] == facts.live_path
    assert container["startupProbe"]["httpGet"]["path"] == facts.start_path
    assert pod_security(given)["runAsUser"] == facts.user
    assert variables(given)["HOME"] == facts.home
    assert object_labels("qwen", given)["llm-d.ai/engine-type"] == engine
    assert (len(container["ports"]) == 2) == (facts.metrics_port != facts.port)


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize("seconds", [60, 3600])
def test_the_engines_own_patience_is_the_startup_probes(engine: str, seconds: int) -> None:
    """Where an engine has a time-out of its own, it is never shorter than what the probe allows."""
    pod: ServingPodArgs = {**POD, "startup_seconds": seconds}
    own = engines()[engine].ready_timeout_variable

    assert (own == "VLLM_ENGINE_READY_TIMEOUT_S") == (engine == "vllm")
    assert not own or variables(options(engine), pod)[own] == str(seconds)


# --- each option of vLLM ----------------------------------------------------------------------------------------------


def test_options_of_vllm_are_written_as_its_parser_takes_them() -> None:
    found = arguments(
        lora_adapters=[{"name": "a", "source": "/a"}, {"name": "b", "source": "org/b"}],
        speculative={"method": "draft_model", "model": "org/draft", "tokens": 4},
        kv_cache_gib=1.5,
        tool_parser="hermes",
        sleep_mode=True,
        extra_arguments=["--seed=1"],
    )

    at = found.index("--lora-modules")
    assert found[at - 1 : at + 3] == ["--enable-lora", "--lora-modules", "a=/a", "b=org/b"]
    (speculative,) = [item.partition("=")[2] for item in found if item.startswith("--speculative-config=")]
    assert json.loads(speculative) == {"method": "draft_model", "model": "org/draft", "num_speculative_tokens": 4}
    assert f"--kv-cache-memory-bytes={3 * 2**29}" in found
    assert {"--enable-auto-tool-choice", "--tool-call-parser=hermes", "--enable-sleep-mode"} <= set(found)
    assert found[-1] == "--seed=1"


@pytest.mark.parametrize(("value", "flag"), [(True, "--enable-prefix-caching"), (False, "--disable-prefix-caching")])
def test_prefix_caching_is_said_only_when_it_is_chosen(value: bool, flag: str) -> None:
    assert flag in arguments(prefix_caching=value)
    assert not [item for item in arguments() if "prefix-caching" in item]


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_request_makes_the_server_fetch_from_named_hosts_only(engine: str) -> None:
    """Without the flag, and with an empty list, it could from any."""
    named = ["images.example.com", "media.example.org"]
    for asked, passed in ((None, ["nothing.invalid"]), ([], ["nothing.invalid"]), (named, named)):
        found = arguments(engine, **({} if asked is None else {"media_domains": asked}))
        at = found.index("--allowed-media-domains")
        assert found[at + 1 : at + 1 + len(passed)] == passed
        assert all(word.startswith("--") for word in found[at + 1 + len(passed) :][:1])


def test_no_redirect_leads_past_the_named_hosts() -> None:
    assert variables(options())["VLLM_MEDIA_URL_ALLOW_REDIRECTS"] == "0"


def test_no_secret_and_no_development_endpoint_is_ever_opened() -> None:
    """Sleep mode alone registers no route; VLLM_SERVER_DEV_MODE would, with much else on the same port."""
    assert "VLLM_SERVER_DEV_MODE" not in variables(options(sleep_mode=True))


def test_experts_are_said_as_each_engine_wants_it() -> None:
    assert "--enable-expert-parallel" in arguments(tensor_parallel=4, expert_parallel=True)
    assert "--ep-size=4" in arguments("sglang", tensor_parallel=4, expert_parallel=True)


def test_copies_take_gpus() -> None:
    given = options(tensor_parallel=2, data_parallel=3)

    assert gpus_of(given) == 6
    assert resources(given, POD)["limits"]["nvidia.com/gpu"] == "6"


def test_copies_have_one_api_server_which_drains_them() -> None:
    """vLLM's default is one a copy, and several cut what runs at SIGTERM."""
    assert "--api-server-count=1" in arguments(data_parallel=2)
    assert not [item for item in arguments() if "api-server-count" in item]


def test_as_many_may_wait_whatever_the_engine_counts() -> None:
    """vLLM counts those that run too, of all copies; SGLang those that wait for one copy."""
    limits: dict[str, Any] = {"max_queued_requests": 5, "max_sequences": 7}

    assert {"--max-num-queued-reqs=12", "--max-num-seqs=7"} <= set(arguments(**limits))
    assert "--max-num-queued-reqs=26" in arguments(data_parallel=3, **limits)
    assert "--max-queued-requests=2" in arguments("sglang", data_parallel=3, **limits)
    assert "--max-queued-requests=5" in arguments("sglang", max_queued_requests=5)
    with pytest.raises(PlatformError, match="max_sequences"):
        arguments(max_queued_requests=5)


@settings(max_examples=25)
@given(gib=st.floats(0.5, 500))
def test_offloaded_blocks_have_room_in_shared_memory(gib: float) -> None:
    """vLLM maps them from a file in /dev/shm; tmpfs counts as the container's memory."""
    given = options(kv_offload={"gib": gib, "backend": "native"})
    pod = pod_spec("qwen", given, POD)
    (shared,) = [volume["emptyDir"] for volume in pod["volumes"] if volume["name"] == "shared-memory"]
    size = int(shared["sizeLimit"].removesuffix("Gi"))

    assert shared["medium"] == "Memory"
    assert gib <= size - POD["shared_memory_gib"] < gib + 1
    assert pod["containers"][0]["resources"]["limits"]["memory"] == f"{POD['memory_gib'] + size}Gi"
    assert f"--kv-offloading-size={gib}" in pod["containers"][0]["args"]


# --- an engine of one's own -------------------------------------------------------------------------------------------


def test_an_engine_of_ones_own_gets_what_its_owner_says() -> None:
    container = engine_container("qwen", CUSTOM, POD)
    found = {item["name"]: item["value"] for item in container["env"]}

    assert container["command"] == ["serve"]
    assert container["args"] == ["--model=$(MODEL)", "--finish-within=60"]
    assert found["MODEL"] == "Qwen/Qwen3-8B"
    assert (found["SERVED_MODEL_NAME"], found["TENSOR_PARALLEL"]) == ("qwen", "2")
    assert found["PIPELINE_PARALLEL"] == "1"
    assert (found["LEVEL"], found["HOME"], home_of(CUSTOM)) == ("info", "/srv/app", "/srv/app")
    assert [port["containerPort"] for port in container["ports"]] == [9000, 9001]
    assert pod_security(CUSTOM)["runAsUser"] == 1001
    assert pod_security(CUSTOM)["fsGroup"] == 1002
    assert container["volumeMounts"][0]["mountPath"] == "/srv/app/.cache"


def test_the_user_of_an_image_can_be_said_for_any_engine() -> None:
    given = options("sglang", run_as={"user": 7, "group": 8, "home": "/srv"})

    assert pod_security(given)["runAsUser"] == 7
    assert variables(given)["HOME"] == "/srv"


def test_the_eagle_family_of_sglang_gets_all_three_numbers() -> None:
    """SGLang 0.5.23 ends with an AssertionError where draft tokens are given without steps."""
    chain = {"method": "EAGLE3", "model": "org/draft", "tokens": 3}

    found = [item for item in arguments("sglang", speculative=chain) if item.startswith("--speculative")]

    assert found == [
        "--speculative-algorithm=EAGLE3",
        "--speculative-draft-model-path=org/draft",
        "--speculative-num-steps=3",
        "--speculative-eagle-topk=1",
        "--speculative-num-draft-tokens=4",
    ]


def test_ngram_of_sglang_has_no_steps() -> None:
    found = arguments("sglang", speculative={"method": "NGRAM", "tokens": 6})

    assert "--speculative-num-draft-tokens=6" in found
    assert not any("steps" in item or "topk" in item for item in found)

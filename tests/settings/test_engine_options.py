"""What the settings say of engines: options, images and arguments, each by one that is refused and one that passes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.catalog.engines import engines, flag_table
from infra.settings import parse_settings
from tests.settings.engine_samples import CUSTOM, INSIST, OWN_IMAGE, Raw, raw, refused, stored

# --- what an engine has -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in engines() if name != "vllm"])
def test_an_engine_with_doubts_needs_insistence(name: str) -> None:
    extra: Raw = {"model": "/models", "checkpointGib": 15.0} if name == "triton-tensorrt-llm" else {}

    problem = refused("engine", raw(engine=name, **extra))

    assert "engineOptions.unconfirmed: accept" in problem.accepted
    assert all(what.replace("_", " ") in problem.accepted for what in engines()[name].unconfirmed)
    assert parse_settings(raw(INSIST, engine=name, **extra)).models[0].image == engines()[name].image


def test_facts_that_the_settings_state_are_no_doubts() -> None:
    """Of SGLang only the image and its user are in doubt."""
    own = {"runAs": {"user": 1001, "home": "/srv/app"}}

    parse_settings(raw(own, engine="sglang", image="registry.example/sglang:v0.5.23"))


@pytest.mark.parametrize(
    ("engine", "options", "values", "place"),
    [
        ("tgi", {"kvOffload": {"gib": 4}}, {}, "engineOptions.kvOffload"),
        ("tgi", {"speculative": {"method": "ngram", "tokens": 2}}, {}, "engineOptions.speculative"),
        ("tgi", {"admission": {"maxQueuedRequests": 4}}, {}, "engineOptions.admission.maxQueuedRequests"),
        ("sglang", {"admission": {"maxQueuedTokens": 4}}, {}, "engineOptions.admission.maxQueuedTokens"),
        ("sglang", {"sleepMode": True}, {}, "engineOptions.sleepMode"),
        ("trtllm-serve", {"quantization": "fp8"}, {}, "engineOptions.quantization"),
        ("trtllm-serve", {"dataParallel": 2}, {}, "engineOptions.dataParallel"),
        ("tgi", {}, {"pipelineParallel": 2}, "pipelineParallel"),
    ],
)
def test_an_option_that_the_engine_lacks_is_an_error(engine: str, options: Raw, values: Raw, place: str) -> None:
    problem = refused(place, raw({**INSIST, **options}, engine=engine, **values))

    assert engine in problem.found
    assert "vllm" in problem.accepted


def test_a_context_is_refused_where_it_stands_in_the_model_repository() -> None:
    data = raw(INSIST, engine="triton-tensorrt-llm", model="/models", checkpointGib=15.0, maxModelLen=8192)

    assert "context" not in refused("maxModelLen", data).found


def test_prefix_caching_that_is_on_anyway_may_be_said() -> None:
    parse_settings(raw({**INSIST, "prefixCaching": True}, engine="sglang"))


def test_a_share_of_memory_is_said_in_the_engines_own_words() -> None:
    refused("gpuMemoryUtilization", raw(INSIST, engine="sglang", gpuMemoryUtilization=0.9))
    assert (
        refused("engineOptions.memoryFraction", raw({"memoryFraction": 0.9})).mend == "write gpuMemoryUtilization: 0.9"
    )


# --- engines of one's own ---------------------------------------------------------------------------------------------


def test_custom_is_described_and_only_custom_is() -> None:
    image = OWN_IMAGE

    parse_settings(raw(engine="custom", image=image, custom=CUSTOM))
    refused("custom", raw(engine="custom", image=image))
    refused("custom", raw(custom=CUSTOM))
    refused("image", raw(engine="custom", custom=CUSTOM))
    assert "custom: {port, startPath, readyPath, livePath}" in refused("image", raw(engine="custom")).mend
    refused(
        "engineOptions.extraArguments", raw({"extraArguments": ["--x"]}, engine="custom", image=image, custom=CUSTOM)
    )
    refused("engineOptions.quantization", raw({"quantization": "fp8"}, engine="custom", image=image, custom=CUSTOM))


@pytest.mark.parametrize("name", ["VLLM_SERVER_DEV_MODE", "HF_TOKEN"])
def test_custom_variables_open_nothing_and_hold_no_token(name: str) -> None:
    refused(
        "custom", raw(engine="custom", image="registry.example/own:1.0", custom={**CUSTOM, "variables": {name: "1"}})
    )


# --- images -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["docker.io/vllm/vllm-openai:v0.32.0", "mirror.example:5000/vllm-openai:v0.18.0"])
def test_an_image_of_another_version_is_an_error(image: str) -> None:
    assert "0.33.0" in refused("image", raw(image=image)).accepted
    parse_settings(raw(INSIST, image=image))


@pytest.mark.parametrize(
    "image",
    [
        "docker.io/vllm/vllm-openai:v0.33.0-cu129",
        "mirror.example:5000/team/vllm-openai:v0.33.0",
        f"registry.example/vllm@sha256:{'0' * 64}",
    ],
)
def test_an_image_of_the_version_or_with_a_digest_passes(image: str) -> None:
    parse_settings(raw(image=image))


@pytest.mark.parametrize("tag", ["stable", "nightly", "latest-cu129"])
def test_an_image_without_a_version_is_pinned_or_insisted_on(tag: str) -> None:
    image = f"registry.example/vllm:{tag}"

    assert "names no version" in refused("image", raw(image=image)).found
    parse_settings(raw(image=f"{image}@sha256:{'0' * 64}"))
    parse_settings(raw(INSIST, image=image))


@pytest.mark.parametrize("options", [{}, INSIST])
def test_an_image_from_before_the_drain_is_refused_whatever_is_insisted_on(options: Raw) -> None:
    for version in ("v0.4.2", "v0.17.1"):
        problem = refused("image", raw(options, image=f"docker.io/vllm/vllm-openai:{version}"))
        assert "0.18 or newer" in problem.accepted


def test_an_image_of_another_engine_is_an_error() -> None:
    problem = refused("image", raw(image="docker.io/lmsysorg/sglang:v0.5.23"))

    assert "write engine: sglang" in problem.mend


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--no-such-flag=1", "written out in full"),
        ("--swap-space=4", "since 0.18.0"),
        ("--tensor-parallel-size=2", "tensorParallel"),
        ("--tensor_parallel_size=2", "tensorParallel"),
        ("--shutdown-timeout=10", "drain.shutdownTimeoutSeconds"),
        ("--enable-sleep-mode", "engineOptions.sleepMode"),
        ("--port=80", "the platform does not set itself"),
        ("--uds=/tmp/x", "with a socket file there is none"),
        ("--grpc", "speak HTTP"),
        ("--ssl-keyfile=/x", "TLS ends at the gateway"),
        ("--api-server-count=4", "does not set itself"),
        ("--data-parallel-external-lb", "an API of its own"),
        ("--prefill-context-parallel-size=2", "multiplies the GPUs"),
        ("--disable-log-stats", "metrics of queue and latency"),
        ("--model=org/other", "the model is the setting"),
        ("-dpe", "an API of its own"),
        ("-x=1", "written out in full"),
        ("--trust-remote-code", "engineOptions.trustRemoteCode"),
        ("--api-key=x", "no secrets"),
        ("--hf-token=x", "no secrets"),
        ("--config=/etc/x.yaml", "a file may say anything"),
    ],
)
def test_an_argument_that_cannot_stay(argument: str, said: str) -> None:
    assert said in refused("engineOptions.extraArguments[0]", raw({"extraArguments": [argument]})).accepted


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["-tp", "2"], "remove it, and use tensorParallel"),
        (["-cc.mode=3"], "write --compilation-config"),
        (["--max-num-seq=5"], "remove it, and use engineOptions.maxConcurrentSequences"),
        (["--disable-log-stats=false"], "remove it"),
        (["--seed 1"], 'write "--seed=1", or "--seed" and "1" as two items'),
        (["--prefill_context_parallel_size=2"], "remove it, and use tensorParallel"),
    ],
)
def test_a_mend_is_of_what_was_meant(arguments: list[str], mend: str) -> None:
    assert refused("engineOptions.extraArguments[0]", raw({"extraArguments": arguments})).mend == mend


def test_arguments_of_the_version_pass() -> None:
    parse_settings(
        raw({"extraArguments": ["--stream-interval=4", "--compilation-config.mode=3", "--dtype", "bfloat16"]})
    )


def test_flags_are_judged_by_the_engines_own_table() -> None:
    parse_settings(raw({**INSIST, "extraArguments": ["--chunked-prefill-size=4096"]}, engine="sglang"))
    refused("engineOptions.extraArguments[0]", raw({"extraArguments": ["--chunked-prefill-size=4096"]}))


def test_trusting_remote_code_is_a_setting() -> None:
    trusting = parse_settings(raw({"trustRemoteCode": True}, revision="a" * 40))
    assert trusting.models[0].engine_options.trust_remote_code
    problem = refused(
        "engineOptions.extraArguments[0]", raw({"trustRemoteCode": False, "extraArguments": ["--trust-remote-code"]})
    )
    assert "which says no" in problem.accepted


@pytest.mark.parametrize("revision", [{}, {"revision": "main"}, {"revision": "g" * 40}, {"revision": "a" * 39}])
def test_remote_code_is_of_one_commit(revision: Raw) -> None:
    assert "trustRemoteCode" in refused("revision", raw({"trustRemoteCode": True}, **revision)).found


def test_remote_code_of_a_store_or_an_image_is_pinned_by_it() -> None:
    parse_settings(stored(raw({"trustRemoteCode": True}), kind="oci-image", reference="registry.example/model:1"))
    parse_settings(raw({"trustRemoteCode": True}, model="/models/own", checkpointGib=15.0))


def test_code_of_a_draft_model_is_pinned_too() -> None:
    chosen = {
        "speculative": {"method": "draft_model", "model": "org/draft", "tokens": 2, "checkpointGib": 1},
        "trustRemoteCode": True,
    }

    refused("engineOptions.speculative.model", raw(chosen, revision="a" * 40))


@settings(max_examples=25)
@given(st.sampled_from(sorted(flag_table("vllm").removed)))
def test_every_removed_flag_is_an_error(flag: str) -> None:
    refused("engineOptions.extraArguments[0]", raw({"extraArguments": [flag]}))

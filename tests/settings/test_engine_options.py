"""What the settings say of engines: every check by one input that it refuses and one that it lets pass."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.catalog.engines import engines, flag_table
from infra.errors import InputError, Problem
from infra.settings import parse_settings
from infra.settings.engine_options import EngineOptions

Raw = dict[str, Any]

BASE: Raw = {
    "target": "eks",
    "tags": {"owner": "ml-platform", "cost-center": "research"},
    "aws": {"accountId": "111111111111", "region": "us-west-2"},
    "network": {"cidr": "10.16.0.0/16", "zones": ["usw2-az1", "usw2-az2"]},
    "cluster": {
        "name": "gpu-test",
        "access": [{"name": "team", "principalArn": "arn:aws:iam::111111111111:role/team", "access": "cluster-admin"}],
    },
    "cpuPool": {"limits": {"cpu": 64, "memoryGib": 256}},
    "nodePools": [
        {
            "name": "l4",
            "purpose": "inference",
            "instanceTypes": ["g6.2xlarge", "g6.12xlarge"],
            "capacityTypes": ["on-demand"],
            "limits": {"gpus": 32, "nodes": 16},
        },
        {
            "name": "t4",
            "purpose": "inference",
            "instanceTypes": ["g4dn.2xlarge"],
            "capacityTypes": ["on-demand"],
            "limits": {"gpus": 16, "nodes": 16},
        },
    ],
}
CUSTOM = {"port": 9000, "startPath": "/a", "readyPath": "/b", "livePath": "/c"}
MIXTURE = "Qwen/Qwen3-30B-A3B"
OWN_IMAGE = "registry.example/own:1.0"
INSIST = {"unconfirmed": "accept"}


def raw(options: Raw | None = None, **values: Any) -> Raw:
    """Settings with one model that has these engine options and other values."""
    model = {"name": "qwen", "model": "Qwen/Qwen3-8B", "traffic": "interactive", "nodePools": ["l4"], **values}
    if options is not None:
        model["engineOptions"] = options
    return {**copy.deepcopy(BASE), "models": [model], **({"storage": values["storage"]} if "storage" in values else {})}


def stored(data: Raw, **store: Any) -> Raw:
    """The settings with a store that the model loads from."""
    data["storage"] = {"weights": [{"name": "store", **store}]}
    data["models"][0] |= {"weights": "store", "revision": "0" * 40}
    return data


def only(data: Raw) -> Problem:
    """The one problem of the settings."""
    with pytest.raises(InputError) as caught:
        parse_settings(data)
    (problem,) = caught.value.problems
    return problem


def refused(place: str, data: Raw) -> Problem:
    problem = only(data)
    assert problem.path == f"models[0].{place}"
    return problem


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
        ("--api-server-count=4", "one for each copy"),
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
    chosen = {"speculative": {"method": "draft_model", "model": "org/draft", "tokens": 2}, "trustRemoteCode": True}

    refused("engineOptions.speculative.model", raw(chosen, revision="a" * 40))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(flag_table("vllm").removed)))
def test_every_removed_flag_is_an_error(flag: str) -> None:
    refused("engineOptions.extraArguments[0]", raw({"extraArguments": [flag]}))


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_key_value_heads_are_divided_or_copied_evenly() -> None:
    shape = "Qwen/Qwen2.5-7B"  # 28 heads, 4 of them key-value
    wide = copy.deepcopy(BASE["nodePools"][0]) | {"instanceTypes": ["p5.48xlarge"], "name": "l4"}
    data = raw(model=shape, tensorParallel=7)
    data["nodePools"][0] = wide

    problem = refused("tensorParallel", data)

    assert "4 key-value heads" in problem.accepted
    assert problem.mend == "write 4"


def test_copies_fit_the_node() -> None:
    parse_settings(raw({"dataParallel": 2}, tensorParallel=2))
    data = raw({"dataParallel": 4}, tensorParallel=2)
    with pytest.raises(InputError) as caught:
        parse_settings(data)
    problem = next(item for item in caught.value.problems if item.path == "models[0].engineOptions.dataParallel")
    assert problem.found == "tensorParallel 2 x dataParallel 4: 8 GPUs"
    assert problem.mend.startswith("write engineOptions.dataParallel: 2,")


def test_experts_need_gpus() -> None:
    refused("engineOptions.expertParallel", raw({"expertParallel": True}, model=MIXTURE))
    parse_settings(raw({"expertParallel": True, "dataParallel": 2}, model=MIXTURE))


def test_a_dense_model_has_no_experts_to_divide() -> None:
    problem = refused("engineOptions.expertParallel", raw({"expertParallel": True, "dataParallel": 2}))

    assert "Qwen/Qwen3-8B" in problem.found
    parse_settings(raw({"expertParallel": True, "dataParallel": 2}, model="org/unknown", checkpointGib=15.0))


def test_a_step_has_a_token_of_each_sequence() -> None:
    problem = refused("engineOptions.maxBatchedTokens", raw({"maxBatchedTokens": 512, "maxConcurrentSequences": 1024}))

    assert problem.found == "512 with maxConcurrentSequences 1024"
    parse_settings(raw({"maxBatchedTokens": 1024, "maxConcurrentSequences": 1024}))


@pytest.mark.parametrize(
    ("options", "place", "mend"),
    [
        ({"quantization": "fp9"}, "quantization", 'did you mean "fp8"?'),
        ({"quantization": "gguf"}, "quantization", "write fp8_per_tensor"),
        ({"kvCacheDtype": "fp8-e4m3"}, "kvCacheDtype", 'did you mean "fp8_e4m3"?'),
        ({"loraAdapters": [{"name": "a", "source": "/x"}], "maxLoraRank": 24}, "maxLoraRank", "write 32"),
        ({"toolCallParser": "hermess"}, "toolCallParser", 'did you mean "hermes"?'),
        ({"reasoningParser": "qwen33"}, "reasoningParser", 'did you mean "qwen3"?'),
        ({"speculative": {"method": "ngrams", "tokens": 2}}, "speculative.method", 'did you mean "ngram"?'),
    ],
)
def test_a_word_that_the_parser_refuses_gets_the_nearest(options: Raw, place: str, mend: str) -> None:
    assert refused(f"engineOptions.{place}", raw(options)).mend == mend


def test_a_method_of_another_engine_is_refused_by_its_own_list() -> None:
    eagle = {"model": "org/draft", "tokens": 3}

    for method, mend in (("EAGEL", "write EAGLE"), ("eagle3", "write EAGLE3")):
        data = raw({**INSIST, "speculative": {"method": method, **eagle}}, engine="sglang")
        assert refused("engineOptions.speculative.method", data).mend == mend
    parse_settings(raw({**INSIST, "speculative": {"method": "EAGLE3", **eagle}}, engine="sglang"))


def test_a_plugin_may_add_a_parser() -> None:
    parse_settings(raw({"toolCallParser": "own", "extraArguments": ["--tool-parser-plugin=/srv/own.py"]}))


def test_a_gpu_too_old_for_the_method_is_an_error() -> None:
    problem = refused("engineOptions.quantization", raw({"quantization": "mxfp4"}, nodePools=["t4"], maxModelLen=2048))

    assert "t4 has 7.5" in problem.found
    assert "8.0" in problem.accepted
    assert "fp8_per_tensor" in problem.mend
    assert "mxfp4" not in problem.mend
    parse_settings(raw({"quantization": "mxfp4"}))


def test_a_plain_checkpoint_is_quantised_as_it_is_loaded_or_not_at_all() -> None:
    problem = refused("engineOptions.quantization", raw({"quantization": "awq"}))

    assert "fp8_per_block" in problem.accepted
    assert problem.mend.startswith("write fp8_per_tensor")
    parse_settings(raw({"quantization": "fp8_per_tensor"}))
    parse_settings(raw({"quantization": "awq"}, model="org/Qwen3-8B-AWQ", shapeOf="Qwen/Qwen3-8B", checkpointGib=6.0))


def test_adapters_have_names_of_their_own_and_can_be_had() -> None:
    two = [{"name": "a", "source": "org/a"}, {"name": "a", "source": "org/b"}]
    refused("engineOptions.loraAdapters[1].name", raw({"loraAdapters": two}))
    refused("engineOptions.loraAdapters[0].name", raw({"loraAdapters": [{"name": "qwen", "source": "org/a"}]}))
    refused("engineOptions.maxLoras", raw({"maxLoras": 2}))
    data = stored(raw({"loraAdapters": [{"name": "a", "source": "org/a"}]}), kind="nvme-cache")
    data["nodePools"][0]["instanceTypes"] = ["g6.12xlarge"]
    refused("engineOptions.loraAdapters[0].source", data)


def test_drafts_are_named_and_read_as_far_as_the_model() -> None:
    refused("engineOptions.speculative.model", raw({"speculative": {"method": "draft_model", "tokens": 3}}))
    refused("engineOptions.speculative.model", raw({"speculative": {"method": "ngram", "model": "a/b", "tokens": 3}}))
    short = {"speculative": {"method": "draft_model", "model": "google/gemma-2-2b", "checkpointGib": 5.0, "tokens": 3}}
    assert "maxModelLen: 8192" in refused("engineOptions.speculative.model", raw(short, maxModelLen=32768)).mend
    parse_settings(raw(short, maxModelLen=8192))


def test_a_stated_cache_fits_the_gpu() -> None:
    assert "22 GiB" in refused("engineOptions.kvCacheMemoryGib", raw({"kvCacheMemoryGib": 24.0})).found
    parse_settings(raw({"kvCacheMemoryGib": 4.0}))


def test_offloaded_blocks_fit_the_servers_share_of_its_node() -> None:
    problem = refused("engineOptions.kvOffload.gib", raw({"kvOffload": {"gib": 30}}))

    # g6.2xlarge: 32 GiB, of which a fifth is left to the system, 8 GiB are the engine's and 2 GiB its /dev/shm.
    assert problem.accepted.startswith("at most 15 GiB")
    parse_settings(raw({"kvOffload": {"gib": 15}}))
    refused("engineOptions.kvOffload.gib", raw({"kvOffload": {"gib": 16}}))
    refused("engineOptions.kvOffload.gib", raw({"kvOffload": {"gib": 15}}, resources={"memoryGib": 16}))


def test_what_a_store_holds_is_what_the_engine_loads() -> None:
    streamer = {"kind": "s3-streamer", "bucket": "gpu-test-models", "create": True}
    parse_settings(stored(raw(), **streamer))
    refused("weights", stored(raw(INSIST, engine="sglang"), **streamer))
    triton = raw(INSIST, engine="triton-tensorrt-llm")
    refused("model", triton)


def test_what_may_wait_is_said_beside_what_may_run() -> None:
    limit = {"admission": {"maxQueuedRequests": 4}}
    problem = refused("engineOptions.admission.maxQueuedRequests", raw(limit))
    assert "maxConcurrentSequences: 256" in problem.mend
    parse_settings(raw({**limit, "maxConcurrentSequences": 256}))
    parse_settings(raw({**limit, **INSIST}, engine="sglang"))


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "localhost", "https://a.example", "A.example", "a.example:80", "*.a"]
)
def test_media_come_from_host_names(host: str) -> None:
    refused("engineOptions.mediaDomains[0]", raw({"mediaDomains": [host]}))
    parse_settings(raw({"mediaDomains": ["a.example", "images.a-b.example"]}))
    refused("engineOptions.mediaDomains", raw({"mediaDomains": ["a.example"], **INSIST}, engine="tgi"))


def test_nothing_given_is_nothing_asked() -> None:
    assert EngineOptions().used() == frozenset()
    assert all(facts.has(name) for facts in [engines()["vllm"]] for name in _all_used() - {"memory_fraction"})


def _all_used() -> frozenset[str]:
    """Options of settings in which everything is given."""
    options = EngineOptions.model_validate(
        {
            "memoryFraction": 0.5, "dataParallel": 2, "expertParallel": True, "quantization": "fp8",
            "kvCacheDtype": "fp8", "kvCacheMemoryGib": 1.0, "prefixCaching": True, "kvOffload": {"gib": 1},
            "loraAdapters": [{"name": "a", "source": "/a"}], "maxLoras": 1, "maxLoraRank": 8,
            "speculative": {"method": "ngram", "tokens": 1}, "sleepMode": True, "trustRemoteCode": True,
            "admission": {"maxQueuedRequests": 1, "maxQueuedTokens": 1}, "maxConcurrentSequences": 1,
            "maxBatchedTokens": 1, "toolCallParser": "hermes", "reasoningParser": "qwen3", "chatTemplate": "x",
            "mediaDomains": ["a.example"],
        }
    )  # fmt: skip
    return options.used()

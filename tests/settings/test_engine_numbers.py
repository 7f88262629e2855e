"""What the settings say of engines: numbers, words and files, each by one that is refused and one that passes."""

import copy

import pytest

from infra.catalog.engines import engines
from infra.errors import InputError
from infra.settings import parse_settings
from infra.settings.engine_options import EngineOptions
from tests.settings.engine_samples import BASE, INSIST, MIXTURE, Raw, raw, refused, stored


def test_key_value_heads_are_divided_or_copied_evenly() -> None:
    shape = "Qwen/Qwen2.5-7B"  # 28 heads, 4 of them key-value
    wide = copy.deepcopy(BASE["nodePools"][0]) | {"instanceTypes": ["p5.48xlarge"], "name": "l4"}
    data = raw(model=shape, tensorParallel=7)
    data["nodePools"][0] = wide

    problem = refused("tensorParallel", data)

    assert "4 key-value heads" in problem.accepted
    assert problem.mend == "write 4"


@pytest.mark.parametrize(
    ("shape", "asked", "mend"),
    [
        ("Qwen/Qwen3-32B", 14, "write 8"),  # 16 divides the 64 heads, and no node has as many GPUs
        ("microsoft/phi-4", 8, "write 5"),  # so does 10 the ten key-value heads
        ("microsoft/phi-4", 6, "write 5"),
        ("microsoft/phi-4", 3, "write 2"),  # 4 divides the 40 heads, and neither divides nor copies ten
    ],
)
def test_the_cut_that_is_named_is_accepted(shape: str, asked: int, mend: str) -> None:
    data = raw(model=shape, tensorParallel=asked, maxModelLen=8192)
    data["nodePools"][0] = copy.deepcopy(BASE["nodePools"][0]) | {"instanceTypes": ["p5.48xlarge"], "name": "l4"}
    data["nodePools"][0]["limits"] = {"gpus": 16, "nodes": 2}
    with pytest.raises(InputError) as caught:
        parse_settings(data)

    mends = {item.mend for item in caught.value.problems if item.accepted.startswith("a divisor")}
    assert mends == {mend}
    parse_settings(data | {"models": [data["models"][0] | {"tensorParallel": int(mend.removeprefix("write "))}]})


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
    eagle = {"model": "org/draft", "tokens": 3, "checkpointGib": 1}

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

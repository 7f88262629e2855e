"""The engine table: whole, of the pinned versions, and honest about what was not confirmed."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.catalog.engines import (
    ENGINE_NAMES,
    VLLM,
    Engine,
    argument_problems,
    custom_engine,
    engine,
    engines,
    flag_table,
    gpu_capability,
    least_capability,
)
from infra.catalog.engines.arguments import uses
from infra.catalog.instances import gpu_names
from infra.catalog.tables import read_table
from infra.versions import VLLM as VLLM_VERSION

ALL = pytest.mark.parametrize("facts", engines().values(), ids=engines())
TABLE = flag_table("vllm")


def first_problem(*arguments: str, of: str = "vllm") -> tuple[str, str]:
    (problem,) = argument_problems(flag_table(of), arguments)
    return problem.accepted, problem.mend


# --- the facts --------------------------------------------------------------------------------------------------------


def test_every_engine_of_the_issue_is_there() -> None:
    assert set(engines()) | {"custom"} == set(ENGINE_NAMES)
    assert engine("custom").options == {}
    with pytest.raises(KeyError):
        engine("ollama")


@ALL
def test_facts_are_whole_and_have_sources(facts: Engine) -> None:
    assert facts.version in facts.image
    assert all(path.startswith("/") for path in (facts.start_path, facts.ready_path, facts.live_path))
    assert 0 < facts.port < 65536
    assert facts.user > 0
    assert facts.home.startswith("/")
    assert facts.drain in ("flag", "waits", "unknown")
    assert facts.sources
    assert facts.label == facts.name


@ALL
def test_what_is_not_confirmed_says_why(facts: Engine) -> None:
    assert all(why for why in facts.unconfirmed.values())
    assert (facts.name == "vllm") == (not facts.unconfirmed)


@ALL
def test_drain_is_a_flag_where_the_table_says_so(facts: Engine) -> None:
    assert facts.has("drain") == (facts.drain == "flag")


@ALL
def test_the_readings_that_scaling_and_canaries_need_are_named(facts: Engine) -> None:
    assert {"queue", "running", "success"} <= set(facts.metrics)
    assert {metric.type for metric in facts.metrics.values()} <= {"gauge", "counter", "histogram"}
    assert {metric.unit for metric in facts.metrics.values()} <= {"requests", "share", "s", "ms"}
    # TGI alone has neither a KV reading nor a time to first token.
    assert ({"kv_usage", "ttft"} <= set(facts.metrics)) == (facts.name != "tgi")


def test_names_that_vllm_no_longer_has_are_not_in_the_table() -> None:
    names = {metric.name for metric in VLLM.metrics.values()}

    assert "vllm:kv_cache_usage_perc" in names
    assert names.isdisjoint({"vllm:gpu_cache_usage_perc", "vllm:time_per_output_token_seconds"})


@ALL
def test_every_option_is_a_flag_of_the_version(facts: Engine) -> None:
    table = flag_table(facts.name)

    assert table.version == facts.version
    assert [option.flag for option in facts.options.values() if table.find(option.flag) is None] == []
    kinds = {name: table.flags[option.flag].kind for name, option in facts.options.items()}
    forms = {name: option.form for name, option in facts.options.items()}
    assert [name for name in forms if (forms[name] == "switch") != (kinds[name] == "switch")] == []
    assert [
        name for name in forms if (forms[name] == "words") != (kinds[name] == "list") and name != "served_name"
    ] == []


def test_tables_have_no_row_twice() -> None:
    for name, keys in {
        "engine_facts": ("engine", "fact"),
        "engine_metrics": ("engine", "meaning"),
        "engine_options": ("engine", "option"),
        "engine_flags": ("engine", "flag"),
        "engine_removed_flags": ("engine", "flag"),
        "engine_quantization": ("engine", "method"),
        "engine_reserved_flags": ("engine", "flag"),
    }.items():
        counted = Counter(tuple(row[key] for key in keys) for row in read_table(name))
        assert [key for key, count in counted.items() if count > 1] == [], name


def test_reserved_flags_are_flags_by_their_first_spelling_and_no_option_of_ours() -> None:
    for name, facts in engines().items():
        table = flag_table(name)
        for flag in table.reserved:
            found = table.find(flag)
            assert found, (name, flag)
            assert found.name == flag
            assert flag not in {option.flag for option in facts.options.values()}


def test_an_engine_of_ones_own_is_what_its_owner_says() -> None:
    with_flag = custom_engine("--finish-within", port=9000, ready_path="/ready")
    without = custom_engine("", port=9000)

    assert (with_flag.port, with_flag.ready_path, with_flag.flag("drain")) == (9000, "/ready", "--finish-within")
    assert (without.drain, without.options) == ("waits", {})


# --- doubts -----------------------------------------------------------------------------------------------------------


def test_doubts_are_of_what_is_used_and_not_given() -> None:
    sglang = engine("sglang")

    assert list(VLLM.doubts(frozenset(VLLM.options))) == []
    assert {doubt.what for doubt in sglang.doubts(frozenset())} == {"image", "user", "home"}
    assert {doubt.what for doubt in sglang.doubts(frozenset(), frozenset({"image"}))} == {"user", "home"}
    offload = list(sglang.doubts(frozenset({"kv_offload_gib"}), frozenset({"image", "user", "home"})))
    assert [doubt.what for doubt in offload] == ["--hicache-size"]


# --- flags ------------------------------------------------------------------------------------------------------------


def test_the_flags_are_those_of_the_parser() -> None:
    """Counts of the parsers themselves; docs/engines.md says how they were read."""
    counts = {name: sum(row["engine"] == name for row in read_table("engine_flags")) for name in engines()}

    assert TABLE.version == VLLM_VERSION
    assert counts == {"vllm": 320, "sglang": 531, "tgi": 54, "triton-tensorrt-llm": 89, "trtllm-serve": 32}


@pytest.mark.parametrize(
    "text", ["--max-model-len", "--max_model_len", "--compilation-config.mode", "--no-enable-prefix-caching"]
)
def test_vllms_other_spellings_are_known(text: str) -> None:
    assert TABLE.find(text) is not None


@pytest.mark.parametrize("text", ["--max-model", "--max-model-len.x", "-t", "--max_model_len"])
def test_what_no_parser_or_no_reader_should_take_is_not_known(text: str) -> None:
    table = flag_table("sglang") if "_" in text else TABLE

    assert table.find(text) is None


def test_removed_flags_are_gone_and_their_successors_are_there() -> None:
    removed = TABLE.removed

    assert {"--swap-space", "--num-scheduler-steps", "--guided-decoding-backend", "--task"} <= set(removed)
    assert [name for name in removed if TABLE.find(name)] == []
    for item in removed.values():
        assert re.fullmatch(r"0\.\d+\.0", item.since)
        assert [text for text in re.findall(r"--[a-z0-9-]+", item.successor) if TABLE.find(text) is None] == []


def test_a_removed_flag_says_since_when_and_what_instead() -> None:
    accepted, mend = first_problem("--guided-decoding-backend=xgrammar")

    assert "no --guided-decoding-backend since 0.12.0" in accepted
    assert mend == "write --structured-outputs-config (backend in it)"


def test_an_unknown_flag_says_the_nearest() -> None:
    assert first_problem("--max-model-lenght=1")[1] == "write --max-model-len"
    assert first_problem("--qqqqqqq")[1] == "remove it"


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--disable-log-stats=false", "takes no value"),
        ("--max-num-seqs", "a value of --max-num-seqs"),
        ("--max-num-seqs=many", "a number"),
        ("--max-lora-rank=24", "one of: 1, 8, 16"),
        ("--speculative-config={method", "JSON"),
    ],
)
def test_a_value_the_parser_would_refuse(argument: str, said: str) -> None:
    assert said in first_problem(argument)[0]


def test_good_arguments_have_no_problem() -> None:
    good = [
        "--max-num-seqs",
        "64",
        "--allowed-media-domains",
        "a.example",
        "b.example",
        "--seed=-1",
        "--max-model-len=8k",
    ]

    assert list(argument_problems(TABLE, good)) == []
    assert [(use.text, use.values) for use in uses(good)][1] == ("--allowed-media-domains", ("a.example", "b.example"))


def test_a_value_that_kubernetes_fills_in_is_not_judged() -> None:
    assert list(argument_problems(TABLE, ["--node-rank=$(LWS_WORKER_INDEX)"])) == []
    assert "a number" in first_problem("--node-rank=$LWS_WORKER_INDEX")[0]


def test_a_word_without_a_flag_is_a_problem() -> None:
    (problem,) = argument_problems(TABLE, ["Qwen/Qwen3-8B", "--seed=1"])

    assert (problem.index, "a flag first" in problem.accepted) == (0, True)


@given(st.lists(st.text(min_size=1, max_size=12), max_size=6))
def test_any_arguments_are_judged_without_a_failure(arguments: list[str]) -> None:
    for problem in argument_problems(TABLE, arguments):
        assert 0 <= problem.index < len(arguments)
        assert problem.accepted
        assert problem.mend


@given(st.sampled_from(sorted(TABLE.flags)))
def test_every_flag_of_the_table_is_accepted_in_a_form_of_its_kind(name: str) -> None:
    flag = TABLE.flags[name]
    value = flag.choices[0] if flag.choices else {"integer": "1", "number": "0.5", "json": "{}"}.get(flag.kind, "word")
    argument = name if flag.kind in ("switch", "optional") else f"{name}={value}"

    assert list(argument_problems(TABLE, [argument])) == []


# --- quantisation -----------------------------------------------------------------------------------------------------


def test_the_capability_of_every_gpu_is_known() -> None:
    assert [gpu for gpu in gpu_names() if gpu_capability(gpu) is None] == []
    assert gpu_capability("abacus") is None


def test_methods_are_those_that_the_flag_takes() -> None:
    methods = {row["method"] for row in read_table("engine_quantization") if row["engine"] == "vllm"}

    assert methods | {"modelopt_mixed", "deepseek_v4_fp8"} == set(TABLE.flags["--quantization"].choices)
    assert least_capability("vllm", "fp8") == 75
    assert least_capability("vllm", "nothing") is None

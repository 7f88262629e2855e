"""Which requests reach which model, told from the example's manifests by the rules of the Gateway API."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.plan import kubernetes_manifests
from infra.planning.routes import CLIENT_HEADER, GATEWAY_PATHS, MODEL_HEADER
from infra.settings import load_stack_file
from stacks.evaluation import evaluate
from tests.serving.gateway_example import manifests, raw, written
from tests.serving.gateway_routing import Answer, Request, answer

CHAT = "/v1/chat/completions"
# What vLLM 0.33 answers beside the API; its API key covers none of these (docs/usage/security.md).
UNSAFE = ("/invocations", "/pause", "/resume", "/sleep", "/wake_up", "/collective_rpc", "/metrics", "/health", "/ping",
          "/tokenize", "/v1/load_lora_adapter", "/")  # fmt: skip


def sent(path: str = CHAT, model: str = "", headers: dict[str, str] | None = None) -> Answer:
    return answer(Request(path, model, headers or {}), manifests())


def test_a_model_by_its_own_name_goes_through_the_picker() -> None:
    found = sent(model="qwen3-32b")

    assert (found.shares, found.picked, found.overflow) == ((("qwen3-32b", 100),), True, ())


def test_an_alias_is_shared_by_weight_and_each_server_is_asked_for_its_own_name() -> None:
    found = sent(model="small")

    assert found.shares == (("qwen3-8b", 90), ("qwen3-8b-next", 10))
    assert found.names == ("qwen3-8b", "qwen3-8b-next")
    assert not found.picked


def test_a_route_by_the_name_of_an_adapter_asks_for_the_adapter(tmp_path: Path) -> None:
    """Also where Envoy balances, and while a canary takes over; what overflows has no such adapter."""
    change = raw()
    (model,) = (item for item in change["models"] if item["name"] == "qwen3-8b")
    model["engineOptions"] = {"loraAdapters": [{"name": "legal", "source": "example-org/legal"}]}
    match = {"model": "legal", "headers": {"x-tier": "legal"}}
    way = {"name": "legal", "match": match, "backends": [{"model": "qwen3-8b"}], "overflow": "phi-4-mini"}
    change["gateway"]["routes"].append(way)
    made = kubernetes_manifests(evaluate(load_stack_file(written(change, tmp_path)), "stand-in"))

    found = answer(Request(CHAT, "legal", {"x-tier": "legal"}), tuple(made))

    assert (found.shares, found.picked) == ((("qwen3-8b", 100),), False)
    assert found.names == ("legal", "phi-4-mini")


def test_long_prompts_go_where_the_client_says_they_are() -> None:
    found = sent(model="small", headers={"x-context-length": "long"})

    assert found.shares == (("qwen3-8b-long", 100),)
    assert sent(model="small", headers={"x-context-length": "short"}).route == "small"


def test_what_the_large_model_refuses_goes_to_the_small_one() -> None:
    found = sent(model="qwen3-32b", headers={"x-tier": "economy"})

    assert (found.shares, found.overflow) == ((("qwen3-32b", 100),), ("qwen3-8b",))
    assert sent(model="small", headers={"x-tier": "economy"}).route == "small"


def test_a_route_by_path_reaches_the_engine_under_the_apis_own_path() -> None:
    found = sent("/batch" + CHAT, model="qwen3-8b")

    assert (found.shares, found.path) == ((("qwen3-8b", 100),), CHAT)


@pytest.mark.parametrize("path", UNSAFE)
@pytest.mark.parametrize("headers", [{}, {"x-tier": "economy"}, {MODEL_HEADER: "qwen3-32b"}], ids=str)
def test_no_other_path_of_an_engine_can_be_called(path: str, headers: dict[str, str]) -> None:
    assert sent(path, "qwen3-32b", headers).status == 404
    assert sent("/batch" + path, "qwen3-8b", headers).status == 404


@pytest.mark.parametrize(
    "path", [path for path in GATEWAY_PATHS if path not in (CHAT, "/v1/completions", "/v1/models")]
)
def test_paths_that_the_gateway_knows_and_the_settings_do_not_list_are_refused(path: str) -> None:
    assert sent(path, "qwen3-32b").status == 404
    assert sent(path, "qwen3-32b", {"x-tier": "economy"}).status == 404


def test_a_client_cannot_choose_the_route_or_be_somebody_else_by_header() -> None:
    assert sent(model="unknown", headers={MODEL_HEADER: "qwen3-32b"}).status == 404


@pytest.mark.parametrize(
    "header",
    [
        CLIENT_HEADER,
        MODEL_HEADER,
        "x-ai-eg-original-path",  # with no body the AI gateway would read what is not there
        "x-ai-eg-internal-req-id",
        "x-gateway-destination-endpoint",  # the address that Envoy connects to
        "x-gateway-inference-objective",
        "x-prefiller-host-port",  # addresses that llm-d's sidecar connects to
        "x-encoder-hosts-ports",
        "x-data-parallel-host-port",
        "x-envoy-retry-on",
        "x-envoy-upstream-rq-timeout-ms",
    ],
)
def test_headers_of_gateway_picker_and_sidecar_are_taken_from_clients(header: str) -> None:
    (policy,) = [item for item in manifests() if item.kind == "ClientTrafficPolicy"]
    early = policy.body["spec"]["headers"]["earlyRequestHeaders"]

    assert header in early["remove"] or any(header.startswith(item["value"]) for item in early["removeOnMatch"])


def test_an_unknown_model_or_host_is_refused() -> None:
    assert sent(model="gpt-4").status == 404
    assert answer(Request(CHAT, "qwen3-32b", host="other.example.com"), manifests()).status == 404


@given(
    path=st.one_of(st.sampled_from([*GATEWAY_PATHS, *UNSAFE]), st.text(max_size=20)).map(
        lambda text: f"/{text.lstrip('/')}"
    ),
    prefix=st.sampled_from(["", "/batch", "/other"]),
    model=st.sampled_from(["qwen3-32b", "small", "phi-4-mini", "nothing", ""]),
    headers=st.dictionaries(
        st.sampled_from(["x-tier", "x-context-length", MODEL_HEADER]), st.sampled_from(["economy", "long", "qwen3-32b"])
    ),
)
def test_whatever_comes_only_listed_paths_reach_a_server(
    path: str, prefix: str, model: str, headers: dict[str, str]
) -> None:
    found = answer(Request(prefix + path, model, headers), manifests())

    if found.status == 200:
        assert found.path in (CHAT, "/v1/completions", "/v1/models")
        assert sum(share for _, share in found.shares) == 100
        assert "phi-4-mini" not in dict(found.shares)  # no route leads there

"""The engine stand-in behaves as vLLM 0.33 does where others can see it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.planning.canary import METRICS, reading
from simulator.engine_stand_in.exposition import TPOT_BUCKETS, TTFT_BUCKETS
from simulator.engine_stand_in.running import RunningStandIn, stand_in
from tests.conftest import ROOT

QUICK = (
    "Qwen/Qwen3-8B",
    "--served-model-name=qwen3-8b",
    "--stand-in-ttft-seconds=0.01",
    "--stand-in-tpot-seconds=0.002",
)


def ask(server: RunningStandIn, tokens: int = 4, *, stream: bool = False, **body: Any) -> tuple[int, dict[str, Any]]:
    """Status and answer of one completion; of a stream its last event before the end, with the number of tokens."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    said = {"model": "qwen3-8b", "prompt": "a b c", "max_tokens": tokens, "stream": stream, **body}
    connection.request("POST", "/v1/completions", json.dumps(said), {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if not stream:
        return answer.status, json.loads(text)
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert events[-1] == "[DONE]"
    return answer.status, {**json.loads(events[-2]), "tokens": len(events) - 2}


def reason(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["finish_reason"])


def test_it_refuses_connections_while_it_loads_and_is_healthy_then() -> None:
    with stand_in([*QUICK, "--stand-in-load-seconds=0.6"], ready=False) as server:
        assert server.get("/health")[0] == 0
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", server.port))  # taken, although nothing listens
        server.wait_ready()
        assert json.loads(server.get("/v1/models")[1])["data"][0]["id"] == "qwen3-8b"


def test_answers_and_streams_have_the_tokens_asked_for() -> None:
    with stand_in(QUICK) as server:
        status, whole = ask(server, 5)
        assert (status, reason(whole), whole["usage"]["completion_tokens"]) == (200, "length", 5)
        status, last = ask(server, 5, stream=True)
        assert (status, reason(last), last["tokens"]) == (200, "length", 5)
        assert ask(server, model="another")[0] == 404
        assert server.get("/invocations")[0] == 404


def test_metrics_have_vllms_names_buckets_and_labels() -> None:
    with stand_in(QUICK) as server:
        for _ in range(3):
            ask(server, 6)
        text = server.get("/metrics")[1]
    for name, edges in (("time_to_first_token", TTFT_BUCKETS), ("request_time_per_output_token", TPOT_BUCKETS)):
        for edge in [*edges, "+Inf"]:
            assert f'vllm:{name}_seconds_bucket{{model_name="qwen3-8b",engine="0",le="{edge}"}}' in text
    assert 'vllm:request_success_total{model_name="qwen3-8b",engine="0",finished_reason="length"} 3.0' in text
    assert 'vllm:generation_tokens_total{model_name="qwen3-8b",engine="0"} 18.0' in text
    assert 'http_requests_total{handler="/v1/completions",method="POST",status="2xx"} 3.0' in text
    counts = reading(text, METRICS["vllm"])
    assert counts["served"] == counts["ttft|inf"] == counts["tpot|inf"] == 3
    assert counts["ttft|sum"] >= 0.03


def test_limits_of_admission_answer_503_and_are_counted() -> None:
    with stand_in([*QUICK, "--max-num-queued-reqs=1"]) as server, ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, server, 200)
        time.sleep(0.15)
        assert ask(server)[0] == 503
        assert first.result()[0] == 200
        assert reading(server.get("/metrics")[1], METRICS["vllm"])["refused"] == 1


def test_more_requests_than_sequences_wait() -> None:
    with stand_in([*QUICK, "--max-num-seqs=1"]) as server, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, server, 150) for _ in range(2)]
        time.sleep(0.15)
        text = server.get("/metrics")[1]
        assert 'vllm:num_requests_running{model_name="qwen3-8b",engine="0"} 1.0' in text
        assert 'waiting_by_reason{model_name="qwen3-8b",engine="0",reason="capacity"} 1.0' in text
        assert {item.result()[0] for item in asked} == {200}


def test_tokens_take_longer_in_a_batch_beyond_the_knee() -> None:
    crowded = [*QUICK, "--stand-in-knee-sequences=1", "--stand-in-knee-slope=20"]
    with stand_in(crowded) as server, ThreadPoolExecutor(2) as pool:

        def mean(requests: int) -> float:
            before = reading(server.get("/metrics")[1], METRICS["vllm"])
            assert {found[0] for found in pool.map(lambda _: ask(server, 20), range(requests))} == {200}
            after = reading(server.get("/metrics")[1], METRICS["vllm"])
            return (after["tpot|sum"] - before["tpot|sum"]) / requests

        assert mean(2) > 3 * mean(1)


def test_errors_come_at_the_rate_asked_for() -> None:
    with stand_in([*QUICK, "--stand-in-error-rate=1"]) as server:
        assert ask(server)[0] == 500
        assert ask(server, stream=True)[1]["error"]["code"] == 500
        counts = reading(server.get("/metrics")[1], METRICS["vllm"])
    assert (counts["errors"], counts["http_5xx"]) == (2, 1)


@pytest.mark.parametrize("flag", ["--swap-space=4", "--num-scheduler-steps=8", "--worker-use-ray"])
def test_a_flag_that_the_version_does_not_know_ends_it(flag: str) -> None:
    command = [sys.executable, "-m", "simulator.engine_stand_in", *QUICK, flag]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 2
    assert f"error: unrecognized arguments: {flag}" in ended.stderr


def during_shutdown(server: RunningStandIn, act: Callable[[], None]) -> tuple[dict[str, Any], int]:
    """The answer of a request that ran when SIGTERM came, and the exit code."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(ask, server, 150, stream=True)
        time.sleep(0.15)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        act()
        answer = running.result()[1]
    return answer, server.process.wait(5)


def test_sigterm_without_a_timeout_aborts_what_runs() -> None:
    with stand_in([*QUICK, "--shutdown-timeout=0"]) as server:
        answer, code = during_shutdown(server, lambda: None)
    assert (reason(answer), code) == ("abort", 0)
    assert answer["tokens"] < 150


def test_sigterm_with_a_timeout_drains_and_aborts_what_is_new() -> None:
    with stand_in([*QUICK, "--shutdown-timeout=20"]) as server:

        def during() -> None:
            assert server.get("/health")[0] == 200
            status, answer = ask(server, 4)
            assert (status, reason(answer), answer["usage"]["completion_tokens"]) == (200, "abort", 0)

        answer, code = during_shutdown(server, during)
    assert (reason(answer), answer["tokens"], code) == ("length", 150, 0)


def test_the_timeout_cuts_what_is_longer_and_is_scaled_with_the_rest() -> None:
    arguments = [*QUICK, "--shutdown-timeout=30", "--stand-in-time-scale=60"]  # half a second
    with stand_in(arguments) as server, ThreadPoolExecutor(1) as pool:
        running = pool.submit(ask, server, 2000, stream=True)
        time.sleep(0.15)
        server.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert server.process.wait(5) == 0
        assert 0.3 < time.monotonic() - began < 2
        with pytest.raises(http.client.IncompleteRead):
            running.result()


def test_a_client_that_goes_away_ends_its_request() -> None:
    with stand_in(QUICK) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        said = {"prompt": "a", "max_tokens": 5000, "stream": True}
        connection.request("POST", "/v1/completions", json.dumps(said))
        answer = connection.getresponse()
        answer.read1(10)
        answer.close()
        connection.close()
        seen = threading.Event()
        for _ in range(50):
            counts = reading(server.get("/metrics")[1], METRICS["vllm"])
            if counts["aborted"] == 1:
                seen.set()
                break
            time.sleep(0.05)
        assert seen.is_set()

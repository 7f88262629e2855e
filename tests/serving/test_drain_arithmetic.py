"""The three numbers of a drain hold, with real processes and signals: no request of the longest generation is cut.

The numbers are those of the rendered Deployment, and the engine gets its rendered arguments. Time passes SCALE times
faster: 90 s of drain are 9 s here. The sender is a load balancer that learns of a deleted pod REMOVAL_SECONDS late
and keeps starting requests that each take as long as the longest generation stated (`shutdownTimeoutSeconds`). Then
each of the numbers is shortened alone, and requests are cut.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from components.serving.engine_arguments import engine_arguments
from infra.plan import kubernetes_manifests
from infra.settings import load_stack_file
from simulator.engine_stand_in.running import stand_in
from simulator.engine_stand_in.termination import Endpoints, Numbers, terminate
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.serving.test_engine_arguments import POD

SCALE = 10.0
# An assumption: senders learn within a third of preStop that an endpoint goes. The rest is room for a slow machine.
REMOVAL_SECONDS = 5.0
TOKENS = 6
EVERY_SECONDS = 1.0  # between two requests


def shortened_flag(numbers: Numbers) -> Numbers:
    words = tuple(
        "--shutdown-timeout=60" if word.startswith("--shutdown-timeout=") else word for word in numbers.arguments
    )
    assert words != numbers.arguments
    return replace(numbers, arguments=words)


def copies(numbers: Numbers) -> Numbers:
    """The same server with data parallel, as its arguments are rendered."""
    model = numbers.arguments[0]
    told = engine_arguments("qwen", {"model": model, "tensor_parallel": 1, "data_parallel": 2}, POD)
    added = [word for word in told if word.startswith(("--data-parallel-size=", "--api-server-count="))]
    return replace(numbers, arguments=(*numbers.arguments, *added))


def api_server_for_each_copy(numbers: Numbers) -> Numbers:
    words = tuple(word for word in copies(numbers).arguments if not word.startswith("--api-server-count="))
    assert words != copies(numbers).arguments
    return replace(numbers, arguments=words)


VARIANTS: dict[str, Callable[[Numbers], Numbers]] = {
    "as rendered": lambda numbers: numbers,
    "preStop shorter": lambda numbers: replace(numbers, pre_stop=1.0),
    "--shutdown-timeout shorter": shortened_flag,
    "terminationGracePeriodSeconds shorter": lambda numbers: replace(numbers, grace=80.0),
    "data parallel, as rendered": copies,
    "data parallel, an API server for each copy": api_server_for_each_copy,
}
WHOLE = ("as rendered", "data parallel, as rendered")


@dataclass(slots=True)
class Run:
    """What became of the requests: address and how each ended."""

    ends: list[tuple[str, str]] = field(default_factory=list)
    victim: str = ""
    ended_by_itself: bool = False

    @property
    def cut(self) -> list[str]:
        return [end for _, end in self.ends if end != "length"]


async def send(address: str, generation_seconds: float) -> str:
    """One request; how it ended: a finish_reason, or what broke."""
    host, port = address.split(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps({"prompt": "a", "stream": True, "max_tokens": TOKENS})
        head = f"POST /v1/completions HTTP/1.1\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode())
        text = (await asyncio.wait_for(reader.read(), generation_seconds + 30)).decode()
        writer.close()
    except OSError as error:
        return type(error).__name__
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    if "data: [DONE]" not in text:
        return f"cut after {len(events)} events"
    return str(events[-1]["choices"][0]["finish_reason"])


async def load(endpoints: Endpoints, run: Run, stop: threading.Event, generation: float) -> None:
    """Start a request every second of the pods, to the next ready endpoint each, until `stop`; then wait for all."""
    asked: list[tuple[str, asyncio.Task[str]]] = []
    turn = 0
    while not stop.is_set():
        ready = endpoints.now()
        address = ready[turn % len(ready)]
        asked.append((address, asyncio.create_task(send(address, generation))))
        turn += 1
        await asyncio.sleep(EVERY_SECONDS / SCALE)
    run.ends = [(address, await task) for address, task in asked]


def rollout(numbers: Numbers, generation: float) -> Run:
    """Two servers under load, one of which is deleted."""
    run, endpoints, stop = Run(), Endpoints(), threading.Event()
    speed = generation / SCALE / TOKENS
    own = [f"--stand-in-ttft-seconds={speed}", f"--stand-in-tpot-seconds={speed}", f"--stand-in-time-scale={SCALE}"]
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        servers = [stack.enter_context(stand_in([*numbers.arguments, *own])) for _ in range(2)]
        for server in servers:
            endpoints.add(server.address)
        run.victim = servers[0].address
        sender = pool.submit(asyncio.run, load(endpoints, run, stop, generation / SCALE))
        stop.wait(4 * EVERY_SECONDS / SCALE)  # some requests run already
        ending = threading.Timer(2 * max(numbers.pre_stop, REMOVAL_SECONDS) / SCALE, stop.set)
        ending.start()
        run.ended_by_itself = terminate(servers[0].process, run.victim, numbers, endpoints, REMOVAL_SECONDS)
        ending.join()
        sender.result()
    return run


def rendered() -> dict[str, Any]:
    manifests = kubernetes_manifests(evaluate(load_stack_file(ROOT / "Pulumi.local.yaml"), "stand-in"))
    return next(deepcopy(item.body) for item in manifests if item.kind == "Deployment")


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, Future[Run]]]:
    """All variants at the same time: they mostly wait."""
    numbers = Numbers.of(rendered(), SCALE)
    flag = next(word for word in numbers.arguments if word.startswith("--shutdown-timeout="))
    longest = float(flag.partition("=")[2])
    with ThreadPoolExecutor(len(VARIANTS)) as pool:
        yield {name: pool.submit(rollout, change(numbers), longest) for name, change in VARIANTS.items()}


@pytest.mark.parametrize("name", WHOLE)
def test_no_request_of_the_longest_generation_is_cut(name: str, runs: dict[str, Future[Run]]) -> None:
    run = runs[name].result()

    assert run.cut == []
    assert run.ended_by_itself
    to_victim = [address for address, _ in run.ends if address == run.victim]
    assert len(to_victim) >= 3  # it did have requests, and the other one more
    assert len(run.ends) > 2 * len(to_victim)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in WHOLE])
def test_a_request_is_cut_when_a_number_is(name: str, runs: dict[str, Future[Run]]) -> None:
    run = runs[name].result()

    assert run.cut
    assert {address for address, end in run.ends if end != "length"} == {run.victim}
    aborted = ("preStop shorter", "data parallel, an API server for each copy")
    expected = "abort" if name in aborted else "cut after"
    assert any(end.startswith(expected) for end in run.cut)


def test_who_ends_the_process(runs: dict[str, Future[Run]]) -> None:
    """kubelet only kills where the grace period is too short; an engine whose time is up ends by itself."""
    by_itself = {name: run.result().ended_by_itself for name, run in runs.items()}

    assert by_itself == {name: name != "terminationGracePeriodSeconds shorter" for name in VARIANTS}

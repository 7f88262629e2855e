"""The engine of the stand-in: requests wait, are prefilled and decoded in time, and end for one of vLLM's reasons.

The drain follows vLLM 0.33 (v1/engine/core.py): after SIGTERM with `--shutdown-timeout 0` every request is aborted at
once; with more, running and waiting requests go on, new ones are answered with finish_reason abort, and the process
ends when it is idle, or at the time-out with whatever still runs cut off.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from simulator.engine_stand_in.arguments import StandIn
from simulator.engine_stand_in.exposition import Metrics


class RefusedError(Exception):
    """A queue limit refuses the request: HTTP 503.

    Attributes:
        reason: which limit, as `vllm:admission_rejections` calls it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"the request exceeds {reason}")
        self.reason = reason


class BrokenError(Exception):
    """The engine failed in the middle of a request: HTTP 500, or an error in the stream."""


@dataclass(eq=False, slots=True)
class Request:
    """One request.

    Attributes:
        prompt_tokens: tokens of its prompt.
        max_tokens: tokens it may generate.
        aborted: set when it must end at once.
        reason: why it ended; empty while it runs.
    """

    prompt_tokens: int
    max_tokens: int
    aborted: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: float = field(default_factory=time.monotonic)
    generated: int = 0
    prefilled: bool = False
    reason: str = ""


class Engine:
    """Serves requests as `options` say and counts what it does."""

    def __init__(self, options: StandIn) -> None:
        self.options = options
        self.metrics = Metrics(options.model_name)
        self.stopping = False
        self._chance = random.Random(options.seed)  # noqa: S311 - nothing secret
        self._places = asyncio.Semaphore(options.max_sequences)
        self._unfinished: set[Request] = set()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def unfinished(self) -> int:
        """Requests that run or wait."""
        return len(self._unfinished)

    def admit(self, prompt_tokens: int, max_tokens: int) -> Request:
        """Take a request in.

        Raises:
            RefusedError: when a queue limit refuses it.
        """
        options = self.options
        prefilling = sum(item.prompt_tokens for item in self._unfinished if not item.prefilled)
        if options.max_queued_requests is not None and self.unfinished + 1 > options.max_queued_requests:
            self._refuse("max_num_queued_reqs")
        if options.max_queued_tokens is not None and prefilling >= options.max_queued_tokens:
            self._refuse("max_num_queued_tokens")
        request = Request(prompt_tokens, max_tokens)
        if self.stopping:
            request.aborted.set()
        self._unfinished.add(request)
        self._idle.clear()
        return request

    async def tokens(self, request: Request) -> AsyncGenerator[str, None]:
        """The tokens of a request as they are generated; `request.reason` says afterwards why it ended.

        Raises:
            BrokenError: when the engine fails.
        """
        fails = self._chance.random() < self.options.error_rate
        slow = self.options.slow_factor if self._chance.random() < self.options.slow_share else 1.0
        try:
            async with self._places:
                began = time.monotonic()
                self._running += 1
                try:
                    async for text in self._decode(request, fails, self.options.tpot_seconds * slow):
                        yield text
                finally:
                    self._running -= 1
                    self._finish(request, began)
        finally:
            self._unfinished.discard(request)
            if not self._unfinished:
                self._idle.set()

    async def _decode(self, request: Request, fails: bool, tpot: float) -> AsyncGenerator[str, None]:
        begin = time.monotonic()
        # Tokens are due at fixed times: a busy machine makes one late, not all that follow.
        due = begin + self.options.ttft_seconds
        if not await _comes(due, request):
            request.reason = "abort"
            return
        if fails:
            request.reason = "error"
            raise BrokenError("the engine failed")
        request.prefilled = True
        now = first = time.monotonic()
        self.metrics.observe("time_to_first_token", now - request.arrived)
        self.metrics.observe("request_prefill_time", now - begin)
        self.metrics.count("prompt_tokens", by=request.prompt_tokens)
        while True:
            request.generated += 1
            self.metrics.count("generation_tokens")
            yield f"token{request.generated} "
            if request.generated >= request.max_tokens:
                request.reason = "length"
                break
            last, due = now, due + tpot * self._crowding()
            if not await _comes(due, request):
                request.reason = "abort"
                break
            now = time.monotonic()
            self.metrics.observe("inter_token_latency", now - last)
        self.metrics.observe("request_decode_time", now - first)
        if request.generated > 1:
            self.metrics.observe("request_time_per_output_token", (now - first) / (request.generated - 1))

    def _crowding(self) -> float:
        """How many times as long a token takes as in a small batch: memory is read once for all, arithmetic is not."""
        knee = self.options.knee_sequences
        return 1 + self.options.knee_slope * max(0, self._running - knee) if knee else 1.0

    def _finish(self, request: Request, began: float) -> None:
        now = time.monotonic()
        request.reason = request.reason or "abort"  # the client went away
        self.metrics.count("request_success", request.reason)
        self.metrics.observe("e2e_request_latency", now - request.arrived)
        self.metrics.observe("request_queue_time", began - request.arrived)
        self.metrics.observe("request_inference_time", now - began)

    def _refuse(self, reason: str) -> None:
        self.metrics.rejections[reason] += 1
        raise RefusedError(reason)

    def exposition(self) -> str:
        """The text of `/metrics` now."""
        gauges, waiting = self.metrics.gauges, float(self.unfinished - self._running)
        gauges["vllm:num_requests_running", ""] = float(self._running)
        gauges["vllm:num_requests_waiting", ""] = waiting
        gauges["vllm:num_requests_waiting_by_reason", "capacity"] = waiting
        gauges["vllm:kv_cache_usage_perc", ""] = min(1.0, self._running / self.options.max_sequences)
        return self.metrics.text()

    async def stop(self) -> bool:
        """Drain or abort, as `--shutdown-timeout` says.

        Returns:
            Whether it became idle; False when the time-out came first and requests were cut.
        """
        self.stopping = True
        if not self.options.shutdown_timeout:
            for request in self._unfinished:
                request.aborted.set()
        try:
            await asyncio.wait_for(self._idle.wait(), self.options.shutdown_timeout or _ABORT_SECONDS)
        except TimeoutError:
            return False
        return True


# An aborted request only has its last chunk to send.
_ABORT_SECONDS = 2.0


async def _comes(due: float, request: Request) -> bool:
    """Whether that moment comes without the request being aborted."""
    if request.aborted.is_set():
        return False
    try:
        await asyncio.wait_for(request.aborted.wait(), max(0.0, due - time.monotonic()))
    except TimeoutError:
        return True
    return False

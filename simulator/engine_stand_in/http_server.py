"""The stand-in's door: HTTP/1.1 with kept-alive connections and streams, as far as an OpenAI client needs it."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from simulator.engine_stand_in.serving import BrokenError, Engine, RefusedError, Request

_JSON, _TEXT = "application/json", "text/plain; version=0.0.4; charset=utf-8"
_WORDS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}
# Handlers that vLLM leaves out of http_requests_total (entrypoints/serve/instrumentator/metrics.py).
_UNCOUNTED = ("/metrics", "/health", "/load", "/ping", "/version", "/server_info")
_GENERATE = ("/v1/completions", "/v1/chat/completions")


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request."""

    method: str
    path: str
    body: dict[str, Any]
    keep: bool


class HttpServer:
    """Answers for one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._number = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side closes it."""
        # Cancelled at the end of the process: the client sees its stream cut, as it would with the real engine.
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while call := await _read(reader):
                await self._answer(call, writer)
                if not call.keep:
                    break
        writer.close()

    async def _answer(self, call: Call, writer: asyncio.StreamWriter) -> None:
        model = self._engine.options.model_name
        if call.path in {"/health", "/ping"}:
            await self._send(call, writer, 200, "", _TEXT)
        elif call.path == "/metrics":
            await self._send(call, writer, 200, self._engine.exposition(), _TEXT)
        elif call.path == "/v1/models":
            listed = {"object": "list", "data": [{"id": model, "object": "model", "owned_by": "vllm"}]}
            await self._send(call, writer, 200, json.dumps(listed))
        elif call.path not in _GENERATE or call.method != "POST":
            await self._fault(call, writer, 404, "Not Found")
        elif call.body.get("model", model) != model:
            await self._fault(call, writer, 404, f"The model `{call.body['model']}` does not exist.")
        else:
            await self._generate(call, writer)

    async def _generate(self, call: Call, writer: asyncio.StreamWriter) -> None:
        prompt = json.dumps(call.body.get("messages") or call.body.get("prompt") or "")
        limit = call.body.get("max_completion_tokens") or call.body.get("max_tokens") or self._engine.options.tokens
        try:
            request = self._engine.admit(len(prompt.split()), int(limit))
        except RefusedError as error:
            await self._fault(call, writer, 503, str(error))
            return
        self._number += 1
        if call.body.get("stream"):
            await self._stream(call, writer, request)
            return
        try:
            text = "".join([token async for token in self._engine.tokens(request)])
        except BrokenError as error:
            await self._fault(call, writer, 500, str(error))
            return
        chat = call.path.endswith("chat/completions")
        said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        usage = {"prompt_tokens": request.prompt_tokens, "completion_tokens": request.generated}
        body = self._envelope(chat, {**said, "finish_reason": request.reason}, chunk=False) | {"usage": usage}
        await self._send(call, writer, 200, json.dumps(body))

    async def _stream(self, call: Call, writer: asyncio.StreamWriter, request: Request) -> None:
        """Server-sent events, one a token; the last one but `[DONE]` has the finish_reason."""
        self._engine.metrics.answered(call.path, call.method, 200)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n")
        writer.write(b"transfer-encoding: chunked\r\n\r\n")
        async with aclosing(self._events(call, request)) as events:  # a client that went away ends its request
            async for event in events:
                data = f"data: {event}\n\n".encode()
                writer.write(b"%x\r\n%s\r\n" % (len(data), data))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    async def _events(self, call: Call, request: Request) -> AsyncGenerator[str, None]:
        chat = call.path.endswith("chat/completions")
        try:
            async with aclosing(self._engine.tokens(request)) as tokens:
                async for token in tokens:
                    said = {"delta": {"content": token}} if chat else {"text": token}
                    yield json.dumps(self._envelope(chat, {**said, "finish_reason": None}))
            last: dict[str, Any] = {"delta": {}} if chat else {"text": ""}
            yield json.dumps(self._envelope(chat, {**last, "finish_reason": request.reason}))
        except BrokenError as error:
            yield json.dumps({"error": {"message": str(error), "type": "InternalServerError", "code": 500}})
        yield "[DONE]"

    def _envelope(self, chat: bool, choice: dict[str, Any], *, chunk: bool = True) -> dict[str, Any]:
        kind = ("chat.completion.chunk" if chunk else "chat.completion") if chat else "text_completion"
        return {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{self._number}",
            "object": kind,
            "created": int(time.time()),
            "model": self._engine.options.model_name,
            "choices": [{"index": 0, **choice}],
        }

    async def _fault(self, call: Call, writer: asyncio.StreamWriter, status: int, message: str) -> None:
        body = {"error": {"message": message, "type": _WORDS[status].replace(" ", ""), "code": status}}
        await self._send(call, writer, status, json.dumps(body))

    async def _send(self, call: Call, writer: asyncio.StreamWriter, status: int, text: str, kind: str = _JSON) -> None:
        if call.path not in _UNCOUNTED:
            handler = call.path if call.path in {*_GENERATE, "/v1/models"} else "none"
            self._engine.metrics.answered(handler, call.method, status)
        data = text.encode()
        head = f"HTTP/1.1 {status} {_WORDS[status]}\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n\r\n"
        writer.write(head.encode() + data)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Call | None:
    """The next request of a connection; None when the client has closed it."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    raw = await reader.readexactly(int(headers.get("content-length") or 0))
    body = json.loads(raw) if raw else {}
    return Call(method, target.partition("?")[0], body, headers.get("connection", "").lower() != "close")

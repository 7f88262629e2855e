"""What every stand-in shares: the engine's protocol on one side, four plain methods on the other.

A provider answers the questions of the engine's life cycle. Before and after each change it writes to the world's
journal, and it fails where the test wants a failure.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from tests.engine.providers.changes import DEFAULT_SECONDS, Change, NotReadyError, ProviderError, Replacement
from tests.engine.providers.outside import Outside
from tests.engine.providers.values import Properties, changed, has_unknown, plain, wire

_ENGINE_SECONDS = 2.0  # how often a provider looks whether its engine still lives


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """A provider. A subclass says what its resources do; what it does not say is an echo."""

    # The engine demands it of who builds components: secrets come marked, and the marks are given back.
    accepts_secrets = False

    def __init__(self) -> None:
        self.outside = Outside.of_this_process()
        self.configuration: Properties = {}
        self.cancelled = threading.Event()

    # What a subclass overrides.

    def check(self, change: Change) -> tuple[Properties, dict[str, str]]:
        """The inputs with defaults filled in, and what is wrong with them, by property."""
        return change.inputs, {}

    def replacement(self, change: Change, properties: list[str]) -> Replacement:
        """Which of the changed `properties` cannot be changed in place."""
        del change, properties
        return Replacement()

    def create(self, change: Change) -> tuple[str, Properties]:
        """Make it; returns id and outputs. In a preview nothing is made, and what is missing is unknown."""
        return change.name, change.inputs

    def read(self, change: Change) -> tuple[Properties, Properties] | None:
        """Inputs and outputs as they really are; None when it is gone."""
        return change.inputs, change.state

    def update(self, change: Change) -> Properties:
        """Change it in place; returns outputs."""
        return {**change.state, **change.inputs}

    def delete(self, change: Change) -> None:
        """Delete it. One that is gone already is no failure."""

    def same_provider(self, olds: Properties, news: Properties) -> bool:
        """Whether a changed configuration still means the same provider; otherwise all it made is replaced."""
        del olds, news
        return True

    # The engine's protocol. The names are its own.

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=sys.argv[1])

    def CheckConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        olds, news = plain(request.old_inputs or request.olds), plain(request.news)
        keys = changed(olds, news)
        replaces = [] if self.same_provider(olds, news) else keys
        return _difference(keys, replaces, delete_first=False)

    def Configure(self, request: Any, _context: Any) -> Any:  # noqa: N802
        self.configuration = plain(request.args)
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=self.accepts_secrets)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        change = Change(
            request.type, request.urn, request.name, plain(request.news), old_inputs=plain(request.olds), preview=True
        )
        inputs, failures = self._answered(context, self.check, change)
        listed = [provider_pb2.CheckFailure(property=key, reason=reason) for key, reason in failures.items()]
        return provider_pb2.CheckResponse(inputs=wire(inputs, request.news), failures=listed)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        olds, news = plain(request.old_inputs), plain(request.news)
        for key in request.ignoreChanges:
            news[key] = olds.get(key)
        change = Change(
            request.type, request.urn, request.name, news, request.id, plain(request.olds), olds, preview=True
        )
        keys = changed(olds, news)
        found = self._answered(context, self.replacement, change, keys) if keys else Replacement()
        return _difference(keys, list(found.properties), found.delete_first)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        change = Change(
            request.type,
            request.urn,
            request.name,
            plain(request.properties),
            preview=request.preview,
            seconds=request.timeout or DEFAULT_SECONDS,
        )
        identifier, outputs = self._done("create", context, self.create, change)
        return provider_pb2.CreateResponse(id=identifier, properties=wire(outputs, request.properties))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        while self.outside.hold.exists() and not self.cancelled.wait(0.1):
            pass
        inputs, state = plain(request.inputs), plain(request.properties)
        change = Change(request.type, request.urn, request.name, inputs, request.id, state, inputs)
        found = self._answered(context, self.read, change)
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=request.id, inputs=wire(found[0], request.inputs), properties=wire(found[1], request.properties)
        )

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        change = Change(
            request.type,
            request.urn,
            request.name,
            plain(request.news),
            request.id,
            plain(request.olds),
            plain(request.old_inputs),
            request.preview,
            request.timeout or DEFAULT_SECONDS,
        )
        outputs = self._done("update", context, self.update, change)
        return provider_pb2.UpdateResponse(properties=wire(outputs, request.news))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs = plain(request.old_inputs)
        change = Change(
            request.type,
            request.urn,
            request.name,
            inputs,
            request.id,
            plain(request.properties),
            inputs,
            seconds=request.timeout or DEFAULT_SECONDS,
        )
        self._done("delete", context, self.delete, change)
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        self.cancelled.set()
        return empty_pb2.Empty()

    def _done(self, operation: str, context: Any, method: Any, change: Change) -> Any:
        """Run a change; outside of previews it is in the journal when it begins and when it is done."""
        if change.preview:
            return self._answered(context, method, change)
        assert not has_unknown(change.inputs), f"{change.urn}: an unknown value outside of a preview"
        note = {"operation": operation, "urn": change.urn, "type": change.type_token, "name": change.name}
        self.outside.write(event="begun", **note)
        if message := self.outside.take_fault(operation, change.urn):
            self.outside.write(event="failed", **note)
            context.abort(grpc.StatusCode.UNKNOWN, message)
        result = self._answered(context, method, change, note=note)
        self.outside.write(event="done", **note)
        return result

    def _answered(self, context: Any, method: Any, *arguments: Any, note: dict[str, str] | None = None) -> Any:
        try:
            return method(*arguments)
        except NotReadyError as error:
            if note:
                self.outside.write(event="failed", **note)
            _abort_not_ready(context, error, arguments[0].inputs)
        except Exception as error:
            if note:
                self.outside.write(event="failed", **note)
            known = isinstance(error, ProviderError)
            context.abort(grpc.StatusCode.UNKNOWN, str(error) if known else f"{type(error).__name__}: {error}")
        raise AssertionError("abort raises")


def _difference(keys: list[str], replaces: list[str], delete_first: bool) -> Any:
    kinds = provider_pb2.DiffResponse
    return provider_pb2.DiffResponse(
        changes=kinds.DIFF_SOME if keys else kinds.DIFF_NONE,
        diffs=keys,
        replaces=replaces,
        deleteBeforeReplace=delete_first and bool(replaces),
    )


def _abort_not_ready(context: Any, error: NotReadyError, inputs: Properties) -> None:
    """gRPC's own rich status: the message, and in its details what is there all the same."""
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.identifier, properties=wire(error.outputs), reasons=[str(error)], inputs=wire(inputs)
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(detail)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))


def serve(provider: StandIn) -> None:
    """Serve on a free port, say which on standard output, and go on until the engine ends this process."""
    server = grpc.server(ThreadPoolExecutor(max_workers=64))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    engine = os.getppid()
    while server.wait_for_termination(_ENGINE_SECONDS):
        if os.getppid() != engine:  # it was killed, and nobody would ever end this process
            return

"""A resource monitor that records what the program registers and answers without an engine.

The SDK's own mock monitor loses grandparents in URNs, turns integers into floats, shows secrets in clear and keeps no
stable order. This one keeps the requests as they are and decodes them once, into the plan's typed objects.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf import empty_pb2
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2

from infra.errors import PlatformError
from infra.plan import Marker, PlannedOptions, PlannedResource, Value
from infra.plan.records import Mode
from stacks.stand_ins import StandIn

STACK_TYPE = "pulumi:pulumi:Stack"
REFERENCE_TYPE = "pulumi:pulumi:StackReference"

# How the SDK marks special values on the wire. Source: pulumi sdk/python, runtime/rpc.py.
UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type mark, not a secret
RESOURCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"

MakeUp = Callable[[str, str, Mapping[str, Any]], StandIn]


class _NoMocks(Mocks):
    """The base class wants mocks; this monitor overrides every method that would ask them."""

    def call(self, args: Any) -> tuple[dict[str, Any], None]:
        raise NotImplementedError

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        raise NotImplementedError


class RecordingMonitor(MockMonitor):
    """Answers registrations in one of two modes and keeps them.

    In mode `unknown` a resource has no id and only the outputs that equal its inputs, as in a first preview. In mode
    `stand-in` it also has what `stand_in` makes up for it. A StackReference answers with what `references` holds for
    its full name; another one has unknown outputs.
    """

    def __init__(
        self,
        project: str,
        stack: str,
        mode: Mode,
        stand_in: MakeUp,
        references: Mapping[str, Mapping[str, Value]] | None = None,
    ) -> None:
        super().__init__(_NoMocks())
        self._references = references or {}
        self._project, self._stack, self._mode, self._stand_in = project, stack, mode, stand_in
        self._lock = threading.Lock()  # the SDK registers from several threads
        self.recorded: dict[str, PlannedResource] = {}
        self.exports: dict[str, Value] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN the engine would make: the types of all ancestors but the stack, joined by `$`."""
        ancestry = parent.split("::")[2] if parent else ""
        if ancestry and ancestry != STACK_TYPE:
            type_ = f"{ancestry}${type_}"
        return f"urn:pulumi:{self._stack}::{self._project}::{type_}::{name}"

    # The method names below are those of the resource monitor's protocol.

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        self._keep(_record(urn, request))
        response = resource_pb2.RegisterResourceResponse(urn=urn)
        response.object.CopyFrom(request.object)
        managed = request.custom or request.remote
        if managed and self._mode == "stand-in":
            made_up = self._stand_in(request.type, request.name, self.recorded[urn].inputs)
            response.id = made_up.identifier
            response.object.update(dict(made_up.outputs))
        return response

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        self._keep(_record(urn, request, read=True))
        response = resource_pb2.ReadResourceResponse(urn=urn)
        response.properties.CopyFrom(request.properties)
        if request.type == REFERENCE_TYPE:
            outputs = self._references.get(request.id)
            response.properties.update({"outputs": UNKNOWN_SENTINEL if outputs is None else encode(dict(outputs))})
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if request.urn.split("::")[2] == STACK_TYPE:
            self.exports = {key: decode(value) for key, value in request.outputs.fields.items()}
        return empty_pb2.Empty()

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        raise PlatformError(
            f"the program looks up {request.tok}, which no plan can answer without a cloud",
            "make the value a setting",
        )

    def Call(self, request: Any) -> Any:  # noqa: N802
        raise PlatformError(
            f"the program calls {request.tok}, which no plan can answer without a cloud",
            "make the value a setting",
        )

    def _keep(self, resource: PlannedResource) -> None:
        with self._lock:
            if resource.urn in self.recorded:
                raise PlatformError(f"two resources have the same URN: {resource.urn}", "give one of them another name")
            self.recorded[resource.urn] = resource


def _record(urn: str, request: Any, *, read: bool = False) -> PlannedResource:
    inputs = request.properties if read else request.object
    parent = request.parent if request.parent.split("::")[2:3] != [STACK_TYPE] else ""
    return PlannedResource(
        urn=urn,
        type_token=request.type,
        name=request.name,
        custom=read or request.custom,
        remote=not read and request.remote,
        read=read,
        inputs={key: decode(value) for key, value in sorted(inputs.fields.items())},
        parent=parent,
        provider=_without_id(request.provider),
        dependencies=tuple(sorted(set(request.dependencies))),
        property_dependencies={} if read else _property_dependencies(request),
        options=PlannedOptions() if read else _options(request),
    )


def _property_dependencies(request: Any) -> dict[str, tuple[str, ...]]:
    found = {key: tuple(sorted(set(value.urns))) for key, value in sorted(request.propertyDependencies.items())}
    return {key: urns for key, urns in found.items() if urns}


def _options(request: Any) -> PlannedOptions:
    timeouts = request.customTimeouts
    return PlannedOptions(
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=(*request.aliasURNs, *(alias.urn or f"name {alias.spec.name}" for alias in request.aliases)),
        custom_timeouts={
            name: getattr(timeouts, name) for name in ("create", "update", "delete") if getattr(timeouts, name)
        },
        deleted_with=request.deletedWith,
        import_id=request.importId,
    )


def _without_id(reference: str) -> str:
    """The URN in a provider reference, which is `<urn>::<id>`."""
    return reference.rpartition("::")[0]


def decode(value: Any) -> Value:
    """A protobuf value as plan data: secrets and unknowns become markers, whole numbers become integers.

    A reference to a resource becomes its URN.
    """
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text: str = value.string_value
        return Marker.UNKNOWN if text == UNKNOWN_SENTINEL else text
    if kind == "number_value":
        number: float = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return bool(value.bool_value)
    if kind == "list_value":
        return [decode(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _decode_mapping(value.struct_value.fields)
    return None


def encode(value: Value) -> Any:  # what protobuf's Struct takes
    """Plan data as the wire writes it; the inverse of `decode` but for secrets, whose values a plan does not hold."""
    if value is Marker.UNKNOWN:
        return UNKNOWN_SENTINEL
    if value is Marker.SECRET:
        return {SIGNATURE_KEY: SECRET_SIGNATURE, "value": UNKNOWN_SENTINEL}
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [encode(item) for item in value]
    return value


def _decode_mapping(fields: Any) -> Value:
    signature = fields[SIGNATURE_KEY].string_value if SIGNATURE_KEY in fields else ""
    if signature == SECRET_SIGNATURE:
        return _hidden(decode(fields["value"]))
    if signature == RESOURCE_SIGNATURE:
        return str(fields["urn"].string_value)
    return {key: decode(item) for key, item in sorted(fields.items()) if key != SIGNATURE_KEY}


def _hidden(value: Value) -> Value:
    """The shape of a secret without what is in it."""
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return Marker.SECRET

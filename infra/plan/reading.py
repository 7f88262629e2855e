"""A plan from the JSON data that `gpu-platform preview --json` wrote: the exact inverse of `plan_as_json`.

Such a file may be of yesterday, of another version or of something else altogether, so every fault is told with its
place. Keys that are not known are ignored: a newer version may have added them.
"""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from infra.errors import InputError, Problem
from infra.plan.records import Marker, Mode, Plan, PlannedOptions, PlannedResource, Value
from infra.plan.serialization import FORMAT_VERSION

_HOW = "write it again with: gpu-platform preview --env NAME --json"

_MODES: dict[str, Mode] = {mode: mode for mode in get_args(Mode)}

T = TypeVar("T")


def plan_from_json(data: object) -> Plan:
    """The plan that `data` describes; `plan_from_json(plan_as_json(plan)) == plan`.

    Raises:
        InputError: when it is no plan, or one in a format that this version does not read; says where.
    """
    if not isinstance(data, dict) or "formatVersion" not in data or "resources" not in data:
        keys = ", ".join(sorted(map(str, data))[:5]) if isinstance(data, dict) else ""
        found = f"an object with the keys {keys}" if keys else _kind(data)
        raise InputError([Problem("", found, "a plan as preview writes it", _HOW)], "the plan")
    if data["formatVersion"] != FORMAT_VERSION:
        found, accepted = repr(data["formatVersion"]), f"{FORMAT_VERSION}, the format this version writes and reads"
        raise InputError([Problem("formatVersion", found, accepted, _HOW)], "the plan")
    mode = _MODES.get(_get(data, "mode", str, ""))
    if mode is None:
        raise InputError([Problem("mode", repr(data["mode"]), f"one of: {', '.join(_MODES)}", _HOW)], "the plan")
    resources = _get(data, "resources", list, "")
    return Plan(
        project=_get(data, "project", str, ""),
        stack=_get(data, "stack", str, ""),
        mode=mode,
        resources=tuple(_resource(item, f"resources[{index}]") for index, item in enumerate(resources)),
        exports=_values(_get(data, "exports", dict, "")),
    )


def _resource(data: object, path: str) -> PlannedResource:
    if not isinstance(data, dict):
        raise _wrong(path, data, dict)
    links = _get(data, "propertyDependencies", dict, path)
    return PlannedResource(
        urn=_get(data, "urn", str, path),
        type_token=_get(data, "type", str, path),
        name=_get(data, "name", str, path),
        custom=_get(data, "custom", bool, path),
        remote=_get(data, "remote", bool, path),
        read=_get(data, "read", bool, path),
        parent=_get(data, "parent", str, path, ""),
        provider=_get(data, "provider", str, path, ""),
        dependencies=_texts(data, "dependencies", path),
        property_dependencies={key: _texts(links, key, f"{path}.propertyDependencies") for key in links},
        options=_options(_get(data, "options", dict, path), f"{path}.options"),
        inputs=_values(_get(data, "inputs", dict, path)),
    )


def _options(data: Mapping[str, Any], path: str) -> PlannedOptions:
    """Options that are not written have their default."""
    return PlannedOptions(
        protect=_get(data, "protect", bool, path, default=False),
        retain_on_delete=_get(data, "retainOnDelete", bool, path, default=False),
        delete_before_replace=_get(data, "deleteBeforeReplace", bool, path, default=False),
        ignore_changes=_texts(data, "ignoreChanges", path),
        replace_on_changes=_texts(data, "replaceOnChanges", path),
        additional_secret_outputs=_texts(data, "additionalSecretOutputs", path),
        aliases=_texts(data, "aliases", path),
        custom_timeouts=dict(_get(data, "customTimeouts", dict, path, {})),
        deleted_with=_get(data, "deletedWith", str, path, ""),
        import_id=_get(data, "importId", str, path, ""),
    )


def _values(data: Mapping[str, Any]) -> dict[str, Value]:
    return {key: _value(value) for key, value in data.items()}


def _value(data: Any) -> Value:  # JSON data has no narrower type
    if isinstance(data, dict):
        tag = next(iter(data)) if len(data) == 1 else ""
        if tag == "$unknown":
            return Marker.UNKNOWN
        if tag == "$secret":
            return Marker.SECRET
        if tag == "$plain" and isinstance(data[tag], dict):
            return _values(data[tag])
        return _values(data)
    if isinstance(data, list):
        return [_value(item) for item in data]
    plain: Value = data
    return plain


def _texts(data: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
    """A list of texts; none when the key is left out."""
    found = _get(data, key, list, path, [])
    for index, item in enumerate(found):
        if not isinstance(item, str):
            raise _wrong(f"{path}.{key}[{index}]", item, str)
    return tuple(found)


def _get(data: Mapping[str, Any], key: str, kind: type[T], path: str, default: T | None = None) -> T:
    """`data[key]`, which must be of that kind; the default where it is left out or null."""
    found = data.get(key)
    if found is None and default is not None:
        return default
    if not isinstance(found, kind):
        raise _wrong(f"{path}.{key}" if path else key, found, kind)
    return found


def _wrong(path: str, found: object, kind: type[object]) -> InputError:
    return InputError([Problem(path, _kind(found), _KINDS.get(kind, kind.__name__), _HOW)], "the plan")


def _kind(data: object) -> str:
    if data is None:
        return "nothing"
    return _KINDS.get(type(data), type(data).__name__)


_KINDS = {str: "text", bool: "true or false", list: "a list", dict: "an object", int: "a number", float: "a number"}

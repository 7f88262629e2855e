"""A plan as JSON data for machines, and back: stable order, unknowns and secrets as objects of their own."""

from collections.abc import Mapping
from typing import Any

from infra.plan.records import Marker, Plan, PlannedOptions, PlannedResource, Value

# Bumped when a key changes its meaning or goes away; new keys do not count.
FORMAT_VERSION = 1

_MARKERS = {Marker.UNKNOWN: {"$unknown": True}, Marker.SECRET: {"$secret": True}}

# Wraps plain data that looks like a marker, so that reading gives back what was written.
_PLAIN = "$plain"
_TAGS = ({"$unknown"}, {"$secret"}, {_PLAIN})


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON data. Resources stand under `resources`, in dependency order."""
    return {
        "formatVersion": FORMAT_VERSION,
        "project": plan.project,
        "stack": plan.stack,
        "mode": plan.mode,
        "resources": [_resource(resource) for resource in plan],
        "exports": _mapping(plan.exports),
    }


def _resource(resource: PlannedResource) -> dict[str, Any]:
    return {
        "urn": resource.urn,
        "type": resource.type_token,
        "name": resource.name,
        "custom": resource.custom,
        "remote": resource.remote,
        "read": resource.read,
        "parent": resource.parent or None,
        "provider": resource.provider or None,
        "dependencies": list(resource.dependencies),
        "propertyDependencies": {key: list(urns) for key, urns in sorted(resource.property_dependencies.items())},
        "options": _options(resource.options),
        "inputs": _mapping(resource.inputs),
    }


def _options(options: PlannedOptions) -> dict[str, Any]:
    """Only the options that differ from the default, so that a reader sees what matters."""
    all_options: dict[str, Any] = {
        "protect": options.protect,
        "retainOnDelete": options.retain_on_delete,
        "deleteBeforeReplace": options.delete_before_replace,
        "ignoreChanges": list(options.ignore_changes),
        "replaceOnChanges": list(options.replace_on_changes),
        "additionalSecretOutputs": list(options.additional_secret_outputs),
        "aliases": list(options.aliases),
        "customTimeouts": dict(options.custom_timeouts),
        "deletedWith": options.deleted_with,
        "importId": options.import_id,
    }
    return {name: value for name, value in all_options.items() if value}


def _mapping(values: Mapping[str, Value]) -> dict[str, Any]:
    return {key: value_as_json(values[key]) for key in sorted(values)}


def value_as_json(value: Value) -> Any:  # JSON data has no narrower type
    """One value as JSON data, with markers as objects of their own."""
    if isinstance(value, Marker):
        return _MARKERS[value]
    if isinstance(value, dict):
        return {_PLAIN: _mapping(value)} if set(value) in _TAGS else _mapping(value)
    if isinstance(value, list):
        return [value_as_json(item) for item in value]
    return value

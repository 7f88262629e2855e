"""A blast radius as JSON data for machines."""

from typing import Any

from infra.plan.serialization import value_as_json
from infra.planning.blast_radius.changes import Absent, FieldChange, Found
from infra.planning.blast_radius.findings import BlastRadius, Finding


def blast_radius_as_json(found: BlastRadius) -> dict[str, Any]:
    """Everything that was found, the most disruptive first, and the sums."""
    return {
        "old": found.old_stack,
        "new": found.new_stack,
        "warnings": list(found.warnings),
        "restartedReplicas": found.restarted,
        "stoppedReplicas": found.stopped,
        "nodes": found.nodes,
        "gpus": found.gpus,
        "gpuHours": [round(found.gpu_hours.low, 2), round(found.gpu_hours.high, 2)],
        "findings": [_finding(item) for item in found.findings],
        "assumptions": list(found.assumptions),
    }


def _finding(item: Finding) -> dict[str, Any]:
    return {
        "urn": item.resource.urn,
        "type": item.resource.type_token,
        "name": item.resource.name,
        "effect": item.effect.value,
        "certain": item.certain,
        "dataAtStake": item.data or None,
        "changes": [_change(change) for change in item.changes],
        "causedBy": list(item.caused_by),
        "why": item.why,
        "source": item.source,
        "instead": item.instead or None,
        "measure": item.measure.as_json(),
    }


def _change(change: FieldChange) -> dict[str, Any]:
    """A side that is missing has no key, because null is a value."""
    sides: dict[str, Found] = {"old": change.old, "new": change.new}
    values = {name: value_as_json(value) for name, value in sides.items() if not isinstance(value, Absent)}
    return {"path": change.path, **values, "certain": change.certain}

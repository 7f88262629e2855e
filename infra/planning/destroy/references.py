"""Who holds whose identifier, told from the values alone.

A program that passes a name as plain text has no dependency on what bears it; the values show the reference all the
same. Only a plan made in the stand-in mode has them.
"""

from collections.abc import Iterator, Mapping

from infra.plan import Plan, Value
from infra.planning.destroy.graph import is_operation
from infra.planning.destroy.requirement import Requirement

_SHORTEST = 8  # a shorter identifier could be part of another word by chance


def references(plan: Plan, identifiers: Mapping[str, frozenset[str]]) -> Iterator[Requirement]:
    """What holds an identifier goes before what bears it.

    Args:
        plan: made in the stand-in mode.
        identifiers: texts by which each resource is known (id, ARN), by URN.
    """
    bearers = {
        identifier: resource.urn
        for resource in plan
        if is_operation(resource)
        for identifier in identifiers.get(resource.urn, ())
        if len(identifier) >= _SHORTEST
    }
    for resource in plan:
        if is_operation(resource):
            held = {bearers[text] for text in _texts(dict(resource.inputs)) if text in bearers}
            yield from (Requirement(resource.urn, urn, "it holds its identifier") for urn in held - {resource.urn})


def _texts(value: Value) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)

"""What a change does, from two plans: the rules applied to what differs, what follows from it, and how much it is."""

import json
from collections.abc import Iterator
from dataclasses import replace

from infra.plan.records import Plan, PlannedResource
from infra.planning.blast_radius.changes import STACK, FieldChange, ResourceChange, comparable, compare, differences
from infra.planning.blast_radius.consequences import consequences
from infra.planning.blast_radius.findings import BlastRadius, Finding
from infra.planning.blast_radius.fleet import fleet, shown
from infra.planning.blast_radius.impact import with_measures
from infra.planning.blast_radius.rules import ENGINE, Effect, Rule, rule_for
from infra.planning.blast_radius.table import HOLDS_DATA, rules_of

_ALIASES = "add `aliases=[pulumi.Alias(name=...)]` with the old name in the same commit, and nothing is made anew"

_ON_DELETE = {"command:local:Command": "the new plan has it no more: its `delete` runs now"}

_ASSUMPTIONS = (
    "nodes and replicas are those the old plan needs; what autoscalers add and jobs hold is not among them",
    "a GPU-hour counts when a GPU is paid and serves nothing: node start (70 to 900 s), image pull (45 to 112 s) and"
    " engine start (39 s to the startup probe's end)",
    "secrets show as changed only where their name or place changes, never by their value",
    "what a component from a library makes inside itself is not in a plan (pulumi_eks.Cluster, Helm charts)",
)


def blast_radius(old: Plan, new: Plan) -> BlastRadius:
    """Everything that going from one plan to the other replaces, restarts, drains or changes.

    Args:
        old: what is there, as the program would make it; drift of the cloud is not seen.
    """
    before, after = comparable(old), comparable(new)
    direct = list(_direct(compare(before, after)))
    found = [*direct, *consequences(before, after, direct)]
    running, wanted = fleet(before), fleet(after)
    findings = with_measures(found, running, wanted, before, after) if found else []
    return BlastRadius(
        old.stack,
        new.stack,
        tuple(sorted((_with_stakes(item) for item in findings), key=lambda item: item.weight)),
        tuple(_warnings(old, new)),
        (*_ASSUMPTIONS, *running.notes) if found else (),
    )


def _warnings(old: Plan, new: Plan) -> Iterator[str]:
    if old.stack != new.stack:
        yield (
            f"two different stacks, {old.stack} and {new.stack}: read it as what turning one into the other would do"
        )
    if old.mode != new.mode:
        yield f"plans of different modes, {old.mode} and {new.mode}: made-up values differ from unknown ones"


def _direct(changes: list[ResourceChange]) -> Iterator[Finding]:
    """One finding for each resource that came or went, and for each rule that a change of inputs falls under."""
    renamed = dict(_renames(changes))
    partners = set(renamed.values())
    for change in changes:
        resource = change.resource
        if resource.urn in partners or (_holds_nothing(resource) and not (change.old and change.new)):
            continue
        if change.old and change.new:
            yield from _changed(change.old, change.new, change.fields)
        elif resource.urn in renamed:
            gone = next(item.old for item in changes if item.old and item.old.urn == renamed[resource.urn])
            yield _renamed(gone, resource)
        elif change.new:
            yield Finding(None, change.new, Effect.CREATE, (), "it is new", ENGINE)
        else:
            why = _ON_DELETE.get(resource.type_token, "the new plan has it no more")
            yield Finding(change.old, None, Effect.DELETE, (), why, ENGINE)


def _renamed(old: PlannedResource, new: PlannedResource) -> Finding:
    """The engine knows a resource by its name in the program; a name in the cloud is another thing altogether."""
    fields = tuple(differences(dict(old.inputs), dict(new.inputs)))
    if fields:
        why = f"it was {old.name}, and is alike in all but its own name: another one is made, and the old one deleted"
        return Finding(old, new, Effect.REPLACE, fields, why, ENGINE, "keep the name, or bring both up for a while")
    why = f"it was {old.name}, with the same inputs: renamed? The engine deletes it and makes another"
    return Finding(old, new, Effect.REPLACE, (), why, ENGINE, _ALIASES)


def _changed(old: PlannedResource, new: PlannedResource, fields: tuple[FieldChange, ...]) -> Iterator[Finding]:
    rules = rules_of(new)
    groups: dict[int, tuple[Rule, list[FieldChange]]] = {}
    for change in fields:
        rule = rule_for(rules, change)
        groups.setdefault(id(rule), (rule, []))[1].append(change)
    for rule, parts in groups.values():
        certain = rule.certain and any(part.certain for part in parts)
        yield Finding(old, new, rule.effect, tuple(parts), rule.why, rule.source, rule.instead, certain)


def _holds_nothing(resource: PlannedResource) -> bool:
    """A component of the program: its children are resources of their own."""
    return not resource.custom and not resource.remote and resource.type_token != STACK


def _renames(changes: list[ResourceChange]) -> Iterator[tuple[str, str]]:
    """Pairs that agree in all but their name: URN of the created resource, URN of the deleted one."""
    gone: dict[tuple[str, str], list[PlannedResource]] = {}
    for change in changes:
        if change.old and not change.new and not _holds_nothing(change.old):
            gone.setdefault(_likeness(change.old), []).append(change.old)
    for change in changes:
        if change.new and not change.old and not _holds_nothing(change.new):
            alike = gone.get(_likeness(change.new), [])
            if alike:
                yield change.new.urn, alike.pop(0).urn


def _likeness(resource: PlannedResource) -> tuple[str, str]:
    """Type and inputs, with the resource's own names taken out."""
    text = json.dumps(shown(dict(resource.inputs)), sort_keys=True)
    metadata = resource.inputs.get("metadata")
    own = metadata.get("name") if isinstance(metadata, dict) else resource.inputs.get("name")
    for name in (resource.name, own):
        if isinstance(name, str) and name:
            text = text.replace(name, "*")
    return resource.type_token, text


def _with_stakes(finding: Finding) -> Finding:
    """Say what would be lost where something that holds data, or is protected, goes."""
    if finding.effect not in (Effect.REPLACE, Effect.DELETE) or finding.old is None:
        return finding
    old, stakes = finding.old, []
    if old.type_token in HOLDS_DATA and not old.options.retain_on_delete:
        stakes.append(f"lost with it: {HOLDS_DATA[old.type_token]}")
    if old.options.retain_on_delete:
        stakes.append("retainOnDelete: it stays in the cloud, and the stack knows it no more")
    if old.options.protect:
        stakes.append("protected: the engine refuses until protect is taken away")
    if old.inputs.get("deletionProtection") is True:
        stakes.append("deletionProtection: AWS refuses until it is off")
    return replace(finding, data="; ".join(stakes))

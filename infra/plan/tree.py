"""A plan as text for people: components with what they hold, what each waits for and which options it has."""

from collections import Counter
from collections.abc import Iterator

from infra.plan.records import Marker, Plan, PlannedOptions, PlannedResource
from infra.plan.summaries import summary

SHOWN_NEEDS = 4  # names of needs on one line; the JSON has them all


def plan_as_tree(plan: Plan) -> str:
    """The plan as an indented tree, with its exports and a count at the end. Ends with a newline."""
    lines = [f"{plan.project}, stack {plan.stack}"]
    lines += _Tree(plan).branches(parent="", indent="")
    lines += ["", "Outputs"]
    lines += [f"  {name}: {_output(value)}" for name, value in plan.exports.items()]
    lines += ["", _count(plan)]
    return "\n".join(lines) + "\n"


class _Tree:
    """What the branches need to know of the whole plan."""

    def __init__(self, plan: Plan) -> None:
        self._children: dict[str, list[PlannedResource]] = {}
        for resource in sorted(plan, key=lambda resource: not resource.type_token.startswith("pulumi:providers:")):
            self._children.setdefault(resource.parent, []).append(resource)
        self._names = {resource.urn: f"{_kind(resource)} {_shown_name(resource)}" for resource in plan}
        self._needs = {resource.urn: set(resource.dependencies) for resource in plan}

    def branches(self, parent: str, indent: str) -> Iterator[str]:
        """The lines below `parent`."""
        siblings = self._children.get(parent, [])
        for position, resource in enumerate(siblings):
            last = position == len(siblings) - 1
            inside = indent + ("   " if last else "│  ")
            text = summary(resource)
            yield f"{indent}{'└─ ' if last else '├─ '}{self._names[resource.urn]}" + (f"  ({text})" if text else "")
            for note in self._notes(resource):
                yield f"{inside}{'│' if resource.urn in self._children else ' '}    {note}"
            yield from self.branches(resource.urn, inside)

    def _notes(self, resource: PlannedResource) -> Iterator[str]:
        """What it waits for and its options."""
        waits = [self._names[urn] for urn in resource.dependencies if urn in self._names]
        implied = {self._names.get(far) for near in resource.dependencies for far in self._needs.get(near, ())}
        direct = sorted(set(waits) - implied)
        if direct:
            more = f" and {len(direct) - SHOWN_NEEDS} more" if len(direct) > SHOWN_NEEDS else ""
            yield f"after {', '.join(direct[:SHOWN_NEEDS])}{more}"
        options = list(_options(resource.options))
        if options:
            yield f"with {', '.join(options)}"


def _options(options: PlannedOptions) -> Iterator[str]:
    if options.protect:
        yield "protect"
    if options.retain_on_delete:
        yield "retain on delete"
    if options.delete_before_replace:
        yield "delete before replace"
    if options.ignore_changes:
        yield f"changes ignored in {', '.join(options.ignore_changes)}"
    if options.custom_timeouts:
        yield "timeouts " + ", ".join(f"{name} {value}" for name, value in options.custom_timeouts.items())


def _kind(resource: PlannedResource) -> str:
    if resource.type_token.startswith("pulumi:providers:"):
        return f"Provider {resource.type_token.rpartition(':')[2]}"
    return resource.type_token.rpartition(":")[2]


def _shown_name(resource: PlannedResource) -> str:
    """The name in the cluster where there is one, else the name in the program."""
    metadata = resource.inputs.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
        namespace = metadata.get("namespace")
        return f"{namespace}/{metadata['name']}" if isinstance(namespace, str) else str(metadata["name"])
    return resource.name


def _output(value: object) -> str:
    if isinstance(value, Marker):
        return value.value
    if isinstance(value, list):
        return ", ".join(_output(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_output(item)}" for name, item in sorted(value.items())) or "none"
    return str(value)


def _count(plan: Plan) -> str:
    kinds = Counter(_kind(resource) for resource in plan if resource.custom or resource.remote)
    parts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{sum(kinds.values())} resources: {parts}"

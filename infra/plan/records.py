"""The typed objects of a plan.

Values are plain JSON data except for two markers: `Marker.UNKNOWN` stands where only the cloud knows the value, and
`Marker.SECRET` where a value must never show. A secret is replaced when it is recorded, so no later reader can leak it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias


class Marker(Enum):
    """A value that cannot or must not be shown. The member's value is its text for people."""

    UNKNOWN = "<known after up>"
    SECRET = "<secret>"  # noqa: S105 - what is shown in its place


Value: TypeAlias = "bool | int | float | str | Marker | list[Value] | dict[str, Value] | None"
Mode: TypeAlias = Literal["unknown", "stand-in"]


@dataclass(frozen=True, slots=True)
class PlannedOptions:
    """The resource options that change what the engine does, as the program gave them.

    Attributes:
        custom_timeouts: by operation (`create`, `update`, `delete`), as the SDK writes them, e.g. `"30m"`.
        deleted_with: URN of the resource whose deletion makes this one's unnecessary; empty if none.
    """

    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    custom_timeouts: Mapping[str, str] = field(default_factory=dict)
    deleted_with: str = ""
    import_id: str = ""


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """One registered resource.

    Attributes:
        urn: the URN the real engine would give it.
        type_token: Pulumi type, such as `kubernetes:apps/v1:Deployment`.
        custom: True for a resource that a provider manages, False for a component.
        remote: True for a component that another process constructs (`pulumi_eks.Cluster`); its children are not seen.
        read: True when the program reads it and does not create it (a StackReference).
        parent: URN of the parent, empty for the stack's own children.
        provider: URN of the explicit provider; empty when the default one would be used.
        dependencies: URNs it waits for, sorted; includes those that come through its inputs.
        property_dependencies: for each input, the URNs its value comes from.
    """

    urn: str
    type_token: str
    name: str
    custom: bool
    inputs: Mapping[str, Value]
    parent: str = ""
    provider: str = ""
    remote: bool = False
    read: bool = False
    dependencies: tuple[str, ...] = ()
    property_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: PlannedOptions = PlannedOptions()

    @property
    def is_kubernetes_object(self) -> bool:
        """Whether this is one object of the Kubernetes API (not a provider, a chart or a manifest file)."""
        return self.custom and self.type_token.startswith("kubernetes:") and "apiVersion" in self.inputs


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of one evaluation.

    Attributes:
        mode: `unknown` answers as a first preview in the engine would; `stand-in` gives format-valid identifiers.
        resources: in dependency order, ties broken by URN, so that two evaluations are equal.
        exports: the stack outputs.
    """

    project: str
    stack: str
    mode: Mode
    resources: tuple[PlannedResource, ...]
    exports: Mapping[str, Value]

    def __iter__(self) -> Iterator[PlannedResource]:
        return iter(self.resources)

    def by_urn(self) -> dict[str, PlannedResource]:
        """The resources keyed by URN."""
        return {resource.urn: resource for resource in self.resources}

    def of_type(self, type_token: str) -> list[PlannedResource]:
        """Every resource with that Pulumi type token."""
        return [resource for resource in self.resources if resource.type_token == type_token]

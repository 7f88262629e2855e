"""One operation on one resource, and what can come of it."""

from dataclasses import dataclass, field

from tests.engine.providers.values import Properties

DEFAULT_SECONDS = 600.0  # what providers wait when a resource sets no time-out


class ProviderError(Exception):
    """What the user reads when an operation fails."""


class NotReadyError(ProviderError):
    """The object exists but did not become ready. The engine keeps it, and tries again with the next update."""

    def __init__(self, message: str, identifier: str, outputs: Properties) -> None:
        super().__init__(message)
        self.identifier, self.outputs = identifier, outputs


@dataclass(frozen=True, slots=True)
class Change:
    """One resource in one operation, as the engine asks for it.

    Attributes:
        inputs: what it should be; what it was, for a delete.
        state: all that is known of it; empty for a create.
        old_inputs: what it was before; empty for a create.
        seconds: how long the operation may take.
    """

    type_token: str
    urn: str
    name: str
    inputs: Properties
    identifier: str = ""
    state: Properties = field(default_factory=dict)
    old_inputs: Properties = field(default_factory=dict)
    preview: bool = False
    seconds: float = DEFAULT_SECONDS


@dataclass(frozen=True, slots=True)
class Replacement:
    """Which properties force a new resource, and whether the old one must go first."""

    properties: tuple[str, ...] = ()
    delete_first: bool = False

"""Who yields where GPUs are short: PriorityClasses of model servers.

Both are above 0, the priority of pods without a class, so that nobody's forgotten pod takes a server's place. A server
of interactive traffic takes the place of a batch one when no node has room for it: the scheduler does so before a new
node is bought. The batch server drains first, as at any stop, and comes back when there is room.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Priority:
    """One PriorityClass: `value` decides who goes first, `preempts` whether it takes others' places."""

    name: str
    value: int
    preempts: bool
    description: str


INTERACTIVE = Priority(
    "gpu-platform-interactive", 100_000, True, "Model servers that people wait for. May take the place of batch ones."
)
BATCH = Priority("gpu-platform-batch", 1_000, False, "Model servers whose requests can be asked again. Waits for room.")

PRIORITIES = {item.name: item for item in (INTERACTIVE, BATCH)}


def priority_class(traffic: str, stated: str | None) -> str:
    """Name of the PriorityClass of a model's pods: as stated, else by its traffic."""
    if stated:
        return stated
    return (INTERACTIVE if traffic == "interactive" else BATCH).name

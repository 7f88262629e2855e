"""What a scenario is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.plan.manifests import Manifest
from simulator.scenarios.observing import Observations
from simulator.throwaway import Throwaway


@dataclass(frozen=True, slots=True)
class Scenario:
    """One behaviour, shown.

    Attributes:
        name: as on the command line.
        promise: what it shows, in one sentence that can be broken.
        story: looks at the environment, acts on it, notes what it sees; raises `BrokenPromiseError`.
        prepare: changes the manifests of its stack file before they are applied, for what settings cannot say.
        karpenter: whether Karpenter's controller starts the nodes.
    """

    name: str
    promise: str
    story: Callable[[Throwaway, Observations], None]
    prepare: Callable[[Sequence[Manifest]], Sequence[Manifest]] = list
    karpenter: bool = True

    @property
    def stack_file(self) -> Path:
        """Its settings: `<name>.yaml` beside its module."""
        return Path(__file__).parent / f"{self.name.replace('-', '_')}.yaml"

"""Running one scenario in a throw-away environment."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from infra.plan.manifests import Manifest
from infra.progress import Progress
from simulator.environment import throwaway
from simulator.scenarios.observing import BrokenPromiseError, Observation, Observations
from simulator.scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario ended.

    Attributes:
        seconds: the whole run, the environment's start and end among them.
        broken: the promise that did not come true, or None.
    """

    scenario: Scenario
    observations: tuple[Observation, ...]
    seconds: float
    broken: BrokenPromiseError | None

    def as_json(self) -> dict[str, Any]:
        """The outcome as JSON data."""
        data: dict[str, Any] = {
            "scenario": self.scenario.name,
            "promise": self.scenario.promise,
            "kept": self.broken is None,
            "seconds": self.seconds,
            "observations": [{"seconds": item.seconds, "text": item.text} for item in self.observations],
        }
        if self.broken:
            data |= {"expected": self.broken.expected, "saw": self.broken.seen}
        return data


def run(
    scenario: Scenario, manifests: Sequence[Manifest], progress: Progress, tell: Callable[[Observation], None]
) -> Outcome:
    """Run `scenario` on the manifests of its stack file.

    Args:
        tell: called with each observation as it is made.

    Raises:
        PlatformError: when the environment does not come up; a broken promise is in the outcome.
    """
    begin, broken = time.monotonic(), None
    with throwaway(progress, scenario.prepare(manifests), karpenter=scenario.karpenter) as environment:
        observations = Observations(tell)
        try:
            scenario.story(environment, observations)
        except BrokenPromiseError as error:
            broken = error
    return Outcome(scenario, tuple(observations.seen), round(time.monotonic() - begin, 1), broken)

"""Scenarios: behaviour shown on a throw-away environment, each with a promise that it keeps or breaks.

One file a scenario, its settings in a stack file of the same name beside it, so that a reader sees which pools and
models it is about. The command line evaluates that file as it would any other and hands the manifests over. To add a
scenario: write the two files, and name it in `registry`.
"""

from simulator.scenarios.observing import BrokenPromiseError, Observation, Observations
from simulator.scenarios.registry import SCENARIOS
from simulator.scenarios.running import Outcome, run
from simulator.scenarios.scenario import Scenario

__all__ = ["SCENARIOS", "BrokenPromiseError", "Observation", "Observations", "Outcome", "Scenario", "run"]

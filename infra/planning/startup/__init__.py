"""How long a server takes to start, and what must agree with it.

`budget` is the promise: probe, engine and rollout deadlines that follow from one number of the settings. `ranges` and
`weights` are the estimate: seconds from node launch to weights in GPU memory, as ranges from `catalog/startup.py`.
`of_models` applies it to settings; it is imported by its own name, because settings themselves use this package.
"""

from infra.planning.startup.budget import NODE_LAUNCH_SECONDS, PROBE_PERIOD_SECONDS, StartupBudget
from infra.planning.startup.ranges import Seconds

__all__ = ["NODE_LAUNCH_SECONDS", "PROBE_PERIOD_SECONDS", "Seconds", "StartupBudget"]

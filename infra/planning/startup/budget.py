"""How long a server may take to start, and the probe and deadlines that must agree with it."""

import math
from dataclasses import dataclass

# While an engine loads, its port refuses connections; only a startup probe can tell loading from dead.
PROBE_PERIOD_SECONDS = 10

# Karpenter gives up on a machine that has not joined the cluster after this long.
# Source: sigs.k8s.io/karpenter v1.14, registration time-out of the NodeClaim lifecycle controller (15 minutes).
NODE_LAUNCH_SECONDS = 900


@dataclass(frozen=True, slots=True)
class StartupBudget:
    """What follows from the time one server may take from container start to ready.

    Attributes:
        seconds: that time.
    """

    seconds: int

    @property
    def probe_failures(self) -> int:
        """`startupProbe.failureThreshold` at PROBE_PERIOD_SECONDS."""
        return math.ceil(self.seconds / PROBE_PERIOD_SECONDS)

    @property
    def rollout_seconds(self) -> int:
        """How long a rollout may make no progress: a node, then a server."""
        return self.seconds + NODE_LAUNCH_SECONDS

    def exchange_seconds(self, grace_seconds: int) -> int:
        """How long the exchange of one server for a new one may make no progress: first the old one's end.

        Also where a new one comes first: with one spare place, each after the first takes that of the one before, which
        still drains.
        """
        return self.rollout_seconds + grace_seconds

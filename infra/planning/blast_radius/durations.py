"""How long the parts of a restart take: ranges, each end with its source.

The low end is the fastest that was published, the high end what a deadline still allows. The two are far apart because
a plan cannot tell whether a node is free, an image is on it, or weights are in a cache; a narrower figure would be a
guess.
"""

from dataclasses import dataclass

from infra.planning.startup import NODE_LAUNCH_SECONDS


@dataclass(frozen=True, slots=True)
class Range:
    """From the best to the worst case."""

    low: float = 0.0
    high: float = 0.0

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> "Range":
        return Range(self.low * factor, self.high * factor)

    def __bool__(self) -> bool:
        return self.high > 0


NOTHING = Range()

# From Karpenter's launch to a node that has joined. Low: 70 to 80 s (karpenter-provider-aws issue 6128). High: the time
# after which Karpenter gives up.
NODE_LAUNCH = Range(70, NODE_LAUNCH_SECONDS)

# A vLLM image of 10.8 GB: 45 s on Bottlerocket with parallel pull, 112 s on AL2023 without (karpenter-blueprints, SOCI
# snapshotter blueprint).
IMAGE_PULL = Range(45, 112)

# The fastest start of vLLM, from process to ready, in the logs we collected: 39 s for a model of 1B parameters
# (self-llm, vLLM 0.23). The high end of a workload is its own startup probe.
ENGINE_START_LOW = 39.0

# Where a pod has no startup probe nothing bounds its start; ten minutes is what KServe's template allows.
ENGINE_START_HIGH_WITHOUT_PROBE = 600.0

# Kubernetes' own default of terminationGracePeriodSeconds.
GRACE_PERIOD_DEFAULT = 30.0

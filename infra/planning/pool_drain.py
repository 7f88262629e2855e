"""How long the drain of a pool may take: what the engine waits for and what the drain itself keeps to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolDrainBounds:
    """The longest each part takes, in seconds.

    Attributes:
        patience: for pods to leave within their budgets; then they are deleted.
        machines: for machines to end once nothing runs on them. Two minutes is usual in EC2, a metal or large GPU
            machine takes longer (estimate).
        objects: for the API server and Karpenter to remove an object that nothing holds.
    """

    patience: float
    machines: float = 600.0
    objects: float = 60.0

    @property
    def total(self) -> float:
        """The longest a drain takes: Karpenter's part, then ending by hand what Karpenter did not."""
        return self.patience + self.machines + self.machines + 2 * self.objects

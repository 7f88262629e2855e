"""Every scenario, in the order they are listed."""

from simulator.scenarios import karpenter_weights, mig_slices, spot_loss

SCENARIOS = {item.name: item for item in (karpenter_weights.SCENARIO, mig_slices.SCENARIO, spot_loss.SCENARIO)}

"""Every scenario, in the order they are listed."""

from simulator.scenarios import karpenter_weights, spot_loss

SCENARIOS = {item.name: item for item in (karpenter_weights.SCENARIO, spot_loss.SCENARIO)}

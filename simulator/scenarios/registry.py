"""Every scenario, in the order they are listed."""

from simulator.scenarios import (
    karpenter_weights,
    mig_slices,
    node_drain,
    rolling_update,
    rolling_update_no_headroom,
    spot_loss,
)

SCENARIOS = {
    item.name: item
    for item in (
        karpenter_weights.SCENARIO,
        mig_slices.SCENARIO,
        node_drain.SCENARIO,
        rolling_update.SCENARIO,
        rolling_update_no_headroom.SCENARIO,
        spot_loss.SCENARIO,
    )
}

"""Every scenario, in the order they are listed."""

from simulator.scenarios import (
    canary_bad,
    canary_good,
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
        canary_bad.SCENARIO,
        canary_good.SCENARIO,
        karpenter_weights.SCENARIO,
        mig_slices.SCENARIO,
        node_drain.SCENARIO,
        rolling_update.SCENARIO,
        rolling_update_no_headroom.SCENARIO,
        spot_loss.SCENARIO,
    )
}

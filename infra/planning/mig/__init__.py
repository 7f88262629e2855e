"""Judgements on cutting GPUs: which slices fit on one, what a layout is called, what a node then offers.

Pure functions over `infra.catalog.mig`. `placing` searches for places and says why there are none, `nearest` finds the
closest layout that works, `layouts` knows them by name, `capacity` says what the device plugin reports.
"""

from infra.planning.mig.capacity import (
    REPARTITION_SECONDS,
    Sharing,
    Strategy,
    mig_capacity,
    mig_resource,
    shared_capacity,
)
from infra.planning.mig.layouts import BALANCED, MigLayout, layouts_of
from infra.planning.mig.nearest import nearest_devices
from infra.planning.mig.placing import Placement, placements, shown, why_impossible

__all__ = [
    "BALANCED",
    "REPARTITION_SECONDS",
    "MigLayout",
    "Placement",
    "Sharing",
    "Strategy",
    "layouts_of",
    "mig_capacity",
    "mig_resource",
    "nearest_devices",
    "placements",
    "shared_capacity",
    "shown",
    "why_impossible",
]

"""Where pods can run: a pod template against the program's own NodePools, with the reason for every refusal.

Pure functions over manifests and the catalogue. `pods` reads what pods ask for, `pools` what NodePools and
EC2NodeClasses allow, `shapes` what an instance type gives a node, `offers` what a pool can start, `matching` judges one
pod against one pool, `packing` turns a whole plan into nodes. The simulator makes its nodes from it; planner and
policies ask it the same questions.
"""

from infra.planning.placement.matching import Match, match
from infra.planning.placement.offers import Offer, offers_of
from infra.planning.placement.packing import Packing, PlannedNode, Unplaced, pack
from infra.planning.placement.partitions import node_pools
from infra.planning.placement.pods import PodDemand, pod_demands
from infra.planning.placement.pools import NodeClass, NodeOverlay, NodePool, Requirement, Taint, Toleration
from infra.planning.placement.quantities import quantity, show_quantity

__all__ = [
    "Match",
    "NodeClass",
    "NodeOverlay",
    "NodePool",
    "Offer",
    "Packing",
    "PlannedNode",
    "PodDemand",
    "Requirement",
    "Taint",
    "Toleration",
    "Unplaced",
    "match",
    "node_pools",
    "offers_of",
    "pack",
    "pod_demands",
    "quantity",
    "show_quantity",
]

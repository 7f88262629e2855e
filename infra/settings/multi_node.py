"""A server that spans nodes: what its pods may do that one pod does not."""

from typing import Literal

from infra.settings.values import Flag, Settings

# The group's pods are <name>-group-<replica>-<index>; the label with their revision is <name>-group-<replica>- and ten
# characters, and a label has 63: 43 remain for up to a hundred replicas.
LONGEST_NAME = 43


class GroupSettings(Settings):
    """Choices of a server with `nodes` above 1. Each pod of the group has one node's part of the GPUs."""

    transport: Literal["efa", "tcp"] = "efa"
    """How the pods talk. efa: RDMA; its pools need `fabric: efa`, and each pod takes a whole node. tcp: NCCL over
    sockets of the pod network; slower with every stage or copy, and so a choice to be written. Default: efa."""
    download_per_node: Flag = False
    """Whether each node may download the whole checkpoint at each start, where the model has no store under
    `weights`. Default: no; with several nodes that is several times the traffic, and the slowest decides."""

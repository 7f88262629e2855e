"""A server over several nodes: how it is cut, and how long its pods may take to stop.

A group is one server: a leader with the HTTP API and followers without. It works while all of its pods do, so the loss
of one pod restarts them all.
"""

from dataclasses import dataclass

from infra.planning.drain import EXIT_MARGIN_SECONDS, SPOT_NOTICE_SECONDS, DrainBudget

# From the eviction of a follower until its group's leader begins to stop: the controller sees the deletion and deletes
# the leader. Seen on the embedded control plane: under a second. Our choice, for a busy API server.
CONTROLLER_SECONDS = 5

# The most by which the largest pipeline stage may exceed an even share of the layers; the group runs at its pace.
# Our choice: it lets 61 layers stand in two stages (31 and 30), which is how DeepSeek-V3 is served.
MOST_UNEVEN = 1.1


@dataclass(frozen=True, slots=True)
class GroupSize:
    """How one server is cut over nodes.

    Attributes:
        nodes: pods of a group, one a node.
        tensor_parallel: GPUs that share each layer, within a node.
        pipeline_parallel: stages, each with some of the layers.
        data_parallel: copies of the model (of attention, where experts are divided).
    """

    nodes: int
    tensor_parallel: int
    pipeline_parallel: int = 1
    data_parallel: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of the whole group."""
        return self.tensor_parallel * self.pipeline_parallel * self.data_parallel

    @property
    def gpus_per_node(self) -> int:
        """GPUs of each pod, where the parts are whole; rounded up where they are not."""
        return -(-self.gpus // self.nodes)

    @property
    def is_whole(self) -> bool:
        """Whether each node has equally many whole tensor-parallel parts, so that no layer is shared across nodes."""
        return self.pipeline_parallel * self.data_parallel % self.nodes == 0


def largest_stage(layers: int, stages: int) -> int:
    """Layers of the largest of `stages`, as even as they can be."""
    return -(-layers // stages)


def is_even_enough(layers: int, stages: int) -> bool:
    """Whether the largest stage is no more than a tenth larger than an even share."""
    return stages <= layers and largest_stage(layers, stages) <= MOST_UNEVEN * layers / stages


@dataclass(frozen=True, slots=True)
class GroupDrain:
    """How a group stops, in seconds.

    A follower that is evicted must outlive the drain of its leader: what the leader still generates runs through it.
    vLLM's follower has no drain of its own, it ends at SIGTERM (0.33, entrypoints/cli/serve.py, run_headless). So its
    preStop lasts as long as the leader takes, and ends early when the leader does.
    """

    leader: DrainBudget

    @property
    def follower_pre_stop_seconds(self) -> int:
        """Longest preStop of a follower: until its leader, which begins a moment later, is gone."""
        return CONTROLLER_SECONDS + self.leader.grace_period_seconds

    @property
    def follower_grace_seconds(self) -> int:
        """`terminationGracePeriodSeconds` of a follower."""
        return self.follower_pre_stop_seconds + EXIT_MARGIN_SECONDS

    @property
    def fits_spot_notice(self) -> bool:
        """Whether the whole group can finish before EC2 takes the node of a follower."""
        return self.follower_grace_seconds <= SPOT_NOTICE_SECONDS

    @property
    def longest_shutdown_on_spot(self) -> int:
        """The largest shutdown time-out that still fits the spot notice with this preStop; below 1 where none does."""
        beside = self.follower_grace_seconds - self.leader.shutdown_timeout_seconds
        return SPOT_NOTICE_SECONDS - beside

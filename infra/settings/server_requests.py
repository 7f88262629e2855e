"""CPU and memory that one server asks its node for."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.planning.host_share import host_share
from infra.settings.engine_options import offloaded_gib
from infra.settings.models import ModelSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import MigLayoutSettings
from infra.settings.slices import share_of


@dataclass(frozen=True, slots=True)
class HostRequest:
    """What one pod asks for, in whole cores and whole GiB.

    Attributes:
        memory_gib: of the engine itself.
        in_memory_gib: what lies in /dev/shm and counts as the container's memory: exchange between its GPUs, and KV
            blocks on the host.
    """

    cpu: int
    memory_gib: int
    in_memory_gib: int

    @property
    def all_memory_gib(self) -> int:
        """Request and limit of the container."""
        return self.memory_gib + self.in_memory_gib


def host_request(
    model: ModelSettings, pools: Sequence[NodePoolSettings], own: Sequence[MigLayoutSettings]
) -> HostRequest:
    """What one server asks for on `pools`: what the settings say, else its share of the leanest node that can hold it.

    Raises:
        ValueError: when no machine of the pools has that many GPUs.
    """
    share = host_share([machine for pool in pools for machine in pool.candidates], share_of(model, pools, own).gpus)
    beside = in_memory_gib(model)
    return HostRequest(
        cpu=model.resources.cpu or share.cpu,
        memory_gib=model.resources.memory_gib or share.memory_gib - beside,
        in_memory_gib=beside,
    )


def in_memory_gib(model: ModelSettings) -> int:
    """GiB of one server in /dev/shm, which its processes map where there are several."""
    offloaded = offloaded_gib(model.engine_options)
    together = model.gpus > 1 or model.nodes > 1 or offloaded > 0
    return offloaded + (model.shared_memory_gib if together else 0)

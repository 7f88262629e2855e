"""The parts of the settings that checks read."""

from dataclasses import dataclass

from infra.settings.cluster import ClusterSettings
from infra.settings.destroy import DestroySettings
from infra.settings.fabric import FabricSettings
from infra.settings.gateway import GatewaySettings
from infra.settings.kserve import KServeSettings
from infra.settings.models import ModelSettings
from infra.settings.network import NetworkSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import GpuOperatorSettings, MigLayoutSettings
from infra.settings.storage import StorageSettings
from infra.settings.target import AwsSettings, Stage, Target
from infra.settings.tenants import TenantSettings


@dataclass(frozen=True, slots=True)
class Draft:
    """The parts of the settings that are valid by themselves.

    Attributes:
        without_cpu_pool: whether the settings plainly have none.
        node_pools, models: each with its index in the file.
        pool_names: every name under nodePools, also of pools that are not valid; None when they cannot be read.
        named_pools: index of a model, position and name of each pool it names, also of models that are not valid.
    """

    target: Target | None = None
    stage: Stage | None = None
    tags: dict[str, str] | None = None
    aws: AwsSettings | None = None
    network: NetworkSettings | None = None
    cluster: ClusterSettings | None = None
    destroy: DestroySettings | None = None
    gpu_operator: GpuOperatorSettings | None = None
    mig_layouts: tuple[MigLayoutSettings, ...] | None = None
    node_pools: tuple[tuple[int, NodePoolSettings], ...] = ()
    fabric: FabricSettings | None = None
    models: tuple[tuple[int, ModelSettings], ...] = ()
    gateway: GatewaySettings | None = None
    kserve: KServeSettings | None = None
    tenants: tuple[tuple[int, TenantSettings], ...] = ()
    storage: StorageSettings | None = None
    without_cpu_pool: bool = False
    pool_names: frozenset[str] | None = None
    named_pools: tuple[tuple[int, int, str], ...] = ()
    broken_areas: frozenset[str] = frozenset()

    def pools_of(self, model: ModelSettings) -> list[NodePoolSettings]:
        """The valid pools the model names."""
        return [pool for _, pool in self.node_pools if pool.name in model.node_pools]

    def zones_of(self, pool: NodePoolSettings) -> tuple[str, ...]:
        """Zones the pool's nodes may stand in; empty when they are not known."""
        return pool.zones or (self.network.zones if self.network else ())

"""The whole of `gpu-platform:platform`."""

from pydantic import Field

from infra.settings.cluster import ClusterSettings
from infra.settings.cpu_pool import CpuPoolSettings
from infra.settings.destroy import DestroySettings
from infra.settings.fabric import FabricSettings
from infra.settings.gateway import GatewaySettings
from infra.settings.kserve import KServeSettings
from infra.settings.models import ModelSettings
from infra.settings.network import NetworkSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.partitioning import GpuOperatorSettings, MigLayoutSettings
from infra.settings.registry import RegistrySettings
from infra.settings.storage import StorageSettings
from infra.settings.target import LAYERS, AwsSettings, Layer, Stage, Target
from infra.settings.tenants import TenantSettings
from infra.settings.values import Settings


class PlatformSettings(Settings):
    """Everything one environment wants. Build it through `parse_settings`, which also checks what spans areas."""

    target: Target
    """eks: create a cluster. existing: use one. local: the embedded environment."""
    stage: Stage = "development"
    """What depends on it: rules that only production needs, or only development may break."""
    layers: tuple[Layer, ...] = Field(default=LAYERS, min_length=1)
    """Layers this stack holds."""
    tags: dict[str, str] = {}
    """Tags on everything in AWS that can carry them; `owner` and `cost-center` are required outside local."""
    aws: AwsSettings | None = None
    """Account and region; required outside local."""
    network: NetworkSettings | None = None
    """The VPC; required to create a cluster."""
    cluster: ClusterSettings
    """The control plane."""
    cpu_pool: CpuPoolSettings | None = None
    """Nodes for everything that needs no GPU; none means only what the system nodes hold."""
    registry: RegistrySettings = RegistrySettings()
    """Container images."""
    destroy: DestroySettings = DestroySettings()
    """How the environment ends."""
    gpu_operator: GpuOperatorSettings = GpuOperatorSettings()
    """NVIDIA's GPU operator."""
    mig_layouts: tuple[MigLayoutSettings, ...] = ()
    """Mixtures of MIG slices that node pools name."""
    node_pools: tuple[NodePoolSettings, ...] = ()
    """GPU node pools."""
    fabric: FabricSettings = FabricSettings()
    """What the pools' networks share, and SR-IOV for nodes outside EC2."""
    models: tuple[ModelSettings, ...] = ()
    """Models to serve."""
    gateway: GatewaySettings | None = None
    """One way in before all models; none means that they are reached inside the cluster only, or by `expose`."""
    kserve: KServeSettings = KServeSettings()
    """What is chosen for KServe as a whole, where a model asks for it."""
    tenants: tuple[TenantSettings, ...] = ()
    """Teams and their namespaces. Once there is one, every namespace that something is served in must be a tenant's."""

    def installs(self, operator: str) -> bool:
        """Whether the program installs an operator: not where it is there, and not where no machine could run it."""
        there = self.cluster.installed if self.target == "existing" else ()
        return self.target != "local" and operator not in there

    storage: StorageSettings = StorageSettings()
    """Where weights and checkpoints lie; without it each engine downloads for itself."""

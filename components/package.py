"""The component package `gpu-platform`: what other programs, in any Pulumi language, can create."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.provider.experimental.analyzer import ComponentDefinition
from pulumi.provider.experimental.component import ComponentProvider

from components.cluster import GpuCluster, PlatformKey
from components.fabric import EfaFabric, SriovFabric
from components.identity import PodIdentityRole
from components.network import GpuNetwork
from components.network.load_balancer_controller import LoadBalancerController
from components.nodes import GpuNodePool
from components.nodes.cpu_node_pool import CpuNodePool
from components.nodes.karpenter_controller import KarpenterController
from components.partitioning import DraDriver, GpuOperator, GpuPartition, PartitionGate
from components.plain_numbers import whole_floats_as_ints
from components.registry import ImageRegistry
from components.serving import ModelServer
from components.serving.canary.rollout import CanaryRollout
from components.serving.gateway.controllers import GatewayOperators
from components.serving.gateway.endpoint_picker import EndpointPicker
from components.serving.gateway.gateway import InferenceGateway
from components.serving.kserve_models.cert_manager import CertManager
from components.serving.kserve_models.controller import KServeOperator
from components.serving.kserve_models.knative import KnativeServing
from components.serving.kserve_models.model import KServeModel
from components.serving.multi_node.controller import LeaderWorkerSetOperator
from components.serving.multi_node.server import MultiNodeModelServer
from components.serving.simple_exposure import SimpleExposure
from components.storage.checkpoint_store import CheckpointStore
from components.storage.data_bucket import DataBucket
from components.storage.local_model_cache import LocalModelCache
from components.storage.lustre_file_system import LustreFileSystem
from components.storage.model_download import ModelDownload
from components.storage.model_weights import ModelWeights
from components.storage.mountpoint_volumes import MountpointVolumes
from components.storage.weight_volumes import WeightVolumes
from components.tenancy import ExternalSecrets, Tenancy

NAME = "gpu-platform"

# The version of this project; a test holds it against pyproject.toml.
VERSION = "0.1.0"

HOSTED: tuple[type[pulumi.ComponentResource], ...] = (
    CertManager,
    CanaryRollout,
    CpuNodePool,
    DraDriver,
    EfaFabric,
    EndpointPicker,
    GatewayOperators,
    GpuCluster,
    GpuNetwork,
    GpuNodePool,
    GpuOperator,
    GpuPartition,
    ImageRegistry,
    InferenceGateway,
    KarpenterController,
    KnativeServing,
    KServeModel,
    KServeOperator,
    LeaderWorkerSetOperator,
    LoadBalancerController,
    ModelServer,
    MultiNodeModelServer,
    CheckpointStore,
    DataBucket,
    LocalModelCache,
    LustreFileSystem,
    ModelDownload,
    ModelWeights,
    MountpointVolumes,
    WeightVolumes,
    PartitionGate,
    PlatformKey,
    PodIdentityRole,
    SimpleExposure,
    SriovFabric,
    ExternalSecrets,
    Tenancy,
)


class PackageProvider(ComponentProvider):
    """Builds components for other processes, with whole numbers as Python has them.

    Every number crosses the wire as a float; the SDK (3.272) means to turn integers back and then overwrites the result
    with the float. A component would write `--tensor-parallel-size=2.0`. Here, once for all components, rather than in
    each of them: a component that a Python program creates never sees the wire.
    """

    def map_inputs(self, inputs: Mapping[str, Any], component_def: ComponentDefinition) -> dict[str, Any]:
        """The constructor's arguments, named as in Python."""
        mapped: dict[str, Any] = whole_floats_as_ints(super().map_inputs(inputs, component_def))
        return mapped


def provider() -> PackageProvider:
    """The provider of the package, its schema inferred from the components; starts no server."""
    return PackageProvider(list(HOSTED), NAME, version=VERSION)

"""The Kubernetes control plane on AWS: the cluster, its key, its add-ons and its system nodes."""

from components.cluster.gpu_cluster import GpuCluster, GpuClusterArgs
from components.cluster.platform_key import PlatformKey, PlatformKeyArgs

__all__ = ["GpuCluster", "GpuClusterArgs", "PlatformKey", "PlatformKeyArgs"]

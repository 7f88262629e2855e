"""The network: a VPC for GPU nodes, or the parts of an existing one."""

from components.network.gpu_network import GpuNetwork, GpuNetworkArgs

__all__ = ["GpuNetwork", "GpuNetworkArgs"]

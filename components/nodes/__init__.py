"""Machines: Karpenter and its node pools."""

from components.nodes.gpu_node_pool import GpuNodePool, GpuNodePoolArgs

__all__ = ["GpuNodePool", "GpuNodePoolArgs"]

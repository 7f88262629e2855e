"""Dividing GPUs: NVIDIA's operator with its layouts, what tells Karpenter about them, the gate that keeps pods off a
node until it is cut, and claims for devices.
"""

from components.partitioning.dra_driver import DraDriver
from components.partitioning.gpu_operator import GpuOperator
from components.partitioning.gpu_partition import GpuPartition
from components.partitioning.partition_gate import PartitionGate

__all__ = ["DraDriver", "GpuOperator", "GpuPartition", "PartitionGate"]

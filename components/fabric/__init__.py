"""The network between GPUs of different nodes: EFA in EC2, SR-IOV and shared RDMA elsewhere, and what pods need."""

from components.fabric.efa_fabric import EfaFabric, EfaFabricArgs
from components.fabric.sriov_fabric import SriovFabric, SriovFabricArgs

__all__ = ["EfaFabric", "EfaFabricArgs", "SriovFabric", "SriovFabricArgs"]

"""Instance types without GPU that stand for a CPU pool's nodes.

Karpenter chooses among several hundred; one family for each ratio of memory to CPU, and one for arm64, is enough to see
whether pods fit. Sources: karpenter-provider-aws v1.14.1, reference page of instance types (CPU, memory, bandwidth,
pods) and generated price table of 2026-07-06 (on-demand, us-east-1).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneralInstanceType:
    """One EC2 instance type without GPU; `network_mbps` is the baseline bandwidth in Mbit/s."""

    name: str
    arch: str
    vcpu: int
    memory_gib: int
    network_mbps: int
    pods: int
    usd_per_hour: float


GENERAL_INSTANCE_TYPES = (
    GeneralInstanceType("c7i.large", "amd64", 2, 4, 781, 29, 0.08925),
    GeneralInstanceType("c7i.xlarge", "amd64", 4, 8, 1562, 58, 0.1785),
    GeneralInstanceType("c7i.2xlarge", "amd64", 8, 16, 3125, 58, 0.357),
    GeneralInstanceType("c7i.4xlarge", "amd64", 16, 32, 6250, 234, 0.714),
    GeneralInstanceType("c7i.8xlarge", "amd64", 32, 64, 12500, 234, 1.428),
    GeneralInstanceType("c7i.12xlarge", "amd64", 48, 96, 18750, 234, 2.142),
    GeneralInstanceType("c7i.16xlarge", "amd64", 64, 128, 25000, 737, 2.856),
    GeneralInstanceType("c7i.24xlarge", "amd64", 96, 192, 37500, 737, 4.284),
    GeneralInstanceType("c7i.48xlarge", "amd64", 192, 384, 50000, 737, 8.568),
    GeneralInstanceType("m7i.large", "amd64", 2, 8, 781, 29, 0.1008),
    GeneralInstanceType("m7i.xlarge", "amd64", 4, 16, 1562, 58, 0.2016),
    GeneralInstanceType("m7i.2xlarge", "amd64", 8, 32, 3125, 58, 0.4032),
    GeneralInstanceType("m7i.4xlarge", "amd64", 16, 64, 6250, 234, 0.8064),
    GeneralInstanceType("m7i.8xlarge", "amd64", 32, 128, 12500, 234, 1.6128),
    GeneralInstanceType("m7i.12xlarge", "amd64", 48, 192, 18750, 234, 2.4192),
    GeneralInstanceType("m7i.16xlarge", "amd64", 64, 256, 25000, 737, 3.2256),
    GeneralInstanceType("m7i.24xlarge", "amd64", 96, 384, 37500, 737, 4.8384),
    GeneralInstanceType("m7i.48xlarge", "amd64", 192, 768, 50000, 737, 9.6768),
    GeneralInstanceType("r7i.large", "amd64", 2, 16, 781, 29, 0.1323),
    GeneralInstanceType("r7i.xlarge", "amd64", 4, 32, 1562, 58, 0.2646),
    GeneralInstanceType("r7i.2xlarge", "amd64", 8, 64, 3125, 58, 0.5292),
    GeneralInstanceType("r7i.4xlarge", "amd64", 16, 128, 6250, 234, 1.0584),
    GeneralInstanceType("r7i.8xlarge", "amd64", 32, 256, 12500, 234, 2.1168),
    GeneralInstanceType("r7i.12xlarge", "amd64", 48, 384, 18750, 234, 3.1752),
    GeneralInstanceType("r7i.16xlarge", "amd64", 64, 512, 25000, 737, 4.2336),
    GeneralInstanceType("r7i.24xlarge", "amd64", 96, 768, 37500, 737, 6.3504),
    GeneralInstanceType("r7i.48xlarge", "amd64", 192, 1536, 50000, 737, 12.7008),
    GeneralInstanceType("m7g.large", "arm64", 2, 8, 937, 29, 0.0816),
    GeneralInstanceType("m7g.xlarge", "arm64", 4, 16, 1876, 58, 0.1632),
    GeneralInstanceType("m7g.2xlarge", "arm64", 8, 32, 3750, 58, 0.3264),
    GeneralInstanceType("m7g.4xlarge", "arm64", 16, 64, 7500, 234, 0.6528),
    GeneralInstanceType("m7g.8xlarge", "arm64", 32, 128, 15000, 234, 1.3056),
    GeneralInstanceType("m7g.12xlarge", "arm64", 48, 192, 22500, 234, 1.9584),
    GeneralInstanceType("m7g.16xlarge", "arm64", 64, 256, 30000, 737, 2.6112),
)

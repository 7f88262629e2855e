"""EKS add-ons: which, in which order, with which configuration and identity. Plain data.

The CNI and the Pod Identity agent come before any node, because no node becomes ready without them; what runs as pods
comes after the system nodes, because an add-on without nodes stays degraded (pulumi-eks issue 1819).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SYSTEM_TAINT = "CriticalAddonsOnly"
_ON_SYSTEM_NODES = [{"key": SYSTEM_TAINT, "operator": "Exists"}]


@dataclass(frozen=True, slots=True)
class Addon:
    """One EKS add-on.

    Attributes:
        name: as EKS names it.
        before_nodes: whether nodes need it to become ready.
        configuration: its configuration values.
        service_accounts: in kube-system, that take the role; empty when it needs no AWS rights.
        managed_policies: AWS managed policies of that role, by name; without ARN prefix.
    """

    name: str
    before_nodes: bool = False
    configuration: Mapping[str, Any] = field(default_factory=dict)
    service_accounts: tuple[str, ...] = ()
    managed_policies: tuple[str, ...] = ()

    @property
    def configuration_values(self) -> str | None:
        """The configuration as JSON text; None when there is none."""
        return json.dumps(self.configuration, sort_keys=True) if self.configuration else None


# Every cluster has these. Names and service accounts: Amazon EKS user guide, available add-ons.
_CORE = (
    Addon(
        "vpc-cni",
        before_nodes=True,
        configuration={
            # Prefixes of 16 addresses: faster pod starts and fewer EC2 calls (EKS best practices, AI/ML networking).
            "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
            "enableNetworkPolicy": "true",
        },
        service_accounts=("aws-node",),
        managed_policies=("AmazonEKS_CNI_Policy",),
    ),
    Addon("eks-pod-identity-agent", before_nodes=True),
    Addon("kube-proxy"),
    Addon("coredns", configuration={"tolerations": _ON_SYSTEM_NODES, "replicaCount": 2}),
)

_OPTIONAL = (
    Addon("metrics-server", configuration={"tolerations": _ON_SYSTEM_NODES}),
    Addon(
        "aws-ebs-csi-driver",
        configuration={"controller": {"tolerations": _ON_SYSTEM_NODES}},
        service_accounts=("ebs-csi-controller-sa",),
        managed_policies=("service-role/AmazonEBSCSIDriverPolicy",),
    ),
    Addon(
        "aws-efs-csi-driver",
        configuration={"controller": {"tolerations": _ON_SYSTEM_NODES}},
        service_accounts=("efs-csi-controller-sa", "efs-csi-node-sa"),
        managed_policies=("service-role/AmazonEFSCSIDriverPolicy",),
    ),
    Addon(
        "aws-fsx-csi-driver",
        configuration={"controller": {"tolerations": _ON_SYSTEM_NODES}},
        service_accounts=("fsx-csi-controller-sa",),
        managed_policies=("AmazonFSxFullAccess",),
    ),
    # No rights of its own: they belong to the buckets that a cluster mounts, and AWS's policy would open all of them.
    Addon("aws-mountpoint-s3-csi-driver", configuration={"node": {"tolerateAllTaints": True}}),
    Addon("eks-node-monitoring-agent"),
)

OPTIONAL_ADDONS = tuple(addon.name for addon in _OPTIONAL)


def chosen_addons(optional: Sequence[str]) -> tuple[Addon, ...]:
    """The core add-ons and those asked for, in order of installation."""
    return (*_CORE, *(addon for addon in _OPTIONAL if addon.name in optional))

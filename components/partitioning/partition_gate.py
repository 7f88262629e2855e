"""The gate of nodes that are cut by MIG: pods come when the slices are there."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from pulumi_kubernetes.apps.v1 import DaemonSet
from pulumi_kubernetes.core.v1 import Namespace, ServiceAccount
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding

from components.partitioning.gpu_operator import GpuTolerationArgs
from components.partitioning.partition_gate_spec import (
    NAMESPACE,
    daemon_set_spec,
    namespace_metadata,
    object_metadata,
    policy_binding_spec,
    policy_spec,
    role_reference,
    role_rules,
    role_subjects,
)
from components.specs import Spec


class PartitionGateArgs(TypedDict):
    """What runs on nodes that wait to be cut."""

    image: str
    """Image whose entry point is kubectl."""
    tolerations: NotRequired[list[GpuTolerationArgs]]
    """Taints of MIG pools beyond nvidia.com/gpu and the startup taint."""


class PartitionGate(pulumi.ComponentResource):
    """Lifts the startup taint gpu-platform/partitioning from nodes whose MIG layout is ready.

    Its pods may patch nodes; an admission policy narrows that to the taint and one label of the node they run on, and
    stands before the right is given.
    """

    daemon_set: DaemonSet
    """The pods; pools with the startup taint depend on it."""

    def __init__(self, name: str, args: PartitionGateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:PartitionGate", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        space = Namespace(f"{name}-namespace", metadata=namespace_metadata(), opts=inside)
        account = ServiceAccount(
            f"{name}-service-account",
            metadata=object_metadata(NAMESPACE),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[space]),
        )
        right = self._right(name, object_metadata(), account)
        bears: Spec = args.get("tolerations", [])
        self.daemon_set = DaemonSet(
            f"{name}-daemon-set",
            # It has no pod while no node waits to be cut, and a node may take half an hour.
            metadata=object_metadata(NAMESPACE) | {"annotations": {"pulumi.com/skipAwait": "true"}},
            spec=daemon_set_spec(args["image"], list(bears)),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, right]),
        )
        self.register_outputs({})

    def _right(self, name: str, metadata: Spec, account: ServiceAccount) -> ClusterRoleBinding:
        """The right to patch nodes, behind the policy that bounds it."""
        inside = pulumi.ResourceOptions(parent=self)
        policy = ValidatingAdmissionPolicy(f"{name}-policy", metadata=metadata, spec=policy_spec(), opts=inside)
        bound = ValidatingAdmissionPolicyBinding(
            f"{name}-policy-binding",
            metadata=metadata,
            spec=policy_binding_spec(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        role = ClusterRole(f"{name}-role", metadata=metadata, rules=role_rules(), opts=inside)
        return ClusterRoleBinding(
            f"{name}-role-binding",
            metadata=metadata,
            role_ref=role_reference(),
            subjects=role_subjects(),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[bound, role, account]),
        )

"""The two objects of every Karpenter pool, in the order they need each other."""

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.nodes.node_drain import NodeDrainArgs, node_drain
from components.specs import Spec


def karpenter_pool(
    parent: pulumi.ComponentResource,
    name: str,
    node_class_spec: Spec,
    node_pool_spec: Spec,
    drain: NodeDrainArgs | None = None,
) -> pulumi.Output[str]:
    """An EC2NodeClass and a NodePool, both named `name`, as children of `parent`.

    Args:
        drain: how the pool is emptied before both go; None leaves that to whoever deletes them.

    Returns:
        Name of the NodePool.
    """
    node_class = CustomResource(
        f"{name}-node-class",
        api_version="karpenter.k8s.aws/v1",
        kind="EC2NodeClass",
        metadata={"name": name},
        spec=node_class_spec,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    # The NodePool goes first on destroy, while its class can still end the instances.
    node_pool = CustomResource(
        f"{name}-node-pool",
        api_version="karpenter.sh/v1",
        kind="NodePool",
        metadata={"name": name},
        spec=node_pool_spec,
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[node_class]),
    )
    if drain is not None:
        node_drain(parent, name, drain, [node_class, node_pool])
    pool_name: pulumi.Output[str] = node_pool.metadata["name"]  # type: ignore[attr-defined]  # set at run time
    return pool_name

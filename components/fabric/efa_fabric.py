"""What the EFA pools of a cluster share."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.helm.v3 import Release

from components.fabric.efa_fabric_spec import device_plugin_values, huge_pages_overlay_spec

NAMESPACE = "kube-system"


class ChartArgs(TypedDict):
    """Where a chart comes from."""

    chart: str
    """Name of the chart, or its whole address in an OCI registry."""
    repository: NotRequired[str]
    """URL of the chart's repository; none for an OCI registry."""
    version: str
    """Version of the chart."""


class EfaFabricArgs(TypedDict):
    """The EFA pools and what they need. Lists are plain: they decide how many objects there are."""

    pools: list[str]
    """Names of the NodePools whose EC2NodeClass lists EFA interfaces."""
    taint_keys: NotRequired[list[str]]
    """Keys of these pools' taints beyond nvidia.com/gpu and the purpose."""
    device_plugin: NotRequired[ChartArgs]
    """Chart of the EFA device plugin. Default: none, because it is there or no real node is."""
    placement_groups: NotRequired[list[str]]
    """EC2 cluster placement groups to create, by name: machines of one group stand close together in one zone. Default:
    none."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on placement groups."""


class EfaFabric(pulumi.ComponentResource):
    """Huge pages of EFA nodes as Karpenter must know them, the EFA device plugin, and placement groups.

    Needs Karpenter's gate NodeOverlay. A pool depends on what `needs_of` names, so that no node is started without huge
    pages and a group goes after the last machine in it. The EFA interfaces are in each pool's EC2NodeClass.
    """

    def __init__(self, name: str, args: EfaFabricArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:EfaFabric", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        self._overlays: dict[str, pulumi.Resource] = {}
        self._plugin: list[pulumi.Resource] = []
        for pool in args["pools"]:
            self._overlays[pool] = CustomResource(
                f"{name}-huge-pages-{pool}",
                api_version="karpenter.sh/v1alpha1",
                kind="NodeOverlay",
                metadata={"name": f"{pool}-huge-pages"},
                spec=huge_pages_overlay_spec(pool),
                opts=inside,
            )
        if "device_plugin" in args:
            chart = args["device_plugin"]
            plugin = Release(
                f"{name}-device-plugin",
                name="aws-efa-k8s-device-plugin",
                chart=chart["chart"],
                version=chart["version"],
                repository_opts={"repo": chart["repository"]} if "repository" in chart else None,
                namespace=NAMESPACE,
                values=device_plugin_values(args.get("taint_keys", [])),
                atomic=True,
                timeout=600,
                opts=inside,
            )
            self._plugin.append(plugin)
        self._groups = self._placement_groups(name, args)
        self.register_outputs({})

    def needs_of(self, pool: str, placement_group: str | None = None) -> list[pulumi.Resource]:
        """What a pool depends on: what its nodes cannot do without, and the group they stand in if it is ours."""
        own = [self._overlays[pool], *self._plugin] if pool in self._overlays else []
        return [*own, *([self._groups[placement_group]] if placement_group in self._groups else [])]

    def _placement_groups(self, name: str, args: EfaFabricArgs) -> dict[str | None, pulumi.Resource]:
        if not args.get("placement_groups"):
            return {}
        # Imported here, so that an environment without AWS does not pay for the AWS SDK.
        from pulumi_aws import ec2

        return {
            group: ec2.PlacementGroup(
                f"{name}-{group}",
                name=group,
                strategy="cluster",
                tags=args.get("tags", {}),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for group in args["placement_groups"]
        }

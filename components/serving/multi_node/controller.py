"""The operator that makes groups of pods of LeaderWorkerSets."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.serving.multi_node.values import leader_worker_set_values

NAMESPACE = "lws-system"


class LeaderWorkerSetOperatorArgs(TypedDict):
    """Which operator."""

    chart: str
    """OCI address of the chart."""
    version: str
    """Version of the chart."""
    image_tag: str
    """Tag of the manager's image."""
    skip_crds: NotRequired[bool]
    """Whether the CRDs are there already. Default: False, the release brings those of its chart's crds folder. Helm
    never upgrades them: when the version moves, apply the new chart's crds folder first."""


class LeaderWorkerSetOperator(pulumi.ComponentResource):
    """LeaderWorkerSet's controller manager, with webhooks and certificates of its own."""

    release: Release
    """The operator; LeaderWorkerSets depend on it, so that it lives until the last is gone."""

    def __init__(
        self, name: str, args: LeaderWorkerSetOperatorArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("gpu-platform:index:LeaderWorkerSetOperator", name, {}, opts)
        labels = {"app.kubernetes.io/part-of": "gpu-platform", "pod-security.kubernetes.io/enforce": "restricted"}
        space = Namespace(
            f"{name}-namespace",
            metadata={"name": NAMESPACE, "labels": labels},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.release = Release(
            f"{name}-operator",
            name="lws",
            chart=args["chart"],
            version=args["version"],
            namespace=NAMESPACE,
            values=leader_worker_set_values(args["image_tag"]),
            atomic=True,
            timeout=600,
            skip_crds=args.get("skip_crds", False),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[space]),
        )
        self.register_outputs({})

"""cert-manager: certificates of webhooks and gateways."""

from typing import TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace
from pulumi_kubernetes.helm.v3 import Release

from components.serving.kserve_models.values import ON_SYSTEM_NODES
from components.specs import Spec

NAMESPACE = "cert-manager"


class CertManagerArgs(TypedDict):
    """Which cert-manager."""

    chart: str
    """OCI address of the chart."""
    version: str
    """Version, such as v1.21.2."""


class CertManager(pulumi.ComponentResource):
    """cert-manager with its CRDs.

    It has no chart of CRDs. They are templates of its own chart, so Helm brings them up to date with it, and the chart
    marks them `helm.sh/resource-policy: keep`, so they and every certificate outlive an uninstallation: what a chart of
    their own would be for. A manifest by URL would be one opaque record that needs the network at each preview.
    """

    def __init__(self, name: str, args: CertManagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:CertManager", name, {}, opts)
        labels = {"app.kubernetes.io/part-of": "gpu-platform", "pod-security.kubernetes.io/enforce": "restricted"}
        space = Namespace(
            f"{name}-namespace",
            metadata={"name": NAMESPACE, "labels": labels},
            opts=pulumi.ResourceOptions(parent=self),
        )
        Release(
            f"{name}-release",
            name="cert-manager",
            chart=args["chart"],
            version=args["version"],
            namespace=NAMESPACE,
            values=cert_manager_values(),
            atomic=True,
            timeout=600,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[space]),
        )
        self.register_outputs({})


def cert_manager_values() -> Spec:
    """The chart's values. Keys: deploy/charts/cert-manager/values.yaml of the Go module at v1.21.2.

    The Job that checks the API after installation stays on: KServe's charts make Certificates, which cert-manager's
    webhook must be there to take. The chart has no toleration for all its pods, so each has its own.
    """
    placed: Spec = {"tolerations": ON_SYSTEM_NODES}
    return {
        "crds": {"enabled": True, "keep": True},
        "global": {"leaderElection": {"namespace": NAMESPACE}},
        **placed,
        "webhook": placed,
        "cainjector": placed,
        "startupapicheck": placed,
    }

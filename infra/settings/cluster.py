"""The Kubernetes control plane."""

from typing import Annotated

from pydantic import AfterValidator

from infra.settings.values import Cidr, DnsLabel, Settings, did_you_mean, invalid
from infra.versions import KUBERNETES_MINOR, KUBERNETES_MINORS_SUPPORTED


def _check_minor(text: str) -> str:
    if text not in KUBERNETES_MINORS_SUPPORTED:
        raise invalid(
            f"a Kubernetes minor version this project is tested with: {', '.join(KUBERNETES_MINORS_SUPPORTED)}",
            did_you_mean(text, KUBERNETES_MINORS_SUPPORTED, f'write "{KUBERNETES_MINOR}"'),
        )
    return text


KubernetesMinor = Annotated[str, AfterValidator(_check_minor)]


class ClusterSettings(Settings):
    """The cluster's name, version and service addresses."""

    name: DnsLabel
    """Name of the EKS cluster; names of roles, queues and tags derive from it."""
    kubernetes_version: KubernetesMinor = KUBERNETES_MINOR
    """Kubernetes minor version, quoted (1.40 would else be the number 1.4)."""
    service_cidr: Cidr = "172.20.0.0/16"
    """Addresses of Services; must not overlap the VPC. Default: what EKS takes for a VPC in 10.0.0.0/8."""

"""What stands in the embedded environment for each Helm release of the program.

A chart that is not in the table is an error: nobody has decided what its absence would mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from infra.errors import PlatformError
from infra.plan import Plan

RELEASE_TYPE = "kubernetes:helm.sh/v3:Release"


@dataclass(frozen=True, slots=True)
class Substitute:
    """What takes the place of a chart.

    Attributes:
        crds: whether its custom resource definitions are installed, from its Go module.
        note: what is there instead of its controller, for people.
    """

    crds: bool
    note: str


# By the last part of the chart's name.
SUBSTITUTES = {
    "karpenter-crd": Substitute(True, "installed from the Go module"),
    "karpenter": Substitute(False, "not run; nodes are worked out from its NodePools (--karpenter runs it)"),
    "gpu-operator": Substitute(False, "not run; nodes show what it would make of them, from layouts and labels"),
    "dra-driver-nvidia-gpu": Substitute(False, "not run; no device can be claimed"),
    "aws-load-balancer-controller": Substitute(False, "not run; no load balancer is made"),
    "aws-efa-k8s-device-plugin": Substitute(False, "not run; nodes have EFA as their EC2NodeClass lists it"),
    "sriov-network-operator-chart": Substitute(False, "not run; its CRDs are those of its Go module"),
    "external-secrets": Substitute(True, "CRDs from the Go module; not run, so no Secret is brought in"),
    "lws": Substitute(True, "run as a process"),
    "cert-manager": Substitute(False, "not run; webhooks of controllers run here have certificates of their own"),
    "knative-operator": Substitute(
        True, "not run; Knative Serving is, as a process with its settings, without activator and ingress"
    ),
    "kserve-crd": Substitute(True, "installed from the Go module"),
    "kserve-llmisvc-crd": Substitute(True, "installed from the Go module"),
    "kserve-resources": Substitute(False, "run as a process where a plan has objects of it"),
    "kserve-llmisvc-resources": Substitute(False, "run as a process where a plan has objects of it"),
    "kserve-runtime-configs": Substitute(False, "its templates come from the Go module, with the controller"),
    "network-operator": Substitute(False, "not run; it has no Go module, so its objects are left out"),
    "gateway-helm": Substitute(False, "not run; no Envoy is started, and routes are read by the tests"),
    "ai-gateway-crds-helm": Substitute(True, "installed from the Go module"),
    "ai-gateway-helm": Substitute(False, "not run; AIGatewayRoutes are accepted, and nothing follows from them"),
}

# What changes when Karpenter's controller starts the nodes.
WITH_KARPENTER = {
    "karpenter": Substitute(True, "run as a process, with the kwok provider in place of the AWS provider"),
}


def substitutes(plan: Plan, *, karpenter: bool = False) -> Iterator[tuple[str, Substitute]]:
    """The charts of `plan`, each with what takes its place.

    Args:
        karpenter: whether Karpenter's controller runs.

    Raises:
        PlatformError: for a chart without a substitute.
    """
    for release in plan.of_type(RELEASE_TYPE):
        chart = str(release.inputs.get("chart", "")).rpartition("/")[2]
        if chart not in SUBSTITUTES:
            raise PlatformError(
                f"the embedded environment does not know the chart {chart} of {release.name}",
                "add it to SUBSTITUTES in simulator/releases.py: run as a process, its CRDs only, or nothing",
            )
        yield chart, (WITH_KARPENTER if karpenter else {}).get(chart, SUBSTITUTES[chart])

"""The shape of what EFA nodes need beside their EC2NodeClass: huge pages as Karpenter counts, and the device plugin."""

from collections.abc import Iterable

from components.specs import Spec
from infra.catalog.fabric import HUGE_PAGES_MIB
from infra.conventions import FABRIC_LABEL, GPU_TAINT, HUGE_PAGES_RESOURCE, NODEPOOL_LABEL, PURPOSE_LABEL


def huge_pages_overlay_spec(pool: str) -> Spec:
    """`NodeOverlay.spec` for the nodes of one EFA pool (karpenter.sh/v1alpha1, karpenter v1.14.1).

    Karpenter's `computeCapacity` lists no huge pages (pkg/providers/instancetype/types.go), so that a pod asking for
    them would never get a node. Every pool gets its own: EFA is a property of the pool, not of the machine.
    """
    return {
        "requirements": [{"key": NODEPOOL_LABEL, "operator": "In", "values": [pool]}],
        "capacity": {HUGE_PAGES_RESOURCE: f"{HUGE_PAGES_MIB}Mi"},
    }


def device_plugin_values(taint_keys: Iterable[str]) -> Spec:
    """Values of the chart aws-efa-k8s-device-plugin (v0.5.30, eks-charts).

    By default it tolerates CriticalAddonsOnly and nothing else, and would run on no GPU node at all: Karpenter would
    then wait for the resource of the nodes it started and never call them initialized.

    Args:
        taint_keys: of the pools' taints beyond those that every GPU pool has.
    """
    keys = dict.fromkeys([GPU_TAINT, PURPOSE_LABEL, *taint_keys])
    return {
        # In place of the chart's list of instance types: exactly the nodes whose class lists EFA interfaces.
        "supportedInstanceLabels": {"keys": [FABRIC_LABEL], "values": ["efa"]},
        "tolerations": [{"key": key, "operator": "Exists"} for key in keys],
    }

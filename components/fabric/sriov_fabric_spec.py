"""The shape of SR-IOV and shared RDMA on nodes outside EC2.

Kinds of sriov-network-operator v1.6.0 (sriovnetwork.openshift.io/v1) and of NVIDIA's network operator v26.4.1
(mellanox.com/v1alpha1).
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from components.specs import Spec
from infra.conventions import GPU_TAINT

if TYPE_CHECKING:
    from components.fabric.sriov_fabric import RdmaSharedArgs, SriovNetworkArgs

# The one name that the network operator reconciles; any other is ignored (api/v1alpha1, NicClusterPolicyResourceName).
NIC_CLUSTER_POLICY = "nic-cluster-policy"
# The one name that the SR-IOV operator reconciles (pkg/consts, DefaultConfigName).
SRIOV_OPERATOR_CONFIG = "default"

_IMAGES = "nvcr.io/nvidia/mellanox"

_SRIOV, _MELLANOX = "sriovnetwork.openshift.io/v1", "mellanox.com/v1alpha1"
API_VERSIONS = {
    "MacvlanNetwork": _MELLANOX,
    "NicClusterPolicy": _MELLANOX,
    "SriovIBNetwork": _SRIOV,
    "SriovNetwork": _SRIOV,
    "SriovNetworkNodePolicy": _SRIOV,
    "SriovOperatorConfig": _SRIOV,
}


def sriov_operator_values() -> Spec:
    """Values of the chart sriov-network-operator-chart (1.6.0)."""
    return {
        "operator": {
            "resourcePrefix": "openshift.io",  # the chart's own, said here because pods name it
            "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
            # Its webhooks want cert-manager; what they check is checked by our settings.
            "admissionControllers": {"enabled": False},
        },
        # Its configuration is a resource of this program, where policies see it.
        "sriovOperatorConfig": {"deploy": False},
    }


def network_operator_values(node_feature_discovery: bool) -> Spec:
    """Values of the chart network-operator (26.4.1).

    Args:
        node_feature_discovery: whether it brings Node Feature Discovery; two in a cluster overwrite each other.
    """
    return {
        "nfd": {"enabled": node_feature_discovery, "deployNodeFeatureRules": True},
        "sriovNetworkOperator": {"enabled": False},  # the upstream operator is a release of its own
        "operator": {"tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}]},
    }


def operator_config_spec(node_selector: Mapping[str, str]) -> Spec:
    """`SriovOperatorConfig.spec`: its daemon runs on the hybrid nodes and nowhere else."""
    return {
        "configDaemonNodeSelector": dict(node_selector),
        "enableInjector": False,
        "enableOperatorWebhook": False,
        "disableDrain": False,  # dividing a card takes its links down: pods leave the node first
        "logLevel": 2,
        "configurationMode": "daemon",
    }


def node_policy_spec(network: "SriovNetworkArgs", node_selector: Mapping[str, str]) -> Spec:
    """`SriovNetworkNodePolicy.spec`: which cards are divided, into how many."""
    spec: Spec = {
        "resourceName": network["resource_name"],
        "nodeSelector": dict(node_selector),
        "numVfs": network["virtual_functions"],
        "nicSelector": {"vendor": network["vendor"], "pfNames": list(network["physical_functions"])},
        "deviceType": "netdevice",  # RDMA needs the kernel's driver, not vfio
        "isRdma": network["rdma"],
        "linkType": "ib" if network["infiniband"] else "eth",
    }
    if network.get("mtu"):
        spec["mtu"] = network["mtu"]
    return spec


def network_kind(network: "SriovNetworkArgs") -> str:
    """InfiniBand has a kind of its own."""
    return "SriovIBNetwork" if network["infiniband"] else "SriovNetwork"


def network_spec(network: "SriovNetworkArgs") -> Spec:
    """`SriovNetwork.spec` or `SriovIBNetwork.spec`: the operator makes a NetworkAttachmentDefinition of it."""
    return {
        "resourceName": network["resource_name"],
        "networkNamespace": network["namespace"],
        **({"ipam": _ipam(network["ip_pool"])} if network.get("ip_pool") else {}),
    }


def nic_cluster_policy_spec(
    shared: Sequence["RdmaSharedArgs"], node_selector: Mapping[str, str], version: str, with_ipam: bool
) -> Spec:
    """`NicClusterPolicy.spec`: Multus and the CNI plugins, and where devices are shared their plugin.

    Args:
        shared: what is shared.
        node_selector: labels of the nodes.
        version: tag of NVIDIA's images.
        with_ipam: whether any network takes its addresses from NVIDIA's IPAM plugin.
    """

    def image(name: str) -> Spec:
        return {"image": name, "repository": _IMAGES, "version": version}

    expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in sorted(node_selector.items())]
    spec: Spec = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
        },
        "tolerations": [{"key": GPU_TAINT, "operator": "Exists"}],
        "secondaryNetwork": {"multus": image("multus-cni"), "cniPlugins": image("plugins")},
    }
    if shared:
        spec["rdmaSharedDevicePlugin"] = {**image("k8s-rdma-shared-dev-plugin"), "config": shared_devices(shared)}
    if with_ipam:
        spec["nvIpam"] = {**image("nvidia-k8s-ipam"), "enableWebhook": False}
    return spec


def shared_devices(shared: Sequence["RdmaSharedArgs"]) -> str:
    """Configuration of the shared device plugin, as JSON text."""
    entries = [
        {
            "resourceName": item["resource_name"],
            "rdmaHcaMax": item["pods_per_node"],
            "selectors": {"vendors": [item["vendor"]], "ifNames": list(item["interfaces"])},
        }
        for item in shared
    ]
    return json.dumps({"configList": entries}, sort_keys=True)


def macvlan_spec(item: "RdmaSharedArgs") -> Spec:
    """`MacvlanNetwork.spec`: an interface of its own for each pod, on the first of the shared cards."""
    return {
        "networkNamespace": item["namespace"],
        "master": item["interfaces"][0],
        "mode": "bridge",
        **({"ipam": _ipam(item["ip_pool"])} if item.get("ip_pool") else {}),
    }


def _ipam(pool: str) -> str:
    return json.dumps({"poolName": pool, "type": "nv-ipam"}, sort_keys=True)

"""What the EC2NodeClasses of all our pools share (karpenter-provider-aws v1.14): image, network, disk, user data."""

from collections.abc import Mapping
from typing import Any

import pulumi
import yaml

from components.specs import Spec
from infra.conventions import DISCOVERY_TAG

_BOTTLEROCKET = "bottlerocket@"


def node_class(
    cluster_name: pulumi.Input[str], node_role: pulumi.Input[str], ami_alias: str, root_volume: Mapping[str, Any]
) -> Spec:
    """`EC2NodeClass.spec` of any pool; GPU and CPU pools add to it.

    Args:
        cluster_name: selects subnets and security groups by the tag karpenter.sh/discovery.
        node_role: name of the IAM role of the nodes.
        ami_alias: AMI alias with its release.
        root_volume: from `root_volume`.
    """
    discovery = [{"tags": {DISCOVERY_TAG: cluster_name}}]
    return {
        "amiSelectorTerms": [{"alias": ami_alias}],
        "role": node_role,
        "subnetSelectorTerms": discovery,
        "securityGroupSelectorTerms": discovery,
        # IMDSv2 only, and one hop: a pod without host networking cannot take the node's role.
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        },
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "rootVolume": True, "ebs": dict(root_volume)}],
    }


def root_volume(size_gib: int, throughput: int, iops: int, key_arn: pulumi.Input[str] | None = None) -> Spec:
    """An encrypted gp3 volume.

    Args:
        size_gib: size in GiB.
        throughput: MiB/s, 125 to 1000.
        iops: operations a second; gp3 wants 4 for each MiB/s, 3000 at least.
        key_arn: KMS key; None for the account's default key for EBS.
    """
    ebs: Spec = {
        "volumeSize": f"{size_gib}Gi",
        "volumeType": "gp3",
        "throughput": throughput,
        "iops": iops,
        "encrypted": True,
        "deleteOnTermination": True,
    }
    if key_arn is not None:
        ebs["kmsKeyID"] = key_arn
    return ebs


def user_data(ami_alias: str, topology_manager: str | None, fast_image_pull: bool) -> str | None:
    """What the machine is told at boot beyond what Karpenter tells it; None when there is nothing to tell.

    `EC2NodeClass.spec.kubelet` knows neither the topology manager nor nodeadm's feature gates (CRD of v1.14.1). On
    AL2023 Karpenter takes a NodeConfig as user data and puts its own after it, so that its own fields win; on
    Bottlerocket it merges settings in TOML.

    Args:
        ami_alias: says which of the two it is.
        topology_manager: kubelet's topologyManagerPolicy, in scope `pod`. The CPU manager goes static with it:
            without one only devices are aligned, not the cores that feed them. It gives whole cores to pods of QoS
            class Guaranteed and leaves all others alone.
        fast_image_pull: pull and unpack layers in parallel. AL2023 only (amazon-eks-ami, nodeadm feature gates).
    """
    if ami_alias.startswith(_BOTTLEROCKET):
        return _bottlerocket_settings(topology_manager) if topology_manager else None
    spec: Spec = {}
    if fast_image_pull:
        spec["featureGates"] = {"FastImagePull": True}
    if topology_manager:
        spec["kubelet"] = {
            "config": {
                "topologyManagerPolicy": topology_manager,
                "topologyManagerScope": "pod",
                "cpuManagerPolicy": "static",
            }
        }
    if not spec:
        return None
    config = {"apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig", "spec": spec}
    return yaml.safe_dump(config, sort_keys=False)


def _bottlerocket_settings(topology_manager: str) -> str:
    return "\n".join(
        (
            "[settings.kubernetes]",
            f'topology-manager-policy = "{topology_manager}"',
            'topology-manager-scope = "pod"',
            'cpu-manager-policy = "static"',
            "",
        )
    )

"""Rules of the cluster: control plane, node groups, add-ons. What holds GPUs or carries everything else.

Source of "replaced": `ForceNew` in eks/cluster.go, eks/node_group.go and eks/addon.go of terraform-provider-aws 6, read
on 2026-11-21; pulumi-eks 4.4 passes the inputs of its Cluster to that resource.
"""

from infra.planning.blast_radius.aws_rules import DOCUMENTED
from infra.planning.blast_radius.rules import Effect, Rule, Table, at, lowered, removed

PROVIDER = "terraform-provider-aws 6"
EKS_GUIDE = "Amazon EKS user guide, updating a managed node group"

_NODE_GROUP = (
    Rule(
        at("amiType", "capacityType", "clusterName", "diskSize", "instanceTypes", "nodeGroupName", "nodeRoleArn",
           "remoteAccess", "subnetIds", "launchTemplate.id", "launchTemplate.name"),
        Effect.REPLACE,
        "a new group is made and the old one deleted; its nodes are drained",
        f"{PROVIDER}: eks/node_group.go",
        "add a second node group with the new value, move the pods, then remove the old one",
    ),
    Rule(
        at("version", "releaseVersion", "launchTemplate.version"),
        Effect.DRAIN,
        "EKS starts new nodes, then drains the old ones, updateConfig.maxUnavailable at a time",
        f"{PROVIDER}: eks/node_group.go; {EKS_GUIDE}",
    ),
    Rule(
        (("labels", "nvidia.com/mig.config"),),
        Effect.DRAIN,
        "EKS puts the label on living nodes, and MIG manager stops every GPU pod there to cut the GPUs anew",
        "GPU Operator documentation, MIG manager; Amazon EKS user guide, MIG",
        "add a node group with the new layout, move the pods, then remove the old one",
    ),
    Rule(
        at("taints"),
        Effect.UPDATE,
        "EKS changes the taints of living nodes; pods that run stay, unless the effect is NO_EXECUTE",
        f"{PROVIDER}: eks/node_group.go; {EKS_GUIDE}",
    ),
    Rule(
        at("labels", "scalingConfig", "updateConfig", "nodeRepairConfig", "forceUpdateVersion", "tags"),
        Effect.UPDATE,
        "EKS changes the group; nodes stay",
        f"{PROVIDER}: eks/node_group.go",
    ),
)  # fmt: skip

_CLUSTER = (
    Rule(
        at("name", "kubernetesServiceIpAddressRange", "ipFamily", "serviceRole", "bootstrapSelfManagedAddons"),
        Effect.REPLACE,
        "EKS fixes it at creation: a new control plane, and with it everything in the cluster",
        f"{PROVIDER}: eks/cluster.go",
        "bring up a second environment beside this one and move the traffic",
    ),
    Rule(
        at("vpcId"),
        Effect.REPLACE,
        "a cluster stays in its VPC: EKS refuses subnets of another one, and only a new cluster gets there",
        "Amazon EKS user guide, network requirements",
        "bring up a second environment beside this one and move the traffic",
    ),
    Rule(
        at("encryptionConfigKeyArn"),
        Effect.REPLACE,
        "encryption with a key cannot be taken away",
        f"{PROVIDER}: eks/cluster.go, encryption_config",
        "leave the key",
        when=removed,
    ),
    Rule(
        at("encryptionConfigKeyArn"),
        Effect.NOT_KNOWN,
        "the provider asks EKS to change the key, which EKS may refuse for a cluster that has one",
        f"{PROVIDER}: eks/cluster.go, encryption_config",
        "rotate the key in KMS instead of changing it",
    ),
    Rule(
        at("authenticationMode"),
        Effect.REPLACE,
        "the change is one-way, and has replaced clusters",
        "pulumi-eks issues 1493 and 1291",
        certain=False,
    ),
    Rule(
        at("version"),
        Effect.NOT_KNOWN,
        "EKS goes back one minor version only, within seven days of the upgrade, and not by this input",
        "Amazon EKS user guide, rollback of a cluster",
        "leave the version, or use `aws eks` for a rollback",
        when=lowered,
    ),
    Rule(
        at("version"),
        Effect.UPGRADE,
        "the control plane is exchanged in place; the API stays reachable, nodes follow by rules of their own",
        "Amazon EKS user guide, updating a cluster",
        "upgrade one minor version at a time, and dev before prod",
    ),
    Rule(
        at("privateSubnetIds", "publicSubnetIds", "subnetIds"),
        Effect.UPDATE,
        "EKS moves its interfaces to the new subnets of the same VPC",
        f"{PROVIDER}: eks/cluster.go, vpc_config",
    ),
    Rule(
        at("accessEntries"),
        Effect.UPDATE,
        "who may enter changes at once; nodes and pods do not notice",
        f"{PROVIDER}: eks/access_entry.go",
    ),
    Rule(
        at("endpointPrivateAccess", "endpointPublicAccess", "publicAccessCidrs", "enabledClusterLogTypes",
           "deletionProtection", "upgradePolicy", "tags", "clusterTags"),
        Effect.UPDATE,
        "EKS changes it on the living control plane; nodes and pods do not notice",
        f"{PROVIDER}: eks/cluster.go",
    ),
)  # fmt: skip

_ADDON = (
    Rule(
        at("addonName", "clusterName"),
        Effect.REPLACE,
        "another add-on: the old one is removed from the cluster",
        f"{PROVIDER}: eks/addon.go",
    ),
    Rule(
        at("addonVersion", "configurationValues", "podIdentityAssociations", "serviceAccountRoleArn"),
        Effect.UPGRADE,
        "EKS applies the add-on anew and its own pods roll; pods of workloads stay",
        f"{PROVIDER}: eks/addon.go",
        "vpc-cni: one minor version at a time",
    ),
    Rule(
        at("resolveConflictsOnCreate", "resolveConflictsOnUpdate", "preserve", "tags"),
        Effect.UPDATE,
        "only how EKS treats it later changes",
        f"{PROVIDER}: eks/addon.go",
    ),
)

_LAUNCH_TEMPLATE = (
    Rule(at("name", "namePrefix"), Effect.REPLACE, "AWS cannot rename one", DOCUMENTED),
    Rule(
        ((),),
        Effect.UPDATE,
        "a new version of the template; node groups that use the newest version roll, see there",
        DOCUMENTED,
    ),
)

# A resource whose outputs change when it is changed in place, and the input of another that follows.
FOLLOWS_UPDATES = {"aws:ec2/launchTemplate:LaunchTemplate": (("launchTemplate", "version"),)}

EKS_RULES: Table = {
    "eks:index:Cluster": _CLUSTER,
    "aws:eks/nodeGroup:NodeGroup": _NODE_GROUP,
    "aws:eks/addon:Addon": _ADDON,
    "aws:ec2/launchTemplate:LaunchTemplate": _LAUNCH_TEMPLATE,
}

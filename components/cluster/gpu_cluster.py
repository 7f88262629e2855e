"""An EKS cluster for GPU workloads: closed, encrypted, logged, with pinned add-ons around a system node group."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_eks
from pulumi_aws import cloudwatch, eks, vpc

from components.cluster.addons import Addon, chosen_addons
from components.cluster.system_nodes import SystemNodes
from components.identity.documents import AwsPlace, pod_identity_trust
from components.identity.pod_identity_role import managed_role
from components.network.security_rules import CONTROL_PLANE_TO_NODE_PORTS
from components.specs import Spec

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


class AccessEntryArgs(TypedDict):
    """Who may use the Kubernetes API, and how far."""

    principal_arn: str
    """IAM role or user."""
    policy: NotRequired[str]
    """EKS access policy by name, such as AmazonEKSClusterAdminPolicy. Default: none; its groups say what it may do."""
    namespaces: NotRequired[list[str]]
    """Namespaces it is bound to; none means the whole cluster."""
    groups: NotRequired[list[str]]
    """Kubernetes groups it is in, for role bindings."""


class GpuClusterArgs(TypedDict):
    """The control plane and what every node needs."""

    partition: str
    """AWS partition."""
    region: str
    """Region."""
    account_id: str
    """Account."""
    cluster_name: str
    """Name of the cluster."""
    kubernetes_version: str
    """Kubernetes minor version."""
    service_cidr: str
    """Addresses of Services."""
    vpc_id: pulumi.Input[str]
    """VPC."""
    control_plane_subnet_ids: pulumi.Input[list[str]]
    """Subnets of the control plane's interfaces, in two zones or more."""
    node_subnet_ids: pulumi.Input[list[str]]
    """Subnets of the system nodes."""
    node_security_group_id: pulumi.Input[str]
    """Security group of every node."""
    key_arn: pulumi.Input[str]
    """KMS key of secrets, logs and volumes."""
    public_cidrs: list[str]
    """Ranges that may reach the API from outside; none keeps the endpoint private."""
    access_entries: dict[str, AccessEntryArgs]
    """Who may use the API, by name. The creator has no rights of its own."""
    log_retention_days: int
    """Days that control-plane logs are kept."""
    deletion_protection: bool
    """Whether EKS and the engine refuse to delete the cluster, and the engine its logs."""
    control_plane_tier: str
    """standard, tier-xl, tier-2xl or tier-4xl."""
    system_instance_types: list[str]
    """Instance types of the system nodes."""
    system_node_count: int
    """System nodes, two or more."""
    addon_versions: dict[str, str]
    """Version of each add-on, by its EKS name; the keys beyond the core ones say which optional add-ons there are."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on everything."""


class GpuCluster(pulumi.ComponentResource):
    """`pulumi_eks.Cluster` without its defaults, with our own ordered add-ons and a tainted system node group."""

    cluster_name: pulumi.Output[str]
    """Name of the cluster, known once it exists."""
    kubeconfig: pulumi.Output[str]
    """Kubeconfig as JSON; it holds no credential but a call of `aws eks get-token`."""
    cluster_security_group_id: pulumi.Output[str]
    """Security group that EKS made for the control plane."""

    def __init__(self, name: str, args: GpuClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:GpuCluster", name, {}, opts)
        self._name, self._args = name, args
        self._place = AwsPlace(args["partition"], args["region"], args["account_id"], args["cluster_name"])
        self._inside = pulumi.ResourceOptions(parent=self)
        logs = self._log_group()
        cluster = self._control_plane(logs)
        self.cluster_security_group_id = cluster.cluster_security_group_id
        rules = self._rules_between_nodes_and_control_plane()
        chosen = chosen_addons(list(args["addon_versions"]))
        first = [self._addon(addon, [cluster]) for addon in chosen if addon.before_nodes]
        nodes = SystemNodes(
            f"{name}-system",
            {
                "partition": args["partition"],
                "cluster_name": args["cluster_name"],
                "kubernetes_version": args["kubernetes_version"],
                "instance_types": args["system_instance_types"],
                "count": args["system_node_count"],
                "subnet_ids": args["node_subnet_ids"],
                "security_group_ids": [args["node_security_group_id"]],
                "key_arn": args["key_arn"],
                "tags": args.get("tags", {}),
            },
            self._inside,
            needs=[cluster, *rules, *first],
        )
        after = [self._addon(addon, [nodes.node_group]) for addon in chosen if not addon.before_nodes]
        # What AWS resources of the cluster wait for, and what workloads do. Not outputs: the package's schema cannot
        # name their type.
        self.control_plane: pulumi.Resource = cluster
        self.ready: list[pulumi.Resource] = [nodes.node_group, *after]
        # Known only once the cluster answers, so that what needs a running cluster can depend on its name.
        self.cluster_name = cluster.kubeconfig_json.apply(lambda _: args["cluster_name"])
        self.kubeconfig = cluster.kubeconfig_json
        self.register_outputs({"clusterName": self.cluster_name, "kubeconfig": self.kubeconfig})

    def _log_group(self) -> cloudwatch.LogGroup:
        """Ours, before the cluster: else EKS makes one that is not encrypted and never expires."""
        return cloudwatch.LogGroup(
            f"{self._name}-log-group",
            name=f"/aws/eks/{self._args['cluster_name']}/cluster",
            retention_in_days=self._args["log_retention_days"],
            kms_key_id=self._args["key_arn"],
            tags=self._args.get("tags", {}),
            opts=pulumi.ResourceOptions(parent=self, protect=self._args["deletion_protection"]),
        )

    def _control_plane(self, logs: cloudwatch.LogGroup) -> pulumi_eks.Cluster:
        args = self._args
        public = bool(args["public_cidrs"])
        return pulumi_eks.Cluster(
            f"{self._name}-control-plane",
            name=args["cluster_name"],
            version=args["kubernetes_version"],
            vpc_id=args["vpc_id"],
            private_subnet_ids=args["control_plane_subnet_ids"],
            kubernetes_service_ip_address_range=args["service_cidr"],
            authentication_mode=pulumi_eks.AuthenticationMode.API,
            access_entries={key: self._access_entry(entry) for key, entry in sorted(args["access_entries"].items())},
            endpoint_private_access=True,
            endpoint_public_access=public,
            public_access_cidrs=args["public_cidrs"] if public else None,
            encryption_config_key_arn=args["key_arn"],
            enabled_cluster_log_types=list(LOG_TYPES),
            deletion_protection=args["deletion_protection"],
            upgrade_policy={"support_type": "STANDARD"},
            # Everything the library would add by itself is ours to add, pinned and in order.
            skip_default_node_group=True,
            skip_default_security_groups=True,
            use_default_vpc_cni=True,
            bootstrap_self_managed_addons=False,
            create_oidc_provider=False,
            create_instance_role=False,
            coredns_addon_options={"enabled": False},
            kube_proxy_addon_options={"enabled": False},
            tags=args.get("tags", {}),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[logs],
                protect=args["deletion_protection"],
                transforms=[control_plane_transform(args["control_plane_tier"])],
            ),
        )

    def _access_entry(self, entry: AccessEntryArgs) -> Spec:
        namespaces = entry.get("namespaces", [])
        scope = {"type": "namespace", "namespaces": namespaces} if namespaces else {"type": "cluster"}
        found: Spec = {"principal_arn": entry["principal_arn"]}
        if "policy" in entry:
            policy = f"arn:{self._place.partition}:eks::aws:cluster-access-policy/{entry['policy']}"
            found["access_policies"] = {"policy": {"policy_arn": policy, "access_scope": scope}}
        if "groups" in entry:
            found["kubernetes_groups"] = entry["groups"]
        return found

    def _rules_between_nodes_and_control_plane(self) -> list[pulumi.Resource]:
        nodes, control = self._args["node_security_group_id"], self.cluster_security_group_id
        rules: list[pulumi.Resource] = [
            vpc.SecurityGroupIngressRule(
                f"{self._name}-to-nodes-{port}",
                security_group_id=nodes,
                referenced_security_group_id=control,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                description=reason,
                opts=self._inside,
            )
            for port, reason in CONTROL_PLANE_TO_NODE_PORTS.items()
        ]
        rules.append(
            vpc.SecurityGroupIngressRule(
                f"{self._name}-from-nodes",
                security_group_id=control,
                referenced_security_group_id=nodes,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                description="Kubernetes API from nodes",
                opts=self._inside,
            )
        )
        return rules

    def _addon(self, addon: Addon, needs: list[pulumi.Resource]) -> eks.Addon:
        args = self._args
        identity = []
        if addon.service_accounts:
            role, attached = managed_role(
                f"{self._name}-{addon.name}",
                pod_identity_trust(self._place),
                [f"arn:{args['partition']}:iam::aws:policy/{policy}" for policy in addon.managed_policies],
                args.get("tags", {}),
                self._inside,
            )
            needs = [*needs, *attached]
            identity = [{"service_account": account, "role_arn": role.arn} for account in addon.service_accounts]
        return eks.Addon(
            f"{self._name}-{addon.name}",
            cluster_name=args["cluster_name"],
            addon_name=addon.name,
            addon_version=args["addon_versions"][addon.name],
            configuration_values=addon.configuration_values,
            pod_identity_associations=identity,  # type: ignore[arg-type]  # dicts in the SDK's own spelling
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="PRESERVE",
            preserve=False,
            tags=args.get("tags", {}),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )


def control_plane_transform(tier: str) -> pulumi.ResourceTransform:
    """What `pulumi_eks.Cluster` has no argument for, set on the cluster inside it.

    Its creator is no administrator (rights come from access entries only), pods that ask for GPUs are packed onto as
    few nodes as possible, and the control plane has the wished size. The recorder never calls it; the engine does.
    """

    def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        if args.type_ != "aws:eks/cluster:Cluster":
            return None
        given: Spec = args.props.get("accessConfig") or {}
        access = {**given, "bootstrapClusterCreatorAdminPermissions": False}
        packing = {"type": "MostAllocated", "resources": [{"name": "nvidia.com/gpu", "weight": 1}]}
        properties = {
            **args.props,
            "accessConfig": access,
            "kubeSchedulerConfig": {"nodeResourcesFit": {"scoringStrategy": packing}},
            "controlPlaneScalingConfig": {"tier": tier},
            "zonalShiftConfig": {"enabled": True},
        }
        return pulumi.ResourceTransformResult(properties, args.opts)

    return transform

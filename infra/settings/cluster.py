"""The Kubernetes control plane: version, who may reach and use it, its system nodes and add-ons."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictInt, model_validator

from infra.settings.values import Cidr, DnsLabel, Flag, LogRetentionDays, Settings, did_you_mean, invalid, matching
from infra.versions import KUBERNETES_MINOR, KUBERNETES_MINORS_SUPPORTED

# The longest name derived from the cluster's is the node role's, KarpenterNodeRole-<name>, and a role's name has at
# most 64 characters (IAM quotas).
CLUSTER_NAME_LIMIT = 64 - len("KarpenterNodeRole-")

OptionalAddon = Literal[
    "metrics-server",
    "aws-ebs-csi-driver",
    "aws-efs-csi-driver",
    "aws-fsx-csi-driver",
    "aws-mountpoint-s3-csi-driver",
    "eks-node-monitoring-agent",
]

# Settings' word -> EKS access policy (Amazon EKS user guide, access policies).
ACCESS_POLICIES = {
    "cluster-admin": "AmazonEKSClusterAdminPolicy",
    "admin": "AmazonEKSAdminPolicy",
    "edit": "AmazonEKSEditPolicy",
    "view": "AmazonEKSViewPolicy",
}


def _check_minor(text: str) -> str:
    if text not in KUBERNETES_MINORS_SUPPORTED:
        raise invalid(
            f"a Kubernetes minor version this project is tested with: {', '.join(KUBERNETES_MINORS_SUPPORTED)}",
            did_you_mean(text, KUBERNETES_MINORS_SUPPORTED, f'write "{KUBERNETES_MINOR}"'),
        )
    return text


def _check_cluster_name(text: str) -> str:
    if len(text) > CLUSTER_NAME_LIMIT:
        raise invalid(
            f"at most {CLUSTER_NAME_LIMIT} characters: the role KarpenterNodeRole-<name> may have 64",
            f"shorten it by {len(text) - CLUSTER_NAME_LIMIT} characters",
        )
    return text


KubernetesMinor = Annotated[str, AfterValidator(_check_minor)]
ClusterName = Annotated[DnsLabel, AfterValidator(_check_cluster_name)]
PrincipalArn = Annotated[
    str,
    AfterValidator(
        matching(
            r"arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/\S+",
            "the ARN of an IAM role or user, such as arn:aws:iam::111111111111:role/platform-admin",
        )
    ),
]
AddonVersion = Annotated[
    str,
    AfterValidator(
        matching(r"v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+", "a version of an EKS add-on, such as v1.2.3-eksbuild.1")
    ),
]


class AccessEntry(Settings):
    """Who may use the Kubernetes API. The role that creates the cluster has no rights unless it is named here."""

    name: DnsLabel
    """Name of the entry."""
    principal_arn: PrincipalArn
    """IAM role or user."""
    access: Literal["cluster-admin", "admin", "edit", "view"] | None = None
    """What it may do; cluster-admin everywhere and everything. None where its groups say it."""
    namespaces: tuple[DnsLabel, ...] = ()
    """Namespaces it is bound to; none means the whole cluster."""
    groups: tuple[str, ...] = ()
    """Kubernetes groups it is in: tenants give them roles in their namespaces."""

    @model_validator(mode="after")
    def _says_what_it_may_do(self) -> Self:
        if self.access is None and not self.groups:
            raise invalid("access, groups or both", "add access: view, edit, admin or cluster-admin, or groups")
        if self.access is None and self.namespaces:
            raise invalid("namespaces only beside access; a tenant binds its groups to its namespace", "remove it")
        if any(group.startswith("system:") for group in self.groups):
            raise invalid("groups that do not begin with system:, which EKS refuses", "rename the group")
        return self


class SystemNodes(Settings):
    """The managed node group for what must run before Karpenter can."""

    instance_types: tuple[str, ...] = ("m7i.large", "m6i.large")
    """Instance types without GPU, x86_64; more than one, in case a zone has none of the first."""
    count: Annotated[StrictInt, Field(ge=2, le=10)] = 2
    """Nodes; Karpenter's two replicas must stand in two zones."""


class ClusterSettings(Settings):
    """The cluster."""

    name: ClusterName
    """Name of the EKS cluster; names of roles, queues and tags derive from it."""
    kubernetes_version: KubernetesMinor = KUBERNETES_MINOR
    """Kubernetes minor version, quoted (1.40 would else be the number 1.4)."""
    service_cidr: Cidr = "172.20.0.0/16"
    """Addresses of Services; must not overlap the VPC. Default: what EKS takes for a VPC in 10.0.0.0/8."""
    public_cidrs: tuple[Cidr, ...] = ()
    """Ranges that may reach the API from outside the VPC; none keeps the endpoint private."""
    access: tuple[AccessEntry, ...] = ()
    """Who may use the API; at least one cluster-admin outside local."""
    log_retention_days: LogRetentionDays = 365
    """Days that control-plane logs are kept (checkov CKV_AWS_338 asks for a year)."""
    deletion_protection: Flag = False
    """Whether EKS refuses to delete the cluster, and the engine the cluster, its key, its audit logs and its images."""
    control_plane_tier: Literal["standard", "tier-xl", "tier-2xl", "tier-4xl", "tier-8xl"] = "standard"
    """Size of the control plane."""
    system_nodes: SystemNodes = SystemNodes()
    """Nodes for Karpenter, CoreDNS and controllers."""
    addons: tuple[OptionalAddon, ...] = ("metrics-server", "aws-ebs-csi-driver", "aws-efs-csi-driver")
    """EKS add-ons beyond vpc-cni, eks-pod-identity-agent, kube-proxy and coredns."""
    addon_versions: dict[str, AddonVersion] = {}
    """Versions instead of those pinned in infra/versions.py, by add-on."""
    installed: tuple[
        Literal[
            "karpenter",
            "aws-load-balancer-controller",
            "aws-efa-k8s-device-plugin",
            "sriov-network-operator",
            "network-operator",
            "kserve",
            "knative-operator",
            "cert-manager",
            "external-secrets",
            "envoy-gateway",
            "lws",
        ],
        ...,
    ] = (
        "karpenter",
        "aws-load-balancer-controller",
    )
    """With target existing: operators that are there and are left alone. With target eks all are installed."""
    context: str | None = None
    """kubeconfig context of an existing cluster; default: its name. Only with target existing or local."""

    @model_validator(mode="after")
    def _unique_entries(self) -> Self:
        names = [entry.name for entry in self.access]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise invalid("access entries with names of their own", f"rename one of: {', '.join(twice)}")
        return self

"""Names that components, policies and the simulator agree on."""

import hashlib

# Whether Karpenter takes what pods merely prefer as required when it chooses a pool. `Respect`, its default, lets the
# servers' preferred spread over zones win over weights: with a reserved pool in one zone, spot was started first in two
# of three runs (Karpenter 1.14.1 on the embedded control plane, 2026-11-21). The scheduler still honours preferences
# among the nodes that are there.
KARPENTER_PREFERENCE_POLICY = "Ignore"

# Our label on every node and its values; `purpose` says what a pool is for.
PURPOSE_LABEL = "gpu-platform/purpose"

# On a namespace or pool: the stack that made it, so that a refused destroy can name who is in the way.
STACK_LABEL = "gpu-platform/stack"

# On everything of a tenant: the team that answers for it. And, as "true", on a pod of a tenant that talks to the
# Kubernetes API: its namespace lets nothing else out to it.
TEAM_LABEL = "gpu-platform/team"
API_CLIENT_LABEL = "gpu-platform/api-client"

# Taint of every GPU node, so that nothing without a GPU lands there (the convention of the NVIDIA device plugin).
GPU_TAINT = "nvidia.com/gpu"
GPU_RESOURCE = "nvidia.com/gpu"
MIG_RESOURCE_PREFIX = "nvidia.com/mig-"

# On nodes of pools with a fabric of their own: efa or host-network. The EFA device plugin runs where it says efa.
FABRIC_LABEL = "gpu-platform/fabric"

# What the EFA device plugin calls one EFA interface, and what kubelet calls the 2 MiB pages that the EFA driver keeps.
EFA_RESOURCE = "vpc.amazonaws.com/efa"
HUGE_PAGES_RESOURCE = "hugepages-2Mi"

# Node labels by which NVIDIA's operator knows what to make of a node, and what its MIG manager writes back.
MIG_CONFIG_LABEL = "nvidia.com/mig.config"
MIG_STATE_LABEL = "nvidia.com/mig.config.state"
PLUGIN_CONFIG_LABEL = "nvidia.com/device-plugin.config"
PLUGIN_DEPLOY_LABEL = "nvidia.com/gpu.deploy.device-plugin"

# Our labels of divided nodes: devices are claimed, not counted; the startup taint has been lifted.
CLAIMED_LABEL = "gpu-platform/devices-claimed"
PARTITIONED_LABEL = "gpu-platform/partitioned"

# Startup taint of nodes that are still to be cut by MIG: they are ready minutes before their slices are.
PARTITION_TAINT = "gpu-platform/partitioning"

# Labels that Karpenter puts on its nodes.
NODEPOOL_LABEL = "karpenter.sh/nodepool"
CAPACITY_TYPE_LABEL = "karpenter.sh/capacity-type"
INSTANCE_TYPE_LABEL = "node.kubernetes.io/instance-type"
GPU_NAME_LABEL = "karpenter.k8s.aws/instance-gpu-name"
ZONE_ID_LABEL = "topology.k8s.aws/zone-id"
DISCOVERY_TAG = "karpenter.sh/discovery"

# The engine a pod runs, as llm-d's endpoint picker reads it (llm-d-router, core metrics extractor).
ENGINE_LABEL = "llm-d.ai/engine-type"

# Namespaces whose pods may call a model server: the gateway's proxies, and what scrapes metrics.
GATEWAY_NAMESPACE = "gateway"
GATEWAY_NAME = "inference"
MONITORING_NAMESPACE = "monitoring"

# On pods in a model's own namespace that may call it: the model's name. Its NetworkPolicy lets them in.
CLIENT_OF_LABEL = "gpu-platform/client-of"

# On all pods of a server over several nodes: the model's name. And what the LeaderWorkerSet controller gives the pods
# of one group, and those of one version of the set (lws v0.9.0, api/leaderworkerset/v1).
GROUP_LABEL = "gpu-platform/group"
GROUP_KEY_LABEL = "leaderworkerset.sigs.k8s.io/group-key"
GROUP_VERSION_LABEL = "leaderworkerset.sigs.k8s.io/template-revision-hash"

# Environment variables of the delete hooks. What a hook must be given that is only known once the cluster exists:
KUBECONFIG_VARIABLE = "GPU_PLATFORM_KUBECONFIG"
VPC_VARIABLE = "GPU_PLATFORM_VPC"
# And what a person may set: hooks to leave out, of guard, drain and sweep, with commas.
SKIP_VARIABLE = "GPU_PLATFORM_TEARDOWN_SKIP"


def karpenter_node_role(cluster_name: str) -> str:
    """Name of the IAM role of Karpenter's nodes; the name Karpenter's own CloudFormation gives it."""
    return f"KarpenterNodeRole-{cluster_name}"


# IAM's limit on the name of a role (IAM quotas). A cluster's name leaves nine characters of it to a tenant's.
_ROLE_NAME_LIMIT = 64
_HASH_LENGTH = 9


def secret_operator_role(cluster_name: str) -> str:
    """Name of the IAM role of the External Secrets operator: the one that tenants' roles trust."""
    return f"ExternalSecrets-{cluster_name}"


def tenant_secrets_roles(cluster_name: str) -> str:
    """How the names of those IAM roles begin that read one tenant's secrets each, and no other role's: no cluster's
    name has a dot, so one cannot be the beginning of another."""
    return f"Secrets-{cluster_name}."


def tenant_secrets_role(cluster_name: str, namespace: str) -> str:
    """Name of the IAM role that reads one tenant's secrets; a hash stands for a namespace that is too long."""
    head = tenant_secrets_roles(cluster_name)
    if len(head + namespace) <= _ROLE_NAME_LIMIT:
        return head + namespace
    return head + hashlib.sha256(namespace.encode()).hexdigest()[:_HASH_LENGTH]

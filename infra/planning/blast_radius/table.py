"""The one table of rules, and which of them hold for a resource."""

from infra.plan.records import PlannedResource
from infra.planning.blast_radius.aws_rules import AWS_RULES
from infra.planning.blast_radius.changes import STACK
from infra.planning.blast_radius.eks_rules import EKS_RULES
from infra.planning.blast_radius.gateway_rules import GATEWAY_RULES
from infra.planning.blast_radius.karpenter_rules import KARPENTER_RULES
from infra.planning.blast_radius.kubernetes_rules import KUBERNETES_RULES, object_rules
from infra.planning.blast_radius.rules import ENGINE, Effect, Rule, Table, at, removed

_KUBERNETES_PROVIDER = "pulumi:providers:kubernetes"

_OUTPUTS = (
    Rule(((),), Effect.UPDATE, "a stack that requires this output fails at its next `up`", ENGINE, when=removed),
    Rule(((),), Effect.UPDATE, "stacks that read it see the new value at their next `up`", ENGINE),
)

_WITHOUT_IDENTIFIER = Rule(
    at("kubeconfig", "context", "cluster"),
    Effect.REPLACE,
    "without a clusterIdentifier the provider takes it for another cluster, and makes every object anew",
    "pulumi-kubernetes issue 4019",
    "give the provider a clusterIdentifier first",
    certain=False,
)

RULES: Table = {
    **EKS_RULES,
    **AWS_RULES,
    **GATEWAY_RULES,
    **KUBERNETES_RULES,
    **KARPENTER_RULES,
    STACK: _OUTPUTS,
    "pulumi:pulumi:StackReference": (Rule(((),), Effect.UPDATE, "only read", ENGINE),),
}

# What is lost when one of these goes. Logs and images can be made again, but nobody planned to.
HOLDS_DATA = {
    "eks:index:Cluster": "every object in the cluster",
    "aws:kms/key:Key": "what is encrypted with it: volumes, secrets, logs, images",
    "aws:ecr/repository:Repository": "its images",
    "aws:efs/fileSystem:FileSystem": "its files",
    "aws:fsx/lustreFileSystem:LustreFileSystem": "its files",
    "aws:s3/bucket:Bucket": "its objects",
    "aws:s3/bucketV2:BucketV2": "its objects",
    "aws:cloudwatch/logGroup:LogGroup": "its logs",
    "kubernetes:core/v1:Namespace": "everything in it",
    "kubernetes:core/v1:PersistentVolume": "its files",
    "kubernetes:core/v1:PersistentVolumeClaim": "its files",
    "kubernetes:apps/v1:StatefulSet": "what its pods keep",
}


def rules_of(resource: PlannedResource) -> tuple[Rule, ...]:
    """The rules of a resource; for a type that is not in the table only what holds for every object."""
    token = resource.type_token
    if token == _KUBERNETES_PROVIDER and not resource.inputs.get("clusterIdentifier"):
        return (_WITHOUT_IDENTIFIER, *RULES[token])
    if token not in RULES and resource.is_kubernetes_object:
        return object_rules()
    return RULES.get(token, ())

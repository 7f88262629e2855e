"""IAM documents as plain data. Built from account, partition and names, never from outputs, so a plan can be read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What a node needs of AWS; the CNI has a role of its own. Source: Amazon EKS user guide, node IAM role.
NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonSSMManagedInstanceCore")

Statement = dict[str, Any]

# EC2 as a service principal: outside China and in China.
EC2_PRINCIPALS = ("ec2.amazonaws.com", "ec2.amazonaws.com.cn")


def ec2_principal(partition: str) -> str:
    """EC2's service principal in a partition."""
    return EC2_PRINCIPALS[1] if partition == "aws-cn" else EC2_PRINCIPALS[0]


@dataclass(frozen=True, slots=True)
class AwsPlace:
    """Where ARNs point: partition, region, account and the cluster's name."""

    partition: str
    region: str
    account: str
    cluster: str

    def arn(self, service: str, resource: str, *, account: str | None = None, regional: bool = True) -> str:
        """An ARN of this place.

        Args:
            service: such as `ec2`.
            resource: what follows the account, such as `subnet/*`.
            account: instead of ours; empty where AWS owns the resource, `*` where any may.
            regional: False for global services such as IAM.
        """
        region = self.region if regional else ""
        return f"arn:{self.partition}:{service}:{region}:{self.account if account is None else account}:{resource}"

    @property
    def cluster_arn(self) -> str:
        """ARN of the cluster."""
        return self.arn("eks", f"cluster/{self.cluster}")


def allow(
    sid: str,
    actions: str | Sequence[str],
    resources: str | Sequence[str],
    conditions: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    """One statement that allows."""
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [actions] if isinstance(actions, str) else list(actions),
        "Resource": [resources] if isinstance(resources, str) else list(resources),
    }
    if conditions:
        statement["Condition"] = {operator: dict(keys) for operator, keys in conditions.items()}
    return statement


def document(*statements: Statement) -> str:
    """An IAM policy document as JSON text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def service_trust(service: str) -> str:
    """A trust policy that lets one AWS service take the role."""
    return document(
        {
            "Sid": "AllowService",
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": ["sts:AssumeRole"],
        }
    )


def role_trust(place: AwsPlace, role: str) -> str:
    """A trust policy that lets one role of this account, and nothing else in it, take the role.

    The account is the principal and the role a condition. A role as principal must be there first, and is kept by its
    unique id: one that is made anew under the same name would be trusted no more (IAM user guide, AWS JSON policy
    elements: Principal). So the caller needs both: this, and a right of its own to take the role. `sts:TagSession`,
    because the tags that Pod Identity gives a session are transitive: they are set anew on the next (Amazon EKS user
    guide, pod-id-abac; aws/eks-pod-identity-agent issue 80).

    Args:
        role: name of the role that may.
    """
    return document(
        {
            "Sid": "AllowOneRole",
            "Effect": "Allow",
            "Principal": {"AWS": place.arn("iam", "root", regional=False)},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"ArnEquals": {"aws:PrincipalArn": place.arn("iam", f"role/{role}", regional=False)}},
        }
    )


def pod_identity_trust(place: AwsPlace) -> str:
    """A trust policy for EKS Pod Identity, bound to this account and cluster.

    The agent tags the session with the pod's cluster, namespace and service account, hence `sts:TagSession`.
    """
    return document(
        {
            "Sid": "AllowEksAuthToAssumeRoleForPodIdentity",
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {
                "StringEquals": {"aws:SourceAccount": place.account},
                "ArnEquals": {"aws:SourceArn": place.cluster_arn},
            },
        }
    )

"""The machines behind a Karpenter pool, in EC2 or nowhere."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.conventions import NODEPOOL_LABEL
from infra.errors import PlatformError

# What Karpenter puts on every instance, volume, interface and launch template it makes (karpenter-provider-aws 1.14,
# pkg/utils and pkg/providers/launchtemplate).
CLUSTER_NAME_TAG = "eks:eks-cluster-name"
NODE_CLASS_TAG = "karpenter.k8s.aws/ec2nodeclass"


def owner_tag(cluster: str) -> str:
    """The tag whose value `owned` says that the cluster's machinery made a thing and may delete it."""
    return f"kubernetes.io/cluster/{cluster}"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine that still costs money; `identifier` is the last part of its node's provider id."""

    identifier: str
    state: str

    def __str__(self) -> str:
        return f"machine {self.identifier} ({self.state})"


class Machines(Protocol):
    """What a drain needs of the cloud."""

    def of_pool(self, pool: str, /) -> list[Machine]:
        """The pool's machines that are not gone."""

    def terminate(self, machines: list[Machine], /) -> None:
        """End machines, whatever runs on them."""

    def remove_leftovers(self, node_class: str, /) -> list[str]:
        """Delete what a node class leaves when Karpenter cannot do it; returns what was deleted."""


class NoMachines:
    """Nodes without machines: simulated ones, which are gone when their Node is."""

    def of_pool(self, _pool: str) -> list[Machine]:
        """None."""
        return []

    def terminate(self, _machines: list[Machine]) -> None:
        """Nothing to end."""

    def remove_leftovers(self, _node_class: str) -> list[str]:
        """Nothing to delete."""
        return []


class Ec2Machines:
    """Instances of one cluster, told by the tags Karpenter gave them. Others are never looked at, let alone touched."""

    def __init__(self, cluster: str, region: str, account: str) -> None:
        """Check that the credentials are those of `account`.

        Raises:
            PlatformError: for other credentials, or none.
        """
        self._cluster, self._region = cluster, region
        self._session = boto3.Session(region_name=region)
        check_account(self._session, account)
        self._ec2 = self._session.client("ec2")

    def of_pool(self, pool: str) -> list[Machine]:
        """The pool's instances that are not terminated."""
        filters = self._ours({NODEPOOL_LABEL: pool})
        filters.append({"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]})
        with aws_faults("looking for machines"):
            pages = self._ec2.get_paginator("describe_instances").paginate(Filters=filters)
            return [
                Machine(instance["InstanceId"], instance["State"]["Name"])
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
            ]

    def terminate(self, machines: list[Machine]) -> None:
        """Terminate instances."""
        if machines:
            with aws_faults("terminating machines"):
                self._ec2.terminate_instances(InstanceIds=[machine.identifier for machine in machines])

    def remove_leftovers(self, node_class: str) -> list[str]:
        """Delete launch templates and instance profiles that Karpenter made for `node_class`."""
        with aws_faults(f"removing what the node class {node_class} left"):
            return [*self._launch_templates(node_class), *self._instance_profiles(node_class)]

    def _launch_templates(self, node_class: str) -> Iterator[str]:
        filters = [
            {"Name": f"tag:{CLUSTER_NAME_TAG}", "Values": [self._cluster]},
            {"Name": f"tag:{NODE_CLASS_TAG}", "Values": [node_class]},
        ]
        pages = self._ec2.get_paginator("describe_launch_templates").paginate(Filters=filters)
        for template in [template for page in pages for template in page["LaunchTemplates"]]:
            self._ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])
            yield f"launch template {template['LaunchTemplateName']}"

    def _instance_profiles(self, node_class: str) -> Iterator[str]:
        iam = self._session.client("iam")
        # Karpenter keeps its profiles under this path (pkg/providers/instanceprofile, 1.8 and newer).
        path = f"/karpenter/{self._region}/{self._cluster}/"
        pages = iam.get_paginator("list_instance_profiles").paginate(PathPrefix=path)
        for profile in [profile for page in pages for profile in page["InstanceProfiles"]]:
            name = profile["InstanceProfileName"]
            given = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"].get("Tags", [])
            tags = {tag["Key"]: tag["Value"] for tag in given}
            if (tags.get(CLUSTER_NAME_TAG), tags.get(NODE_CLASS_TAG)) != (self._cluster, node_class):
                continue
            for role in profile["Roles"]:  # a role in a profile cannot be deleted
                iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
            iam.delete_instance_profile(InstanceProfileName=name)
            yield f"instance profile {name}"

    def _ours(self, tags: dict[str, str]) -> list[dict[str, Any]]:
        """Filters that only this cluster's own things pass."""
        wanted = {owner_tag(self._cluster): "owned", CLUSTER_NAME_TAG: self._cluster, **tags}
        return [{"Name": f"tag:{key}", "Values": [value]} for key, value in wanted.items()]


def check_account(session: Any, account: str) -> None:
    """Nothing, when the session's credentials are those of `account`.

    Raises:
        PlatformError: for other credentials, or none.
    """
    with aws_faults("asking whose credentials these are"):
        found = session.client("sts").get_caller_identity()["Account"]
    if found != account:
        raise PlatformError(
            f"the AWS credentials are those of account {found}; this cluster is in {account}",
            "choose the right profile, for example with AWS_PROFILE, and run the destroy again",
        )


@contextlib.contextmanager
def aws_faults(what: str) -> Iterator[None]:
    """Turn what AWS or its SDK says into an error the user can act on."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise PlatformError(
            f"{what}: AWS says {code}: {error.response.get('Error', {}).get('Message', '')}",
            f"the credentials of the destroy need {error.operation_name}" if "Unauthorized" in code else "",
        ) from None
    except BotoCoreError as error:
        raise PlatformError(
            f"{what}: {error}", "give the destroy AWS credentials and a way to the region's endpoints"
        ) from None

"""What the hooks do in AWS, on moto: they see and touch what carries the cluster's tags, and nothing else."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.errors import PlatformError
from teardown.machines import CLUSTER_NAME_TAG, NODE_CLASS_TAG, Ec2Machines, owner_tag
from teardown.sweep import CNI_CLUSTER_TAG, VpcSweep
from tests.teardown.conftest import FastClock

ACCOUNT = "123456789012"  # moto's
REGION = "us-east-2"
Spoken = tuple[list[str], Callable[[str], None]]


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [key for key in os.environ if key.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield


def karpenter_tags(cluster: str, pool: str) -> list[dict[str, str]]:
    wanted = {
        owner_tag(cluster): "owned",
        CLUSTER_NAME_TAG: cluster,
        "karpenter.sh/nodepool": pool,
        NODE_CLASS_TAG: pool,
    }
    return [{"Key": key, "Value": value} for key, value in wanted.items()]


def start(ec2: Any, wanted: list[dict[str, str]]) -> str:
    specification = [{"ResourceType": "instance", "Tags": wanted}]
    made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, TagSpecifications=specification)
    return str(made["Instances"][0]["InstanceId"])


def states(ec2: Any) -> dict[str, str]:
    pages = ec2.describe_instances()["Reservations"]
    return {item["InstanceId"]: item["State"]["Name"] for page in pages for item in page["Instances"]}


def test_only_machines_of_this_cluster_and_pool_are_seen_and_ended() -> None:
    ec2 = boto3.client("ec2", region_name=REGION)
    mine = start(ec2, karpenter_tags("gpu-prod", "inference"))
    others = [
        start(ec2, karpenter_tags("gpu-dev", "inference")),
        start(ec2, karpenter_tags("gpu-prod", "training")),
        start(ec2, [{"Key": "karpenter.sh/nodepool", "Value": "inference"}]),  # of no cluster
    ]
    machines = Ec2Machines("gpu-prod", REGION, ACCOUNT)

    found = machines.of_pool("inference")
    machines.terminate(found)

    assert [machine.identifier for machine in found] == [mine]
    assert states(ec2)[mine] == "terminated"
    assert {states(ec2)[other] for other in others} == {"running"}
    assert machines.of_pool("inference") == []


def test_nothing_to_end_asks_nothing_of_aws() -> None:
    Ec2Machines("gpu-prod", REGION, ACCOUNT).terminate([])  # terminate_instances without ids is an error


def test_launch_templates_and_profiles_of_the_node_class_go_and_no_others() -> None:
    ec2, iam = boto3.client("ec2", region_name=REGION), boto3.client("iam", region_name=REGION)
    for name, cluster, pool in (
        ("a", "gpu-prod", "inference"),
        ("b", "gpu-dev", "inference"),
        ("c", "gpu-prod", "cpu"),
    ):
        ec2.create_launch_template(
            LaunchTemplateName=f"karpenter-{name}",
            LaunchTemplateData={},
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": karpenter_tags(cluster, pool)}],
        )
        profile, path = f"profile-{name}", f"/karpenter/{REGION}/{cluster}/{name}/"
        iam.create_instance_profile(InstanceProfileName=profile, Path=path, Tags=karpenter_tags(cluster, pool))
    trust = "{}"
    iam.create_role(RoleName="nodes", AssumeRolePolicyDocument=trust)
    iam.add_role_to_instance_profile(InstanceProfileName="profile-a", RoleName="nodes")

    removed = Ec2Machines("gpu-prod", REGION, ACCOUNT).remove_leftovers("inference")

    assert removed == ["launch template karpenter-a", "instance profile profile-a"]
    left = [item["LaunchTemplateName"] for item in ec2.describe_launch_templates()["LaunchTemplates"]]
    assert left == ["karpenter-b", "karpenter-c"]
    profiles = [item["InstanceProfileName"] for item in iam.list_instance_profiles()["InstanceProfiles"]]
    assert profiles == ["profile-b", "profile-c"]
    assert iam.get_role(RoleName="nodes")  # the role is the program's own to delete


@pytest.mark.parametrize("build", [Ec2Machines, lambda *args: VpcSweep(args[0], "vpc-1", *args[1:])])
def test_other_credentials_are_refused_before_anything_is_asked(build: Any) -> None:
    with pytest.raises(PlatformError) as raised:
        build("gpu-prod", REGION, "999999999999")

    assert (
        raised.value.message == f"the AWS credentials are those of account {ACCOUNT}; this cluster is in 999999999999"
    )
    assert "AWS_PROFILE" in raised.value.mend


def test_no_credentials_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)

    with pytest.raises(PlatformError, match="credentials"):
        Ec2Machines("gpu-prod", REGION, ACCOUNT)


class Network:
    """A VPC with interfaces."""

    def __init__(self) -> None:
        self.ec2 = boto3.client("ec2", region_name=REGION)
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.0.0.0/20")["Subnet"]["SubnetId"]

    def interface(self, description: str, wanted: dict[str, str]) -> str:
        made = self.ec2.create_network_interface(SubnetId=self.subnet, Description=description)["NetworkInterface"]
        if wanted:
            pairs = [{"Key": key, "Value": value} for key, value in wanted.items()]
            self.ec2.create_tags(Resources=[made["NetworkInterfaceId"]], Tags=pairs)
        return str(made["NetworkInterfaceId"])

    def interfaces(self) -> set[str]:
        own = [{"Name": "vpc-id", "Values": [self.vpc]}]
        found = self.ec2.describe_network_interfaces(Filters=own)["NetworkInterfaces"]
        return {item["NetworkInterfaceId"] for item in found}


def test_unused_interfaces_of_the_cluster_go_and_others_are_named(spoken: Spoken, clock: FastClock) -> None:
    network = Network()
    mine = {
        network.interface("aws-K8S-i-1", {CNI_CLUSTER_TAG: "gpu-prod"}),
        network.interface("left by Karpenter", {owner_tag("gpu-prod"): "owned"}),
    }
    other = network.interface("ELB app/door", {})
    other_cluster = network.interface("aws-K8S-i-2", {CNI_CLUSTER_TAG: "gpu-dev"})

    VpcSweep("gpu-prod", network.vpc, REGION, ACCOUNT, clock).run(600, spoken[1])

    assert network.interfaces() == {other, other_cluster}
    assert sum(line.startswith("deleted eni-") for line in spoken[0]) == len(mine)
    assert any("left alone" in line and "ELB app/door" in line for line in spoken[0])


def test_an_interface_in_use_is_waited_for_and_then_named(spoken: Spoken, clock: FastClock) -> None:
    network = Network()
    instance = start(network.ec2, karpenter_tags("gpu-prod", "inference"))
    interface = network.interface("aws-K8S-i-1", {CNI_CLUSTER_TAG: "gpu-prod"})
    network.ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)

    with pytest.raises(PlatformError) as raised:
        VpcSweep("gpu-prod", network.vpc, REGION, ACCOUNT, clock).run(120, spoken[1])

    assert f"{interface} (aws-K8S-i-1)" in raised.value.message
    assert clock.time == 120
    assert len([line for line in spoken[0] if line.startswith("waiting for")]) == 4  # at once, then twice a minute

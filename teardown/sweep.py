"""Remove what a deleted cluster leaves in its VPC, so that subnets and security groups can go.

The VPC CNI makes network interfaces for pods. Those of a machine that ends before its CNI has cleaned up stay behind,
`available`, and hold their subnet and security groups (aws/amazon-vpc-cni-k8s issue 608; pulumi-eks issues 194, 1226).
"""

from typing import Any

import boto3

from infra.errors import PlatformError
from teardown.machines import aws_faults, check_account, owner_tag
from teardown.waiting import Clock, Say, wait_until_nothing

# What the VPC CNI (1.18 and newer) and Karpenter's launch templates put on interfaces.
CNI_CLUSTER_TAG = "cluster.k8s.amazonaws.com/name"
_SHOWN = 5


class VpcSweep:
    """The sweep of one VPC for one cluster."""

    def __init__(self, cluster: str, vpc_id: str, region: str, account: str, clock: Clock | None = None) -> None:
        """Check that the credentials are those of `account`.

        Raises:
            PlatformError: for other credentials, or none.
        """
        self._cluster, self._vpc_id = cluster, vpc_id
        session = boto3.Session(region_name=region)
        check_account(session, account)
        self._ec2 = session.client("ec2")
        self._clock = clock or Clock()

    def run(self, seconds: float, say: Say) -> None:
        """Delete the cluster's unused interfaces until none is left; then name what else is in the VPC.

        Interfaces without the cluster's tag are never deleted: the subnets' own deletion says whether they matter.

        Raises:
            PlatformError: when interfaces of the cluster are still in use after `seconds`.
        """
        left = wait_until_nothing(lambda: self._delete_unused(say), seconds, say, self._clock)
        if left:
            raise PlatformError(
                f"network interfaces of the cluster {self._cluster} are still in use: {'; '.join(left)}",
                "end what uses them (the description says what it is), then run the destroy again",
            )
        others = [_shown(interface) for interface in self._interfaces([]) if not _of_the_program(interface)]
        if others:
            more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
            say(f"not this cluster's and left alone in {self._vpc_id}: {'; '.join(others[:_SHOWN])}{more}")
        say(f"no network interface of {self._cluster} is left in {self._vpc_id}")

    def _delete_unused(self, say: Say) -> list[str]:
        """Delete what nothing uses; returns what is in use."""
        used = []
        for interface in self._ours():
            if interface["Status"] != "available":
                used.append(_shown(interface))
                continue
            with aws_faults(f"deleting {interface['NetworkInterfaceId']}"):
                self._ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
            say(f"deleted {_shown(interface)}")
        return used

    def _ours(self) -> list[dict[str, Any]]:
        tagged = ((CNI_CLUSTER_TAG, self._cluster), (owner_tag(self._cluster), "owned"))
        found = {
            interface["NetworkInterfaceId"]: interface
            for key, value in tagged
            for interface in self._interfaces([{"Name": f"tag:{key}", "Values": [value]}])
        }
        return list(found.values())

    def _interfaces(self, filters: list[dict[str, Any]]) -> list[dict[str, Any]]:
        wanted = [{"Name": "vpc-id", "Values": [self._vpc_id]}, *filters]
        with aws_faults("looking for network interfaces"):
            pages = self._ec2.get_paginator("describe_network_interfaces").paginate(Filters=wanted)
            return [interface for page in pages for interface in page["NetworkInterfaces"]]


def _of_the_program(interface: dict[str, Any]) -> bool:
    """Whether AWS made it for a NAT gateway or an endpoint, which the engine deletes by themselves."""
    return interface.get("InterfaceType") in ("nat_gateway", "vpc_endpoint", "gateway_load_balancer_endpoint")


def _shown(interface: dict[str, Any]) -> str:
    return f"{interface['NetworkInterfaceId']} ({interface.get('Description') or 'no description'})"

"""The AWS Load Balancer Controller: its rights and its release."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.helm.v3 import Release

from components.identity.documents import AwsPlace
from components.identity.pod_identity_role import PodIdentityRole
from components.network.load_balancer_policies import load_balancer_policies
from components.network.load_balancer_values import SERVICE_ACCOUNT, load_balancer_values

NAMESPACE = "kube-system"


class LoadBalancerControllerArgs(TypedDict):
    """Where the controller runs and what it may use."""

    partition: str
    """AWS partition."""
    region: str
    """Region of the cluster."""
    account_id: str
    """Account of the cluster."""
    cluster_name: str
    """Cluster; its name is the tag that bounds the controller's rights."""
    vpc_id: pulumi.Input[str]
    """VPC of the cluster."""
    chart: str
    """Name of the chart."""
    repository: str
    """URL of the chart's repository."""
    version: str
    """Version of the chart."""
    skip_crds: NotRequired[bool]
    """Whether the CRDs are there already. Default: False, the release brings those of its chart. Helm never upgrades
    them: when the version moves, apply the new chart's crds folder first."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on role and policies, and on everything the controller makes."""


class LoadBalancerController(pulumi.ComponentResource):
    """Makes load balancers for Ingresses of class alb and Services of class service.k8s.aws/nlb, with least rights.

    What it made in AWS is not in any state: delete Ingresses, Services and Gateways while it lives, or their load
    balancers and security groups block the deletion of the VPC.
    """

    release: Release
    """The controller; whatever needs a load balancer depends on it, so that it lives until the last is gone."""

    def __init__(self, name: str, args: LoadBalancerControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:LoadBalancerController", name, {}, opts)
        place = AwsPlace(args["partition"], args["region"], args["account_id"], args["cluster_name"])
        tags = args.get("tags", {})
        identity = PodIdentityRole(
            f"{name}-identity",
            {
                "partition": place.partition,
                "region": place.region,
                "account_id": place.account,
                "cluster_name": place.cluster,
                "namespace": NAMESPACE,
                "service_account": SERVICE_ACCOUNT,
                "policies": load_balancer_policies(place),
                "tags": tags,
            },
            pulumi.ResourceOptions(parent=self),
        )
        self.release = Release(
            f"{name}-controller",
            name="aws-load-balancer-controller",
            chart=args["chart"],
            version=args["version"],
            repository_opts={"repo": args["repository"]},
            namespace=NAMESPACE,
            values=load_balancer_values(place.cluster, place.region, args["vpc_id"], tags),
            atomic=True,
            timeout=600,
            skip_crds=args.get("skip_crds", False),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[identity]),
        )
        self.register_outputs({})

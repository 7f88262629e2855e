"""Karpenter: its rights, its interruption queue, its CRDs and its controller, in the order they need each other."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_aws import cloudwatch, eks, iam, sqs
from pulumi_kubernetes.helm.v3 import Release

from components.identity.documents import NODE_POLICIES, AwsPlace, ec2_principal, service_trust
from components.identity.pod_identity_role import PodIdentityRole
from components.nodes.interruption import (
    INTERRUPTION_EVENTS,
    QUEUE_RETENTION_SECONDS,
    event_pattern,
    queue_arn,
    queue_policy,
)
from components.nodes.karpenter_policies import controller_policies
from components.nodes.karpenter_values import karpenter_values

NAMESPACE = "kube-system"  # its API priority there keeps it alive when the API server is busy
SERVICE_ACCOUNT = "karpenter"


class KarpenterControllerArgs(TypedDict):
    """Where Karpenter runs and what it may use."""

    partition: str
    """AWS partition."""
    region: str
    """Region."""
    account_id: str
    """Account."""
    cluster_name: str
    """Cluster; also the name of the queue."""
    node_role_name: str
    """Name of the role of Karpenter's nodes, which its policies name."""
    chart: str
    """Chart of the controller."""
    crd_chart: str
    """Chart of the CRDs, a release of its own: Helm never upgrades CRDs inside a chart."""
    version: str
    """Version of both charts."""
    feature_gates: dict[str, bool]
    """Feature gates in use, by name."""
    zonal_shift: NotRequired[bool]
    """Whether no node is started in a zone that is shifted away from; needs zonal shift on the cluster. Default: no."""
    tags: NotRequired[dict[str, pulumi.Input[str]]]
    """Tags on everything in AWS."""


class KarpenterController(pulumi.ComponentResource):
    """Karpenter's controller with least rights, its queue of interruptions and the role of its nodes.

    Spot needs the service-linked role of `spot.amazonaws.com`, which is left out on purpose: it exists once per
    account, creating it twice fails, and a destroy would take it from every other cluster of the account. Where no spot
    request was ever made: `aws iam create-service-linked-role --aws-service-name spot.amazonaws.com`.
    """

    release: Release
    """The controller; node pools depend on it, so that it lives until the last of them is gone."""

    def __init__(
        self,
        name: str,
        args: KarpenterControllerArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        needs: Sequence[pulumi.Resource] = (),
    ) -> None:
        """Create the controller and what it needs.

        Args:
            needs: what the controller's pods need from start to end, such as nodes and add-ons. Only the controller
                waits for it; roles, queue and CRDs, which are no pods, are made meanwhile.
        """
        super().__init__("gpu-platform:index:KarpenterController", name, {}, opts)
        self._name, self._args = name, args
        self._inside = pulumi.ResourceOptions(parent=self)
        self._tags = args.get("tags", {})
        self._place = AwsPlace(args["partition"], args["region"], args["account_id"], args["cluster_name"])
        nodes_may_join = self._node_role()
        queue = self._interruption_queue()
        node_role_arn = self._place.arn("iam", f"role/{args['node_role_name']}", regional=False)
        identity = PodIdentityRole(
            f"{name}-identity",
            {
                "partition": args["partition"],
                "region": args["region"],
                "account_id": args["account_id"],
                "cluster_name": args["cluster_name"],
                "namespace": NAMESPACE,
                "service_account": SERVICE_ACCOUNT,
                "policies": controller_policies(self._place, node_role_arn, queue_arn(self._place)),
                "tags": self._tags,
            },
            self._inside,
        )
        definitions = self._release("crds", args["crd_chart"], {}, [])
        self.release = self._release(
            "controller",
            args["chart"],
            karpenter_values(
                args["cluster_name"], args["region"], args["feature_gates"], args.get("zonal_shift", False)
            ),
            [definitions, identity, *queue, *nodes_may_join, *needs],
        )
        self.register_outputs({})

    def _node_role(self) -> list[pulumi.Resource]:
        """The role of Karpenter's nodes, and their way into the cluster."""
        args = self._args
        role = iam.Role(
            f"{self._name}-node-role",
            name=args["node_role_name"],
            assume_role_policy=service_trust(ec2_principal(args["partition"])),
            tags=self._tags,
            opts=self._inside,
        )
        rights: list[pulumi.Resource] = [
            iam.RolePolicyAttachment(
                f"{self._name}-node-{policy}",
                role=role.name,
                policy_arn=f"arn:{args['partition']}:iam::aws:policy/{policy}",
                opts=self._inside,
            )
            for policy in NODE_POLICIES
        ]
        entry = eks.AccessEntry(
            f"{self._name}-node-access",
            cluster_name=args["cluster_name"],
            principal_arn=role.arn,
            type="EC2_LINUX",
            tags=self._tags,
            opts=self._inside,
        )
        return [*rights, entry]

    def _interruption_queue(self) -> list[pulumi.Resource]:
        """The queue, who may write to it, and the rules that do."""
        queue = sqs.Queue(
            f"{self._name}-queue",
            name=self._args["cluster_name"],
            message_retention_seconds=QUEUE_RETENTION_SECONDS,
            # SQS's own key: events name instances and nothing else, and EventBridge needs no grant on it.
            sqs_managed_sse_enabled=True,
            tags=self._tags,
            opts=self._inside,
        )
        policy = sqs.QueuePolicy(
            f"{self._name}-queue-policy",
            queue_url=queue.url,
            policy=queue_policy(self._place),
            opts=self._inside,
        )
        targets: list[pulumi.Resource] = [self._rule(rule, queue) for rule in INTERRUPTION_EVENTS]
        return [queue, policy, *targets]

    def _rule(self, rule: str, queue: sqs.Queue) -> cloudwatch.EventTarget:
        made = cloudwatch.EventRule(
            f"{self._name}-{rule}",
            event_pattern=event_pattern(*INTERRUPTION_EVENTS[rule]),
            tags=self._tags,
            opts=self._inside,
        )
        return cloudwatch.EventTarget(f"{self._name}-{rule}-target", rule=made.name, arn=queue.arn, opts=self._inside)

    def _release(self, suffix: str, chart: str, values: dict[str, object], needs: list[pulumi.Resource]) -> Release:
        return Release(
            f"{self._name}-{suffix}",
            name="karpenter" if suffix == "controller" else "karpenter-crd",
            chart=chart,
            version=self._args["version"],
            namespace=NAMESPACE,
            values=values,
            atomic=True,
            timeout=600,
            skip_crds=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )

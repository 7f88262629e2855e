"""A new version of a model takes over the traffic step by step, or gives it back."""

from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from components.serving.canary.rollout_spec import (
    check_job_spec,
    check_names,
    job_spec,
    network_policy_spec,
    object_labels,
    role_reference,
    role_subjects,
    run_of,
    script_spec,
    server_rules,
    split_rules,
)
from components.specs import Spec
from infra.planning.startup import NODE_LAUNCH_SECONDS


class TrafficSplitArgs(TypedDict):
    """An object that splits traffic by weights: a route, or an InferenceService."""

    group: str
    """API group."""
    version: str
    """Version of the group."""
    plural: str
    """Kind in the path, such as httproutes."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    stable_backend: NotRequired[str]
    """Name of the stable version among the backends of a route. Default: the server's."""
    canary_backend: NotRequired[str]
    """Name of the canary among them. Default: the server's."""


class CanaryRolloutArgs(TypedDict):
    """What takes over from what, and how it is judged."""

    namespace: str
    """Namespace of the servers and of the Job."""
    version: str
    """What tells both versions apart from any others, such as images and commits; another text is another rollout."""
    stable: str
    """Name of the stable model server."""
    canary: str
    """Name of the canary's model server."""
    canary_servers: int
    """Servers of the canary that must be ready before a step."""
    engine: str
    """Engine of both, whose metrics are judged: vllm."""
    port: int
    """Port of the engine's metrics."""
    metrics_path: str
    """Path of the engine's metrics."""
    splits: list[TrafficSplitArgs]
    """What splits the traffic; the first keeps the state of the rollout as an annotation."""
    knative: NotRequired[bool]
    """Whether the split is canaryTrafficPercent of an InferenceService in Knative mode. Default: weights of routes."""
    steps: list[int]
    """Shares of the traffic in percent, each larger than the one before."""
    bake_seconds: int
    """Shortest time of a step in seconds."""
    min_requests: int
    """Finished requests of each version before a step is judged."""
    max_wait_seconds: int
    """Longest time of a step in seconds; then it is rolled back."""
    ttft_ratio: float
    """Largest p95 of the time to first token, as a multiple of the stable version's."""
    tpot_ratio: float
    """Largest p99 of the time per output token, as a multiple of the stable version's."""
    error_delta: float
    """Largest share of failed requests beyond the stable version's, between 0 and 1."""
    image: str
    """Image with Python 3.11 or newer for the script; it needs nothing else."""
    on_cpu_pool: bool
    """Whether the Jobs ask for nodes with gpu-platform/purpose cpu."""
    check_image: NotRequired[str]
    """Image of the quality check, run once in each step."""
    check_command: NotRequired[list[str]]
    """Its command; default: the image's own."""
    check_url: NotRequired[str]
    """URL of the quality check in place of an image; gets a POST in each step."""
    check_seconds: NotRequired[int]
    """Longest time of one quality check in seconds; needed where there is one."""
    wait: NotRequired[bool]
    """Whether the engine waits until the rollout has ended. Default: no."""


class CanaryRollout(pulumi.ComponentResource):
    """A Job that moves traffic, with the right to change exactly the objects that split it."""

    job_name: pulumi.Output[str]
    """Name of the Job."""

    def __init__(self, name: str, args: CanaryRolloutArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:CanaryRollout", name, {}, opts)
        called = f"{args['canary']}-{run_of(args)}"
        metadata: Spec = {"name": called, "namespace": args["namespace"], "labels": object_labels(called)}
        inside = pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(f"{name}-service-account", metadata=metadata, opts=inside)
        rights = self._rights(name, called, metadata, args, account)
        script = ConfigMap(
            f"{name}-script", metadata=metadata, data=script_spec(called, args), immutable=True, opts=inside
        )
        paths = [self._path_to(name, side, called, args) for side in ("stable", "canary")]
        checks = self._checks(name, called, metadata, args)
        quiet: Spec = {} if args.get("wait") else {"annotations": {"pulumi.com/skipAwait": "true"}}
        job = job_spec(called, args)
        patience = f"{job['activeDeadlineSeconds'] + NODE_LAUNCH_SECONDS}s"
        # Named with its type: mypy takes minutes and gigabytes to fit an unpacked literal to the SDK's TypedDicts.
        own: Spec = {**metadata, **quiet}
        made = Job(
            f"{name}-job",
            metadata=own,
            spec=job,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, script, *rights, *paths, *checks],
                custom_timeouts=pulumi.CustomTimeouts(create=patience, update=patience),
            ),
        )
        self.job_name = made.metadata["name"]
        self.register_outputs({"jobName": self.job_name})

    def _rights(
        self, name: str, called: str, metadata: Spec, args: CanaryRolloutArgs, account: ServiceAccount
    ) -> list[pulumi.Resource]:
        """Roles where the servers are and where each split is."""
        made: list[pulumi.Resource] = []
        wanted = {("servers", args["namespace"]): server_rules(called, args)}
        for namespace in sorted({split["namespace"] for split in args["splits"]}):
            mine: CanaryRolloutArgs = {**args, "splits": [s for s in args["splits"] if s["namespace"] == namespace]}
            wanted["split", namespace] = split_rules(mine)
        for (what, namespace), rules in wanted.items():
            role_name = f"{called}-{what}"
            here: Spec = {**metadata, "name": role_name, "namespace": namespace}
            suffix = what if what == "servers" else f"{what}-{namespace}"
            role = Role(f"{name}-role-{suffix}", metadata=here, rules=rules, opts=pulumi.ResourceOptions(parent=self))
            made.append(
                RoleBinding(
                    f"{name}-role-binding-{suffix}",
                    metadata=here,
                    role_ref=role_reference(role_name),
                    subjects=role_subjects(called, args["namespace"]),
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[role, account]),
                )
            )
        return made

    def _path_to(self, name: str, side: str, called: str, args: CanaryRolloutArgs) -> pulumi.Resource:
        """Network policies add up: this one lets the rollout read metrics, where others only let the gateway in."""
        server = args["stable"] if side == "stable" else args["canary"]
        metadata: Spec = {"name": f"{called}-{side}", "namespace": args["namespace"], "labels": object_labels(called)}
        return NetworkPolicy(
            f"{name}-network-policy-{side}",
            metadata=metadata,
            spec=network_policy_spec(called, server, args),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _checks(self, name: str, called: str, metadata: Spec, args: CanaryRolloutArgs) -> list[pulumi.Resource]:
        """The quality check's Jobs, suspended: the script only lets them go, it cannot make any."""
        made: list[pulumi.Resource] = []
        for step, check in check_names(called, args).items():
            own: Spec = {**metadata, "name": check, "annotations": {"pulumi.com/skipAwait": "true"}}
            options = pulumi.ResourceOptions(parent=self, ignore_changes=["spec.suspend"])
            made.append(
                Job(f"{name}-check-{step}", metadata=own, spec=check_job_spec(called, step, args), opts=options)
            )
        return made

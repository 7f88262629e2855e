"""The endpoint picker of one model: chooses, for each request, the replica that answers it soonest."""

import hashlib
from typing import TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import ConfigMap, Service, ServiceAccount
from pulumi_kubernetes.networking.v1 import NetworkPolicy
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from components.serving.gateway.endpoint_picker_spec import (
    CONFIG_KEY,
    budget_spec,
    configuration,
    deployment_spec,
    picker_labels,
    picker_name,
    picker_policy_spec,
    pool_spec,
    role_binding,
    rules,
    service_spec,
)
from components.specs import Spec


class EndpointPickerArgs(TypedDict):
    """The replicas, and how they are judged."""

    namespace: str
    """Namespace of the model's servers; the picker and its pool are in it too."""
    model: str
    """Name of the model; the InferencePool has it as well."""
    selector: dict[str, str]
    """Labels of the pods that answer requests: of a group over several nodes, its leaders only."""
    port: int
    """Port of their API."""
    engine: str
    """Engine as `llm-d.ai/engine-type` names it, for pods without that label."""
    metrics_path: str
    """Path of their metrics."""
    image: str
    """Image of the picker."""
    replicas: int
    """Pickers; one picks, the others wait."""
    queue_depth_threshold: int
    """Waiting requests above which a replica counts as full."""
    kv_cache_threshold: float
    """Share of the KV cache above which a replica counts as full, 0 to 1."""
    cpu: int
    """CPU request in cores."""
    memory_gib: int
    """Memory request and limit in GiB."""
    on_cpu_pool: bool
    """Whether the cluster has a CPU pool, whose nodes the pods then ask for."""


class EndpointPicker(pulumi.ComponentResource):
    """An InferencePool and the llm-d endpoint picker that serves it, with rights to read its namespace only."""

    pool: pulumi.Output[str]
    """Name of the InferencePool."""

    def __init__(self, name: str, args: EndpointPickerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gpu-platform:index:EndpointPicker", name, {}, opts)
        self._name, self._args = name, args
        text = configuration(args)
        # The picker reads its configuration once, at start: another text is another ConfigMap and so another pod.
        config_name = f"{picker_name(args['model'])}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        account = ServiceAccount(f"{name}-service-account", metadata=self._metadata(), opts=self._inside())
        rights = self._rights(account)
        config = ConfigMap(
            f"{name}-config",
            metadata=self._metadata(config_name),
            data={CONFIG_KEY: text},
            opts=self._inside(),
        )
        pool = CustomResource(
            f"{name}-pool",
            api_version="inference.networking.k8s.io/v1",
            kind="InferencePool",
            metadata=self._metadata(args["model"]),
            spec=pool_spec(args),
            opts=self._inside(),
        )
        deployment = Deployment(
            f"{name}-deployment",
            # With several, those that wait are not ready by design, and so the Deployment never is.
            metadata=self._metadata(annotations={"pulumi.com/skipAwait": "true"} if args["replicas"] > 1 else {}),
            spec=deployment_spec(args, config_name),
            opts=self._inside([account, config, pool, self._policy(), *rights]),
        )
        Service(
            f"{name}-service",
            metadata=self._metadata(annotations={"pulumi.com/skipAwait": "true"}),
            spec=service_spec(args["model"]),
            opts=self._inside([deployment]),
        )
        PodDisruptionBudget(
            f"{name}-disruption-budget",
            metadata=self._metadata(),
            spec=budget_spec(args["model"]),
            opts=self._inside(),
        )
        self.pool = pulumi.Output.from_input(args["model"])
        self.register_outputs({"pool": self.pool})

    def _rights(self, account: ServiceAccount) -> list[pulumi.Resource]:
        role, subjects = role_binding(self._args)
        rights = Role(
            f"{self._name}-role", metadata=self._metadata(), rules=rules(self._args["replicas"]), opts=self._inside()
        )
        binding = RoleBinding(
            f"{self._name}-role-binding",
            metadata=self._metadata(),
            role_ref=role,
            subjects=subjects,
            opts=self._inside([account, rights]),
        )
        return [binding]

    def _policy(self) -> pulumi.Resource:
        """Who may call the picker; it is there before the picker, whose metrics ask for nothing."""
        return NetworkPolicy(
            f"{self._name}-policy",
            metadata=self._metadata(),
            spec=picker_policy_spec(self._args["model"]),
            opts=self._inside(),
        )

    def _metadata(self, name: str = "", annotations: dict[str, str] | None = None) -> Spec:
        labels = {**picker_labels(self._args["model"]), "app.kubernetes.io/part-of": "gpu-platform"}
        metadata: Spec = {
            "name": name or picker_name(self._args["model"]),
            "namespace": self._args["namespace"],
            "labels": labels,
        }
        return {**metadata, "annotations": annotations} if annotations else metadata

    def _inside(self, needs: list[pulumi.Resource] | None = None) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, depends_on=needs or [])

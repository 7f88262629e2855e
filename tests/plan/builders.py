"""Plans written by hand."""

from typing import Any

from infra.plan import Plan, PlannedResource
from infra.plan.records import Mode

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


def urn(name: str, type_token: str = CONFIG_MAP) -> str:
    return f"urn:pulumi:test::gpu-platform::{type_token}::{name}"


def resource(name: str, *dependencies: str, type_token: str = CONFIG_MAP, **rest: Any) -> PlannedResource:
    """A ConfigMap in no namespace, after the ConfigMaps named."""
    values: dict[str, Any] = {
        "custom": True,
        "inputs": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}},
        "dependencies": tuple(urn(other) for other in dependencies),
        **rest,
    }
    return PlannedResource(urn=urn(name, type_token), type_token=type_token, name=name, **values)


def plan(*resources: PlannedResource, mode: Mode = "unknown", exports: dict[str, Any] | None = None) -> Plan:
    return Plan("gpu-platform", "test", mode, tuple(resources), exports or {})

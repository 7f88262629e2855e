"""The Kubernetes half of a plan as manifests, in the order they can be applied."""

from base64 import b64encode
from dataclasses import dataclass, replace
from typing import Any

from infra.errors import PlatformError
from infra.plan.records import Marker, Plan, PlannedResource, Value

# What stands in a manifest where the plan holds a secret: valid as text, and never the real value.
REDACTED = "redacted"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One Kubernetes object ready to apply, and the resource it came from.

    Attributes:
        body: plain JSON data with `apiVersion`, `kind`, `metadata` and the rest.
        urn: the planned resource.
    """

    body: dict[str, Any]
    urn: str

    @property
    def api_version(self) -> str:
        return str(self.body["apiVersion"])

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace, empty for an object of cluster scope."""
        return str(self.body["metadata"].get("namespace", ""))

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"


def kubernetes_manifests(plan: Plan) -> list[Manifest]:
    """Every Kubernetes object of `plan`, in dependency order.

    Args:
        plan: made in the `stand-in` mode; an `unknown` plan has values that no API server accepts.

    Raises:
        PlatformError: when a value is unknown or an object has no explicit name.
    """
    return [_manifest(resource) for resource in plan if resource.is_kubernetes_object]


def known_manifests(plan: Plan) -> list[Manifest]:
    """What is known of every Kubernetes object of `plan`, in dependency order: to judge by, not to apply.

    Args:
        plan: made in either mode; fields and items that are unknown are left out.

    Raises:
        PlatformError: when an object has no explicit name.
    """
    return [_manifest(_without_unknowns(resource)) for resource in plan if resource.is_kubernetes_object]


def _without_unknowns(resource: PlannedResource) -> PlannedResource:
    known = {key: _known(value) for key, value in resource.inputs.items() if value is not Marker.UNKNOWN}
    return replace(resource, inputs=known)


def _known(value: Value) -> Value:
    if isinstance(value, dict):
        return {key: _known(item) for key, item in value.items() if item is not Marker.UNKNOWN}
    if isinstance(value, list):
        return [_known(item) for item in value if item is not Marker.UNKNOWN]
    return value


def _manifest(resource: PlannedResource) -> Manifest:
    body = {key: _plain(value, resource, key) for key, value in resource.inputs.items()}
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name"):
        raise PlatformError(f"{resource.urn} has no metadata.name", "give every Kubernetes object an explicit name")
    return Manifest(body, resource.urn)


def _plain(value: Value, resource: PlannedResource, path: str) -> Any:  # JSON data has no narrower type
    if value is Marker.SECRET:
        # A Secret's `data` is base64 by the API's own rule.
        encoded = resource.inputs.get("kind") == "Secret" and path.startswith("data.")
        return b64encode(REDACTED.encode()).decode() if encoded else REDACTED
    if value is Marker.UNKNOWN:
        raise PlatformError(
            f"{resource.urn}: {path} is only known after up",
            "evaluate the plan in the stand-in mode before asking for manifests",
        )
    if isinstance(value, dict):
        return {key: _plain(item, resource, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, resource, f"{path}[{index}]") for index, item in enumerate(value)]
    return value

"""Bringing manifests to the API server, in order, as one field manager; or asking it, without storing, what it refuses.

Server-side apply needs no knowledge of what is there already, so the first time and every later time are the same. A
dry run goes through schema, CEL rules and admission like a real one; only what others must exist for, namespaces and
CRDs, is created for real, which is why dry runs belong on a throw-away control plane.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.progress import Progress
from simulator.client import ApiError, Client, Json, until, wait_for
from simulator.crds import SOURCES, WITHOUT_DEFINITIONS, custom_resource_definitions, needed
from simulator.state import ObjectKey

# A CRD is served a fraction of a second after it is accepted; the API server builds its schema in the background.
_ESTABLISHED_SECONDS = 30.0
# Namespaces empty themselves through the controller-manager; everything else goes at once.
_GONE_SECONDS = 60.0
# The controller-manager makes a new namespace's default service account; without it a bare Pod is refused.
_SERVICE_ACCOUNT_SECONDS = 10.0

# The API server makes these itself and they can never be pruned.
_BUILT_IN_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


@dataclass(frozen=True, slots=True)
class Rejection:
    """One object that the API server refused.

    Attributes:
        manifest: the object.
        status: HTTP status code.
        message: the server's words; CEL rules and schema faults are named in it.
    """

    manifest: Manifest
    status: int
    message: str

    def __str__(self) -> str:
        return f"{self.manifest}: {self.message}"


def key_of(manifest: Manifest, client: Client | None = None) -> ObjectKey:
    """The object's name in the API; the namespace is `default` where a namespaced object names none."""
    namespace = manifest.namespace
    if not namespace and client and client.resource_type(manifest.api_version, manifest.kind).namespaced:
        namespace = "default"
    return ObjectKey(manifest.api_version, manifest.kind, namespace, manifest.name)


def missing_namespaces(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Namespaces that objects are in and that are not among the manifests, in the order of first use."""
    manifests = list(manifests)
    there = {manifest.name for manifest in manifests if manifest.kind == "Namespace"} | _BUILT_IN_NAMESPACES
    used = dict.fromkeys(manifest.namespace for manifest in manifests if manifest.namespace)
    return [_namespace(name) for name in used if name not in there]


def apply(
    client: Client, manifests: Sequence[Manifest], progress: Progress, recorded: Callable[[ObjectKey], None]
) -> list[ObjectKey]:
    """Apply every manifest, namespaces that are missing first.

    Args:
        recorded: called with each object before it is applied, so that an interrupted run can prune it later.

    Returns:
        What was applied, in order; namespaces that were added are among it.

    Raises:
        PlatformError: at the first refusal, with the object and the server's message.
    """
    manifests = with_definitions(manifests, progress)
    ordered = [*missing_namespaces(manifests), *manifests]
    applied = []
    with progress.step("apply objects", len(ordered)) as step:
        for manifest in ordered:
            step.advance(0, str(manifest))
            try:
                key = key_of(manifest, client)
                recorded(key)
                _apply_one(client, manifest, progress)
            except ApiError as error:
                raise PlatformError(f"the API server refuses {manifest}: {error.message}", _mend(error)) from error
            applied.append(key)
            step.advance()
    return applied


def dry_run(client: Client, manifests: Sequence[Manifest], progress: Progress) -> list[Rejection]:
    """Everything the API server would refuse, without applying it.

    Namespaces and CRDs, of the plan and of the kinds in it, are created for real: use a throw-away control plane
    (`control_plane_only`).
    """
    rejections = []
    manifests = with_definitions(manifests, progress)
    definitions = custom_resource_definitions(needed(SOURCES, manifests))
    apply_definitions(client, [item for item in definitions if not client.exists(client.path_of(item.body))])
    with progress.step("ask the API server", len(manifests)) as step:
        for namespace in missing_namespaces(manifests):
            _open_namespace(client, namespace)
        for manifest in manifests:
            step.advance(0, str(manifest))
            try:
                if manifest.kind == "Namespace":
                    _open_namespace(client, manifest)
                elif manifest.kind == "CustomResourceDefinition":
                    apply_definitions(client, [manifest])
                else:
                    client.apply(manifest.body, dry_run=True)
            except ApiError as error:
                rejections.append(Rejection(manifest, error.status, error.message))
            step.advance()
    return rejections


def with_definitions(manifests: Iterable[Manifest], progress: Progress) -> list[Manifest]:
    """Those that the API server can know; the kinds of the others are told, once each with the reason."""
    known, left_out = [], dict[str, None]()
    for manifest in manifests:
        if reason := WITHOUT_DEFINITIONS.get(manifest.api_version.partition("/")[0]):
            left_out[f"{manifest.kind} is left out: {reason}"] = None
        else:
            known.append(manifest)
    for note in left_out:
        progress.note(note)
    return known


def apply_definitions(client: Client, definitions: Sequence[Manifest]) -> None:
    """Apply CRDs and wait until the server serves every one of them."""
    for definition in definitions:
        client.apply(definition.body)
    for definition in definitions:
        _wait_established(client, definition)


def prune(client: Client, keys: Sequence[ObjectKey], progress: Progress) -> None:
    """Delete objects, last applied first, and wait until they are gone."""
    if not keys:
        return
    with progress.step("remove objects that left the plan", len(keys)) as step:
        paths = []
        for key in reversed(keys):
            step.advance(0, str(key))
            path = _path(client, key)
            if path is not None and client.delete(path):
                paths.append((key, path))
            step.advance()
        deadline = time.monotonic() + _GONE_SECONDS
        for key, path in paths:
            if not wait_for(partial(_is_gone, client, path), deadline - time.monotonic()):
                progress.note(
                    f"{key} is being deleted, but something holds it (a finalizer); it is no longer in the plan"
                )


def _is_gone(client: Client, path: str) -> bool:
    return not client.exists(path)


def _path(client: Client, key: ObjectKey) -> str | None:
    if key.kind == "Namespace" and key.name in _BUILT_IN_NAMESPACES:
        return None
    try:
        return client.path(key.api_version, key.kind, key.namespace, key.name)
    except ApiError as error:
        if error.status == 404:  # its CRD has gone, and every object of it with it
            return None
        raise


def _apply_one(client: Client, manifest: Manifest, progress: Progress) -> None:
    if manifest.kind == "CustomResourceDefinition":
        apply_definitions(client, [manifest])
        return
    deadline = time.monotonic() + _SERVICE_ACCOUNT_SECONDS
    for _ in until(deadline):
        try:
            client.apply(manifest.body)
        except ApiError as error:
            if error.status == 403 and "serviceaccount" in error.message and time.monotonic() < deadline:
                continue
            if error.status != 422 or "immutable" not in error.message:
                raise
            _replace(client, manifest, progress)
        return


def _replace(client: Client, manifest: Manifest, progress: Progress) -> None:
    """Delete and create an object whose change touches an immutable field, as the Pulumi provider does."""
    path = client.path_of(manifest.body)
    client.delete(path)
    if not wait_for(partial(_is_gone, client, path), _GONE_SECONDS):
        raise PlatformError(
            f"{manifest} must be replaced, because an immutable field changed, and its old self does not go",
            f"remove its finalizers, or delete it with kubectl: {path}",
        )
    client.apply(manifest.body)
    progress.note(f"{manifest} was replaced: an immutable field changed")


def _open_namespace(client: Client, manifest: Manifest) -> None:
    """A namespace that a dry run can look into: without a controller-manager nobody makes its service account."""
    client.apply(manifest.body)
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": manifest.name},
    }
    client.apply(account)


def _namespace(name: str) -> Manifest:
    return Manifest({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "")


def _wait_established(client: Client, definition: Manifest) -> None:
    names = definition.body["spec"]["names"]
    versions = [
        f"{definition.body['spec']['group']}/{version['name']}"
        for version in definition.body["spec"]["versions"]
        if version["served"]
    ]

    def served() -> bool:
        status = client.get(client.path_of(definition.body)).get("status", {})
        return _is_true(status, "Established") and all(_serves(client, item, names["kind"]) for item in versions)

    if not wait_for(served, _ESTABLISHED_SECONDS, every=0.05):
        status = client.get(client.path_of(definition.body)).get("status", {})
        refused = (item for item in status.get("conditions") or () if item["status"] != "True")
        said = "; ".join(item.get("message", "") for item in refused)
        raise PlatformError(f"{definition} is not served: {said}", "correct the CRD; its names may be taken")


def _is_true(status: Json, condition: str) -> bool:
    return any(item["type"] == condition and item["status"] == "True" for item in status.get("conditions") or ())


def _serves(client: Client, api_version: str, kind: str) -> bool:
    try:
        client.resource_type(api_version, kind)
    except ApiError:
        return False
    return True


def _mend(error: ApiError) -> str:
    if error.status == 404:
        return "install the operator that defines it, or its CRDs (simulator/crds.py), before objects of it"
    if error.status in {400, 422}:
        return "correct the field the message names, where the program builds this object"
    return "see the message; `kubectl` with the environment's kubeconfig shows the rest"

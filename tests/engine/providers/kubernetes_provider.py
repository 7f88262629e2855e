"""The stand-in for the Kubernetes provider: server-side apply to a real API server, with the real provider's waits."""

from functools import cached_property
from threading import Lock
from typing import Any

from simulator.client import ApiError, Client, Json
from tests.engine.providers.changes import Change, NotReadyError, ProviderError, Replacement
from tests.engine.providers.kube_absent import speak_for_the_absent
from tests.engine.providers.kube_components import construct
from tests.engine.providers.kube_connection import connect
from tests.engine.providers.kube_releases import RELEASE, Releases
from tests.engine.providers.kube_waits import wait_until, why_not_gone, why_not_ready
from tests.engine.providers.serving import StandIn, serve
from tests.engine.providers.values import Properties, has_unknown, plain

# The real provider asks five times for a kind that is not served, doubling its wait: about half a minute.
_KIND_SECONDS = 15.0
_IDENTITY = ("apiVersion", "kind")
_MOVING = ("managedFields", "resourceVersion", "generation")


class KubernetesProvider(StandIn):
    """Objects live in the cluster, and nowhere else."""

    accepts_secrets = True

    def Construct(self, request: Any, context: Any) -> Any:  # noqa: N802
        change = Change(request.type, request.parent, request.name, plain(request.inputs), preview=True)
        return self._answered(context, lambda _: construct(request, change.inputs), change)

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()

    @cached_property
    def _connected(self) -> Client:
        return connect(self.configuration)

    @property
    def client(self) -> Client:
        with self._lock:  # requests come in several threads
            return self._connected

    def same_provider(self, olds: Properties, news: Properties) -> bool:
        key = "clusterIdentifier"
        if key in olds and key in news:
            return bool(olds[key] == news[key])
        return bool(olds.get("kubeconfig") == news.get("kubeconfig") and olds.get("context") == news.get("context"))

    def check(self, change: Change) -> tuple[Properties, dict[str, str]]:
        if change.type_token == RELEASE:
            return change.inputs, {}
        named = (change.inputs.get("metadata") or {}).get("name")
        return change.inputs, {} if named else {"metadata.name": "the stand-in gives no names"}

    def replacement(self, change: Change, properties: list[str]) -> Replacement:
        if change.type_token == RELEASE:
            return Replacement(tuple(key for key in properties if key in ("name", "namespace")), delete_first=True)
        olds, news = change.old_inputs.get("metadata", {}), change.inputs.get("metadata", {})
        identity = [key for key in properties if key in _IDENTITY]
        if any(olds.get(key) != news.get(key) for key in ("name", "namespace")):
            identity.append("metadata")
        if identity:
            return Replacement(tuple(identity))
        if has_unknown(change.inputs):
            return Replacement()
        try:
            self.client.apply(change.inputs, dry_run=True)
        except ApiError as error:
            if error.status == 422 and "immutable" in error.message:
                return Replacement(tuple(properties), delete_first=True)
        return Replacement()

    def create(self, change: Change) -> tuple[str, Properties]:
        if change.preview:
            return "", self._previewed(change)
        if change.type_token == RELEASE:
            return Releases(self.client).install(change)
        return self._identifier(change.inputs), self._applied(change)

    def update(self, change: Change) -> Properties:
        if change.preview:
            return self._previewed(change)
        if change.type_token == RELEASE:
            return Releases(self.client).install(change)[1]
        return self._applied(change)

    def read(self, change: Change) -> tuple[Properties, Properties] | None:
        if change.type_token == RELEASE:
            return (change.inputs, change.state) if Releases(self.client).is_installed(change) else None
        try:
            live = self.client.get(self.client.path_of(change.state))
            wanted = self.client.apply(change.inputs, dry_run=True) if change.inputs else live
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        drifted = _kept(live) != _kept(wanted)
        return (_shaped(live, change.inputs) if drifted else change.inputs), _kept(live)

    def delete(self, change: Change) -> None:
        try:
            client = self.client
        except ProviderError as error:
            raise ProviderError(
                f"{error}. If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the"
                " operation with the PULUMI_K8S_DELETE_UNREACHABLE environment variable set to 'true'"
            ) from None
        if change.type_token == RELEASE:
            Releases(client).uninstall(change, self.cancelled)
            return
        try:
            path = client.path_of(change.state)
        except ApiError as error:
            if error.status == 404:  # its CRD is gone, and every object of it
                return
            raise
        client.delete(path, foreground=True)
        if not wait_until(lambda: not why_not_gone(client, path), change.seconds, self.cancelled):
            raise ProviderError(
                f"timed out after {change.seconds:.0f} s waiting for the deletion of {path}:"
                f" {why_not_gone(client, path)}"
            )

    def _previewed(self, change: Change) -> Properties:
        """The server's own answer, when it can answer already."""
        if change.type_token == RELEASE or has_unknown(change.inputs):
            return {**change.state, **change.inputs}
        try:
            client = self.client
        except ProviderError:
            return change.inputs
        try:
            return _kept(client.apply(change.inputs, dry_run=True))
        except ApiError as error:
            if error.status == 404:  # namespace or CRD comes with the same update
                return change.inputs
            raise ProviderError(f"{change.name}: {error.message}") from None

    def _applied(self, change: Change) -> Properties:
        client, body = self.client, change.inputs
        self._wait_for_kind(body, change.seconds)
        try:
            live = client.apply(body)
        except ApiError as error:
            raise ProviderError(f"resource {self._identifier(body)} was not applied: {error.message}") from None
        speak_for_the_absent(client, live)
        path = client.path_of(body)

        def ready() -> bool:
            nonlocal live
            live = client.get(path)
            return not why_not_ready(client, live)

        if not wait_until(ready, change.seconds, self.cancelled):
            raise NotReadyError(
                f"Resource '{change.inputs['metadata']['name']}' was created but failed to initialize:"
                f" {why_not_ready(client, live)}",
                self._identifier(body),
                _kept(live),
            )
        return _kept(live)

    def _wait_for_kind(self, body: Json, seconds: float) -> None:
        def served() -> bool:
            try:
                self.client.resource_type(body["apiVersion"], body["kind"])
            except ApiError:
                return False
            return True

        if not wait_until(served, min(seconds, _KIND_SECONDS), self.cancelled):
            raise ProviderError(f'no matches for kind "{body["kind"]}" in version "{body["apiVersion"]}"')

    def _identifier(self, body: Json) -> str:
        metadata = body["metadata"]
        return "/".join(metadata[key] for key in ("namespace", "name") if metadata.get(key))


def _kept(live: Json) -> Properties:
    """The object without what moves by itself, so that a refresh shows what somebody changed and nothing else."""
    metadata = {key: value for key, value in live["metadata"].items() if key not in _MOVING}
    return {**{key: value for key, value in live.items() if key != "status"}, "metadata": metadata}


def _shaped(live: Any, wanted: Any) -> Any:
    """The live values of what was asked for, and of nothing else."""
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {key: _shaped(live[key], value) for key, value in wanted.items() if key in live}
    if isinstance(live, list) and isinstance(wanted, list) and len(live) == len(wanted):
        return [_shaped(item, value) for item, value in zip(live, wanted, strict=True)]
    return live


if __name__ == "__main__":
    serve(KubernetesProvider())

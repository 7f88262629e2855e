"""One Kubernetes cluster as plain JSON, through any kubeconfig: with exec plugins, certificates or tokens."""

import contextlib
import json
from typing import Any

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from infra.errors import PlatformError

Json = dict[str, Any]

# To connect, and to answer: a control plane that lives connects in a second; a list of thousands of pods takes longer.
_TIMEOUT_SECONDS = (10.0, 60.0)
_TRIES = 2
_PAGE = 500
_CONFLICTS = 5


class UnreachableError(PlatformError):
    """The API server does not answer, or refuses the credentials."""


class ConflictError(PlatformError):
    """Somebody else changed the object first."""


class Cluster:
    """A client that speaks plain paths and plain JSON: the few verbs a destroy needs, for any kind."""

    def __init__(self, api: Any, name: str) -> None:  # the generated client has no types
        self._api = api
        self.name = name

    @classmethod
    def reach(cls, name: str, kubeconfig: str | None, context: str | None) -> "Cluster":
        """Make a client; nothing is sent yet.

        Args:
            name: of the cluster, for messages.
            kubeconfig: its content; None for the user's own file ($KUBECONFIG).
            context: of the kubeconfig; None for its current one.

        Raises:
            UnreachableError: when the kubeconfig cannot be used; the message holds nothing of it.
        """
        settings = client.Configuration()
        settings.retries = Retry(total=_TRIES, backoff_factor=0.5)
        try:
            if kubeconfig is None:
                config.load_kube_config(context=context, client_configuration=settings)
            else:
                content = yaml.safe_load(kubeconfig)
                config.load_kube_config_from_dict(content, context=context, client_configuration=settings)
        except (ConfigException, yaml.YAMLError, TypeError, KeyError, AttributeError, OSError) as error:
            raise UnreachableError(
                f"the kubeconfig of the cluster {name} cannot be used ({type(error).__name__})",
                "check that `kubectl get nodes` works with it, and that what it calls (such as aws) is on the path",
            ) from None
        return cls(client.ApiClient(settings), name)

    def items(self, path: str, **query: str) -> list[Json]:
        """The members of a collection; none when its kind is not installed."""
        found: list[Json] = []
        query["limit"] = str(_PAGE)
        while True:
            page = self._request("GET", path, query)
            if page is None:
                return found
            found += page.get("items") or []
            query["continue"] = str(page.get("metadata", {}).get("continue") or "")
            if not query["continue"]:
                return found

    def get(self, path: str) -> Json | None:
        """One object; None when it is not there."""
        return self._request("GET", path)

    def delete(self, path: str) -> None:
        """Delete an object in the background; nothing happens when it is gone already."""
        self._request("DELETE", path, body={"propagationPolicy": "Background"})

    def merge(self, path: str, body: Json) -> None:
        """Change fields of an object (JSON merge patch); nothing happens when it is gone already."""
        self._request("PATCH", path, body=body)

    def remove_finalizers(self, path: str, *names: str) -> None:
        """Take finalizers off an object, all of them when none is named; nothing happens when it is gone already."""
        for _ in range(_CONFLICTS):
            thing = self.get(path)
            if thing is None:
                return
            there = thing["metadata"].get("finalizers", [])
            kept = [item for item in there if names and item not in names]
            if kept == there:
                return
            # The version makes the change fail when a controller writes the list at the same moment.
            version = thing["metadata"]["resourceVersion"]
            with contextlib.suppress(ConflictError):
                self.merge(path, {"metadata": {"finalizers": kept, "resourceVersion": version}})
                return

    def _request(self, verb: str, path: str, query: Json | None = None, body: Json | None = None) -> Json | None:
        """The answer; None when there is no such object or kind."""
        patch = {"Content-Type": "application/merge-patch+json"} if verb == "PATCH" else {}
        try:
            answer = self._api.call_api(
                path,
                verb,
                query_params=[(key, value) for key, value in (query or {}).items() if value],
                header_params={"Accept": "application/json", **patch},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=_TIMEOUT_SECONDS,
            )
        except ApiException as error:
            if error.status == 404:
                return None
            if error.status in (401, 403):
                raise UnreachableError(
                    f"the cluster {self.name} refuses {verb} {path}: {error.reason}",
                    "use credentials that may administer it: the principal of an access entry with cluster-admin",
                ) from None
            kind = ConflictError if error.status == 409 else PlatformError
            raise kind(f"the cluster {self.name} refuses {verb} {path}: {_said(error)}", "") from None
        except (HTTPError, OSError) as error:
            raise UnreachableError(
                f"the cluster {self.name} does not answer ({type(error).__name__})",
                "run the destroy where its API endpoint can be reached: a private one only from inside the VPC",
            ) from None
        result: Json = json.loads(answer.data)
        return result


def _said(error: ApiException) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)

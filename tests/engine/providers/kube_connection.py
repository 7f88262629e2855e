"""A client of the cluster that a kubeconfig names."""

import base64
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from infra.errors import PlatformError
from simulator.client import Client
from tests.engine.providers.changes import ProviderError
from tests.engine.providers.values import Properties

_UNREACHABLE = "configured Kubernetes cluster is unreachable"


def connect(configuration: Properties) -> Client:
    """The client of a provider's configuration.

    Raises:
        ProviderError: in the words of the real provider, when the kubeconfig or the cluster is not there.
    """
    text = _kubeconfig(configuration)
    context = configuration.get("context") or text.get("current-context")
    try:
        chosen = _named(text, "context", context)
        cluster, user = _named(text, "cluster", chosen["cluster"]), _named(text, "user", chosen["user"])
    except KeyError:
        raise ProviderError(f'{_UNREACHABLE}: invalid configuration: context "{context}" does not exist') from None
    # The file stays as long as the process, which is as long as one command of the engine.
    authority = tempfile.NamedTemporaryFile(suffix=".crt", delete=False)  # noqa: SIM115
    authority.write(base64.b64decode(cluster["certificate-authority-data"]))
    authority.close()
    client = Client(int(cluster["server"].rpartition(":")[2]), Path(authority.name), user["token"])
    try:
        client.get("/version")
    except PlatformError as error:
        raise ProviderError(
            f"{_UNREACHABLE}: unable to load schema information from the API server: {error.message}"
        ) from None
    finally:
        Path(authority.name).unlink()
    return client


def _kubeconfig(configuration: Properties) -> Properties:
    """The file's content; what is given may be the content, or the path to it."""
    given = configuration.get("kubeconfig") or os.environ.get("KUBECONFIG", "")
    text = given if given.lstrip().startswith("{") or "\n" in given else _content(Path(given))
    data: Properties = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    return data


def _content(path: Path) -> str:
    if not path.is_file():
        raise ProviderError(f"{_UNREACHABLE}: no kubeconfig at {path}")
    return path.read_text(encoding="utf-8")


def _named(kubeconfig: Properties, kind: str, name: object) -> Any:
    return {item["name"]: item[kind] for item in kubeconfig[f"{kind}s"]}[name]

"""Letting the API server call a controller's webhooks: at 127.0.0.1 in place of a Service, as envtest does.

Nothing but the address changes: rules, selectors and failure policy stay upstream's.
"""

import base64
from collections.abc import Sequence
from pathlib import Path

from simulator.client import Client, Json

_GROUP = "admissionregistration.k8s.io/v1"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# Where controller-runtime serves conversion (pkg/builder/webhook.go).
_CONVERT = "/convert"


def redirected(configuration: Json, port: int, authority: Path) -> Json:
    """A webhook configuration whose Services are replaced by 127.0.0.1.

    Args:
        authority: file with the CA that signed the controller's certificate.
    """
    calls = []
    for webhook in configuration["webhooks"]:
        path = webhook["clientConfig"]["service"].get("path", "/")
        calls.append({**webhook, "clientConfig": _client_config(port, path, authority)})
    metadata = {"name": configuration["metadata"]["name"]}
    return {"apiVersion": _GROUP, "kind": configuration["kind"], "metadata": metadata, "webhooks": calls}


def convert_at(client: Client, definitions: Sequence[str], port: int, authority: Path) -> None:
    """Let the versions of these CRDs be converted at 127.0.0.1."""
    webhook = {"clientConfig": _client_config(port, _CONVERT, authority), "conversionReviewVersions": ["v1"]}
    for name in definitions:
        client.merge(f"{_DEFINITIONS}/{name}", {"spec": {"conversion": {"strategy": "Webhook", "webhook": webhook}}})


def _client_config(port: int, path: str, authority: Path) -> Json:
    bundle = base64.b64encode(authority.read_bytes()).decode()
    return {"url": f"https://127.0.0.1:{port}{path}", "caBundle": bundle}

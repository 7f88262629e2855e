"""What the Kubernetes provider waits for after an apply and after a delete, as the real one does."""

import os
import threading
import time
from collections.abc import Callable

from simulator.client import ApiError, Client, Json
from tests.engine.providers.changes import ProviderError

_POLL_SECONDS = 0.1
_WAIT_FOR = "pulumi.com/waitFor"
PATIENCE = "ENGINE_TESTS_PATIENCE"  # seconds that a test lets the provider wait, instead of an hour


def wait_until(done: Callable[[], bool], seconds: float, cancelled: threading.Event) -> bool:
    """Whether `done` became true in time."""
    deadline = time.monotonic() + min(seconds, float(os.environ.get(PATIENCE, "inf")))
    while not done():
        if cancelled.wait(_POLL_SECONDS):
            raise ProviderError("the update was cancelled")
        if time.monotonic() > deadline:
            return False
    return True


def why_not_ready(client: Client, live: Json) -> str:
    """Why an object is not ready yet, in the words of the real provider; empty when it is."""
    if asked := (live["metadata"].get("annotations") or {}).get(_WAIT_FOR):
        return _condition(live, asked.removeprefix("condition="))
    check = {"Deployment": _deployment, "Service": _service, "CustomResourceDefinition": _definition}.get(live["kind"])
    return check(client, live) if check else ""


def _deployment(client: Client, live: Json) -> str:
    del client
    wanted, status = live["spec"].get("replicas", 1), live.get("status") or {}
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return "waiting for the Deployment controller to look at it"
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    if all(count == wanted for count in counts):
        return ""
    said = next((item["message"] for item in status.get("conditions") or () if item["status"] == "False"), "")
    return f"Minimum number of Pods to consider the application live was not attained: {counts[2]}/{wanted}. {said}"


def _condition(live: Json, name: str) -> str:
    """Of the object's present generation, where its controller says of which it speaks."""
    conditions = (live.get("status") or {}).get("conditions") or ()
    generation = live["metadata"]["generation"]
    met = any(
        item["type"] == name and item["status"] == "True" and item.get("observedGeneration", generation) == generation
        for item in conditions
    )
    return "" if met else f"waiting for condition {name}"


def _service(client: Client, live: Json) -> str:
    spec, metadata = live["spec"], live["metadata"]
    if spec.get("type") == "ExternalName" or spec.get("clusterIP") == "None" or not spec.get("selector"):
        return ""
    slices = client.items(
        client.path("discovery.k8s.io/v1", "EndpointSlice", metadata["namespace"]),
        labelSelector=f"kubernetes.io/service-name={metadata['name']}",
    )
    ready = [item for part in slices for item in part.get("endpoints") or () if item["conditions"].get("ready")]
    return "" if ready else "Service does not target any Pods. Selected Pods may not be ready"


def _definition(client: Client, live: Json) -> str:
    del client
    conditions = (live.get("status") or {}).get("conditions") or ()
    accepted = any(item["type"] == "Established" and item["status"] == "True" for item in conditions)
    return "" if accepted else "the API server does not serve it yet"


def why_not_gone(client: Client, path: str) -> str:
    """What holds an object that is being deleted; empty when it is gone."""
    try:
        live = client.get(path)
    except ApiError as error:
        if error.status == 404:
            return ""
        raise
    finalizers = ", ".join(live["metadata"].get("finalizers") or ())
    return f"finalizers: {finalizers}" if finalizers else "it is still there"

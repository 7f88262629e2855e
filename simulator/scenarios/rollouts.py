"""What scenarios of rollouts and drains do and ask: a new version, whether it is out, who waits and why."""

import subprocess
from collections.abc import Sequence

from infra.errors import PlatformError
from simulator.client import Client, Json
from simulator.scenarios.cluster import Cluster
from simulator.throwaway import Throwaway


def deployment_path(namespace: str, name: str) -> str:
    """Path of a Deployment."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


def change_argument(client: Client, path: str, flag: str, value: str) -> None:
    """Give the engine another value of `flag`, which it has already: a new version of the Deployment at `path`."""
    containers = client.get(path)["spec"]["template"]["spec"]["containers"]
    arguments = containers[0]["args"]
    changed = [f"{flag}={value}" if item.startswith(f"{flag}=") else item for item in arguments]
    if changed == arguments:
        raise PlatformError(f"{flag} is not an argument of {path}, or has that value", "see the scenario's stack file")
    containers[0]["args"] = changed
    client.merge(path, {"spec": {"template": {"spec": {"containers": containers}}}})


def is_rolled_out(client: Client, path: str) -> bool:
    """Whether every server of the Deployment is of its newest version and available, and no other is left."""
    item = client.get(path)
    status, wanted = item.get("status") or {}, item["spec"]["replicas"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration", 0) >= item["metadata"]["generation"]
    return bool(seen) and counts == [wanted] * 3


def progress_of(client: Client, path: str) -> Json:
    """The Deployment's condition `Progressing`; empty before it has one."""
    conditions: list[Json] = (client.get(path).get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == "Progressing"), {})


def why_pending(cluster: Cluster, namespace: str) -> str:
    """What the scheduler says of a pod that has no node; empty while it says nothing, or all have one."""
    waiting = [pod.name for pod in cluster.pods(namespace) if not pod.node and not pod.leaving]
    said = (text for name in waiting for text in cluster.events(name, "default-scheduler"))
    return next((text for text in said if "Insufficient" in text or "unschedulable" in text), "")


def kubectl(environment: Throwaway, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """kubectl as a person would run it, in the background; its output is read when it has ended."""
    command = [str(environment.running.tools["kubectl"]), "--kubeconfig", str(environment.kubeconfig), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

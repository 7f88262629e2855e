"""What runs on the environment: waiting for workloads, and naming the pods that do not start and why."""

import time
from collections.abc import Callable, Sequence

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.progress import Progress
from simulator.client import Client, Json, until

_WAITED_FOR = frozenset({"Deployment", "StatefulSet", "LeaderWorkerSet"})
# Pods shown in the error; one cause usually holds back many.
_SHOWN = 10


def wait_available(
    client: Client,
    manifests: Sequence[Manifest],
    progress: Progress,
    seconds: float,
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """Wait until every Deployment, StatefulSet and LeaderWorkerSet among the manifests has all its replicas available.

    Args:
        seconds: how long, for all of them together.
        meanwhile: called in every turn of the wait.

    Raises:
        PlatformError: on time-out; names the pods that are not ready, with the scheduler's or kubelet's reason.
    """
    waiting = [client.path_of(item.body) for item in manifests if item.kind in _WAITED_FOR]
    if not waiting:
        return
    deadline = time.monotonic() + seconds
    with progress.step("wait for workloads", len(waiting)) as step:
        for _ in until(deadline):
            if meanwhile:
                meanwhile()
            objects = {path: client.get(path) for path in waiting}
            done = [path for path, item in objects.items() if _is_available(item)]
            for path in done:
                step.advance(1, path.rpartition("/")[2])
            waiting = [path for path in waiting if path not in done]
            if not waiting:
                return
    late = [client.get(path) for path in waiting]
    raise PlatformError(
        f"not available after {seconds:.0f} s:\n" + "\n".join(line for item in late for line in _why(client, item)),
        "correct what the reasons name, then run `gpu-platform up` again; the environment is left running to look at",
    )


def pod_is_ready(pod: Json) -> bool:
    """Whether the pod's Ready condition is true."""
    return _condition(pod, "Ready").get("status") == "True"


def _is_available(item: Json) -> bool:
    wanted: int = item["spec"].get("replicas", 1)
    status = item.get("status") or {}
    if status.get("observedGeneration", 0) < item["metadata"].get("generation", 0):
        return False
    if item["kind"] == "LeaderWorkerSet":  # it counts groups of which every pod is ready
        return status.get("updatedReplicas", 0) == wanted and _condition(item, "Available").get("status") == "True"
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    # A StatefulSet that rolls on delete never counts its pods as updated.
    if (item["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        counts = [status.get("availableReplicas", 0)]
    return all(count == wanted for count in counts)


def _why(client: Client, item: Json) -> list[str]:
    metadata = item["metadata"]
    name = f"{item['kind']} {metadata['namespace']}/{metadata['name']}"
    status = item.get("status") or {}
    ready = status.get("availableReplicas", status.get("readyReplicas", 0))
    lines = [f"  {name}: {ready} of {item['spec'].get('replicas', 1)} replicas available"]
    if failure := _condition(item, "ReplicaFailure").get("message"):
        lines.append(f"    no pod is made: {failure}")
    pods = client.items(client.path("v1", "Pod", metadata["namespace"]), labelSelector=_selector(item))
    late = [pod for pod in pods if not pod_is_ready(pod)]
    lines += [f"    pod {pod['metadata']['name']}: {_reason(pod)}" for pod in late[:_SHOWN]]
    if len(late) > _SHOWN:
        lines.append(f"    and {len(late) - _SHOWN} more")
    return lines


def _reason(pod: Json) -> str:
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return str(scheduled.get("message") or scheduled.get("reason"))
    status = pod.get("status") or {}
    states = [item.get("state") or {} for item in status.get("containerStatuses") or ()]
    waiting = [state["waiting"] for state in states if "waiting" in state]
    if waiting:
        return f"{waiting[0].get('reason', 'waiting')} {waiting[0].get('message', '')}".strip()
    if "spec" in pod and "nodeName" not in pod["spec"]:
        return "no scheduler has looked at it yet"
    return f"phase {status.get('phase', 'unknown')}, not ready"


def _condition(item: Json, kind: str) -> Json:
    conditions: list[Json] = (item.get("status") or {}).get("conditions") or []
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _selector(item: Json) -> str:
    """The object's selector in the form of a query."""
    if item["kind"] == "LeaderWorkerSet":
        return f"leaderworkerset.sigs.k8s.io/name={item['metadata']['name']}"
    selector = item["spec"]["selector"]
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        values = ",".join(expression.get("values") or ())
        form = {"In": "{} in ({})", "NotIn": "{} notin ({})", "Exists": "{}", "DoesNotExist": "!{}"}
        parts.append(form[expression["operator"]].format(expression["key"], values))
    return ",".join(parts)

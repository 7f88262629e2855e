"""The shape of a canary's objects: plain values in, Kubernetes specs out.

The script is the very file beside this module, with the judgement that it imports; the Job lays both out as packages.
"""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from components.serving.pod_parts import selector_labels
from components.specs import Spec
from infra.conventions import PURPOSE_LABEL
from infra.planning.canary import METRICS

if TYPE_CHECKING:
    from components.serving.canary.rollout import CanaryRolloutArgs

SCRIPTS_PATH = "/scripts"
PLAN_NAME = "rollout.json"
COMPONENT, CHECK_COMPONENT = "canary-rollout", "canary-check"
# In the cluster as in this repository, so that imports are the same.
FILES = {
    **{
        name: f"components/serving/canary/{name}"
        for name in ("cluster.py", "observer.py", "quality.py", "script.py", "splits.py")
    },
    **{name: f"infra/planning/{name}" for name in ("canary.py", "canary_counts.py", "canary_statistics.py")},
}
_ROLLED_BACK, _TAKEN_OVER = 3, 4  # exit codes of the script that no retry changes
# Each retry goes on where the last one ended; an API server that is upgraded is away for minutes. Retries come at most
# six minutes apart (Kubernetes, Jobs, pod backoff failure policy), and they shall last as long as the rollout.
_RETRIES, _LONGEST_BACK_OFF_SECONDS = 20, 360
_USER = 65532
_LIMITS = (
    "ttft_ratio",
    "tpot_ratio",
    "error_delta",
    "abort_delta",
    "min_requests",
    "bake_seconds",
    "max_wait_seconds",
)
_LONGEST_POLL_SECONDS = 10.0
# Between steps: reading, writing, an API server that is slow.
_STEP_MARGIN_SECONDS = 120
# The script rolls back at its own deadline; the Job's only ends one that cannot.
_JOB_MARGIN_SECONDS = 900


@cache
def scripts() -> dict[str, str]:
    """The files of the script by their names in the ConfigMap."""
    root = Path(__file__).resolve().parents[3]
    return {name: (root / path).read_text(encoding="utf-8") for name, path in FILES.items()}


def run_of(args: "CanaryRolloutArgs") -> str:
    """What makes a rollout another one: whose it is, both versions, and how it is judged; as a short hash.

    The script is no part of it: a release of this program must not run a canary again that was rolled back.
    """
    who = [args["namespace"], args["stable"], args["canary"]]
    text = json.dumps([who, args["version"], _judged(args)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def deadline_seconds(args: "CanaryRolloutArgs") -> int:
    """Longest time of a rollout: before the steps and in each, waiting for servers, for requests and for the check."""
    once = args["max_wait_seconds"] * 2 + args.get("check_seconds", 0) + _STEP_MARGIN_SECONDS
    return once * (len(args["steps"]) + 1)


def state_annotation(args: "CanaryRolloutArgs") -> str:
    """The annotation with a rollout's state; several canaries may be behind one route."""
    return f"gpu-platform/canary-{args['stable']}"


def object_labels(name: str) -> dict[str, str]:
    """Labels of a rollout's objects."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": COMPONENT,
        "app.kubernetes.io/part-of": "gpu-platform",
    }


def check_labels(name: str) -> dict[str, str]:
    """Labels of its quality check, which asks no API server."""
    return {**object_labels(name), "app.kubernetes.io/component": CHECK_COMPONENT}


def check_names(called: str, args: "CanaryRolloutArgs") -> dict[int, str]:
    """Names of the Jobs of the quality check by step in percent; empty where it is not a container."""
    return {step: f"{called}-check-{step}" for step in args["steps"]} if "check_image" in args else {}


def script_spec(called: str, args: "CanaryRolloutArgs") -> dict[str, str]:
    """`ConfigMap.data`: the script, and what it is to do."""
    return {**scripts(), PLAN_NAME: json.dumps(rollout_plan(called, args), indent=2, sort_keys=True) + "\n"}


def rollout_plan(called: str, args: "CanaryRolloutArgs") -> Spec:
    """What the script reads.

    Args:
        called: name of the Job.
    """
    namespace = args["namespace"]
    quality: Spec = {}
    if "check_image" in args:
        jobs = check_names(called, args)
        quality["jobs"] = {
            str(step): f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}" for step, name in jobs.items()
        }
    elif "check_url" in args:
        quality = {"url": args["check_url"], "timeout_seconds": args["check_seconds"]}
    return {
        "run": run_of(args),
        "namespace": namespace,
        "model": args["canary"],
        "canary_url": f"http://{args['canary']}.{namespace}.svc",
        "canary_servers": args["canary_servers"],
        "port": args["port"],
        "metrics_path": args["metrics_path"],
        "metrics": asdict(METRICS[args["engine"]]),
        "target": _target(args),
        "quality": quality,
        "deadline_seconds": deadline_seconds(args),
        "poll_seconds": min(_LONGEST_POLL_SECONDS, args["bake_seconds"] / 5),
        **_judged(args),
    }


def job_spec(called: str, args: "CanaryRolloutArgs") -> Spec:
    """`Job.spec` of the rollout."""
    longest = deadline_seconds(args)
    ends = {"containerName": "rollout", "operator": "In", "values": [_ROLLED_BACK, _TAKEN_OVER]}
    return {
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": _RETRIES + longest // _LONGEST_BACK_OFF_SECONDS,
        "activeDeadlineSeconds": longest + _JOB_MARGIN_SECONDS,
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onExitCodes": ends},
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
            ]
        },
        "template": {
            "metadata": {"labels": object_labels(called)},
            "spec": {
                "restartPolicy": "Never",
                "serviceAccountName": called,
                "enableServiceLinks": False,
                "securityContext": _pod_security(),
                "nodeSelector": {PURPOSE_LABEL: "cpu"} if args["on_cpu_pool"] else {},
                "containers": [_container(args["image"])],
                "volumes": [{"name": "scripts", "configMap": {"name": called, "items": _items()}}],
            },
        },
    }


def check_job_spec(called: str, step: int, args: "CanaryRolloutArgs") -> Spec:
    """`Job.spec` of the quality check in one step; suspended until the script lets it go."""
    values = {"CANARY_URL": f"http://{args['canary']}.{args['namespace']}.svc", "MODEL": args["canary"]}
    container: Spec = {
        "name": "check",
        "image": args["check_image"],
        "env": [{"name": key, "value": value} for key, value in {**values, "PERCENT": str(step)}.items()],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if args.get("check_command"):
        container["command"] = list(args["check_command"])
    return {
        "suspend": True,
        "completions": 1,
        "parallelism": 1,
        "backoffLimit": 0,  # a second look would find it good by chance
        "activeDeadlineSeconds": args["check_seconds"],
        "podFailurePolicy": {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]},
        "template": {
            "metadata": {"labels": check_labels(called)},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": _pod_security(),
                "nodeSelector": {PURPOSE_LABEL: "cpu"} if args["on_cpu_pool"] else {},
                "containers": [container],
            },
        },
    }


def _judged(args: "CanaryRolloutArgs") -> Spec:
    limits = {
        name: args[name]  # type: ignore[literal-required]  # each is a key of the arguments
        for name in _LIMITS
    }
    return {"steps": list(args["steps"]), "limits": limits}


def _target(args: "CanaryRolloutArgs") -> Spec:
    routes = [
        {
            "path": f"/apis/{split['group']}/{split['version']}/namespaces/{split['namespace']}"
            f"/{split['plural']}/{split['name']}",
            "stable": split.get("stable_backend", args["stable"]),
            "canary": split.get("canary_backend", args["canary"]),
        }
        for split in args["splits"]
    ]
    if args.get("knative"):
        return {"kind": "inference-service", "path": routes[0]["path"], "annotation": state_annotation(args)}
    selectors = {
        side: ",".join(f"{key}={value}" for key, value in selector_labels(name).items())
        for side, name in (("stable", args["stable"]), ("canary", args["canary"]))
    }
    return {"kind": "routes", "routes": routes, "selectors": selectors, "annotation": state_annotation(args)}


def _items() -> list[Spec]:
    return [{"key": key, "path": path} for key, path in [*FILES.items(), (PLAN_NAME, PLAN_NAME)]]


def _pod_security() -> Spec:
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _container(image: str) -> Spec:
    return {
        "name": "rollout",
        "image": image,
        "command": ["python3", "-m", "components.serving.canary.script", PLAN_NAME],
        "workingDir": SCRIPTS_PATH,
        "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "scripts", "mountPath": SCRIPTS_PATH, "readOnly": True}],
    }

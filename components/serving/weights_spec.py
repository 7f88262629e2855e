"""How a server comes by its weights: volumes, mounts, init containers, flags and variables. Plain values in, dicts out.

Without weights of its own choosing an engine downloads into an emptyDir, as its image does by itself.
"""

from typing import NotRequired, TypedDict

import pulumi

from components.specs import Spec
from infra.planning.weights import WEIGHTS_PATH

# A server that finds no weights gives up after this and is started again; the log then says what it waited for.
# Our choice: a quarter of an hour of a Job that began at the same time.
WAIT_SECONDS = 900
_LOOK_SECONDS = 10

# Name of the volume in the pod.
VOLUME = "model-files"

_WAIT = """\
left={rounds}
until [ -f "$MARKER" ]; do
  [ "$left" -gt 0 ] || {{ echo "gave up: $MARKER is not there after {seconds} s; see the Job that writes it"; exit 1; }}
  echo "waiting for $MARKER"
  left=$((left - 1))
  sleep {look}
done
echo "$MARKER is there"
"""


class VariableArgs(TypedDict):
    """An environment variable of the engine."""

    name: str
    """Name."""
    value: str
    """Value."""


class CacheArgs(TypedDict):
    """A copy on the node's own disks, made before the engine starts."""

    gib: int
    """Size of the copy in GiB."""
    command: list[str]
    """Command that fills it, run in the engine's image."""
    scripts: pulumi.Input[str]
    """ConfigMap with what the command calls."""
    source_claim: NotRequired[str]
    """Claim that is copied from."""


class ModelWeightsMountArgs(TypedDict):
    """Where a server's weights come from."""

    model: str
    """What the engine is told to load: a path in the container, or an address."""
    claim_name: NotRequired[str]
    """Claim that is mounted, read only."""
    image_reference: NotRequired[str]
    """OCI artifact that is mounted, read only."""
    marker: NotRequired[str]
    """File in the claim that says the weights are whole; the server waits for it."""
    cache: NotRequired[CacheArgs]
    """A copy on local disks instead of a mount."""
    flags: NotRequired[list[str]]
    """Engine flags beyond the usual ones."""
    variables: NotRequired[list[VariableArgs]]
    """Environment variables of the engine."""


def weight_volumes(args: ModelWeightsMountArgs) -> list[Spec]:
    """Volumes of the pod."""
    volumes: list[Spec] = []
    if "claim_name" in args:
        claim = {"claimName": args["claim_name"], "readOnly": True}
        volumes.append({"name": VOLUME, "persistentVolumeClaim": claim})
    if "image_reference" in args:
        volumes.append({"name": VOLUME, "image": {"reference": args["image_reference"]}})
    if "cache" in args:
        cache = args["cache"]
        # Not a hostPath: with the node's NVMe as RAID0 the kubelet's own folders lie on it (karpenter-provider-aws,
        # instanceStorePolicy), and a hostPath with DirectoryOrCreate would fall to the root volume in silence.
        volumes.append({"name": VOLUME, "emptyDir": {"sizeLimit": f"{cache['gib']}Gi"}})
        volumes.append({"name": "weights-scripts", "configMap": {"name": cache["scripts"]}})
        if "source_claim" in cache:
            source = {"claimName": cache["source_claim"], "readOnly": True}
            volumes.append({"name": f"{VOLUME}-source", "persistentVolumeClaim": source})
    return volumes


def weight_mounts(args: ModelWeightsMountArgs) -> list[Spec]:
    """Mounts of the engine; it never writes to its weights."""
    mounted = {"claim_name", "image_reference", "cache"} & set(args)
    return [{"name": VOLUME, "mountPath": WEIGHTS_PATH, "readOnly": True}] if mounted else []


def weight_containers(image: pulumi.Input[str], args: ModelWeightsMountArgs, token: list[Spec]) -> list[Spec]:
    """Init containers.

    Args:
        token: variables with the token of a gated model, for a copy from the Hub.
    """
    if "cache" in args:
        return [_filling(image, args["cache"], token)]
    return [_waiting(image, args["marker"])] if "marker" in args else []


def weight_variables(args: ModelWeightsMountArgs) -> list[Spec]:
    """Variables of the engine; nothing may be fetched from the Hub in place of what is mounted."""
    offline = [{"name": "HF_HUB_OFFLINE", "value": "1"}] if weight_mounts(args) else []
    return [*offline, *(dict(variable) for variable in args.get("variables", []))]


def _waiting(image: pulumi.Input[str], marker: str) -> Spec:
    text = _WAIT.format(rounds=WAIT_SECONDS // _LOOK_SECONDS, seconds=WAIT_SECONDS, look=_LOOK_SECONDS)
    return {
        **_init("wait-for-weights", image, cpu="10m", memory="16Mi"),
        "command": ["/bin/sh", "-c", text],
        "env": [{"name": "MARKER", "value": marker}],
        "volumeMounts": [{"name": VOLUME, "mountPath": WEIGHTS_PATH, "readOnly": True}],
    }


def _filling(image: pulumi.Input[str], cache: CacheArgs, token: list[Spec]) -> Spec:
    mounts = [
        {"name": VOLUME, "mountPath": WEIGHTS_PATH},
        {"name": "weights-scripts", "mountPath": "/scripts", "readOnly": True},
    ]
    if "source_claim" in cache:
        mounts.append({"name": f"{VOLUME}-source", "mountPath": "/weights-source", "readOnly": True})
    return {
        **_init("fill-weights", image, cpu="2", memory="2Gi"),
        "command": cache["command"],
        "env": token,
        "volumeMounts": mounts,
    }


def _init(name: str, image: pulumi.Input[str], *, cpu: str, memory: str) -> Spec:
    return {
        "name": name,
        # The engine's own image: it is pulled in any case, and it has a shell and Python.
        "image": image,
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }

"""The shape of a server over several nodes: a LeaderWorkerSet and what stands beside it. Plain values in, dicts out.

A group is one server. Its leader has the HTTP API, its followers have none: no port, no probe, no Service. The group
works while all its pods do, so whatever restarts one restarts all (`RecreateGroupOnPodRestart`).
Not `RecreateGroupAfterStart`: a leader that gave up while its followers still waited for nodes keeps its restart count,
and the controller would end the group a second time when it has come up (lws v0.9.0, pod_controller.go).
Sources: lws v0.9.0; vLLM 0.33 docs/serving/parallelism_scaling.md and engine/arg_utils.py.
"""

from typing import TYPE_CHECKING

from components.fabric.pod_fragment import PodNeeds, efa_fragment, with_fragment
from components.serving.engine_arguments import engine_of, gpus_of
from components.serving.multi_node.stop import follower_pre_stop, leader_pre_stop
from components.serving.network_policy_spec import network_policy_spec
from components.serving.pod_parts import (
    CONTAINER,
    drain_of,
    node_affinity,
    object_labels,
    one_at_a_time,
    pod_spec,
    selector_labels,
    shared_memory_gib,
)
from components.serving.server_place import ZONE, nodes_apart, zone_constraints
from components.serving.serving_args import ServingPodArgs
from components.specs import Spec
from infra.conventions import GROUP_KEY_LABEL, GROUP_LABEL, GROUP_VERSION_LABEL
from infra.planning.fabric import nccl_environment
from infra.planning.group_size import GroupDrain
from infra.planning.startup import NODE_LAUNCH_SECONDS, StartupBudget

if TYPE_CHECKING:
    from components.serving.multi_node.server import MultiNodeModelServerArgs

API_VERSION = "leaderworkerset.x-k8s.io/v1"
LEADER, FOLLOWER = "leader", "follower"

# By name, as vLLM's EFA image installs them (0.33 docker/Dockerfile.efa); other images have the tuner elsewhere.
_PLUGINS = {"NCCL_NET_PLUGIN": "ofi", "NCCL_TUNER_PLUGIN": "ofi"}


def set_name(name: str) -> str:
    """Name of the LeaderWorkerSet. The controller makes a headless Service of the same name, and the model's own name
    is that of the Service which clients use."""
    return f"{name}-group"


def pod_labels(name: str, args: "MultiNodeModelServerArgs", role: str) -> dict[str, str]:
    """Labels of a pod of the group. What selects model servers selects leaders only, here and everywhere."""
    labels = {**object_labels(name, args["engine"]), **group_selector(name)}
    return labels if role == LEADER else {**labels, "app.kubernetes.io/component": "model-follower"}


def group_selector(name: str) -> dict[str, str]:
    """Labels of all pods of all groups of a model."""
    return {GROUP_LABEL: name}


def set_spec(name: str, args: "MultiNodeModelServerArgs") -> Spec:
    """`LeaderWorkerSet.spec`."""
    return {
        "replicas": args["replicas"],
        "leaderWorkerTemplate": {
            "size": _nodes(args),
            "restartPolicy": "RecreateGroupOnPodRestart",
            "leaderTemplate": _template(name, args, LEADER),
            "workerTemplate": _template(name, args, FOLLOWER),
        },
        # With LeaderReady nothing would ever start: a leader is ready when its followers have joined.
        "startupPolicy": "LeaderCreated",
        "networkConfig": {"subdomainPolicy": "Shared"},
        "rolloutStrategy": {"type": "RollingUpdate", "rollingUpdateConfiguration": _rolling(args)},
    }


def disruption_budget_spec(name: str) -> Spec:
    """`PodDisruptionBudget.spec`: one group at a time.

    It counts all pods and lets one go. One is enough to end its group, and the controller then deletes the rest, which
    no budget stops; until that group is whole and ready again no pod of another may be evicted. A budget that counts
    leaders would not see the eviction of a follower, and let two groups go at once.
    """
    return one_at_a_time(group_selector(name))


def policy_spec(name: str, args: "MultiNodeModelServerArgs") -> Spec:
    """`NetworkPolicy.spec`: clients as for any server, and the pods of the model among themselves.

    What the pods say to each other has no authentication, and may be code (vLLM docs/usage/security.md); its ports are
    chosen at start. EFA goes past every policy: there the security group of the nodes is the limit.
    """
    among_themselves = {"from": [{"podSelector": {"matchLabels": group_selector(name)}}]}
    spec = network_policy_spec(name, group_selector(name), args.get("clients", {}), engine_of(args["engine"]).port)
    return {**spec, "ingress": [*spec["ingress"], among_themselves]}


def rollout_seconds(args: "MultiNodeModelServerArgs") -> int:
    """How long a whole rollout may take, in seconds, when groups are exchanged one after the other."""
    step = _startup(args).exchange_seconds(_drain(args).follower_grace_seconds)
    return step * args["replicas"]


def _nodes(args: "MultiNodeModelServerArgs") -> int:
    return args["engine"].get("nodes", 1)


def _drain(args: "MultiNodeModelServerArgs") -> GroupDrain:
    return GroupDrain(drain_of(args["pod"]))


def _rolling(args: "MultiNodeModelServerArgs") -> Spec:
    """By groups. Both numbers are written: the controller's own default takes a group away first."""
    rollout = args.get("rollout", {"strategy": "surge"})
    at_once = args["replicas"] if rollout["strategy"] == "recreate" else rollout.get("at_once", 1)
    if rollout["strategy"] == "surge":
        return {"partition": 0, "maxUnavailable": 0, "maxSurge": at_once}
    return {"partition": 0, "maxUnavailable": at_once, "maxSurge": 0}


def _template(name: str, args: "MultiNodeModelServerArgs", role: str) -> Spec:
    return {"metadata": {"labels": pod_labels(name, args, role)}, "spec": _pod(name, args, role)}


def _pod(name: str, args: "MultiNodeModelServerArgs", role: str) -> Spec:
    """The pod of one node, made from that of a server on one node."""
    spec = pod_spec(name, args["engine"], _pod_args(args, role))
    container = spec["containers"][0]
    container["args"] = [*container["args"], *_place_in_group(args, role)]
    container["env"] = [*container["env"], *_variables()]
    if role == FOLLOWER:
        _as_follower(spec, container, args)
    elif _has_copies(args):
        _as_leader_of_copies(spec, container, args)
    del spec["topologySpreadConstraints"]  # over zones: it would pull the pods of a group apart
    if role == LEADER and args.get("several_zones", False):
        # Groups apart: each is where its leader is.
        place = args["pod"].get("place", {})
        spec["topologySpreadConstraints"] = zone_constraints(selector_labels(name), place, GROUP_VERSION_LABEL)
    spec["affinity"] = _affinity(name, args)
    return _with_fabric(spec, args)


def _pod_args(args: "MultiNodeModelServerArgs", role: str) -> ServingPodArgs:
    """As for one node, but that each waits for the last, and that the drain of a follower, and of a leader of copies,
    is in its preStop."""
    pod: ServingPodArgs = {**args["pod"], "startup_seconds": _startup(args).seconds}
    return {**pod, "shutdown_timeout_seconds": 0} if role == FOLLOWER or _has_copies(args) else pod


def _startup(args: "MultiNodeModelServerArgs") -> StartupBudget:
    """A pod waits from its own start until the group is ready, and the last node may come that much after its own."""
    return StartupBudget(args["pod"]["startup_seconds"] + NODE_LAUNCH_SECONDS)


def _has_copies(args: "MultiNodeModelServerArgs") -> bool:
    return args["engine"].get("data_parallel", 1) > 1


def _place_in_group(args: "MultiNodeModelServerArgs", role: str) -> list[str]:
    """What makes many processes one engine. The controller sets the variables, and Kubernetes puts them in."""
    facts = engine_of(args["engine"])
    return [
        f"{facts.flag('nodes')}={_nodes(args)}",
        f"{facts.flag('node_rank')}=$(LWS_WORKER_INDEX)",
        f"{facts.flag('leader_address')}=$(LWS_LEADER_ADDRESS)",
        # The node of a follower may come minutes after the leader's; by default they wait ten minutes for each other.
        f"{facts.flag('group_timeout')}={_startup(args).seconds}",
        *([facts.flag("follower")] if role == FOLLOWER else []),
    ]


def _variables() -> list[Spec]:
    # What the pods say to each other goes over this address; the security guide asks for a definite one.
    return [{"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]


def _as_follower(spec: Spec, container: Spec, args: "MultiNodeModelServerArgs") -> None:
    """No HTTP, so neither ports nor probes; and it goes after its leader."""
    facts, drain = engine_of(args["engine"]), _drain(args)
    for part in ("ports", "startupProbe", "readinessProbe", "livenessProbe"):
        del container[part]
    seconds = drain.follower_pre_stop_seconds
    container["lifecycle"] = {"preStop": follower_pre_stop(facts.port, facts.live_path, seconds)}
    spec["terminationGracePeriodSeconds"] = drain.follower_grace_seconds


def _as_leader_of_copies(spec: Spec, container: Spec, args: "MultiNodeModelServerArgs") -> None:
    """Its preStop waits for the requests of all copies, within the grace period of any leader."""
    drain = drain_of(args["pod"])
    container["lifecycle"] = {"preStop": leader_pre_stop(engine_of(args["engine"]), drain)}
    spec["terminationGracePeriodSeconds"] = drain.grace_period_seconds


def _affinity(name: str, args: "MultiNodeModelServerArgs") -> Spec:
    """Its pools, pods on nodes of their own, and each group in one zone."""
    place = args["pod"].get("place", {})
    apart: Spec = {
        "nodeAffinity": node_affinity(args["pod"]),
        "podAntiAffinity": nodes_apart(group_selector(name), place),
    }
    return {**apart, "podAffinity": _in_one_zone(name)} if args.get("several_zones", False) else apart


def _in_one_zone(name: str) -> Spec:
    """`podAffinity`: each group where its first pod is. The label with the group's key is on every pod when the API
    server merges it into the selector."""
    term = {
        "topologyKey": ZONE,
        "labelSelector": {"matchLabels": group_selector(name)},
        "matchLabelKeys": [GROUP_KEY_LABEL],
    }
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}


def _with_fabric(spec: Spec, args: "MultiNodeModelServerArgs") -> Spec:
    """EFA interfaces, huge pages and NCCL's variables; over TCP only the variables."""
    fabric = args["fabric"]
    if fabric["transport"] == "tcp":
        environment = nccl_environment(fabric["instance_type"], efa=False)
        container = spec["containers"][0]
        container["env"] += [{"name": key, "value": value} for key, value in sorted(environment.items())]
        return spec
    spec["containers"][0]["env"] += [{"name": key, "value": value} for key, value in _PLUGINS.items()]
    shared = shared_memory_gib(args["engine"], args["pod"])
    needs = PodNeeds(
        instance_type=fabric["instance_type"],
        gpus=gpus_of(args["engine"]),
        memory_gib=args["pod"]["memory_gib"] + shared,
        purpose="inference",
        shared_memory_gib=shared,
    )
    spec = with_fragment(spec, CONTAINER, efa_fragment(needs))
    # The right to lock memory reaches a process only as root: Kubernetes gives no ambient capabilities, and any other
    # user loses it at exec (capabilities(7)). Whether the AMI's own limit on locked memory would do is not confirmed.
    spec["securityContext"] = {**spec["securityContext"], "runAsNonRoot": False, "runAsUser": 0}
    return spec

"""Model servers beside their pools: how they are exchanged, who reaches them, whom they yield to, what they keep."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.serving.compile_cache_spec import cache_claim_spec
from components.serving.engine_arguments import engine_of
from components.serving.model_server_spec import deployment_spec, policy_spec, rollout_seconds, step_seconds, strategy
from components.serving.pod_parts import pod_spec, selector_labels
from infra.catalog.engines import engines
from infra.conventions import CLIENT_OF_LABEL, GATEWAY_NAMESPACE, MONITORING_NAMESPACE
from infra.planning.compile_cache import CACHE_PATH, cache_key
from infra.planning.drain import EXIT_MARGIN_SECONDS
from infra.planning.priorities import BATCH, INTERACTIVE, priority_class
from infra.planning.startup import NODE_LAUNCH_SECONDS

Json = dict[str, Any]
CLAIM: Json = {"kind": "claim", "claim_name": "qwen-cache", "storage_class": "efs", "gib": 30, "gpu": "l4"}


def arguments(place: Json | None = None, engine: Json | None = None, pod: Json | None = None, **changes: Any) -> Any:
    return {
        "namespace": "models",
        "replicas": 4,
        "engine": {"model": "Qwen/Qwen3-8B", "tensor_parallel": 1, "gpu_memory_utilization": 0.9, **(engine or {})},
        "pod": {
            "image": "docker.io/vllm/vllm-openai:v0.33.0",
            "node_pools": ["l4"],
            "spot_allowed": False,
            "startup_seconds": 1800,
            "pre_stop_seconds": 15,
            "shutdown_timeout_seconds": 90,
            "cpu": 3,
            "memory_gib": 12,
            "cache_gib": 27,
            "shared_memory_gib": 2,
            "place": place or {},
            **(pod or {}),
        },
        **changes,
    }


def pod(**changes: Any) -> Json:
    return dict(deployment_spec("qwen", arguments(**changes))["template"]["spec"])


def variables(**changes: Any) -> dict[str, str]:
    return {item["name"]: item.get("value") for item in pod(**changes)["containers"][0]["env"]}


# --- how they are exchanged -------------------------------------------------------------------------------------------


@given(st.sampled_from(["surge", "replace"]), st.integers(1, 8))
def test_capacity_falls_by_what_is_said_and_never_deadlocks(name: str, at_once: int) -> None:
    """Kubernetes refuses both numbers zero; both above zero would lose capacity and need room."""
    rolling = strategy({"strategy": name, "at_once": at_once})["rollingUpdate"]

    assert sorted([rolling["maxUnavailable"], rolling["maxSurge"]]) == [0, at_once]
    assert (rolling["maxUnavailable"] == 0) == (name == "surge")


def test_recreate_has_no_numbers_and_surge_is_the_default() -> None:
    assert strategy({"strategy": "recreate"}) == {"type": "Recreate"}
    assert deployment_spec("qwen", arguments())["strategy"] == strategy({"strategy": "surge"})


@pytest.mark.parametrize("name", ["surge", "replace", "recreate"])
def test_a_server_that_waits_for_anothers_gpus_has_time_for_its_drain_too(name: str) -> None:
    """With one spare place, also a new server that comes first: from the second on, in the place of one that drains."""
    args = arguments(rollout={"strategy": name})
    startup = args["pod"]["startup_seconds"]

    assert step_seconds(args) == 15 + 90 + EXIT_MARGIN_SECONDS + NODE_LAUNCH_SECONDS + startup
    assert deployment_spec("qwen", args)["progressDeadlineSeconds"] == step_seconds(args)


@pytest.mark.parametrize(
    ("rollout", "steps"),
    [({"strategy": "surge"}, 4), ({"strategy": "surge", "at_once": 3}, 2), ({"strategy": "recreate"}, 1)],
)
def test_a_whole_rollout_is_given_the_time_of_all_its_steps(rollout: Json, steps: int) -> None:
    args = arguments(rollout=rollout)

    assert rollout_seconds(args) == steps * step_seconds(args)


# --- starting, for every engine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [engine.name for engine in engines().values() if engine.ready_timeout_variable])
@given(seconds=st.integers(1, 10_000))
def test_an_engine_with_a_patience_of_its_own_has_the_startup_probes(name: str, seconds: int) -> None:
    args = arguments(engine={"engine": name}, pod={"startup_seconds": seconds})
    container = pod_spec("qwen", args["engine"], args["pod"])["containers"][0]
    probe = container["startupProbe"]
    variable = engine_of(args["engine"]).ready_timeout_variable

    assert {item["name"]: item.get("value") for item in container["env"]}[variable] == str(seconds)
    assert 0 <= probe["periodSeconds"] * probe["failureThreshold"] - seconds < probe["periodSeconds"]


def test_vllm_is_among_them() -> None:
    """Else the test above would pass on an empty list."""
    assert engines()["vllm"].ready_timeout_variable == "VLLM_ENGINE_READY_TIMEOUT_S"


# --- who reaches them -------------------------------------------------------------------------------------------------


def admits(spec: Json, namespace: str, labels: Json, port: int, own: str = "models") -> bool:
    """Whether a policy lets a pod in, as Kubernetes reads it; `own` is the policy's namespace."""

    def is_peer(peer: Json) -> bool:
        if "namespaceSelector" in peer:
            (expression,) = peer["namespaceSelector"]["matchExpressions"]
            assert (expression["key"], expression["operator"]) == ("kubernetes.io/metadata.name", "In")
            return namespace in expression["values"]
        return namespace == own and peer["podSelector"].get("matchLabels", {}).items() <= labels.items()

    return any(
        any(is_peer(peer) for peer in rule["from"]) and port in {item["port"] for item in rule["ports"]}
        for rule in spec["ingress"]
    )


def test_only_the_gateway_the_monitor_and_named_clients_reach_a_server() -> None:
    spec = policy_spec("qwen", arguments())

    assert spec["policyTypes"] == ["Ingress"]
    assert spec["podSelector"]["matchLabels"] == selector_labels("qwen")
    assert all(rule["from"] and rule["ports"] for rule in spec["ingress"]), "an empty list lets everybody in"
    assert admits(spec, GATEWAY_NAMESPACE, {}, 8000)
    assert admits(spec, MONITORING_NAMESPACE, {}, 8000)
    assert not admits(spec, "models", {}, 8000)
    assert not admits(spec, "elsewhere", {CLIENT_OF_LABEL: "qwen"}, 8000)
    assert admits(spec, "models", {CLIENT_OF_LABEL: "qwen"}, 8000)
    assert not admits(spec, "models", {CLIENT_OF_LABEL: "other"}, 8000)
    assert not admits(spec, GATEWAY_NAMESPACE, {}, 22)


def test_clients_are_let_in_by_choice() -> None:
    spec = policy_spec("qwen", arguments(clients={"namespaces": ["team-a"], "same_namespace": True}))

    assert admits(spec, "team-a", {}, 8000)
    assert admits(spec, "models", {}, 8000)
    assert not admits(spec, "team-b", {}, 8000)


def test_metrics_on_a_port_of_their_own_are_the_monitors_alone() -> None:
    """Triton answers requests and metrics on two ports."""
    facts = next(item for item in engines().values() if item.metrics_path and item.metrics_port != item.port)
    spec = policy_spec("qwen", arguments(engine={"engine": facts.name}))

    assert admits(spec, MONITORING_NAMESPACE, {}, facts.metrics_port)
    assert not admits(spec, MONITORING_NAMESPACE, {}, facts.port)
    assert not admits(spec, GATEWAY_NAMESPACE, {}, facts.metrics_port)


# --- whom they yield to, and where they stand -------------------------------------------------------------------------


def test_interactive_goes_before_batch_and_both_before_pods_without_a_class() -> None:
    assert INTERACTIVE.value > BATCH.value > 0
    assert INTERACTIVE.preempts
    assert not BATCH.preempts
    assert INTERACTIVE.value <= 1_000_000_000, "more is the system's"
    assert priority_class("interactive", None) == INTERACTIVE.name
    assert priority_class("interruptible", None) == BATCH.name
    assert priority_class("interactive", "mine") == "mine"
    assert pod(place={"priority_class": "mine"})["priorityClassName"] == "mine"
    assert "priorityClassName" not in pod()


def test_servers_are_spread_as_far_as_is_asked() -> None:
    far = pod(place={"nodes_apart": "required", "zones_apart": "required", "zones": 3})
    (zones,) = far["topologySpreadConstraints"]
    (term,) = far["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]

    assert zones["whenUnsatisfiable"] == "DoNotSchedule"
    # Old and new servers together would forbid the zone that the new one needs.
    assert zones["matchLabelKeys"] == ["pod-template-hash"]
    assert zones["minDomains"] == 3
    assert term["topologyKey"] == "kubernetes.io/hostname"
    (near,) = pod(place={"zones": 3})["topologySpreadConstraints"]
    assert near["whenUnsatisfiable"] == "ScheduleAnyway"
    assert "minDomains" not in near  # the API server takes it with DoNotSchedule only


# --- what they keep ---------------------------------------------------------------------------------------------------


def test_the_cache_is_on_the_pods_own_disk_by_default_and_nothing_is_kept_where_none_is_wanted() -> None:
    assert not {"VLLM_CACHE_ROOT", "VLLM_DISABLE_COMPILE_CACHE"} & set(variables())
    assert variables(place={"compile_cache": {"kind": "none"}})["VLLM_DISABLE_COMPILE_CACHE"] == "1"


def test_a_claim_is_mounted_and_written_in_a_folder_of_its_own() -> None:
    found = pod(place={"compile_cache": CLAIM})

    assert {"name": "compile-cache", "persistentVolumeClaim": {"claimName": "qwen-cache"}} in found["volumes"]
    assert {"name": "compile-cache", "mountPath": CACHE_PATH} in found["containers"][0]["volumeMounts"]
    assert variables(place={"compile_cache": CLAIM})["VLLM_CACHE_ROOT"].startswith(f"{CACHE_PATH}/")
    spec = cache_claim_spec(CLAIM)  # type: ignore[arg-type]
    assert (spec["accessModes"], spec["storageClassName"]) == (["ReadWriteMany"], "efs")


def test_another_image_gpu_or_argument_never_reads_the_cache_of_this_one() -> None:
    def folder(**changes: Any) -> str:
        return variables(place={"compile_cache": {**CLAIM, **changes.pop("cache", {})}}, **changes)["VLLM_CACHE_ROOT"]

    found = [
        folder(),
        folder(pod={"image": "docker.io/vllm/vllm-openai:v0.32.0"}),
        folder(cache={"gpu": "l40s"}),
        folder(engine={"max_model_len": 4096}),
        folder(engine={"gpu_memory_utilization": 0.8}),
    ]
    assert len(set(found)) == len(found)
    # And what does not change what is compiled keeps it: a place, or how long to wait.
    assert folder() == folder(pod={"node_pools": ["other"]}) == folder(pod={"startup_seconds": 60})


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert cache_key("a", "b", ["c"]) != cache_key("ab", "", ["c"])
    assert cache_key("a", "b", ["c", "d"]) != cache_key("a", "b", ["cd"])

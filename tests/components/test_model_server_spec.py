"""The shape of a model server's objects, without Pulumi: how it starts, stops, lands and is confined."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.serving import ModelServerArgs
from components.serving.model_server_spec import deployment_spec, disruption_budget_spec, service_spec
from components.serving.pod_parts import object_labels, selector_labels
from components.serving.serving_args import EngineOptionsArgs
from infra.planning.drain import SPOT_NOTICE_SECONDS, DrainBudget

Json = dict[str, Any]


ENGINE: Json = {"model": "Qwen/Qwen3-8B", "tensor_parallel": 1, "gpu_memory_utilization": 0.92}
POD: Json = {
    "image": "docker.io/vllm/vllm-openai:v0.33.0",
    "node_pools": ["l4", "l40s"],
    "spot_allowed": False,
    "startup_seconds": 1800,
    "pre_stop_seconds": 15,
    "shutdown_timeout_seconds": 90,
    "cpu": 3,
    "memory_gib": 12,
    "cache_gib": 27,
    "shared_memory_gib": 2,
}
OUTER: Json = {"namespace": "models", "replicas": 2}


def arguments(**changes: Any) -> ModelServerArgs:
    """Arguments of a server; a change goes where its name belongs."""
    args: Any = {**OUTER, "engine": dict(ENGINE), "pod": dict(POD)}
    for name, value in changes.items():
        in_engine = name in EngineOptionsArgs.__annotations__
        place = args if name in ModelServerArgs.__annotations__ else args["engine"] if in_engine else args["pod"]
        place[name] = value
    return args  # type: ignore[no-any-return]


def pod(**changes: Any) -> Json:
    found: Json = deployment_spec("qwen", arguments(**changes))["template"]["spec"]
    return found


def container(**changes: Any) -> Json:
    (found,) = pod(**changes)["containers"]
    return dict(found)


def flag(name: str, **changes: Any) -> str:
    (found,) = [item for item in container(**changes)["args"] if item.startswith(f"{name}=")]
    return str(found).partition("=")[2]


def variables(**changes: Any) -> dict[str, Json]:
    return {item["name"]: item for item in container(**changes)["env"]}


# --- stopping ---------------------------------------------------------------------------------------------------------


@given(pre_stop=st.integers(1, 600), shutdown=st.integers(1, 3600))
def test_the_three_numbers_of_a_drain_are_strictly_nested(pre_stop: int, shutdown: int) -> None:
    changes = {"pre_stop_seconds": pre_stop, "shutdown_timeout_seconds": shutdown}

    sleep = container(**changes)["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = int(flag("--shutdown-timeout", **changes))
    grace = pod(**changes)["terminationGracePeriodSeconds"]

    assert (sleep, drain) == (pre_stop, shutdown)
    assert 0 < sleep < sleep + drain < grace
    assert grace == DrainBudget(pre_stop, shutdown).grace_period_seconds


def test_the_default_drain_fits_the_notice_of_a_spot_interruption_and_a_longer_one_does_not() -> None:
    budget = DrainBudget(15, 90)

    assert budget.fits_spot_notice
    assert DrainBudget(15, budget.longest_shutdown_on_spot).grace_period_seconds == SPOT_NOTICE_SECONDS
    assert not DrainBudget(15, budget.longest_shutdown_on_spot + 1).fits_spot_notice


# --- starting ---------------------------------------------------------------------------------------------------------


@given(seconds=st.integers(1, 10_000))
def test_the_startup_probe_and_the_engine_are_patient_for_the_same_time(seconds: int) -> None:
    probe = container(startup_seconds=seconds)["startupProbe"]
    patience = probe["periodSeconds"] * probe["failureThreshold"]

    assert patience >= seconds
    assert patience - seconds < probe["periodSeconds"]
    assert variables(startup_seconds=seconds)["VLLM_ENGINE_READY_TIMEOUT_S"]["value"] == str(seconds)


@given(seconds=st.integers(1, 10_000))
def test_a_rollout_waits_longer_than_a_node_and_a_server_take(seconds: int) -> None:
    assert deployment_spec("qwen", arguments(startup_seconds=seconds))["progressDeadlineSeconds"] >= seconds + 900


def test_only_the_startup_probe_covers_loading() -> None:
    found = container()

    assert "initialDelaySeconds" not in found["livenessProbe"]
    assert "initialDelaySeconds" not in found["readinessProbe"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert found[probe]["httpGet"] == {"path": "/health", "port": "http"}


def test_a_busy_server_is_taken_out_of_the_endpoints_before_it_is_restarted() -> None:
    found = container()

    def reaction(probe: Json) -> int:
        return int(probe["periodSeconds"]) * int(probe["failureThreshold"])

    assert reaction(found["readinessProbe"]) * 2 <= reaction(found["livenessProbe"])


# --- replacing --------------------------------------------------------------------------------------------------------


def test_a_new_server_is_ready_before_an_old_one_goes() -> None:
    assert deployment_spec("qwen", arguments())["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }


def test_a_node_can_always_be_drained() -> None:
    """A budget of minAvailable 1 with one replica, or of maxUnavailable 0, holds a node for ever."""
    found = disruption_budget_spec("qwen")

    assert found["maxUnavailable"] == 1
    assert "minAvailable" not in found
    assert found["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_selectors_select_the_pods_and_no_others() -> None:
    spec = deployment_spec("qwen", arguments())
    selectors = [
        spec["selector"]["matchLabels"],
        service_spec("qwen")["selector"],
        disruption_budget_spec("qwen")["selector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector == selector_labels("qwen")
        assert selector.items() <= spec["template"]["metadata"]["labels"].items()
        assert not selector.items() <= object_labels("other").items()


def test_nothing_that_changes_with_a_release_is_in_the_selector() -> None:
    """A Deployment's selector cannot be changed."""
    assert selector_labels("qwen") == {
        "app.kubernetes.io/name": "qwen",
        "app.kubernetes.io/component": "model-server",
    }


# --- what it gets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gpus", [1, 2, 4, 8])
def test_gpus_are_requests_and_limits_and_the_engines_own_number(gpus: int) -> None:
    resources = container(tensor_parallel=gpus)["resources"]

    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"] == str(gpus)
    assert flag("--tensor-parallel-size", tensor_parallel=gpus) == str(gpus)


def test_memory_is_guaranteed_and_cpu_is_not_throttled() -> None:
    resources = container()["resources"]

    assert resources["requests"]["memory"] == resources["limits"]["memory"] == "12Gi"
    assert resources["requests"]["cpu"] == "3"
    assert "cpu" not in resources["limits"]


def test_shared_memory_is_there_for_tensor_parallel_only_and_counts_as_memory() -> None:
    one, two = pod(tensor_parallel=1), pod(tensor_parallel=2)

    assert [volume["name"] for volume in one["volumes"]] == ["cache"]
    assert [mount["mountPath"] for mount in one["containers"][0]["volumeMounts"]] == ["/home/vllm/.cache"]
    assert {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}} in two["volumes"]
    assert {"name": "shared-memory", "mountPath": "/dev/shm"} in two["containers"][0]["volumeMounts"]  # noqa: S108
    # The kernel counts tmpfs against the container: without the addition, 12 GiB of work would be killed at 10.
    assert two["containers"][0]["resources"]["limits"]["memory"] == "14Gi"
    assert two["containers"][0]["resources"]["requests"]["memory"] == "14Gi"


def test_no_shared_memory_is_mounted_where_none_is_wanted() -> None:
    found = pod(tensor_parallel=4, shared_memory_gib=0)

    assert [volume["name"] for volume in found["volumes"]] == ["cache"]
    assert found["containers"][0]["resources"]["limits"]["memory"] == "12Gi"


def test_the_cache_is_bounded_and_asked_for() -> None:
    found = pod(cache_gib=40)

    assert found["volumes"][0] == {"name": "cache", "emptyDir": {"sizeLimit": "40Gi"}}
    assert found["containers"][0]["resources"]["requests"]["ephemeral-storage"] == "40Gi"


def test_every_mount_has_its_volume() -> None:
    for gpus in (1, 2):
        found = pod(tensor_parallel=gpus)
        assert {mount["name"] for mount in found["containers"][0]["volumeMounts"]} == {
            volume["name"] for volume in found["volumes"]
        }


# --- where it lands ---------------------------------------------------------------------------------------------------


def where(**changes: Any) -> list[Json]:
    terms = pod(**changes)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    (term,) = terms  # terms are alternatives: a second one would let a pod past the first
    return list(term["matchExpressions"])


def test_it_runs_on_its_pools_only() -> None:
    assert {"key": "karpenter.sh/nodepool", "operator": "In", "values": ["l4", "l40s"]} in where()


def test_interactive_traffic_is_never_on_spot_and_interruptible_may_be() -> None:
    never = {"key": "karpenter.sh/capacity-type", "operator": "NotIn", "values": ["spot"]}

    assert never in where(spot_allowed=False)
    assert never not in where(spot_allowed=True)


def test_it_bears_the_gpu_taint_and_those_of_its_pools() -> None:
    tolerations = pod(tolerations=[{"key": "team", "value": "ml", "effect": "NoExecute"}])["tolerations"]

    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in tolerations
    assert {"key": "team", "value": "ml", "effect": "NoExecute", "operator": "Equal"} in tolerations
    assert all(toleration.get("key") for toleration in tolerations), "a toleration without a key bears every taint"


def test_replicas_prefer_to_be_apart_and_may_be_together() -> None:
    found = pod()

    assert set(found["affinity"]["podAntiAffinity"]) == {"preferredDuringSchedulingIgnoredDuringExecution"}
    (spread,) = found["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "ScheduleAnyway")


# --- how it is confined -----------------------------------------------------------------------------------------------


def test_it_is_confined() -> None:
    found = pod()
    inner = found["containers"][0]["securityContext"]

    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["runAsUser"] > 0
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inner["allowPrivilegeEscalation"] is False
    assert inner["capabilities"] == {"drop": ["ALL"]}
    assert not inner.get("privileged", False)
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        assert not found.get(name, False)
    assert all("hostPath" not in volume for volume in found["volumes"])
    assert found["automountServiceAccountToken"] is False
    assert found["enableServiceLinks"] is False
    assert found["serviceAccountName"] == "qwen"


def test_it_is_reached_inside_the_cluster_only() -> None:
    found = service_spec("qwen")

    assert found["type"] == "ClusterIP"
    assert {"externalIPs", "loadBalancerIP", "externalName"}.isdisjoint(found)
    (port,) = found["ports"]
    assert port["targetPort"] in {item["name"] for item in container()["ports"]}


# --- what it runs -----------------------------------------------------------------------------------------------------


def test_the_image_is_the_one_given() -> None:
    assert container(image="registry.test/vllm@sha256:0")["image"] == "registry.test/vllm@sha256:0"


def test_the_model_is_served_under_its_name() -> None:
    assert container()["args"][0] == "Qwen/Qwen3-8B"
    assert flag("--served-model-name") == "qwen"
    assert math.isclose(float(flag("--gpu-memory-utilization")), 0.92)


def test_flags_that_are_not_given_are_not_passed() -> None:
    assert not [item for item in container()["args"] if item.startswith(("--revision", "--max-model-len"))]
    assert flag("--revision", revision="abc") == "abc"
    assert flag("--max-model-len", max_model_len=8192) == "8192"
    assert "None" not in " ".join(container()["args"])


def test_a_token_is_a_reference_and_never_a_value() -> None:
    found = variables(token_secret={"name": "hugging-face", "key": "token"})["HF_TOKEN"]

    assert found == {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hugging-face", "key": "token"}}}
    assert "HF_TOKEN" not in variables()

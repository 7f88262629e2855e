"""KServe's real controllers beside the embedded control plane: our own objects become pods, or Knative's Service.

One environment for all tests. Knative itself is not there: its Service is looked at, and its status written by hand.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.conventions import ENGINE_LABEL
from infra.plan import Manifest, kubernetes_manifests
from infra.planning.drain import DrainBudget
from infra.planning.kserve import revision_timeout_seconds
from infra.planning.priorities import INTERACTIVE
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator.client import ApiError, Client, Json, wait_for
from simulator.controllers.known import accompanied
from simulator.controllers.kserve import DEFINITIONS, INFERENCE_SERVICES, LLM_INFERENCE_SERVICES
from simulator.environment import Throwaway, throwaway
from simulator.node_sources import PlannedNodes
from simulator.workloads import pod_is_ready
from stacks.evaluation import evaluate
from tests.simulator.manifests import small_plan

# Upstream's own CRDs without schemas: what the full ones refuse is asked elsewhere, and they cost the API server most
# of a minute of work.
_SHORT = replace(DEFINITIONS, pattern=DEFINITIONS.pattern.replace("/full/", "/minimal/"))
CONTROLLERS = [
    replace(item, definitions=[_SHORT if source == DEFINITIONS else source for source in item.definitions])
    for item in (INFERENCE_SERVICES, LLM_INFERENCE_SERVICES)
]
STACK = Path(__file__).with_name("kserve.yaml")
SECONDS = 60.0
NAMESPACE = "models"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
KNATIVE_SERVICE = f"/apis/serving.knative.dev/v1/namespaces/{NAMESPACE}/services/draft-predictor"
DRAFT = f"/apis/serving.kserve.io/v1beta1/namespaces/{NAMESPACE}/inferenceservices/draft"
POLICIES = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
POOLS = f"/apis/inference.networking.k8s.io/v1/namespaces/{NAMESPACE}/inferencepools"


@pytest.fixture(scope="module")
def plan() -> list[Manifest]:
    return kubernetes_manifests(evaluate(load_stack_file(STACK), "stand-in"))


@pytest.fixture(scope="module")
def environment(state_root: Path, plan: list[Manifest]) -> Iterator[Throwaway]:
    del state_root
    with throwaway(SilentProgress(), plan, controllers=CONTROLLERS) as running:
        yield running


@pytest.fixture
def client(environment: Throwaway) -> Client:
    return environment.client


def eventually(condition: Callable[[], bool]) -> bool:
    return wait_for(condition, SECONDS, every=0.2)


def ready_pods(client: Client, deployment: str, count: int) -> list[Json]:
    """The pods of a Deployment, all of which are ready.

    Fails with what the API server, KServe or the scheduler said instead.
    """

    def found() -> list[Json]:
        try:
            match = client.get(f"{DEPLOYMENTS}/{deployment}")["spec"]["selector"]["matchLabels"]
        except ApiError:
            return []
        selector = ",".join(f"{key}={value}" for key, value in match.items())
        return [pod for pod in client.items(PODS, labelSelector=selector) if pod_is_ready(pod)]

    assert eventually(lambda: len(found()) == count), warnings(client)
    return found()


def warnings(client: Client) -> list[str]:
    return [event["message"] for event in client.items("/api/v1/events") if event["type"] != "Normal"]


def pool_of(client: Client, pod: Json) -> str | None:
    labels: Json = client.get(f"/api/v1/nodes/{pod['spec']['nodeName']}")["metadata"].get("labels", {})
    return labels.get("karpenter.sh/nodepool")


def test_a_standard_model_runs_with_our_drain(client: Client) -> None:
    (pod,) = ready_pods(client, "chat-predictor", 1)
    (engine,) = pod["spec"]["containers"]

    assert pod["spec"]["terminationGracePeriodSeconds"] == DrainBudget(20, 120).grace_period_seconds
    assert engine["lifecycle"]["preStop"]["sleep"]["seconds"] == 20
    assert "--shutdown-timeout=120" in engine["args"]
    assert "cpu" not in engine["resources"]["limits"]
    assert not pod["spec"].get("initContainers"), "nothing of KServe's own: the engine downloads"
    assert pool_of(client, pod) == "inference-l40s"
    strategy = client.get(f"{DEPLOYMENTS}/chat-predictor")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 1, "maxSurge": 0}, "as the settings say, not KServe's quarter"
    assert pod["spec"]["priorityClassName"] == INTERACTIVE.name


@pytest.mark.parametrize("deployment", ["assistant-kserve", "assistant-kserve-prefill"])
def test_servers_of_an_llm_service_run_with_our_drain(client: Client, deployment: str) -> None:
    (pod,) = ready_pods(client, deployment, 1)
    (engine,) = pod["spec"]["containers"]

    assert pod["spec"]["terminationGracePeriodSeconds"] == DrainBudget(30, 240).grace_period_seconds
    assert engine["lifecycle"]["preStop"] == {"exec": {"command": ["/bin/sleep", "30"]}}
    assert engine["command"] == ["vllm", "serve"]
    assert "--shutdown-timeout=240" in engine["args"]
    assert initializer(pod)["args"][:2] == ["hf://Qwen/Qwen3-8B", "/mnt/models"]
    assert engine["args"][0] == "/mnt/models", "flags of KServe's before it would take it for an adapter"
    assert engine["args"].count("--lora-modules") == 1
    assert "legal=/mnt/lora/legal" in engine["args"]
    assert "'" not in "".join(engine["args"])
    assert initializer(pod)["args"][2:4] == ["hf://example-org/qwen3-8b-legal:main", "/mnt/lora/legal"]
    assert pod["spec"]["priorityClassName"] == INTERACTIVE.name
    assert pool_of(client, pod) == "inference-l40s"


def test_the_endpoint_picker_runs_where_no_gpu_is(client: Client) -> None:
    (pod,) = ready_pods(client, "assistant-kserve-router-scheduler", 1)

    assert pool_of(client, pod) == "cpu"
    assert {"key": "CriticalAddonsOnly", "operator": "Exists"} in pod["spec"]["tolerations"]
    (picker,) = pod["spec"]["containers"]
    assert picker["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
    assert picker["resources"]["limits"]["memory"] == "2Gi"
    assert [container["name"] for container in pod["spec"]["containers"]] == ["main"]
    assert initializer(pod)["image"].startswith("docker.io/kserve/storage-initializer:")
    (pool,) = client.items(POOLS)
    assert pool["metadata"]["name"] == "assistant-inference-pool"
    wanted = pool["spec"]["selector"]["matchLabels"]
    (server,) = ready_pods(client, "assistant-kserve", 1)
    assert wanted.items() <= server["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("policy", "deployments"),
    [
        ("chat", ["chat-predictor"]),
        ("assistant", ["assistant-kserve", "assistant-kserve-prefill"]),
        ("assistant-picker", ["assistant-kserve-router-scheduler"]),
    ],
)
def test_a_policy_is_about_the_pods_that_kserve_makes(client: Client, policy: str, deployments: list[str]) -> None:
    chosen = client.get(f"{POLICIES}/{policy}")["spec"]["podSelector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in chosen.items())
    made = [pod["metadata"]["name"] for name in deployments for pod in ready_pods(client, name, 1)]

    assert sorted(pod["metadata"]["name"] for pod in client.items(PODS, labelSelector=selector)) == sorted(made)


@pytest.mark.parametrize("deployment", ["chat-predictor", "assistant-kserve", "assistant-kserve-prefill"])
def test_servers_are_kept_apart_by_labels_that_they_have(client: Client, deployment: str) -> None:
    """A selector that selects nothing would keep nothing apart, and nobody would hear of it."""
    (pod,) = ready_pods(client, deployment, 1)
    (constraint,) = pod["spec"]["topologySpreadConstraints"]
    (term,) = pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]

    for selector in (constraint["labelSelector"], term["podAffinityTerm"]["labelSelector"]):
        assert selector["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_labels_of_ours_get_into_a_selector_that_cannot_change(client: Client) -> None:
    """Why `spec.labels` may hold only what never differs between two versions of a model."""
    ready_pods(client, "assistant-kserve", 1)

    assert client.get(f"{DEPLOYMENTS}/assistant-kserve")["spec"]["selector"]["matchLabels"][ENGINE_LABEL] == "vllm"


def initializer(pod: Json) -> Json:
    """KServe's own initializer, which must be all that `restricted` asks for."""
    (found,) = (item for item in pod["spec"]["initContainers"] if item["name"] == "storage-initializer")
    assert found["securityContext"]["runAsNonRoot"]
    assert not found["securityContext"]["allowPrivilegeEscalation"]
    return dict(found)


def test_a_knative_model_is_a_knative_service_of_ours(client: Client) -> None:
    assert eventually(lambda: client.exists(KNATIVE_SERVICE)), warnings(client)
    spec = client.get(KNATIVE_SERVICE)["spec"]
    pod, annotations = spec["template"]["spec"], spec["template"]["metadata"]["annotations"]
    (engine,) = pod["containers"]

    assert pod["containerConcurrency"] == 32
    assert pod["timeoutSeconds"] == revision_timeout_seconds(90)
    assert annotations["autoscaling.knative.dev/min-scale"] == "1"
    assert annotations["autoscaling.knative.dev/max-scale"] == "3"
    assert annotations["autoscaling.knative.dev/initial-scale"] == "2"
    assert engine["args"][0] == "microsoft/Phi-4-mini-instruct"
    assert engine["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert spec["traffic"] == [{"latestRevision": True, "percent": 100}], "no revision came before the first"


def test_each_kind_calls_for_its_own_controller(plan: list[Manifest]) -> None:
    tools = {"InferenceService": INFERENCE_SERVICES.tool, "LLMInferenceService": LLM_INFERENCE_SERVICES.tool}
    for kind, tool in tools.items():
        without = [item for item in plan if item.kind != kind]
        assert tool in accompanied(PlannedNodes(plan), plan).tools
        assert tool not in accompanied(PlannedNodes(without), without).tools
    assert not set(tools.values()) & set(accompanied(PlannedNodes(small_plan()), small_plan()).tools)

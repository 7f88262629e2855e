"""KServe's and Knative Serving's real controllers beside the embedded control plane: our own objects become pods.

One environment for all tests. No ingress is there: Knative's Route says where its traffic shall go, and is not ready.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from infra.conventions import ENGINE_LABEL
from infra.plan import Manifest, kubernetes_manifests
from infra.planning.drain import DrainBudget
from infra.planning.kserve import revision_timeout_seconds
from infra.planning.priorities import INTERACTIVE
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator.client import ApiError, Client, Json, wait_for
from simulator.controllers.knative import KNATIVE_SERVING
from simulator.controllers.known import accompanied
from simulator.controllers.kserve import INFERENCE_SERVICES, LLM_INFERENCE_SERVICES
from simulator.crds import KSERVE
from simulator.environment import Throwaway, throwaway
from simulator.node_sources import PlannedNodes
from simulator.workloads import pod_is_ready
from stacks.evaluation import evaluate
from tests.simulator.manifests import small_plan

# Upstream's own CRDs without schemas: what the full ones refuse is asked elsewhere, and InferenceService's costs the
# API server six seconds of CPU.
_SHORT = replace(KSERVE, pattern=KSERVE.pattern.replace("/full/", "/minimal/"))
CONTROLLERS = [
    replace(item, definitions=[_SHORT if source == KSERVE else source for source in item.definitions])
    for item in (KNATIVE_SERVING, INFERENCE_SERVICES, LLM_INFERENCE_SERVICES)
]
STACK = Path(__file__).with_name("kserve.yaml")
SECONDS = 60.0
NAMESPACE = "models"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
KNATIVE = f"/apis/serving.knative.dev/v1/namespaces/{NAMESPACE}"
INGRESSES = f"/apis/networking.internal.knative.dev/v1alpha1/namespaces/{NAMESPACE}/ingresses"
FIRST, SECOND = (f"draft-predictor-{number:05}" for number in (1, 2))
REPLICAS = 2  # what a revision begins with
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
    chat = DRAFT.replace("/draft", "/chat")
    assert eventually(lambda: conditions(client, chat).get("Ready") == "True"), conditions(client, chat)


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


def conditions(client: Client, path: str) -> dict[str, str]:
    """Conditions of an object by type; none while it is not there."""
    try:
        found = client.get(path).get("status", {}).get("conditions", ())
    except ApiError:
        return {}
    return {condition["type"]: condition["status"] for condition in found}


def test_a_knative_model_runs_as_a_revision_beside_its_queue_proxy(client: Client) -> None:
    """In a namespace of level `restricted`, with every part of the pod that Knative refuses unless it is told."""
    pod, _ = ready_pods(client, f"{FIRST}-deployment", REPLICAS)
    engine, proxy = pod["spec"]["containers"]
    told = {item["name"]: item.get("value") for item in proxy["env"]}

    assert (engine["name"], proxy["name"]) == ("kserve-container", "queue-proxy")
    assert engine["args"][0] == "microsoft/Phi-4-mini-instruct"
    assert engine["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["spec"]["terminationGracePeriodSeconds"] == revision_timeout_seconds(90)
    assert told["REVISION_TIMEOUT_SECONDS"] == str(revision_timeout_seconds(90))
    assert told["CONTAINER_CONCURRENCY"] == "32"
    assert pod["spec"]["priorityClassName"] == INTERACTIVE.name
    assert pool_of(client, pod) == "inference-l40s"
    bounds = client.get(f"{KNATIVE}/revisions/{FIRST}")["metadata"]["annotations"]
    assert bounds["autoscaling.knative.dev/min-scale"] == "1"
    assert bounds["autoscaling.knative.dev/max-scale"] == "3"
    assert bounds["autoscaling.knative.dev/initial-scale"] == str(REPLICAS)


def test_knative_is_ready_as_far_as_the_ingress(client: Client) -> None:
    assert eventually(lambda: conditions(client, f"{KNATIVE}/configurations/draft-predictor").get("Ready") == "True")
    assert conditions(client, f"{KNATIVE}/revisions/{FIRST}")["Ready"] == "True"
    assert eventually(
        lambda: conditions(client, f"{KNATIVE}/routes/draft-predictor").get("AllTrafficAssigned") == "True"
    )
    assert conditions(client, f"{KNATIVE}/routes/draft-predictor")["IngressReady"] == "Unknown"
    assert eventually(lambda: conditions(client, DRAFT).get("Ready") == "Unknown"), conditions(client, DRAFT)


def test_a_revision_gets_its_lost_deployment_back(client: Client) -> None:
    """And the fewest pods that it may have: what it begins with counts once."""
    before = ready_pods(client, f"{FIRST}-deployment", REPLICAS)
    client.delete(f"{DEPLOYMENTS}/{FIRST}-deployment", foreground=True)
    paths = [f"{PODS}/{pod['metadata']['name']}" for pod in before]
    assert eventually(lambda: not any(client.exists(path) for path in paths)), "its pods go with it"
    ready_pods(client, f"{FIRST}-deployment", 1)


def test_a_new_revision_gets_the_traffic_that_is_written(client: Client, plan: list[Manifest]) -> None:
    (draft,) = (item.body for item in plan if item.kind == "InferenceService" and item.name == "draft")
    assert eventually(lambda: conditions(client, f"{KNATIVE}/revisions/{FIRST}").get("Ready") == "True")
    spare_nodes(client, REPLICAS)

    client.apply(changed(draft, percent=10))
    pod, _ = ready_pods(client, f"{SECOND}-deployment", REPLICAS)
    assert "--max-num-seqs=64" in pod["spec"]["containers"][0]["args"]
    assert eventually(lambda: shares(client) == {FIRST: 90, SECOND: 10}), shares(client)
    assert client.get(f"{KNATIVE}/revisions/{FIRST}")["status"]["actualReplicas"] >= 1

    client.apply(changed(draft, percent=100))
    assert eventually(lambda: shares(client) == {SECOND: 100}), shares(client)


def spare_nodes(client: Client, count: int) -> None:
    """Nodes for a new revision, which stands beside the old one until it has all the traffic."""
    node = client.items("/api/v1/nodes", labelSelector="karpenter.sh/nodepool=inference-l40s")[0]
    kept = {key: node["metadata"][key] for key in ("labels", "annotations")}
    sizes = {key: node["status"][key] for key in ("capacity", "allocatable")}
    body = {"apiVersion": "v1", "kind": "Node", "spec": {"taints": node["spec"]["taints"]}, "status": sizes}
    for number in range(count):
        client.create("/api/v1/nodes", {**body, "metadata": {"name": f"spare-{number}", **kept}})


def changed(service: Json, percent: int) -> Json:
    """The InferenceService with one more argument, and so much traffic for what follows from it."""
    predictor = service["spec"]["predictor"]
    (engine,) = predictor["containers"]
    engine = {**engine, "args": [*engine["args"], "--max-num-seqs=64"]}
    return {**service, "spec": {"predictor": {**predictor, "canaryTrafficPercent": percent, "containers": [engine]}}}


def shares(client: Client) -> dict[str, int]:
    """Per cent of the traffic by revision, as the Ingress is told; rules of single revisions (tags) left out."""
    (ingress,) = client.items(INGRESSES)
    rules = [rule for rule in ingress["spec"]["rules"] if not rule["hosts"][0].startswith("prev-")]
    found: dict[str, int] = {}
    for split in rules[0]["http"]["paths"][0]["splits"]:
        found[split["serviceName"]] = found.get(split["serviceName"], 0) + split["percent"]
    return found


def test_knative_refuses_what_its_settings_do_not_allow(client: Client) -> None:
    pod = {"containers": [{"image": "docker.io/vllm/vllm-openai:v0.33.0"}], "nodeSelector": {"gpu": "l40s"}}
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "selective", "namespace": NAMESPACE},
        "spec": {"template": {"spec": pod}},
    }
    with pytest.raises(ApiError, match=r"must not set the field\(s\): spec.template.spec.nodeSelector"):
        client.apply(service, dry_run=True)


def test_knative_listens_on_the_loopback_only(environment: Throwaway) -> None:
    (record,) = (item for item in environment.running.state.processes if item.name == KNATIVE_SERVING.name)
    found = psutil.Process(record.pid).net_connections("inet")
    assert {item.laddr.ip for item in found if item.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_the_knative_model_is_the_one_of_the_example() -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "kserve" / "Pulumi.kserve.yaml"
    models = [
        next(item for item in load_stack_file(path).settings.models if item.name == "draft")
        for path in (STACK, example)
    ]
    assert models[0].model_copy(update={"replicas": models[1].replicas}) == models[1]


def test_each_kind_calls_for_its_own_controller(plan: list[Manifest]) -> None:
    tools = {
        "KnativeServing": KNATIVE_SERVING.tool,
        "InferenceService": INFERENCE_SERVICES.tool,
        "LLMInferenceService": LLM_INFERENCE_SERVICES.tool,
    }
    for kind, tool in tools.items():
        without = [item for item in plan if item.kind != kind]
        assert tool in accompanied(PlannedNodes(plan), plan).tools
        assert tool not in accompanied(PlannedNodes(without), without).tools
    assert not set(tools.values()) & set(accompanied(PlannedNodes(small_plan()), small_plan()).tools)

"""Where what KServe brings stands, who reaches its servers, and how they are exchanged, apart and let go."""

from typing import Any

import pytest

from components.serving.kserve_models.inference_service_spec import INITIAL_SCALE_ANNOTATION, inference_service_spec
from components.serving.kserve_models.knative_spec import WORKLOADS
from components.serving.kserve_models.model import rollout_seconds
from components.serving.kserve_models.policies import llm_selector, picker_selector, server_policy
from components.serving.model_server_spec import strategy
from infra.catalog.kserve import HUGGING_FACE_SERVER, KNATIVE_NAMESPACES, LLM_PODS, QUEUE_PROXY
from infra.conventions import API_CLIENT_LABEL, CLIENT_OF_LABEL, GATEWAY_NAMESPACE, MONITORING_NAMESPACE
from infra.planning.destroy import requirements, violations
from infra.planning.placement import node_pools, pack, pod_demands
from infra.planning.priorities import INTERACTIVE
from infra.planning.startup import StartupBudget
from infra.settings.tenant_demand import asks_of
from infra.versions import KNATIVE
from simulator.crds import CrdSource, objects_in
from stacks.kserve_layer import kserve_model_args
from tests.serving.kserve_example import ASSISTANT, DRAFT, Json, body_of, objects, plan, settings_with

ON_SYSTEM_NODES = [{"key": "CriticalAddonsOnly", "operator": "Exists"}]


def values_of(release: str) -> Json:
    (found,) = (item for item in plan().of_type("kubernetes:helm.sh/v3:Release") if item.inputs["name"] == release)
    values: Any = found.inputs["values"]
    return dict(values)


# --- controllers ------------------------------------------------------------------------------------------------------

# Where each chart reads the tolerations of each of its pods; found by rendering it with helm 3.19 and looking at every
# Deployment and Job (2026-11-21).
PLACES = {
    "cert-manager": ["tolerations", "webhook.tolerations", "cainjector.tolerations", "startupapicheck.tolerations"],
    "kserve-resources": ["kserve.controller.tolerations"],
    "kserve-llmisvc-resources": ["kserve.llmisvc.controller.tolerations"],
    "knative-operator": [
        "knative_operator.knative_operator.tolerations", "knative_operator.operator_webhook.tolerations",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("release", "path"), [(name, path) for name, paths in PLACES.items() for path in paths])
def test_controllers_may_stand_on_system_nodes(release: str, path: str) -> None:
    values: Any = values_of(release)
    for key in path.split("."):
        values = values[key]

    assert values == ON_SYSTEM_NODES


def test_everything_that_knatives_operator_starts_may_stand_there_too() -> None:
    """Its manifests of our version name what there is; the operator takes a Job by its generateName."""
    kinds = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job"})
    minor = KNATIVE.rpartition(".")[0]
    manifests = (f"knative-serving/{KNATIVE}/*.yaml", f"ingress/{minor}/kourier/*.yaml")
    folder = "cmd/operator/kodata"
    started = [
        item["metadata"].get("name") or item["metadata"]["generateName"]
        for pattern in manifests
        for item in objects_in(CrdSource("knative-operator", "knative.dev/operator", f"{folder}/{pattern}"), kinds)
    ]
    workloads = body_of("KnativeServing", "knative-serving")["spec"]["workloads"]

    assert sorted(started) == sorted(WORKLOADS)
    assert workloads == [{"name": name, "tolerations": ON_SYSTEM_NODES} for name in WORKLOADS]


def test_the_picker_has_a_place_in_the_plan() -> None:
    """It asks for what KServe's template asks, on a node without GPUs."""
    demands = pod_demands(objects())
    (picker,) = (
        item for item in demands if "LLMInferenceService" in item.owner and "nvidia.com/gpu" not in item.requests
    )
    packing = pack(demands, node_pools(objects()))

    assert (picker.count, int(picker.requests["cpu"]), int(picker.requests["memory"])) == (1, 1, 2 * 2**30)
    assert packing.unplaced == ()
    (node,) = (node for node in packing.nodes if node.pool.name == "cpu")
    assert node.pods == ("LLMInferenceService models/assistant",)


def test_the_picker_counts_against_a_tenants_quota() -> None:
    """What it is reckoned with is what the object asks for."""
    settings = settings_with(lambda _: None)
    asks = asks_of(settings.models, lambda _: settings.node_pools, (), settings.storage)
    (ask,) = (item for item in asks if item.owner == "KServe's endpoint picker of assistant")
    demands = [item for item in pod_demands(objects()) if item.owner.endswith("/assistant")]

    assert {**ask.requests, "pods": 1} in [item.requests for item in demands]


def test_a_destroy_keeps_the_controller_of_each_kind() -> None:
    names = {item.urn: item.name for item in plan()}
    reasons = ("its finalizers need their controller", "deleting a CRD deletes what is of it")
    kept = {
        reason: {(names[item.first], names[item.then]) for item in requirements(plan()) if item.why == reason}
        for reason in reasons
    }
    models = {"assistant-llm-inference-service": "llm-", "chat-inference-service": ""}

    for model, chart in models.items():
        assert {then for first, then in kept[reasons[0]] if first == model} == {f"kserve-{chart}resources"}
        assert {then for first, then in kept[reasons[1]] if first == model} == {f"kserve-{chart}crd"}
    assert [str(item) for item in violations(plan())] == []


@pytest.mark.parametrize("server", ["chat-inference-service", "assistant-llm-inference-service"])
def test_servers_go_before_what_they_use(server: str) -> None:
    names = {item.urn: item.name for item in plan()}
    after = {names[item.then] for item in requirements(plan()) if names[item.first] == server}
    model = server.partition("-")[0]

    assert {f"{model}-network-policy", f"{INTERACTIVE.name}-priority-class"} <= after
    assert "inference-l40s-drain" in after


# --- callers ----------------------------------------------------------------------------------------------------------


def callers(name: str) -> list[tuple[list[Json], list[int]]]:
    """Of the NetworkPolicy `name`: who may call, and on which ports; none: on all."""
    spec = body_of("NetworkPolicy", name)["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    return [(rule["from"], [port["port"] for port in rule.get("ports", [])]) for rule in spec["ingress"]]


def spaces(*names: str) -> Json:
    wanted = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": sorted(names)}
    return {"namespaceSelector": {"matchExpressions": [wanted]}}


def pods(labels: Json) -> Json:
    return {"podSelector": {"matchLabels": labels}}


@pytest.mark.parametrize(("name", "port"), [("chat", 8000), ("classic", 3000), ("summaries", HUGGING_FACE_SERVER.port)])
def test_servers_of_mode_standard_are_called_as_any_other(name: str, port: int) -> None:
    assert callers(name) == [
        ([spaces(GATEWAY_NAMESPACE), pods({CLIENT_OF_LABEL: name})], [port]),
        ([spaces(MONITORING_NAMESPACE)], [port]),
    ]
    chosen = body_of("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"]
    assert chosen.items() <= body_of("InferenceService", name)["spec"]["predictor"]["labels"].items()


def test_servers_of_mode_knative_are_called_by_knative_alone() -> None:
    assert callers("draft") == [
        ([spaces(*KNATIVE_NAMESPACES)], [QUEUE_PROXY.http, QUEUE_PROXY.statistics]),
        ([spaces(MONITORING_NAMESPACE)], [8000, QUEUE_PROXY.metrics]),
    ]


def test_servers_of_an_llm_service_are_called_by_gateways_its_picker_and_each_other() -> None:
    assert callers("assistant") == [
        ([spaces("gateway"), pods({CLIENT_OF_LABEL: "assistant"})], [LLM_PODS.http]),
        ([spaces(MONITORING_NAMESPACE)], [LLM_PODS.http]),
        ([pods(picker_selector("assistant"))], [LLM_PODS.http]),
        ([pods(llm_selector("assistant"))], []),
    ]
    assert callers("assistant-picker") == [
        ([spaces("gateway")], [LLM_PODS.picker_grpc]),
        ([spaces(MONITORING_NAMESPACE)], [LLM_PODS.picker_metrics]),
    ]


def test_the_gateway_of_a_route_of_kserves_is_let_in() -> None:
    settings = settings_with(lambda raw: raw["kserve"].update(gateway={"namespace": "edge", "name": "models"}))
    spec = server_policy("assistant", kserve_model_args(settings.models[ASSISTANT], settings))

    assert spaces("edge", GATEWAY_NAMESPACE) in spec["ingress"][0]["from"]


# --- rollouts, distances, adapters ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["surge", "replace", "recreate"])
def test_a_rollout_in_mode_standard_is_that_of_a_deployment(wanted: str) -> None:
    settings = settings_with(lambda raw: raw["models"][0].update(rollout={"strategy": wanted, "atOnce": 2}))
    args = kserve_model_args(settings.models[0], settings)

    assert inference_service_spec("chat", args)["predictor"]["deploymentStrategy"] == strategy(
        {"strategy": wanted, "at_once": 2}
    )
    # One exchange for two servers, the drain of those before them included: a surge waits for it too without more room.
    assert rollout_seconds(args) == StartupBudget(1800).rollout_seconds + 15 + 90 + 10


def test_a_revision_begins_with_its_replicas() -> None:
    def first(**fields: int) -> str | None:
        def edit(raw: Json) -> None:
            raw["models"][DRAFT].update(replicas=fields["replicas"])
            raw["models"][DRAFT]["kserve"].update(minReplicas=fields["least"], maxReplicas=4)

        settings = settings_with(edit)
        args = kserve_model_args(settings.models[DRAFT], settings)
        found: str | None = inference_service_spec("draft", args)["predictor"]["annotations"].get(
            INITIAL_SCALE_ANNOTATION
        )
        return found

    assert first(replicas=3, least=1) == "3"
    assert first(replicas=1, least=0) is None  # as Knative does by itself
    assert first(replicas=3, least=3) is None


def test_servers_of_an_llm_service_keep_apart_from_their_like() -> None:
    """By labels that KServe gives them: ours do not reach the pods."""
    spec = body_of("LLMInferenceService", "assistant")["spec"]

    for role, pod in (("decode", spec["template"]), ("prefill", spec["prefill"]["template"])):
        (constraint,) = pod["topologySpreadConstraints"]
        (term,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        alike = {"matchLabels": {**llm_selector("assistant"), LLM_PODS.role_label: role}}
        assert constraint["labelSelector"] == term["podAffinityTerm"]["labelSelector"] == alike
        assert pod["priorityClassName"] == INTERACTIVE.name


def test_only_the_proxy_of_a_decoding_server_asks_the_api_server() -> None:
    spec = body_of("LLMInferenceService", "assistant")["spec"]

    assert spec["labels"][API_CLIENT_LABEL] == "true"
    assert API_CLIENT_LABEL not in spec["prefill"]["labels"]
    assert spec["template"]["automountServiceAccountToken"]
    assert not spec["prefill"]["template"]["automountServiceAccountToken"]


def test_adapters_are_flags_of_ours_which_kserve_then_leaves_alone() -> None:
    spec = body_of("LLMInferenceService", "assistant")["spec"]

    for pod in (spec["template"], spec["prefill"]["template"]):
        arguments = pod["containers"][0]["args"]
        assert arguments[0] == "/mnt/models"
        assert arguments[arguments.index("--lora-modules") + 1] == "legal=/mnt/lora/legal"
        assert {"--enable-lora", "--max-lora-rank=32"} <= set(arguments)

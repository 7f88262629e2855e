"""What KServe and Knative are told: every trap of their defaults has a value of ours against it."""

import json

import pytest

from components.serving.kserve_models.inference_service_spec import (
    inference_service_annotations,
    inference_service_spec,
)
from components.serving.kserve_models.knative_spec import FEATURES, knative_serving_spec
from components.serving.kserve_models.policies import llm_selector
from components.serving.kserve_models.values import configuration_data, llm_resources_values, resources_values
from infra.planning.drain import DrainBudget
from infra.planning.kserve import revision_timeout_seconds
from stacks.kserve_layer import kserve_model_args
from tests.serving.kserve_example import DRAFT, Json, body_of, objects, plan, settings_with

MODE = "serving.kserve.io/deploymentMode"


def container(pod: Json) -> Json:
    (found,) = pod["containers"]
    return dict(found)


def test_the_mode_stands_on_every_inference_service() -> None:
    modes = {
        item.name: item.body["metadata"]["annotations"][MODE] for item in objects() if item.kind == "InferenceService"
    }

    assert modes == {"chat": "Standard", "summaries": "Standard", "draft": "Knative", "classic": "Standard"}


def test_a_standard_predictor_is_written_out() -> None:
    body = body_of("InferenceService", "chat")
    predictor = body["spec"]["predictor"]
    engine = container(predictor)

    assert body["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == "none"
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (2, 2)
    assert predictor["terminationGracePeriodSeconds"] == DrainBudget(15, 90).grace_period_seconds
    assert engine["name"] == "kserve-container"
    assert engine["lifecycle"]["preStop"]["sleep"]["seconds"] == 15
    assert not engine["image"].endswith(":latest")
    assert engine["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "cpu" not in engine["resources"]["limits"]
    # As its settings say; KServe's own would let a quarter go.
    assert predictor["deploymentStrategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_a_knative_predictor_has_nothing_that_knative_refuses() -> None:
    predictor = body_of("InferenceService", "draft")["spec"]["predictor"]
    engine = container(predictor)

    assert "terminationGracePeriodSeconds" not in predictor
    assert "lifecycle" not in engine
    assert [port["name"] for port in engine["ports"]] == ["http1"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert engine[probe]["httpGet"]["port"] == engine["ports"][0]["containerPort"]
    assert predictor["timeout"] == revision_timeout_seconds(90)
    assert predictor["canaryTrafficPercent"] == 10
    assert (predictor["minReplicas"], predictor["maxReplicas"], predictor["containerConcurrency"]) == (1, 3, 32)
    assert predictor["annotations"]["serving.knative.dev/progress-deadline"] == "2700s"


@pytest.mark.parametrize(
    ("settings", "share", "forced"),
    [({}, 100, True), ({"canaryTrafficPercent": 25}, 25, True), ({"canaryTrafficPercent": 0}, 0, False)],
    ids=["none", "some", "a rollout's, that has just begun"],
)
def test_the_share_of_a_revision_is_always_written(settings: Json, share: int, forced: bool) -> None:
    """What a rollout left there would hold for every version after it."""
    found = settings_with(lambda raw: raw["models"][DRAFT].update(kserve={"mode": "Knative", **settings}))
    args = kserve_model_args(found.models[DRAFT], found)

    assert inference_service_spec("draft", args)["predictor"]["canaryTrafficPercent"] == share
    annotations = inference_service_annotations(args)
    assert annotations.get("pulumi.com/patchForce") == ("true" if forced else None)


def test_knative_takes_what_a_predictor_has() -> None:
    features = body_of("KnativeServing", "knative-serving")["spec"]["config"]["features"]
    pod = body_of("InferenceService", "draft")["spec"]["predictor"]
    needs = {"affinity", "topologySpreadConstraints", "tolerations", "securityContext"} & set(pod)

    assert needs == {"affinity", "topologySpreadConstraints", "tolerations", "securityContext"}
    assert {f"kubernetes.podspec-{field.lower()}" for field in needs} <= set(features)
    assert features == dict.fromkeys(FEATURES, "enabled")


def test_knative_is_private_and_asks_no_registry() -> None:
    spec = knative_serving_spec("1.21.1", ["docker.io/vllm/vllm-openai:v1", "1.dkr.ecr.us-east-2.amazonaws.com/a:b"])

    assert spec["config"]["domain"] == {"svc.cluster.local": ""}
    assert spec["ingress"]["kourier"]["service-type"] == "ClusterIP"
    assert spec["config"]["deployment"]["registries-skipping-tag-resolving"].split(",") == [
        "1.dkr.ecr.us-east-2.amazonaws.com", "docker.io", "index.docker.io",
    ]  # fmt: skip


def test_the_hugging_face_server_has_its_own_flags_and_paths() -> None:
    server = container(body_of("InferenceService", "summaries")["spec"]["predictor"])

    assert server["image"] == "docker.io/kserve/huggingfaceserver:v0.20.0"
    assert server["args"][:3] == ["--model_name=summaries", "--backend=vllm", "--model_id=Qwen/Qwen3-8B"]
    assert server["startupProbe"]["httpGet"]["path"] == "/v1/models/summaries"
    assert server["ports"][0]["containerPort"] == 8080
    assert not [argument for argument in server["args"] if argument.startswith("--shutdown-timeout")]


def test_an_llm_service_overrides_what_the_template_has_wrong() -> None:
    spec = body_of("LLMInferenceService", "assistant")["spec"]
    decode, prefill = container(spec["template"]), container(spec["prefill"]["template"])

    for pod, server in ((spec["template"], decode), (spec["prefill"]["template"], prefill)):
        # 30 s of preStop, 240 s of requests and the exit; KServe's own command would reckon with 15 s of preStop.
        assert pod["terminationGracePeriodSeconds"] == DrainBudget(30, 240).grace_period_seconds
        assert server["lifecycle"]["preStop"] == {"exec": {"command": ["/bin/sleep", "30"]}}
        assert "--shutdown-timeout=240" in server["args"]
        assert server["command"] == ["vllm", "serve"]
        assert server["startupProbe"]["failureThreshold"] * server["startupProbe"]["periodSeconds"] >= 1800
        assert not [argument for argument in server["args"] if argument.startswith("--revision")]
        assert server["args"][0] == "/mnt/models"
    assert "--port=8001" in decode["args"]
    assert "--port=8000" in prefill["args"]
    assert (decode["resources"]["limits"]["nvidia.com/gpu"], prefill["resources"]["limits"]["nvidia.com/gpu"]) == (
        "2", "1",
    )  # fmt: skip
    assert spec["parallelism"] == {"tensor": 2}
    assert spec["model"]["lora"]["maxRank"] == 32
    assert spec["router"]["gateway"] == {"refs": [{"name": "models", "namespace": "gateway"}]}


def test_a_pinned_revision_is_part_of_the_address() -> None:
    def edit(raw: Json) -> None:
        raw["models"][3]["revision"] = "abc123"

    from stacks.kserve_layer import kserve_model_args

    settings = settings_with(edit)
    from components.serving.kserve_models.llm_spec import llm_inference_service_spec

    spec = llm_inference_service_spec("assistant", kserve_model_args(settings.models[3], settings))
    assert spec["model"]["uri"] == "hf://Qwen/Qwen3-8B:abc123"


def test_every_model_has_a_disruption_budget_that_selects_its_pods() -> None:
    budgets = {
        item.name: item.body["spec"]["selector"]["matchLabels"]
        for item in objects()
        if item.kind == "PodDisruptionBudget"
    }
    labels = body_of("InferenceService", "chat")["spec"]["predictor"]["labels"]

    assert budgets["chat"].items() <= labels.items()
    assert budgets["assistant"] == llm_selector("assistant")


def test_charts_come_in_an_order_in_which_none_meets_what_another_made() -> None:
    releases = [item for item in plan().of_type("kubernetes:helm.sh/v3:Release") if item.name.startswith("kserve-")]
    charts = [str(item.inputs["chart"]).rpartition("/")[2] for item in releases]
    values = {str(item.inputs["name"]): item.inputs.get("values", {}) for item in releases}

    assert charts == [
        "kserve-crd", "kserve-llmisvc-crd", "kserve-resources", "kserve-llmisvc-resources", "kserve-runtime-configs",
    ]  # fmt: skip
    assert values["kserve-resources"] == resources_values(shared=True)
    assert values["kserve-llmisvc-resources"] == llm_resources_values(shared=False, pool_definitions=True)


def test_the_configuration_says_standard_and_limits_no_cpu() -> None:
    data = configuration_data("v0.20.0", "Standard", "gateway/models")
    read = {key: json.loads(text) for key, text in data.items()}

    assert read["deploy"] == {"defaultDeploymentMode": "Standard"}
    assert read["inferenceService"] == {"resource": {}}
    assert read["ingress"]["kserveIngressGateway"] == "gateway/models"
    assert read["ingress"]["disableIngressCreation"]
    assert ":latest" not in "".join(data.values())


def test_without_such_models_there_is_no_kserve() -> None:
    from stacks.kserve_layer import needs_cert_manager

    def edit(raw: Json) -> None:
        for model in raw["models"]:
            del model["kserve"]

    assert not needs_cert_manager(settings_with(edit))

"""What the gateway's objects say: private, asked for keys, patient, and never the same generation twice."""

from typing import Any

import pytest
import yaml

from components.serving.gateway.routes_spec import traffic_policy_spec
from infra.conventions import ENGINE_LABEL, GATEWAY_NAMESPACE
from infra.planning.destroy import violations
from infra.settings.gateway_routes import longest_generation
from simulator.apply import dry_run
from simulator.client import Client
from simulator.releases import substitutes
from stacks.exposure_layer import exposure_args
from stacks.gateway_args import gateway_args
from tests.embedded import Listener
from tests.serving.gateway_example import example_plan, manifests, named, raw, settings_of
from tests.storage.test_api_server import bodies_of_pods

SECONDS = {"qwen3-32b": 270, "small": 120, "small-long": 120, "economy": 270, "batch": 120}


def objects(*kinds: str) -> list[Any]:
    return [item.body for item in manifests() if item.kind in kinds]


def test_every_object_is_accepted_by_the_api_server(control_plane: Client, listener: Listener) -> None:
    for item in manifests():
        if item.kind in ("Namespace", "ServiceAccount", "PriorityClass"):  # pods are refused without them
            control_plane.apply(item.body)

    refused = dry_run(control_plane, [*manifests(), *bodies_of_pods(list(manifests()))], listener)

    assert [str(item) for item in refused] == []
    kinds = {item.kind for item in manifests()}
    assert {"Gateway", "AIGatewayRoute", "AIServiceBackend", "Backend", "InferencePool", "SecurityPolicy"} <= kinds


def test_it_is_private_and_asks_for_a_key_on_every_route() -> None:
    service = named("EnvoyProxy", "inference")["provider"]["kubernetes"]["envoyService"]
    policy = named("SecurityPolicy", "inference")

    assert service["annotations"]["service.beta.kubernetes.io/aws-load-balancer-scheme"] == "internal"
    assert [target["kind"] for target in policy["targetRefs"]] == ["Gateway"]
    assert policy["apiKeyAuth"]["sanitize"] is True
    assert named("Gateway", "inference")["listeners"][0]["protocol"] == "HTTPS"


@pytest.mark.parametrize("route", SECONDS)
def test_time_outs_are_longer_than_the_longest_generation(route: str) -> None:
    policy = named("BackendTrafficPolicy", route)
    (path,) = [item for item in objects("AIGatewayRoute", "HTTPRoute") if item["metadata"]["name"] == route]

    assert {rule["timeouts"]["request"] for rule in path["spec"]["rules"]} == {f"{SECONDS[route]}s"}
    assert policy["timeout"]["http"] == {
        "requestTimeout": f"{SECONDS[route]}s", "streamIdleTimeout": f"{SECONDS[route] + 5}s",
    }  # fmt: skip


def test_each_hop_outwards_waits_longer() -> None:
    proxy = named("EnvoyProxy", "inference")
    annotations = proxy["provider"]["kubernetes"]["envoyService"]["annotations"]
    attribute = annotations["service.beta.kubernetes.io/aws-load-balancer-listener-attributes.TCP-443"]
    silence = named("ClientTrafficPolicy", "inference")["timeout"]["http"]["streamIdleTimeout"]
    longest = max(longest_generation(model) for model in settings_of(raw()).models)

    chain = [longest, max(SECONDS.values()), int(silence.rstrip("s")), int(attribute.partition("=")[2])]
    assert chain == sorted(set(chain))
    assert int(proxy["shutdown"]["drainTimeout"].rstrip("s")) > max(SECONDS.values())


@pytest.mark.parametrize("route", SECONDS)
def test_no_generation_is_tried_twice(route: str) -> None:
    retry = named("BackendTrafficPolicy", route)["retry"]

    if route != "economy":
        assert retry == {"numRetries": 0}
        return
    # Refused before it began: too many requests, no room, or no connection. Never a reset, a time-out or any 5xx.
    assert retry["retryOn"] == {
        "triggers": ["connect-failure", "retriable-status-codes"],
        "httpStatusCodes": [429, 503],
    }
    assert (retry["numRetries"], retry["numAttemptsPerPriority"]) == (1, 1)


@pytest.mark.parametrize("concurrent", [1, 64, 4000])
def test_as_many_requests_may_wait_for_a_connection_as_may_run(concurrent: int) -> None:
    change = raw()
    change["gateway"]["routes"][2]["concurrent"] = concurrent
    settings = settings_of(change)
    assert settings.gateway
    (route,) = [item for item in gateway_args(settings, settings.gateway)["routes"] if item["name"] == "economy"]
    breaker = traffic_policy_spec(route, 2, shared_store=False)["circuitBreaker"]

    # With none pending no connection is ever made, and every request is refused.
    assert breaker["maxParallelRequests"] == concurrent <= breaker["maxPendingRequests"]
    assert breaker["maxConnections"] > concurrent


def test_the_picker_reads_the_metrics_of_the_pods_it_selects() -> None:
    (pool,) = [item for item in objects("InferencePool") if item["metadata"]["name"] == "qwen3-32b"]
    (server,) = [item for item in objects("Deployment") if item["metadata"]["name"] == "qwen3-32b"]
    (picker,) = [item for item in objects("Deployment") if item["metadata"]["name"] == "qwen3-32b-picker"]
    labels = server["spec"]["template"]["metadata"]["labels"]
    mounted = picker["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"]
    (config,) = [item for item in objects("ConfigMap") if item["metadata"]["name"] == mounted]
    plugins = {
        item["type"]: item.get("parameters") for item in yaml.safe_load(config["data"]["config.yaml"])["plugins"]
    }

    assert pool["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert pool["spec"]["targetPorts"] == [{"number": 8000}]
    assert plugins["core-metrics-extractor"]["defaultEngine"] == labels[ENGINE_LABEL] == "vllm"
    assert plugins["utilization-detector"] == {"queueDepthThreshold": 5, "kvCacheUtilThreshold": 0.8}
    assert picker["spec"]["template"]["metadata"]["labels"]["gpu-platform/client-of"] == "qwen3-32b"


def test_the_simple_choice_passes_listed_paths_only_and_lets_go_within_pre_stop() -> None:
    ingress = named("Ingress", "phi-4-mini-exposed")
    (body,) = objects("Ingress")
    annotations = body["metadata"]["annotations"]
    paths = ingress["rules"][0]["http"]["paths"]

    assert {item["path"] for item in paths} == {
        "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models",
    }  # fmt: skip
    assert {item["pathType"] for item in paths} == {"Exact"}
    assert annotations["alb.ingress.kubernetes.io/scheme"] == "internal"
    assert "deregistration_delay.timeout_seconds=15" in annotations["alb.ingress.kubernetes.io/target-group-attributes"]


def test_a_load_balancer_of_its_own_bears_the_longest_silence() -> None:
    change = raw()
    change["models"][0]["expose"] = {"kind": "LoadBalancer"}
    change["models"][0]["drain"]["shutdownTimeoutSeconds"] = 600
    settings = settings_of(change)
    model = settings.models[0]
    assert model.expose

    assert exposure_args(model, model.expose, settings)["idle_seconds"] == 605


def test_every_chart_has_a_substitute_and_a_destroy_is_safe() -> None:
    charts = {chart for chart, _ in substitutes(example_plan())}

    assert {"gateway-helm", "ai-gateway-helm", "ai-gateway-crds-helm"} <= charts
    assert [str(item) for item in violations(example_plan())] == []


def test_models_without_a_route_have_no_picker() -> None:
    assert sorted(item["metadata"]["name"] for item in objects("InferencePool")) == ["qwen3-32b", "qwen3-8b"]
    assert {item["metadata"]["namespace"] for item in objects("Backend", "AIServiceBackend")} == {GATEWAY_NAMESPACE}

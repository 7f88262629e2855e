"""KServe's two controllers: one makes Deployments or Knative Services of InferenceServices, the other Deployments, an
endpoint picker and an InferencePool of LLMInferenceServices.

The kinds of others that they make, Knative's among them, they look for once, when they start.

Their configuration is the plan's own ConfigMap. They will not start without one, and the plan's objects come after
them: until then upstream's default is there.
"""

from collections.abc import Sequence
from functools import cache

from simulator.client import Json
from simulator.controllers.controller import Controller, Launch, Place
from simulator.crds import KSERVE, KSERVE_LLM, KSERVE_LOCAL_MODELS, CrdSource, objects_in
from simulator.toolchain import Tool

_MODULE = "github.com/kserve/kserve"
_NAMESPACE = "kserve"
_CHARTS = "charts/{}/files/{}/resources.yaml"
_CONFIGURATION = CrdSource("kserve", _MODULE, "config/configmap/inferenceservice.yaml")
_TEMPLATES = CrdSource("kserve", _MODULE, _CHARTS.format("kserve-runtime-configs", "llmisvcconfigs"))
_OF_INFERENCE_SERVICES = CrdSource("kserve", _MODULE, _CHARTS.format("kserve-resources", "kserve"))
_OF_LLM_INFERENCE_SERVICES = CrdSource("kserve", _MODULE, _CHARTS.format("kserve-llmisvc-resources", "llmisvc"))
_WEBHOOKS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
_ROUTES = CrdSource("gateway-api", "sigs.k8s.io/gateway-api", "config/crd/standard/*.yaml")


def _variables() -> dict[str, str]:
    return {"POD_NAMESPACE": _NAMESPACE}


def _launch(place: Place) -> Launch:
    ports = (f"--webhook-port={place.webhook_port}", f"--health-probe-addr=127.0.0.1:{place.health_port}")
    return Launch(("--metrics-addr=0", *ports), _variables())


def _launch_llm(place: Place) -> Launch:
    return Launch((*_launch(place).arguments, "--metrics-secure=false"), _variables())


@cache
def _before() -> Sequence[Json]:
    """Its namespace and a configuration to start with."""
    metadata = {"name": _NAMESPACE, "labels": {"control-plane": "kserve-controller-manager"}}
    found = objects_in(_CONFIGURATION, frozenset({"ConfigMap"}))
    maps = [{**item, "metadata": {"name": item["metadata"]["name"], "namespace": _NAMESPACE}} for item in found]
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, *maps]


@cache
def _templates() -> Sequence[Json]:
    """What every LLMInferenceService is laid over."""
    return objects_in(_TEMPLATES, frozenset({"LLMInferenceServiceConfig"}))


INFERENCE_SERVICES = Controller(
    tool=Tool("kserve-manager", "kserve", _MODULE, f"{_MODULE}/cmd/manager"),
    launch=_launch,
    groups=frozenset({"serving.kserve.io"}),
    kinds=frozenset({"InferenceService"}),
    definitions=(KSERVE, KSERVE_LOCAL_MODELS, _ROUTES),
    before=lambda _plan: _before(),
    webhooks=lambda: objects_in(_OF_INFERENCE_SERVICES, _WEBHOOKS),
)
LLM_INFERENCE_SERVICES = Controller(
    tool=Tool("kserve-llmisvc", "kserve", _MODULE, f"{_MODULE}/cmd/llmisvc"),
    launch=_launch_llm,
    groups=frozenset({"serving.kserve.io"}),
    kinds=frozenset({"LLMInferenceService"}),
    # Its chart brings the CRDs of InferencePool and its kin in the same file as everything else.
    definitions=(KSERVE_LLM, _OF_LLM_INFERENCE_SERVICES, _ROUTES),
    before=lambda _plan: _before(),
    webhooks=lambda: objects_in(_OF_LLM_INFERENCE_SERVICES, _WEBHOOKS),
    conversions=("llminferenceservices.serving.kserve.io", "llminferenceserviceconfigs.serving.kserve.io"),
    after=_templates,
)

"""Knative Serving: revisions, their Deployments and their scale, of the Services that KServe makes in mode Knative.

Its operator is not run. What that would apply is read from the operator's module, the release's own manifests, and the
settings of the plan's KnativeServing are laid over the ConfigMaps as the operator lays them (knative.dev/operator
v0.48.1, pkg/reconciler/common/config_maps.go).

What is not here: the activator and an ingress. Revisions and Configurations become ready; a Route says what its traffic
shall be and goes on waiting for its Ingress, and a Service and its InferenceService with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from infra.plan.manifests import Manifest
from infra.versions import KNATIVE
from simulator.client import Json
from simulator.controllers.controller import Controller, Launch, Place
from simulator.crds import CrdSource, objects_in
from simulator.toolchain import Tool

_NAMESPACE = "knative-serving"
_RELEASE = f"cmd/operator/kodata/knative-serving/{KNATIVE}"
_MODULE = "knative.dev/operator"
_OF_THE_OPERATOR = CrdSource("knative-operator", _MODULE, "config/crd/bases/*serving*.yaml")
DEFINITIONS = CrdSource("knative-operator", _MODULE, f"{_RELEASE}/1-serving-crds.yaml")
_CORE = CrdSource("knative-operator", _MODULE, f"{_RELEASE}/2-serving-core.yaml")
_PREFIX = "config-"
_EXAMPLE = "_example"
# A revision without load is reached by way of the activator: its Service must be there, even with nobody behind it
# (knative.dev/serving v0.48.1, pkg/reconciler/serverlessservice/serverlessservice.go).
_ACTIVATOR = "activator-service"
# Upstream's webhook writes its own paths into the registration (cmd/webhook/main.go). The third one judges ConfigMaps.
_PATHS = {
    "webhook.serving.knative.dev": "/defaulting",
    "validation.webhook.serving.knative.dev": "/resource-validation",
}


def _launch(place: Place) -> Launch:
    arguments = (
        f"--webhooks-at=127.0.0.1:{place.webhook_port}",
        f"--health-at=127.0.0.1:{place.health_port}",
        f"--certificates={place.certificates}",
    )
    names = {"CONFIG_LOGGING_NAME": "config-logging", "CONFIG_OBSERVABILITY_NAME": "config-observability"}
    return Launch(arguments, {"SYSTEM_NAMESPACE": _NAMESPACE, **names})


def _before(plan: Sequence[Manifest]) -> Sequence[Json]:
    """Its namespace, the activator's Service, and its configuration as the plan has it."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}}
    services = [item for item in _core("Service") if item["metadata"]["name"] == _ACTIVATOR]
    written = [item.body["spec"].get("config", {}) for item in plan if item.kind == "KnativeServing"]
    return [namespace, *map(_bare, services), *_configured(written[0] if written else {})]


def _configured(written: Mapping[str, Mapping[str, str]]) -> Iterator[Json]:
    """The release's ConfigMaps with what the plan writes, whether or not it writes their prefix."""
    for item in _core("ConfigMap"):
        name = item["metadata"]["name"]
        plain = {key: value for key, value in item.get("data", {}).items() if key != _EXAMPLE}
        own = written.get(name, written.get(name.removeprefix(_PREFIX), {}))
        yield {**_bare(item), "data": {**plain, **own}}


def _bare(item: Json) -> Json:
    """The object with no more metadata than it needs."""
    return {**item, "metadata": {"name": item["metadata"]["name"], "namespace": _NAMESPACE}}


@cache
def _core(kind: str) -> Sequence[Json]:
    return objects_in(_CORE, frozenset({kind}))


@cache
def _webhooks() -> Sequence[Json]:
    found = []
    for item in (*_core("MutatingWebhookConfiguration"), *_core("ValidatingWebhookConfiguration")):
        if path := _PATHS.get(item["metadata"]["name"]):
            service = {"name": "webhook", "namespace": _NAMESPACE, "path": path}
            calls = [{**call, "clientConfig": {"service": service}} for call in item["webhooks"]]
            found.append({**item, "webhooks": calls})
    return found


KNATIVE_SERVING = Controller(
    tool=Tool("knative-serving", "knative-serving", "knative.dev/serving", "."),
    launch=_launch,
    groups=frozenset({"operator.knative.dev"}),
    kinds=frozenset({"KnativeServing"}),
    definitions=(_OF_THE_OPERATOR, DEFINITIONS),
    before=_before,
    webhooks=_webhooks,
)

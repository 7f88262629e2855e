"""LeaderWorkerSet's controller manager: it makes groups of pods, gives each pod its place in its group, and restarts a
group whose pod was lost.
"""

import json
from collections.abc import Sequence
from functools import cache

from simulator.client import Json
from simulator.controllers.controller import Controller, Launch, Place
from simulator.crds import CrdSource, objects_in
from simulator.toolchain import Tool

_MODULE = "sigs.k8s.io/lws"
_WEBHOOKS = CrdSource("lws", _MODULE, "config/webhook/manifests.yaml")
# Both webhooks on pods are limited to pods of LeaderWorkerSets, by a patch beside the manifests
# (lws v0.9.0, config/webhook/mutating-patch.yaml and validating-patch.yaml; the chart writes the same).
_OWN_PODS = {"matchExpressions": [{"key": "leaderworkerset.sigs.k8s.io/name", "operator": "Exists"}]}
_ON_PODS = frozenset({"mpod.kb.io", "vpod.kb.io"})
# Registered by the chart only with enableDisaggregatedSet, which this project leaves off.
_OF_DISAGGREGATED_SETS = "vdisaggregatedset.kb.io"


def _launch(place: Place) -> Launch:
    """Fields: lws v0.9.0, api/config/v1alpha1/configuration_types.go; the defaults listen on every interface."""
    configuration = {
        "apiVersion": "config.lws.x-k8s.io/v1alpha1",
        "kind": "Configuration",
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "metrics": {"bindAddress": "0"},
        "health": {"healthProbeBindAddress": f"127.0.0.1:{place.health_port}"},
        "webhook": {"host": "127.0.0.1", "port": place.webhook_port, "certDir": str(place.certificates)},
    }
    return Launch((f"--config={place.file('configuration.json', json.dumps(configuration, indent=1))}",))


@cache
def _webhooks() -> Sequence[Json]:
    kinds = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
    found = []
    for configuration in objects_in(_WEBHOOKS, kinds):
        webhooks = [
            {**webhook, "objectSelector": _OWN_PODS} if webhook["name"] in _ON_PODS else webhook
            for webhook in configuration["webhooks"]
            if webhook["name"] != _OF_DISAGGREGATED_SETS
        ]
        name = f"lws-{configuration['metadata']['name']}"
        found.append({**configuration, "metadata": {"name": name}, "webhooks": webhooks})
    return found


LEADER_WORKER_SETS = Controller(
    tool=Tool(
        "lws-manager", "lws", _MODULE, f"{_MODULE}/cmd", stamps=(f"{_MODULE}/pkg/version.GitVersion={{version}}",)
    ),
    launch=_launch,
    groups=frozenset({"leaderworkerset.x-k8s.io"}),
    definitions=(CrdSource("lws", _MODULE, "config/crd/bases/*.yaml"),),
    webhooks=_webhooks,
)

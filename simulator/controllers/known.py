"""The controllers there are. One line each; an environment runs those that its plan calls for."""

from collections.abc import Iterable

from infra.plan.manifests import Manifest
from simulator.controllers.controller import Controller
from simulator.controllers.knative import KNATIVE_SERVING
from simulator.controllers.kserve import INFERENCE_SERVICES, LLM_INFERENCE_SERVICES
from simulator.controllers.lws import LEADER_WORKER_SETS
from simulator.controllers.running import WithControllers
from simulator.node_sources import NodeSource

KNOWN: tuple[Controller, ...] = (LEADER_WORKER_SETS, KNATIVE_SERVING, INFERENCE_SERVICES, LLM_INFERENCE_SERVICES)


def accompanied(source: NodeSource, manifests: Iterable[Manifest]) -> NodeSource:
    """`source` with those controllers whose kinds are among the manifests; the others are stopped where they run."""
    used = {(manifest.api_version.partition("/")[0], manifest.kind) for manifest in manifests}
    wanted = [controller for controller in KNOWN if controller.called_for_by(used)]
    return WithControllers(source, wanted, [controller for controller in KNOWN if controller not in wanted])

"""Controllers that start, restart and end with their environment: a source of nodes that brings them along.

Processes start before the nodes are made, so that both come up at once; their webhooks are registered when they
answer, and the plan's objects come after that.
"""

import http.client
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from infra.progress import Progress
from simulator import control_plane, processes
from simulator.certificates import ensure_webhook_certificate
from simulator.client import until
from simulator.control_plane import Start
from simulator.controllers.controller import Controller, Place
from simulator.controllers.webhooks import convert_at, redirected
from simulator.crds import CrdSource
from simulator.node_sources import NodeSource, Running
from simulator.state import ObjectKey
from simulator.toolchain import Tool

# LeaderWorkerSet's manager answers in under two seconds here; a loaded two-core machine takes several times that.
_READY_SECONDS = 60.0
_ANSWER_SECONDS = 2.0
_WEBHOOK_PATH = "/apis/admissionregistration.k8s.io/v1/{}"
_COLLECTIONS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
}


class WithControllers:
    """`source`, and the controllers beside it.

    Args:
        source: where the nodes come from.
        controllers: those to run.
        retired: those that may have run before and shall not now; they are stopped and their webhooks removed.
    """

    name: str
    tools: Sequence[Tool]
    definitions: Sequence[CrdSource]

    def __init__(
        self, source: NodeSource, controllers: Sequence[Controller], retired: Sequence[Controller] = ()
    ) -> None:
        self._source, self._controllers, self._retired = source, controllers, retired
        self.name = source.name
        self.tools = (*source.tools, *(controller.tool for controller in controllers))
        # A controller watches its kinds from the start, so its CRDs do not wait for the plan to use them.
        every = [replace(item, group="") for controller in controllers for item in controller.definitions]
        watched = list(dict.fromkeys(every))  # two controllers of one operator share some
        there = {item.module for item in watched}
        others = [item for item in source.definitions if item.module not in there]
        self.definitions = (*others, *watched)

    def manifests(self) -> Sequence[Manifest]:
        return self._source.manifests()

    def begin(self, running: Running, progress: Progress) -> None:
        """Start the controllers, have the nodes, then register the webhooks of each controller that answers."""
        for controller in self._retired:
            _retire(controller, running)
        plan = self._source.manifests()
        places = {controller.name: _start(controller, plan, running, progress) for controller in self._controllers}
        self._source.begin(running, progress)
        for controller in self._controllers:
            with progress.step(f"start {controller.name}") as step:
                _await_answer(controller, places[controller.name], running)
                _register(controller, places[controller.name], running)
                step.advance()

    def before(self, key: ObjectKey, running: Running) -> None:
        self._source.before(key, running)

    def settle(self, running: Running) -> None:
        self._source.settle(running)

    def tend(self, running: Running, progress: Progress) -> None:
        self._source.tend(running, progress)

    def finish(self, running: Running, progress: Progress) -> bool:
        return self._source.finish(running, progress)


def _start(controller: Controller, plan: Sequence[Manifest], running: Running, progress: Progress) -> Place:
    """Have the process run as it should; it is left alone when it does."""
    layout, state = running.layout, running.state
    ports = [f"{controller.name}-{purpose}" for purpose in ("webhook", "health")]
    control_plane.claim_ports(state, controller.name, ports, progress)
    place = Place(layout.folder / controller.name, layout.kubeconfig, *(state.ports[port] for port in ports))
    place.certificates.mkdir(parents=True, exist_ok=True)
    ensure_webhook_certificate(layout.certificates, place.certificates)
    for body in controller.before(plan):
        running.client.apply(body)
    launch = controller.launch(place)
    variables = {"KUBECONFIG": str(layout.kubeconfig), "TMPDIR": str(place.temporary), **launch.variables}
    start = Start(controller.name, launch.arguments, variables)
    control_plane.start_operator(start, layout, state, running.tools, progress)
    return place


def _await_answer(controller: Controller, place: Place, running: Running) -> None:
    """Wait until its health endpoint says 200 and its webhooks' port is open.

    Raises:
        PlatformError: when it ends, or does not answer in time; the message holds the end of its log.
    """
    for _ in until(time.monotonic() + _READY_SECONDS, every=0.05):
        if _is_healthy(place.health_port, controller.health_path) and _is_open(place.webhook_port):
            return
        control_plane.check_alive(running.layout, running.state, [controller.name])
    log = running.layout.log(controller.name)
    raise PlatformError(
        f"{controller.name} does not answer after {_READY_SECONDS:.0f} s; the last it said:\n"
        + processes.last_words(log),
        f"its log is {log}; `gpu-platform down` and up again starts afresh",
    )


def _is_healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def _register(controller: Controller, place: Place, running: Running) -> None:
    authority: Path = running.layout.certificates / "webhook-ca.crt"
    convert_at(running.client, controller.conversions, place.webhook_port, authority)
    for configuration in controller.webhooks():
        running.client.apply(redirected(configuration, place.webhook_port, authority))
    for body in controller.after():
        running.client.apply(body)


def _retire(controller: Controller, running: Running) -> None:
    """Stop a controller that nothing calls for any more. Its webhooks go first: they would refuse what they guard."""
    state = running.state
    record = next((record for record in state.processes if record.name == controller.name), None)
    if record is None:
        return
    for configuration in controller.webhooks():
        collection = _COLLECTIONS[configuration["kind"]]
        running.client.delete(f"{_WEBHOOK_PATH.format(collection)}/{configuration['metadata']['name']}")
    process = processes.find(record)
    if process is not None:
        processes.stop([process])
    state.processes.remove(record)
    state.save(running.layout.state)

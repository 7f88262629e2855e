"""The processes of one control plane: started where they do not run, on free ports, until ready.

Starting is the same as repairing: what runs as it should is left alone, everything else is started (again) on the data
that is there. A process is recorded right after it exists, and is found by its mark if even that was cut short.
"""

import base64
import contextlib
import json
import secrets
import socket
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from infra.errors import PlatformError
from infra.progress import Progress
from simulator import processes
from simulator.client import Client, until, wait_for
from simulator.command_lines import ARGUMENTS, scheduler_config
from simulator.folders import Layout, write_whole
from simulator.state import ProcessRecord, State

# A loaded two-core machine needs under ten seconds; the logs tell more than waiting longer.
_READY_SECONDS = 60.0
_PORT_SECONDS = 1.0
_PORTS = ("apiserver", "etcd", "etcd-peer")
# Which processes listen on a port; the others open none.
_LISTENS = {"etcd": ("etcd", "etcd-peer"), "kube-apiserver": ("apiserver",)}
_STARTS = 3
_CLIENTS = ("kube-controller-manager", "kube-scheduler", "kwok")


@dataclass(frozen=True, slots=True)
class Start:
    """How one process is started.

    Attributes:
        name: the tool.
        arguments: its command line.
        variables: environment variables, for what a program reads nowhere else.
    """

    name: str
    arguments: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


def client_of(layout: Layout, state: State) -> Client:
    """A client of the environment's API server, as its administrator."""
    token = layout.tokens.read_text(encoding="utf-8").split(",", 1)[0]
    return Client(state.ports["apiserver"], layout.certificates / "ca.crt", token)


def start_api(layout: Layout, state: State, tools: Mapping[str, Path], progress: Progress) -> Client:
    """Start etcd and the API server where they do not run, and wait until the server is ready.

    Raises:
        PlatformError: when one of them ends or is not ready in time; the message holds the end of its log.
    """
    _prepare(layout)
    for attempt in range(1, _STARTS + 1):
        _claim_ports(state, progress)
        _write_kubeconfig(layout, state)
        for name in _LISTENS:
            _ensure(Start(name, ARGUMENTS[name](layout, state.ports)), layout, state, tools, progress)
        client = client_of(layout, state)
        try:
            _wait(client, layout, state)
        except PlatformError as error:
            # Somebody may take a port between the look and the start. The others are then chosen again.
            if attempt == _STARTS or "address already in use" not in error.message:
                raise
        else:
            return client
    raise AssertionError("the last attempt returns or raises")


def start_controllers(layout: Layout, state: State, tools: Mapping[str, Path], progress: Progress) -> None:
    """Start controller-manager, scheduler and kwok where they do not run. They need a ready API server."""
    for name in _CLIENTS:
        _ensure(Start(name, ARGUMENTS[name](layout, state.ports)), layout, state, tools, progress)


def start_operator(wanted: Start, layout: Layout, state: State, tools: Mapping[str, Path], progress: Progress) -> None:
    """Start an operator's controller where it does not run as it should. It needs its CRDs."""
    _ensure(wanted, layout, state, tools, progress)


def claim_ports(state: State, name: str, ports: Sequence[str], progress: Progress) -> None:
    """Keep the saved ports of the process `name` that are its own or free; choose others for the rest, and say so."""
    alive = any(record.name == name and processes.find(record) for record in state.processes)
    _claim(state, ports, frozenset(ports) if alive else frozenset(), progress)


def check_alive(layout: Layout, state: State, names: Collection[str] = ()) -> None:
    """Nothing, when every process of `names` runs, or every one at all when none is named.

    Raises:
        PlatformError: naming the process that ended, with the end of its log.
    """
    for record in state.processes:
        if (not names or record.name in names) and processes.find(record) is None:
            said = processes.last_words(layout.log(record.name))
            raise PlatformError(f"{record.name} ended; the last it said:\n{said}", _mend(said))


def _mend(said: str) -> str:
    if "no space left on device" in said:
        return "free some space on the disk of the state folder (etcd sets 64 MB aside at once), then run it again"
    return "run the command again; if it ends the same way, `gpu-platform down` and up again starts afresh"


def stop_all(layout: Layout, state: State) -> int:
    """Stop every process of the environment, recorded or not; returns how many there were."""
    found = {process.pid: process for record in state.processes if (process := processes.find(record))}
    found |= {process.pid: process for process in processes.marked(layout.folder)}
    stop(found.values())
    return len(found)


def stop(found: Iterable[psutil.Process]) -> None:
    """Stop processes of a control plane in the reverse of their order: clients, then the API server, then etcd."""
    waves: dict[int, list[psutil.Process]] = {}
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            name = Path(process.cmdline()[0]).name if process.cmdline() else ""
            waves.setdefault(list(_LISTENS).index(name) if name in _LISTENS else len(_LISTENS), []).append(process)
    for wave in sorted(waves, reverse=True):
        processes.stop(waves[wave])


def _prepare(layout: Layout) -> None:
    from simulator.certificates import ensure_certificates

    ensure_certificates(layout.certificates)
    if not layout.tokens.exists():
        # One administrator. RBAC lets the group do everything; the controllers use it too, as on a test cluster.
        write_whole(
            layout.tokens, f"{secrets.token_urlsafe(32)},gpu-platform-admin,gpu-platform-admin,system:masters\n"
        )
    if not layout.scheduler_config.exists():
        write_whole(layout.scheduler_config, json.dumps(scheduler_config(layout), indent=1))


def _claim_ports(state: State, progress: Progress) -> None:
    """Keep the saved ports that are still ours or free; choose others for the rest, and say so."""
    in_use = {port for record in state.processes if processes.find(record) for port in _LISTENS.get(record.name, ())}
    _claim(state, _PORTS, in_use, progress)


def _claim(state: State, purposes: Iterable[str], in_use: Collection[str], progress: Progress) -> None:
    for purpose in purposes:
        port = state.ports.get(purpose)
        # A killed process gives its sockets back a moment after it ended, thread by thread.
        if port is not None and (purpose in in_use or wait_for(partial(_is_free, port), _PORT_SECONDS)):
            continue
        state.ports[purpose] = _free_port(set(state.ports.values()))
        if port is not None:
            progress.note(
                f"port {port} ({purpose}) is taken by another program; {state.ports[purpose]} is used instead"
            )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free for the server too
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(taken: set[int]) -> int:
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port


def _ensure(wanted: Start, layout: Layout, state: State, tools: Mapping[str, Path], progress: Progress) -> None:
    """Have it run exactly as it should be started now; start it again when it ended or would start otherwise."""
    name = wanted.name
    command = (str(tools[name]), *wanted.arguments)
    record = next((record for record in state.processes if record.name == name), None)
    if record is not None:
        running = processes.find(record)
        followed = _started_after(record, state)
        if running is not None and record.command == command and not followed:
            return
        if running is not None:
            processes.stop([running])
        why = "had ended" if running is None else f"reads from {followed}" if followed else "is started differently now"
        progress.note(f"{name} {why}; started again")
        state.processes.remove(record)
    state.processes.append(processes.start(name, command, layout.folder, layout.log(name), wanted.variables))
    order = [*_LISTENS, *_CLIENTS]
    state.processes.sort(key=lambda item: order.index(item.name) if item.name in order else len(order))
    state.save(layout.state)


def _started_after(record: ProcessRecord, state: State) -> str:
    """The server that `record` reads from, when that was started later; else empty.

    A client would find it again by itself, but waits up to two minutes between two attempts (gRPC connection backoff).
    """
    server = {"etcd": "", "kube-apiserver": "etcd"}.get(record.name, "kube-apiserver")
    return next((item.name for item in state.processes if item.name == server and item.created > record.created), "")


def _wait(client: Client, layout: Layout, state: State) -> None:
    for _ in until(time.monotonic() + _READY_SECONDS, every=0.05):
        if client.is_ready():
            return
        check_alive(layout, state, _LISTENS)
    raise PlatformError(
        f"the API server is not ready after {_READY_SECONDS:.0f} s; the last it said:\n"
        + processes.last_words(layout.log("kube-apiserver")),
        f"the logs are in {layout.log('kube-apiserver').parent}; `gpu-platform down` and up again starts afresh",
    )


def _write_kubeconfig(layout: Layout, state: State) -> None:
    """The kubeconfig of the administrator. JSON is YAML; the file holds a token and is readable by its owner only."""
    name = f"gpu-platform-{layout.folder.name}"
    token = layout.tokens.read_text(encoding="utf-8").split(",", 1)[0]
    cluster = {
        "server": f"https://127.0.0.1:{state.ports['apiserver']}",
        "certificate-authority-data": base64.b64encode((layout.certificates / "ca.crt").read_bytes()).decode(),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    }
    text = json.dumps(content, indent=1) + "\n"
    if not layout.kubeconfig.exists() or layout.kubeconfig.read_text(encoding="utf-8") != text:
        write_whole(layout.kubeconfig, text)

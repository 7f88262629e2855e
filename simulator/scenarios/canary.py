"""What both canary scenarios share: two versions as real processes, requests by the route's weights, and the script.

Real are the route on the API server, the Job's own files, command, account and rights, and the HTTP of both versions.
Assumed is what stands between: no pod runs here, so the script is started as a process with the token of the Job's
account and is told where the versions listen; and no Envoy runs, so a sender obeys the weights of the route.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.errors import PlatformError
from infra.plan.manifests import Manifest
from simulator.client import Client, Json
from simulator.engine_stand_in.running import stand_in
from simulator.scenarios.observing import Observations
from simulator.throwaway import Throwaway

NAMESPACE, HOME, STABLE, CANARY = "models", "gateway", "qwen3-8b", "qwen3-8b-canary-"
ROUTE = f"/apis/aigateway.envoyproxy.io/v1beta1/namespaces/{NAMESPACE}/aigatewayroutes/chat"
JOBS = f"/apis/batch/v1/namespaces/{HOME}/jobs"
STATE_ANNOTATION = f"gpu-platform/canary-{STABLE}"
SECONDS = 90.0
# Both versions: 4 ms to the first token and 36 ms to the second and last, whatever the load. One long token is heard
# above the noise of a busy machine, many short ones are not.
STEADY = ("--stand-in-ttft-seconds=0.004", "--stand-in-tpot-seconds=0.036")
# 36 ms for up to six requests at once, 60 ms for all twelve. Not more: twelve still make more requests a second than
# six, as with an engine that batches. Where they do not, a version that gets one more by chance gets all of them.
BY_LOAD = (*STEADY, "--stand-in-knee-sequences=6", "--stand-in-knee-slope=0.111")
_TOKENS, _SENDERS = 2, 12


def prepare(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The rollout's Job is suspended: its pod would end at once here, with nothing done."""
    return [_suspended(item) if item.kind == "Job" else item for item in manifests]


def _suspended(job: Manifest) -> Manifest:
    body = deepcopy(job.body)
    body["spec"]["suspend"] = True
    return Manifest(body, job.urn)


def state_of(client: Client) -> Json:
    """The state of the rollout, as it stands on the route; empty before the first step."""
    text = (client.get(ROUTE)["metadata"].get("annotations") or {}).get(STATE_ANNOTATION, "")
    return dict(json.loads(text)) if text else {}


def shares(route: Json) -> dict[str, int]:
    """Weights of the backends of a route with one rule, by name."""
    (rule,) = route["spec"]["rules"]
    return {item["name"]: item["weight"] for item in rule["backendRefs"]}


def share_of_canary(client: Client) -> int:
    """Share of the traffic that the route gives to the canary, in percent."""
    weights = shares(client.get(ROUTE))
    return round(100 * sum(weight for name, weight in weights.items() if CANARY in name) / sum(weights.values()))


@dataclass(slots=True)
class Traffic:
    """Requests to both versions by the weights of the route, until it is stopped.

    Attributes:
        addresses: host and port of `STABLE` and `CANARY`.
        models: names that they answer to; a gateway writes them into the requests.
        weights: as last read.
        sent: requests that were answered, by the same names.
    """

    addresses: Mapping[str, str]
    models: Mapping[str, str]
    weights: dict[str, int]
    sent: dict[str, int] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    async def run(self) -> None:
        """Send until stopped."""
        await asyncio.gather(*(self._sender(number) for number in range(_SENDERS)))

    async def _sender(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - only who gets which request
        connections: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        while not self.stop.is_set():
            weights = self.weights
            (backend,) = chance.choices(list(weights), list(weights.values()))
            server = CANARY if CANARY in backend else STABLE
            if server not in connections:
                host, port = self.addresses[server].split(":")
                connections[server] = await asyncio.open_connection(host, int(port))
            await _ask(*connections[server], self.models[server])
            self.sent[server] = self.sent.get(server, 0) + 1
        for _, writer in connections.values():
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, model: str) -> None:
    body = json.dumps({"model": model, "prompt": "a", "max_tokens": _TOKENS}).encode()
    writer.write(b"POST /v1/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head:
        raise PlatformError(f"{model} answers {head.decode().splitlines()[0]}", "see its output")
    length = next(line for line in head.decode().split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))


@contextmanager
def versions(environment: Throwaway, both: Sequence[str], *canary_is: str) -> Iterator[Traffic]:
    """Both versions with the arguments of their Deployments, under load by the route's weights.

    Args:
        both: options of both stand-ins.
        canary_is: options of the canary's, for what is wrong with it.
    """
    client = environment.client
    engines = _engines(client)
    models = {side: name for side, (name, _) in engines.items()}
    with (
        stand_in([*engines[STABLE][1], *both]) as stable,
        stand_in([*engines[CANARY][1], *both, *canary_is]) as canary,
    ):
        addresses = {STABLE: stable.address, CANARY: canary.address}
        traffic = Traffic(addresses, models, shares(client.get(ROUTE)))
        sender = threading.Thread(target=asyncio.run, args=[traffic.run()])
        gateway = threading.Thread(target=_follow, args=[client, traffic])
        sender.start()
        gateway.start()
        try:
            yield traffic
        finally:
            traffic.stop.set()
            sender.join()
            gateway.join()


def _follow(client: Client, traffic: Traffic) -> None:
    """What a gateway does: obey the route as it is now."""
    while not traffic.stop.wait(0.05):
        traffic.weights = shares(client.get(ROUTE))
    client.close()


def _engines(client: Client) -> dict[str, tuple[str, list[str]]]:
    """Name and arguments of both versions."""
    found = {}
    for item in client.items(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"):
        name, pod = item["metadata"]["name"], item["spec"]["template"]["spec"]
        found[CANARY if CANARY in name else STABLE] = (name, list(pod["containers"][0]["args"]))
    return found


@contextmanager
def script(environment: Throwaway, addresses: Mapping[str, str]) -> Iterator["Script"]:
    """The Job's script, ready to be started; a process of it that is left is killed at the end."""
    client = environment.client
    (job,) = client.items(JOBS, labelSelector="app.kubernetes.io/component=canary-rollout")
    pod = job["spec"]["template"]["spec"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for volume in pod["volumes"]:
            files = client.get(f"/api/v1/namespaces/{HOME}/configmaps/{volume['configMap']['name']}")["data"]
            for item in volume["configMap"]["items"]:
                path = folder / "scripts" / item["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(files[item["key"]], encoding="utf-8")
        secrets = folder / "credentials"
        secrets.mkdir()
        account = f"/api/v1/namespaces/{HOME}/serviceaccounts/{pod['serviceAccountName']}/token"
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        (secrets / "token").write_text(client.create(account, asked)["status"]["token"], encoding="utf-8")
        authority = environment.running.layout.certificates / "ca.crt"
        (secrets / "ca.crt").write_bytes(authority.read_bytes())
        running = Script(
            # Without site-packages: in the cluster there is only the standard library.
            [sys.executable, "-S", *pod["containers"][0]["command"][1:]],
            folder / "scripts",
            {
                "PATH": os.environ.get("PATH", ""),
                "CANARY_API_SERVER": client.server,
                "CANARY_CREDENTIALS": str(secrets),
                "CANARY_ADDRESSES": json.dumps({"stable": [addresses[STABLE]], "canary": [addresses[CANARY]]}),
            },
        )
        try:
            yield running
        finally:
            running.kill()


@dataclass(slots=True)
class Script:
    """The script as a process."""

    command: list[str]
    folder: Path
    variables: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, as a new pod of the Job would."""
        with (self.folder.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.variables, stdout=log, stderr=subprocess.STDOUT
            )

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.process.poll() if self.process else None

    def kill(self) -> None:
        """End it as a lost node would."""
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def log(self) -> str:
        """What it has said."""
        return (self.folder.parent / "log").read_text(encoding="utf-8")


def await_share(client: Client, percent: int, running: Script, observations: Observations) -> None:
    """Wait until the canary has that share of the traffic."""
    observations.await_that(
        f"{percent} % of the traffic for the canary",
        lambda: share_of_canary(client) == percent or running.ended() is not None,
        SECONDS,
        lambda: f"{share_of_canary(client)} %; {state_of(client)}; {running.log()}",
    )
    observations.promise(
        f"{percent} % of the traffic goes to the canary", share_of_canary(client) == percent, running.log()
    )


def await_end(running: Script, client: Client, observations: Observations) -> Json:
    """Wait until the script has ended; the state it left."""
    observations.await_that(
        "the end of the script",
        lambda: running.ended() is not None,
        SECONDS,
        lambda: f"{state_of(client)}; {running.log()}",
    )
    return state_of(client)


def events_of(client: Client) -> list[dict[str, Any]]:
    """Events about the route."""
    return client.items(f"/api/v1/namespaces/{NAMESPACE}/events", fieldSelector="involvedObject.kind=AIGatewayRoute")

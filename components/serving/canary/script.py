"""The script that moves traffic to a canary, step by step: this very file runs in a Job in the cluster.

It needs Python's standard library only. Each step gives the canary its share of the traffic, counts what both versions
do in that time from their own metrics, asks the user's quality check, and then goes on, waits for more requests, or
takes all traffic back. What it has done is kept in the cluster (`cluster.py`), so a Job that was killed goes on
with its step; only the counting of that step begins anew.

    python3 -m components.serving.canary.script rollout.json

Exit codes: 0 the last step is done; 3 rolled back; 4 another rollout has taken over; 1 the cluster cannot be asked.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.serving.canary.cluster import Api, ApiError, Cluster, KnativeSplit, RouteSplit, Split, read_metrics
from infra.planning.canary import GO_ON, ROLL_BACK, WAIT, Judgement, Limits, MetricNames, Window, judge, window

DONE, ROLLED_BACK, TAKEN_OVER = 0, 3, 4
BAKING = "baking"
CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount"
_HTTP_SECONDS = 600.0

Counts = dict[str, dict[str, float]]


class TakenOverError(Exception):
    """The state in the cluster is of another rollout."""


class Rollout:
    """One rollout.

    Args:
        plan: the content of `rollout.json`.
    """

    def __init__(self, plan: Mapping[str, Any], cluster: Cluster) -> None:
        self._plan, self._cluster = plan, cluster
        self._limits = Limits(**plan["limits"])
        self._names = MetricNames(**plan["metrics"])
        self._poll = float(plan["poll_seconds"])
        self._counts: dict[str, Counts] = {"stable": {}, "canary": {}}

    def run(self) -> int:
        """All steps that are left; the exit code."""
        state = self._cluster.split.state()
        if state.get("run") != self._plan["run"]:
            state = {"run": self._plan["run"], "step": 0, "phase": BAKING, "percent": 0, "baseline": {}}
            self._cluster.split.move(0, state)
        elif state["phase"] != BAKING:  # a pod of the same Job, after the end
            self._cluster.split.move(state["percent"], state)
            return DONE if state["phase"] == "done" else ROLLED_BACK
        try:
            for step in range(state["step"], len(self._plan["steps"])):
                state["step"] = step
                judgement = self._step(self._plan["steps"][step], state)
                if judgement.decision == ROLL_BACK:
                    return self._roll_back(state, judgement.reason)
        except TakenOverError:
            print("another rollout has taken over", flush=True)
            return TAKEN_OVER
        state |= {"phase": "done", "reason": "every step was passed"}
        self._cluster.split.move(state["percent"], state)
        self._cluster.say("CanaryDone", f"the canary has {state['percent']} % of the traffic; make it the model now")
        return DONE

    def _step(self, percent: int, state: dict[str, Any]) -> Judgement:
        missing = self._wait_for_servers()
        if missing:
            return Judgement(ROLL_BACK, missing)
        before = {side: dict(self._read(side)) for side in ("stable", "canary")}
        self._owned()
        state |= {"percent": percent, "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        self._cluster.split.move(percent, state)
        self._cluster.say("CanaryStep", f"{percent} % of the traffic goes to the canary")
        judgement, stable = self._watch(before, state)
        if judgement.decision == GO_ON:
            state["baseline"] = dict(stable.counts)
            quality = self._quality(percent)
            if quality:
                return Judgement(ROLL_BACK, f"the quality check at {percent} % failed: {quality}")
            self._cluster.say("CanaryStepPassed", f"{percent} %: {judgement.reason}")
        return judgement

    def _watch(self, before: Mapping[str, Counts], state: dict[str, Any]) -> tuple[Judgement, Window]:
        """Look until there is a decision; also the stable version's window that it was made with."""
        began, absent, told, baseline = time.monotonic(), 0, 0.0, Window(state["baseline"])
        while True:
            time.sleep(self._poll)
            self._owned()
            if not self._cluster.split.holds(state["percent"]):
                self._cluster.split.move(state["percent"], state)
                self._cluster.say("CanaryWeights", f"somebody moved the traffic; it is at {state['percent']} % again")
            seconds = time.monotonic() - began
            stable = window(before["stable"], self._read("stable"))
            if stable.requests < self._limits.min_requests <= baseline.requests:
                stable = baseline  # at 100 % it has no traffic: it is what it was in the step before
            canary = window(before["canary"], self._read("canary"))
            absent = 0 if self._cluster.servers("canary", self._plan["port"]) else absent + 1
            if absent > 1:
                return Judgement(ROLL_BACK, "no server of the canary is ready, and it has traffic"), stable
            judgement = judge(seconds, stable, canary, self._limits)
            if judgement.decision != WAIT:
                return judgement, stable
            if seconds - told >= 60:
                told = seconds
                print(f"waiting: {judgement.reason}", flush=True)

    def _read(self, side: str) -> Counts:
        """The latest counters of each server of a side; of one that does not answer those it told last."""
        for server in self._cluster.servers(side, self._plan["port"]):
            counts = read_metrics(server, self._plan["metrics_path"], self._names)
            if counts is not None:
                self._counts[side][server.name] = counts
        return self._counts[side]

    def _wait_for_servers(self) -> str:
        """Wait until as many servers of the canary are ready as it is to have; what is missing when time is up."""
        deadline, wanted = time.monotonic() + self._limits.max_wait_seconds, self._plan["canary_servers"]
        while True:
            self._owned()
            ready = len(self._cluster.servers("canary", self._plan["port"]))
            if ready >= wanted:
                return ""
            if time.monotonic() > deadline:
                return f"{ready} of {wanted} servers of the canary are ready after {self._limits.max_wait_seconds:g} s"
            time.sleep(self._poll)

    def _owned(self) -> None:
        if self._cluster.split.state().get("run") != self._plan["run"]:
            raise TakenOverError

    def _quality(self, percent: int) -> str:
        """What the user's check says against the canary; empty when it passes or there is none."""
        check = self._plan.get("quality") or {}
        if "jobs" in check:
            return self._quality_job(check["jobs"][str(percent)])
        if "url" in check:
            body = {"model": self._plan["model"], "canaryUrl": self._plan["canary_url"], "percent": percent}
            return _posted(check["url"], body, check.get("timeout_seconds", _HTTP_SECONDS))
        return ""

    def _quality_job(self, path: str) -> str:
        """Let a Job go that was made suspended; its own deadline bounds it."""
        self._cluster.api.patch(path, {"spec": {"suspend": False}})
        while True:
            conditions = self._cluster.api.get(path).get("status", {}).get("conditions") or ()
            ends = {item["type"]: item for item in conditions if item["status"] == "True"}
            if "Complete" in ends:
                return ""
            if "Failed" in ends:
                return f"{ends['Failed'].get('reason', 'Failed')} {ends['Failed'].get('message', '')}".strip()
            self._owned()
            time.sleep(self._poll)

    def _roll_back(self, state: dict[str, Any], reason: str) -> int:
        reached = state["percent"]
        state |= {"phase": "rolled-back", "percent": 0, "reason": reason}
        self._cluster.split.move(0, state)
        self._cluster.say("CanaryRolledBack", f"at {reached} %: {reason}", warning=True)
        return ROLLED_BACK


def _posted(url: str, body: Mapping[str, Any], seconds: float) -> str:
    """POST JSON; empty for an answer 2xx, else what was answered."""
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 - the user's own address
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code} {error.read().decode(errors='replace')[:200]}".strip()
    except OSError as error:
        return str(error)


def _split(api: Api, target: Mapping[str, Any]) -> Split:
    if target["kind"] == "inference-service":
        return KnativeSplit(api, target["path"])
    return RouteSplit(api, list(target["routes"]), target["selectors"])


def main(words: list[str]) -> int:
    """Run the rollout that a file describes."""
    plan = json.loads(Path(words[0]).read_text(encoding="utf-8"))
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    api = Api(
        os.environ.get("CANARY_API_SERVER") or f"https://{f'[{host}]' if ':' in host else host}:{port}",
        Path(os.environ.get("CANARY_CREDENTIALS", CREDENTIALS)),
    )
    fixed = json.loads(os.environ.get("CANARY_ADDRESSES", "{}"))
    try:
        return Rollout(plan, Cluster(api, _split(api, plan["target"]), plan["namespace"], fixed)).run()
    except ApiError as error:
        print(f"failed: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The script that moves traffic to a canary, step by step: this very file runs in a Job in the cluster.

It needs Python's standard library only. First the stable version is counted alone, under all of the traffic. Then each
step gives the canary its share, counts what both versions do in that time from their own metrics, asks the user's
quality check, and goes on, waits for more requests, or takes all traffic back. It never waits without looking: whatever
it waits for, servers that are away or restart and requests that fail end it. What it has done is kept in the cluster
(`cluster.py`), so a Job that was killed goes on with its step; only the counting of that step begins anew.

    python3 -m components.serving.canary.script rollout.json

Exit codes: 0 the last step is done; 3 rolled back; 4 another rollout has taken over; 1 the cluster cannot be asked.
"""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.serving.canary.cluster import Api, ApiError, Cluster
from components.serving.canary.observer import Observer
from components.serving.canary.quality import Check
from components.serving.canary.splits import KnativeSplit, RouteSplit, Split, TakenOverError
from infra.planning.canary import GO_ON, ROLL_BACK, WAIT, Judgement, Limits, Window, gross_fault, judge, judge_before

DONE, ROLLED_BACK, TAKEN_OVER = 0, 3, 4
BAKING = "baking"
CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount"
_TELL_SECONDS = 60.0


class Rollout:
    """One rollout.

    Args:
        plan: the content of `rollout.json`.
    """

    def __init__(self, plan: Mapping[str, Any], cluster: Cluster, split: Split) -> None:
        self._plan, self._cluster, self._split = plan, cluster, split
        self._poll = float(plan["poll_seconds"])
        looks = max(1, math.ceil(plan["limits"]["max_wait_seconds"] / max(self._poll, 0.1)))
        self._limits = Limits(**plan["limits"], looks=looks)
        self._observer = Observer(cluster, plan)
        self._state: dict[str, Any] = {}
        self._absent, self._told = 0, 0.0

    def run(self) -> int:
        """All steps that are left; the exit code."""
        try:
            self._state = self._split.state()
            if self._state.get("run") != self._plan["run"]:
                self._claim()
            elif self._state["phase"] != BAKING:  # a pod of the same Job, after the end
                self._split.move(self._state["percent"], self._state)
                return DONE if self._state["phase"] == "done" else ROLLED_BACK
            fault = self._steps()
            return self._roll_back(fault) if fault else self._done()
        except TakenOverError as error:
            print(f"another rollout has taken over: {error}", flush=True)
            return TAKEN_OVER

    def _claim(self) -> None:
        self._state = {
            "run": self._plan["run"],
            "step": 0,
            "phase": BAKING,
            "percent": 0,
            "baseline": {},
            "restarts": {side: dict(numbers) for side, numbers in self._observer.restarts.items()},
            "deadline": round(time.time() + self._plan["deadline_seconds"]),
        }
        self._split.claim(self._state)

    def _steps(self) -> str:
        """Why it is rolled back; empty when every step was passed."""
        if not self._state["baseline"]:
            fault = self._before()
            if fault:
                return fault
        for step in range(self._state["step"], len(self._plan["steps"])):
            self._state["step"] = step
            fault = self._step(self._plan["steps"][step])
            if fault:
                return fault
        return ""

    def _before(self) -> str:
        """The stable version under all of the traffic, while the canary has none."""
        found = self._follow(self._all_ready)
        if found.decision == GO_ON:
            self._observer.begin()
            found = self._follow(
                lambda: judge_before(self._observer.seconds, self._observer.window("stable"), self._limits)
            )
            self._state["baseline"] = self._observer.window("stable").kept
        return found.reason if found.decision == ROLL_BACK else ""

    def _step(self, percent: int) -> str:
        self._observer.begin()
        found = self._follow(self._all_ready)
        if found.decision == ROLL_BACK:
            return found.reason
        self._state |= {"percent": percent, "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        self._split.move(percent, self._state)
        self._cluster.say("CanaryStep", f"{percent} % of the traffic goes to the canary")
        self._observer.begin()
        found = self._follow(self._judged)
        if found.decision == ROLL_BACK:
            return found.reason
        passed, stable = found.reason, self._observer.window("stable")
        if stable.requests >= self._limits.min_requests and stable.load > self._baseline.load:
            self._state["baseline"] = stable.kept
        check = Check(self._plan, self._cluster.api, percent)
        found = self._follow(check.looked_at)
        if found.decision == ROLL_BACK:
            return f"the quality check at {percent} % failed: {found.reason}" if check.failed else found.reason
        self._cluster.say("CanaryStepPassed", f"{percent} %: {passed}")
        return ""

    @property
    def _baseline(self) -> Window:
        return Window.of(self._state["baseline"])

    def _follow(self, ask: Callable[[], Judgement]) -> Judgement:
        """Look until `ask` has a decision; a gross fault is one at any time."""
        while True:
            time.sleep(self._poll)
            self._keep_share()
            self._observer.look()
            fault = self._fault()
            found = Judgement(ROLL_BACK, fault) if fault else ask()
            if found.decision != WAIT:
                return found
            if time.monotonic() - self._told >= _TELL_SECONDS:
                self._told = time.monotonic()
                print(f"waiting: {found.reason}", flush=True)

    def _keep_share(self) -> None:
        if self._split.state().get("run") != self._plan["run"]:
            raise TakenOverError(f"{self._plan['run']} is no more the run in the annotation")
        percent = self._state["percent"]
        if not self._split.holds(percent):
            self._split.move(percent, self._state)
            self._cluster.say("CanaryWeights", f"somebody moved the traffic; it is at {percent} % again")

    def _fault(self) -> str:
        """What ends the rollout at once, whatever it waits for; empty when nothing does."""
        if time.time() > self._state["deadline"]:
            return f"the rollout has not ended in {self._plan['deadline_seconds']:.0f} s"
        self._absent = 0 if self._observer.ready["canary"] or not self._state["percent"] else self._absent + 1
        if self._absent > 1:
            return "no server of the canary is ready, and it has traffic"
        ours, theirs = (self._observer.restarted(side, self._state["restarts"]) for side in ("canary", "stable"))
        if ours > theirs:
            return (
                f"servers of the canary restarted {ours} times since the rollout began, of the stable version {theirs}"
            )
        return gross_fault(self._observer.window("canary"), self._stables(), self._limits)

    def _stables(self) -> list[Window]:
        return [self._observer.window("stable"), self._baseline]

    def _judged(self) -> Judgement:
        seconds = self._observer.seconds
        found = judge(seconds, self._observer.window("canary"), self._stables(), self._limits)
        ready = self._all_ready()
        return ready if found.decision == GO_ON and ready.decision != GO_ON else found

    def _all_ready(self) -> Judgement:
        """Whether the canary has as many servers as it is to have."""
        ready, wanted, seconds = self._observer.ready["canary"], self._plan["canary_servers"], self._observer.seconds
        text = f"{ready} of {wanted} servers of the canary are ready"
        if ready >= wanted:
            return Judgement(GO_ON, text)
        if seconds >= self._limits.max_wait_seconds:
            return Judgement(ROLL_BACK, f"{text} after {seconds:.0f} s")
        return Judgement(WAIT, text)

    def _done(self) -> int:
        self._state |= {"phase": "done", "reason": "every step was passed"}
        percent = self._state["percent"]
        self._split.move(percent, self._state)
        self._cluster.say("CanaryDone", f"the canary has {percent} % of the traffic; make it the model now")
        return DONE

    def _roll_back(self, reason: str) -> int:
        reached = self._state["percent"]
        self._state |= {"phase": "rolled-back", "percent": 0, "reason": reason}
        self._split.move(0, self._state)
        self._cluster.say("CanaryRolledBack", f"at {reached} %: {reason}", warning=True)
        return ROLLED_BACK


def _split(api: Api, target: Mapping[str, Any]) -> Split:
    if target["kind"] == "inference-service":
        return KnativeSplit(api, target["path"], target["annotation"])
    return RouteSplit(api, list(target["routes"]), target["selectors"], target["annotation"])


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
        split = _split(api, plan["target"])
        return Rollout(plan, Cluster(api, split, plan["namespace"], fixed), split).run()
    except ApiError as error:
        print(f"failed: {error}", file=sys.stderr, flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

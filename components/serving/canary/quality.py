"""The user's quality check of one step, as the canary script asks for it: a Job that it lets go, or a URL.

Runs in the cluster with Python's standard library only, beside `script.py`.
"""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from components.serving.canary.cluster import BROKEN, Api, said
from infra.planning.canary import GO_ON, ROLL_BACK, WAIT, Judgement

PASSED = Judgement(GO_ON, "the quality check passed")


class Check:
    """One check; it is let go with the first look, and nobody waits for it without looking at the servers.

    Args:
        plan: the content of `rollout.json`.
        percent: the step.
    """

    def __init__(self, plan: Mapping[str, Any], api: Api, percent: int) -> None:
        self._plan, self._api, self._percent = plan, api, percent
        self._quality: Mapping[str, Any] = plan.get("quality") or {}
        self._answers: list[str] = []
        self._begun = False
        self.failed = False

    def looked_at(self) -> Judgement:
        """Whether it has passed, has failed, or is still going on."""
        if not self._quality:
            return PASSED
        if not self._begun:
            self._begin()
        found = self._job() if "jobs" in self._quality else self._answer()
        self.failed = found.decision == ROLL_BACK
        return found

    def _begin(self) -> None:
        self._begun = True
        if "jobs" in self._quality:  # made suspended, with a deadline of its own
            self._api.patch(self._quality["jobs"][str(self._percent)], {"spec": {"suspend": False}})
        else:
            threading.Thread(target=self._ask, daemon=True).start()

    def _job(self) -> Judgement:
        found = self._api.get(self._quality["jobs"][str(self._percent)])
        conditions = found.get("status", {}).get("conditions") or ()
        ends = {item["type"]: item for item in conditions if item["status"] == "True"}
        if "Complete" in ends:
            return PASSED
        if "Failed" in ends:
            why = f"{ends['Failed'].get('reason', 'Failed')} {ends['Failed'].get('message', '')}"
            return Judgement(ROLL_BACK, why.strip())
        return Judgement(WAIT, "the quality check runs")

    def _ask(self) -> None:
        body = {"model": self._plan["model"], "canaryUrl": self._plan["canary_url"], "percent": self._percent}
        self._answers.append(posted(self._quality["url"], body, self._quality["timeout_seconds"]))

    def _answer(self) -> Judgement:
        if not self._answers:
            return Judgement(WAIT, "the quality check has not answered")
        return Judgement(ROLL_BACK, self._answers[0]) if self._answers[0] else PASSED


def posted(url: str, body: Mapping[str, Any], seconds: float) -> str:
    """POST JSON; empty for an answer 2xx, else what was answered."""
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 - the user's own address
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code} {said(error)[:200]}".strip()
    except BROKEN as error:
        return str(error) or type(error).__name__

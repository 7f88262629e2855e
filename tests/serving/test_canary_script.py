"""The script that moves traffic: what it does with routes, with KServe's field, and after it was killed."""

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from components.serving.canary import cluster, script
from components.serving.canary.cluster import STATE_ANNOTATION, Api, ApiError, Cluster, KnativeSplit, RouteSplit, Server
from components.serving.canary.script import DONE, ROLLED_BACK, TAKEN_OVER, Rollout
from infra.planning.canary import METRICS, MetricNames

ROUTES = ("/routes/a", "/routes/b")
SERVICE = "/services/m"
JOB = "/jobs/check-10"


class Objects(Api):
    """An API server in memory, with merge patches and versions of objects."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.before_patch: Callable[[str], None] = lambda _: None

    def put(self, path: str, body: dict[str, Any]) -> None:
        name = path.rpartition("/")[2]
        metadata = {"name": name, "namespace": "gateway", "uid": name, "resourceVersion": "1"}
        self.objects[path] = {"apiVersion": "v1", "kind": "Thing", "metadata": metadata, **body}

    def get(self, path: str) -> dict[str, Any]:
        if path.startswith("/api/v1/namespaces/models/pods"):
            return {"items": []}
        return dict(copy.deepcopy(self.objects[path]))

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.before_patch(path)
        found = self.objects[path]
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted and wanted != found["metadata"]["resourceVersion"]:
            raise ApiError(409, "changed meanwhile")
        merge(found, copy.deepcopy(body))
        found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
        return self.get(path)

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path == "/api/v1/namespaces/gateway/events"
        self.events.append(body)
        return body

    def shares(self, path: str) -> dict[str, int]:
        return {item["name"]: item["weight"] for item in self.objects[path]["spec"]["rules"][0]["backendRefs"]}

    def state(self, path: str = ROUTES[0]) -> dict[str, Any]:
        return dict(json.loads(self.objects[path]["metadata"]["annotations"][STATE_ANNOTATION]))


def merge(into: dict[str, Any], body: dict[str, Any]) -> None:
    for key, value in body.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value


def route(**weights: int) -> dict[str, Any]:
    backends = [{"name": name, "weight": weight, "priority": 0} for name, weight in weights.items()]
    return {"spec": {"hostnames": ["kept"], "rules": [{"matches": ["kept"], "backendRefs": backends}]}}


class World:
    """Routes, and servers that count a hundred good requests each time they are asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = Objects()
        self.api.put(ROUTES[0], route(old=100, new=0))
        self.api.put(ROUTES[1], route(old=7, new=0, other=93))
        self.counts = {"s": 0, "c": 0}
        self.bad = 0
        self.ready = ["c"]
        self.seen: list[int] = []
        monkeypatch.setattr(script, "read_metrics", self.metrics)
        monkeypatch.setattr(time, "sleep", lambda _: None)

    def metrics(self, server: Server, path: str, names: MetricNames) -> dict[str, float]:
        del path, names
        self.counts[server.name] += 100
        total = float(self.counts[server.name])
        failed = self.bad * total if server.name == "c" else 0
        times = {f"{name}|{edge}": total for name in ("ttft", "tpot") for edge in (0.025, float("inf"))}
        sums = {"ttft|sum": total / 100, "tpot|sum": total / 100}
        return {"served": total - failed, "errors": failed, **times, **sums}

    def rollout(self, **changes: Any) -> Rollout:
        names = METRICS["vllm"]
        plan: dict[str, Any] = {
            "run": "one",
            "steps": [10, 50, 100],
            "poll_seconds": 0,
            "limits": {"ttft_ratio": 1.2, "tpot_ratio": 1.2, "error_delta": 0.01, "min_requests": 100,
                       "bake_seconds": 0, "max_wait_seconds": 0.3},
            "metrics": {name: getattr(names, name) for name in names.__dataclass_fields__},
            "metrics_path": "/metrics",
            "port": 8000,
            "canary_servers": 1,
            "model": "m",
            "canary_url": "http://m",
            "quality": {},
        }  # fmt: skip
        routes = [{"path": path, "stable": "old", "canary": "new"} for path in ROUTES]
        cluster = Cluster(self.api, RouteSplit(self.api, routes, {}), "models")
        cluster.servers = lambda side, port: [  # type: ignore[method-assign]
            Server(name, "") for name in (["s"] if side == "stable" else self.ready) if port
        ]
        return Rollout({**plan, **changes}, cluster)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_every_step_is_written_with_its_state_and_other_backends_keep_their_share(world: World) -> None:
    percents = []
    world.api.before_patch = lambda path: percents.append((path, world.api.shares(path)["new"]))

    assert world.rollout().run() == DONE

    assert [share for path, share in percents if path == ROUTES[0]][1:] == [0, 10, 50, 100]
    assert world.api.shares(ROUTES[0]) == {"old": 0, "new": 100}
    # 10 % of a weight of 7 needs finer weights; then 7 of 100 parts are still theirs together.
    assert world.api.shares(ROUTES[1]) == {"old": 0, "new": 700, "other": 9300}
    assert world.api.state()["phase"] == "done"
    assert world.api.objects[ROUTES[0]]["spec"]["hostnames"] == ["kept"]
    assert [event["reason"] for event in world.api.events] == ["CanaryStep", "CanaryStepPassed"] * 3 + ["CanaryDone"]


def test_a_bad_canary_gets_nothing_and_the_reason_stays(world: World) -> None:
    world.bad = 1

    assert world.rollout().run() == ROLLED_BACK

    assert world.api.shares(ROUTES[0])["new"] == world.api.shares(ROUTES[1])["new"] == 0
    assert (world.api.state()["phase"], world.api.state()["percent"]) == ("rolled-back", 0)
    assert "requests failed" in world.api.state()["reason"]
    assert world.api.events[-1]["type"] == "Warning"
    world.bad = 0
    assert world.rollout().run() == ROLLED_BACK  # a retry of the same Job does not try again
    assert world.api.shares(ROUTES[0])["new"] == 0
    assert world.rollout(run="two").run() == DONE  # another version does


def test_a_killed_script_goes_on_with_its_step(world: World) -> None:
    def killed(path: str) -> None:
        if path == ROUTES[0] and world.api.shares(path)["new"] == 50:
            raise KeyboardInterrupt

    world.api.before_patch = killed
    with pytest.raises(KeyboardInterrupt):
        world.rollout().run()
    assert (world.api.state()["step"], world.api.shares(ROUTES[0])["new"]) == (1, 50)
    world.api.before_patch = lambda path: world.seen.append(world.api.shares(path)["new"])

    assert world.rollout().run() == DONE

    assert 10 not in [share for share in world.seen if share <= 100]  # never back to the first step


def test_too_few_servers_of_the_canary_roll_back_before_traffic(world: World) -> None:
    world.ready = []

    assert world.rollout().run() == ROLLED_BACK
    assert "0 of 1 servers of the canary are ready" in world.api.state()["reason"]


def test_a_canary_that_loses_its_servers_is_rolled_back(world: World) -> None:
    rollout = world.rollout(limits={**world.rollout()._plan["limits"], "bake_seconds": 10, "max_wait_seconds": 20})
    moved = RouteSplit.move

    def move(self: RouteSplit, percent: int, state: dict[str, Any]) -> None:
        moved(self, percent, state)
        if percent == 10:
            world.ready = []

    rollout._cluster.split.move = move.__get__(rollout._cluster.split)  # type: ignore[method-assign]
    assert rollout.run() == ROLLED_BACK
    assert "no server of the canary is ready" in world.api.state()["reason"]


def test_another_rollout_takes_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {**world.rollout()._plan["limits"], "min_requests": 500, "max_wait_seconds": 60}
    rollout = world.rollout(limits=limits)

    def other(_: float) -> None:
        if world.counts["c"] > 300:
            text = json.dumps({**world.api.state(), "run": "two"})
            world.api.objects[ROUTES[0]]["metadata"]["annotations"][STATE_ANNOTATION] = text

    monkeypatch.setattr(time, "sleep", other)
    assert rollout.run() == TAKEN_OVER
    assert world.api.state()["run"] == "two"
    assert world.api.shares(ROUTES[0])["new"] == 10  # it is the other's now


def test_weights_that_somebody_moved_are_set_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {**world.rollout()._plan["limits"], "min_requests": 400, "max_wait_seconds": 60}
    rollout = world.rollout(limits=limits)
    moved: list[int] = []

    def reset(_: float) -> None:
        if not moved and world.api.shares(ROUTES[0])["new"] == 50:
            moved.append(1)
            world.api.put(ROUTES[0], {**route(old=100, new=0)} | {"metadata": world.api.objects[ROUTES[0]]["metadata"]})

    monkeypatch.setattr(time, "sleep", reset)
    assert rollout.run() == DONE
    assert [event["reason"] for event in world.api.events].count("CanaryWeights") == 1


@pytest.mark.parametrize(("condition", "code"), [("Complete", DONE), ("Failed", ROLLED_BACK)])
def test_the_quality_check_decides(condition: str, code: int, world: World) -> None:
    status = {"conditions": [{"type": condition, "status": "True", "message": "0.7 of 0.9"}]}
    world.api.put(JOB, {"spec": {"suspend": True}, "status": status})

    assert world.rollout(steps=[10], quality={"jobs": {"10": JOB}}).run() == code

    assert world.api.objects[JOB]["spec"]["suspend"] is False
    if code == ROLLED_BACK:
        assert "the quality check at 10 % failed: Failed 0.7 of 0.9" in world.api.state()["reason"]


def test_knative_gets_its_field_and_pods_are_told_apart_by_revision() -> None:
    api = Objects()
    api.put(SERVICE, {"spec": {"predictor": {"model": "kept"}}, "status": {"components": {"predictor": {
        "latestCreatedRevision": "m-2", "latestRolledoutRevision": "m-1"}}}})  # fmt: skip
    split = KnativeSplit(api, SERVICE)

    split.move(25, {"run": "one"})

    assert api.objects[SERVICE]["spec"]["predictor"] == {"model": "kept", "canaryTrafficPercent": 25}
    assert (split.holds(25), split.holds(10)) == (True, False)
    label = cluster.REVISION_LABEL
    assert split.selectors() == {"stable": f"{label}=m-1", "canary": f"{label}=m-2"}

"""The script that moves traffic: what it does with routes, with KServe's field, and after it was killed."""

import copy
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.serving.canary import observer, script, splits
from components.serving.canary.cluster import Api, ApiError, Cluster, Server, read_metrics
from components.serving.canary.quality import posted
from components.serving.canary.script import DONE, ROLLED_BACK, TAKEN_OVER, Rollout
from components.serving.canary.splits import KnativeSplit, RouteSplit, TakenOverError
from infra.planning.canary import METRICS, MetricNames

EDGES = (0.01, 0.025, 0.05, 0.075, float("inf"))
ROUTES = ("/routes/a", "/routes/b")
SERVICE = "/services/m"
JOB = "/jobs/check-10"
NOTE = "gpu-platform/canary-m"


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
        return dict(json.loads(self.objects[path]["metadata"]["annotations"][NOTE]))


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
    """Routes, servers, and 200 requests in each second by the weights of the first route."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = Objects()
        self.api.put(ROUTES[0], route(old=100, new=0))
        self.api.put(ROUTES[1], route(old=7, new=0, other=93))
        self.seconds = 0.0
        self.counts: dict[str, dict[str, float]] = {"s": {}, "c": {}}
        self.bad = 0.0
        self.pods = {"stable": [Server("s", "")], "canary": [Server("c", "")]}
        # Seconds of a token by requests per second of a server, for each version.
        self.speed: Callable[[str, float], float] = lambda _name, _load: 0.02
        self.each_second: Callable[[], None] = lambda: None
        clock = SimpleNamespace(
            monotonic=lambda: self.seconds,
            time=lambda: 1_800_000_000 + self.seconds,
            sleep=self.sleep,
            strftime=time.strftime,
            gmtime=time.gmtime,
        )
        monkeypatch.setattr(script, "time", clock)
        monkeypatch.setattr(observer, "time", clock)
        monkeypatch.setattr(observer, "read_metrics", self.metrics)

    @property
    def share(self) -> float:
        weights = self.api.shares(ROUTES[0])
        return weights["new"] / sum(weights.values())

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for name, load in (("s", 200 * (1 - self.share)), ("c", 200 * self.share)):
            failed, token = load * self.bad if name == "c" else 0.0, self.speed(name, load)
            more = {"served": load - failed, "errors": failed, "ttft|sum": load / 100, "tpot|sum": load * token}
            more |= {f"{what}|{edge}": load * (edge >= token) for what in ("ttft", "tpot") for edge in EDGES}
            for key, value in more.items():
                self.counts[name][key] = self.counts[name].get(key, 0) + value
        self.each_second()

    def metrics(self, server: Server, path: str, names: MetricNames) -> dict[str, float]:
        del path, names
        return dict(self.counts[server.name])

    def rollout(self, limits: dict[str, float] | None = None, **changes: Any) -> Rollout:
        names = METRICS["vllm"]
        plan: dict[str, Any] = {
            "run": "one",
            "steps": [10, 50, 100],
            "poll_seconds": 1,
            "deadline_seconds": 3600,
            "limits": {"ttft_ratio": 1.2, "tpot_ratio": 1.2, "error_delta": 0.01, "abort_delta": 0.05,
                       "min_requests": 100, "bake_seconds": 3, "max_wait_seconds": 60, **(limits or {})},
            "metrics": {name: getattr(names, name) for name in names.__dataclass_fields__},
            "metrics_path": "/metrics",
            "port": 8000,
            "canary_servers": 1,
            "model": "m",
            "canary_url": "http://m",
            "quality": {},
        }  # fmt: skip
        routes = [{"path": path, "stable": "old", "canary": "new"} for path in ROUTES]
        split = RouteSplit(self.api, routes, {}, NOTE)
        found = Cluster(self.api, split, "models")
        found.servers = lambda side, port: list(self.pods[side]) if port else []  # type: ignore[method-assign]
        return Rollout({**plan, **changes}, found, split)

    def when(self, percent: int, happens: Callable[[], None]) -> None:
        """Something happens once, in the second after the canary has got that share."""
        done: list[int] = []

        def look() -> None:
            if not done and round(100 * self.share) == percent:
                done.append(percent)
                happens()

        self.each_second = look


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def reason(world: World) -> str:
    return str(world.api.state()["reason"])


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
    assert "failures 20 of 20 against" in reason(world)
    assert world.api.events[-1]["type"] == "Warning"
    world.bad = 0
    assert world.rollout().run() == ROLLED_BACK  # a retry of the same Job does not try again
    assert world.api.shares(ROUTES[0])["new"] == 0
    assert world.rollout(run="two").run() == DONE  # another version does


def slower_under_load(name: str, load: float) -> float:
    del name
    return 0.022 if load <= 100 else 0.030


def test_identical_versions_that_are_slower_under_load_take_over(world: World) -> None:
    # 22 ms a token at half of the requests for a server, 30 ms at all of them.
    world.speed = slower_under_load

    assert world.rollout().run() == DONE
    assert "mean 0.0300 s against 0.0300 s" in world.api.events[-2]["message"]


def test_a_version_that_is_slow_only_under_all_of_the_load_is_found_there(world: World) -> None:
    world.speed = lambda name, load: 0.06 if name == "c" and load > 100 else 0.03

    assert world.rollout().run() == ROLLED_BACK
    assert "TPOT p99" in reason(world)
    assert [event["reason"] for event in world.api.events].count("CanaryStepPassed") == 2


def test_a_killed_script_goes_on_with_its_step(world: World) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    world.when(50, killed)
    with pytest.raises(KeyboardInterrupt):
        world.rollout().run()
    assert (world.api.state()["step"], world.api.shares(ROUTES[0])["new"]) == (1, 50)
    seen: list[int] = []
    world.api.before_patch = lambda path: seen.append(world.api.shares(path)["new"])

    assert world.rollout().run() == DONE

    assert 10 not in [share for share in seen if share <= 100]  # never back to the first step
    assert 0 not in seen


def test_too_few_servers_of_the_canary_roll_back_before_traffic(world: World) -> None:
    world.pods["canary"] = []

    assert world.rollout().run() == ROLLED_BACK
    assert "0 of 1 servers of the canary are ready after 60 s" in reason(world)


def test_a_canary_that_loses_its_servers_is_rolled_back(world: World) -> None:
    world.when(10, lambda: world.pods.update(canary=[Server("c", "", ready=False)]))

    assert world.rollout(limits={"bake_seconds": 30}).run() == ROLLED_BACK
    assert "no server of the canary is ready" in reason(world)
    assert world.seconds < 40  # 30 of them before the canary had traffic


def test_a_server_that_restarts_between_two_looks_counts(world: World) -> None:
    world.when(10, lambda: world.pods.update(canary=[Server("c", "", restarts=1)]))

    assert world.rollout(limits={"bake_seconds": 30}).run() == ROLLED_BACK
    assert "servers of the canary restarted 1 times since the rollout began, of the stable version 0" in reason(world)


def test_restarts_that_the_stable_version_has_too_are_no_fault(world: World) -> None:
    both = {"canary": [Server("c", "", restarts=4)], "stable": [Server("s", "", restarts=1)]}
    world.pods["canary"] = [Server("c", "", restarts=3)]  # before the rollout
    world.when(10, lambda: world.pods.update(both))

    assert world.rollout().run() == DONE


def test_a_step_does_not_pass_while_a_server_is_missing(world: World) -> None:
    two = [Server("c", ""), Server("d", "", ready=False)]
    world.pods["canary"] = [Server("c", ""), Server("d", "", ready=True)]
    world.counts["d"] = {}
    world.when(10, lambda: world.pods.update(canary=two))

    assert world.rollout(canary_servers=2).run() == ROLLED_BACK
    assert "1 of 2 servers of the canary are ready after 60 s" in reason(world)


def test_failures_end_it_while_the_quality_check_runs(world: World) -> None:
    world.api.put(JOB, {"spec": {"suspend": True}})
    world.each_second = lambda: setattr(world, "bad", float(world.api.objects[JOB]["spec"]["suspend"] is False))

    assert world.rollout(steps=[10], quality={"jobs": {"10": JOB}}).run() == ROLLED_BACK
    assert reason(world).startswith("failures")


def test_a_rollout_that_does_not_end_is_rolled_back_by_the_script_itself(world: World) -> None:
    world.api.put(JOB, {"spec": {"suspend": True}})  # a check that never ends

    assert world.rollout(steps=[10], quality={"jobs": {"10": JOB}}, deadline_seconds=40).run() == ROLLED_BACK
    assert reason(world) == "the rollout has not ended in 40 s"
    assert world.share == 0


def other_run(world: World, path: str) -> None:
    text = json.dumps({**world.api.state(path), "run": "two"})
    world.api.objects[path]["metadata"]["annotations"][NOTE] = text


def test_another_rollout_takes_over(world: World) -> None:
    world.when(10, lambda: other_run(world, ROUTES[0]))

    assert world.rollout().run() == TAKEN_OVER
    assert world.api.state()["run"] == "two"
    assert world.api.shares(ROUTES[0])["new"] == 10  # it is the other's now


def test_a_rollout_that_was_taken_over_cannot_write_any_more(world: World) -> None:
    """Also not between its last look and its write: what counts is the object that it has just read."""
    world.rollout().run()
    split = world.rollout()._split
    for path in ROUTES:
        other_run(world, path)
        world.api.objects[path]["spec"] = route(old=75, new=25)["spec"]

    for percent in (0, 50):
        with pytest.raises(TakenOverError):
            split.move(percent, {"run": "one"})
    assert world.api.shares(ROUTES[0]) == world.api.shares(ROUTES[1]) == {"old": 75, "new": 25}


def test_a_route_that_leads_to_another_canary_is_left_alone(world: World) -> None:
    world.rollout().run()
    for path in ROUTES:
        world.api.objects[path]["spec"] = route(old=100, newer=0)["spec"]

    assert world.rollout(run="two").run() == TAKEN_OVER
    assert world.api.shares(ROUTES[0]) == {"old": 100, "newer": 0}


def test_two_canaries_behind_one_route_have_a_state_each(world: World) -> None:
    backends = [{"name": name, "weight": weight} for name, weight in (("old", 50), ("new", 0), ("b", 50), ("b2", 0))]
    world.api.objects[ROUTES[0]]["spec"] = {"rules": [{"backendRefs": backends}]}
    first = RouteSplit(world.api, [{"path": ROUTES[0], "stable": "old", "canary": "new"}], {}, NOTE)
    second = RouteSplit(world.api, [{"path": ROUTES[0], "stable": "b", "canary": "b2"}], {}, "gpu-platform/canary-b")

    first.claim({"run": "one"})
    second.claim({"run": "two"})
    first.move(10, {"run": "one"})
    second.move(50, {"run": "two"})

    assert (first.state(), second.state()) == ({"run": "one"}, {"run": "two"})
    assert (first.holds(10), second.holds(50)) == (True, True)
    assert world.api.shares(ROUTES[0]) == {"old": 45, "new": 5, "b": 25, "b2": 25}


def test_weights_that_somebody_moved_are_set_again(world: World) -> None:
    def reset() -> None:
        found = world.api.objects[ROUTES[0]]["metadata"]
        world.api.put(ROUTES[0], {**route(old=100, new=0), "metadata": found})

    world.when(50, reset)

    assert world.rollout().run() == DONE
    assert [event["reason"] for event in world.api.events].count("CanaryWeights") == 1


@pytest.mark.parametrize(("condition", "code"), [("Complete", DONE), ("Failed", ROLLED_BACK)])
def test_the_quality_check_decides(condition: str, code: int, world: World) -> None:
    status = {"conditions": [{"type": condition, "status": "True", "message": "0.7 of 0.9"}]}
    world.api.put(JOB, {"spec": {"suspend": True}, "status": status})

    assert world.rollout(steps=[10], quality={"jobs": {"10": JOB}}).run() == code

    assert world.api.objects[JOB]["spec"]["suspend"] is False
    if code == ROLLED_BACK:
        assert "the quality check at 10 % failed: Failed 0.7 of 0.9" in reason(world)


def test_pods_that_are_not_ready_count_with_their_restarts() -> None:
    def pod(name: str, ready: str, restarts: int, **metadata: str) -> dict[str, Any]:
        status = {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": ready}]}
        status |= {"containerStatuses": [{"restartCount": restarts}]}
        return {"metadata": {"name": name, **metadata}, "status": status}

    api = Objects()
    api.objects["/api/v1/namespaces/models/pods?labelSelector=app%3Dm"] = {
        "items": [pod("a", "True", 0), pod("b", "False", 7), pod("gone", "True", 0, deletionTimestamp="now")]
    }
    split = RouteSplit(api, [], {"canary": "app=m"}, NOTE)

    assert Cluster(api, split, "models").servers("canary", 8000) == [
        Server("a", "10.0.0.1:8000"),
        Server("b", "10.0.0.1:8000", ready=False, restarts=7),
    ]


class Broken(BaseHTTPRequestHandler):
    """Breaks off in the middle of the answer's head, or of its body."""

    def do_GET(self) -> None:
        self.wfile.write(b"no HTTP at all\r\n\r\n" if self.path == "/head" else HALF)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


class PlainApi(Api):
    """Without TLS."""

    def __init__(self, server: str, token: Path) -> None:
        self._server, self._token, self._context = server, token, ssl.create_default_context()


HALF = b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n{"


@pytest.fixture
def broken() -> Iterator[str]:
    """Address of a server whose answers break off."""
    with HTTPServer(("127.0.0.1", 0), Broken) as server:
        serving = threading.Thread(target=server.serve_forever, args=[0.01])
        serving.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("path", ["/head", "/body"])
def test_an_answer_that_breaks_off_is_no_answer(path: str, broken: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret", encoding="utf-8")

    assert read_metrics(Server("a", broken), path, METRICS["vllm"]) is None
    with pytest.raises(ApiError) as caught:
        PlainApi(f"http://{broken}", tmp_path / "token").get(path)
    assert caught.value.status == 0
    if path == "/head":
        assert posted(f"http://{broken}{path}", {}, 5) != ""


def test_knative_gets_its_field_and_pods_are_told_apart_by_revision() -> None:
    api = Objects()
    api.put(SERVICE, {"spec": {"predictor": {"model": "kept"}}, "status": {"components": {"predictor": {
        "latestCreatedRevision": "m-2", "latestRolledoutRevision": "m-1"}}}})  # fmt: skip
    split = KnativeSplit(api, SERVICE, NOTE)

    split.claim({"run": "one"})
    split.move(25, {"run": "one"})

    assert api.objects[SERVICE]["spec"]["predictor"] == {"model": "kept", "canaryTrafficPercent": 25}
    assert (split.holds(25), split.holds(10)) == (True, False)
    label = splits.REVISION_LABEL
    assert split.selectors() == {"stable": f"{label}=m-1", "canary": f"{label}=m-2"}
    with pytest.raises(TakenOverError):
        split.move(50, {"run": "two"})

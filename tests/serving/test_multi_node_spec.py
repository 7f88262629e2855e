"""The objects of a server over several nodes: what its pods are told, and what may reach and evict them."""

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.serving.model_server_spec import service_spec
from components.serving.multi_node.spec import (
    disruption_budget_spec,
    group_selector,
    pod_labels,
    policy_spec,
    rollout_seconds,
    set_name,
    set_spec,
)
from components.serving.multi_node.stop import FOLLOWER_SCRIPT, leader_pre_stop
from components.serving.multi_node.values import leader_worker_set_values
from infra.catalog.engines import VLLM, argument_problems, flag_table
from infra.planning.drain import EXIT_MARGIN_SECONDS, DrainBudget
from infra.planning.group_size import CONTROLLER_SECONDS, GroupDrain, GroupSize, is_even_enough, largest_stage
from infra.planning.startup import NODE_LAUNCH_SECONDS
from simulator.engine_stand_in.running import stand_in

Json = dict[str, Any]


def arguments(**given: Any) -> Any:  # a TypedDict with parts that tests change
    pod = {
        "image": "docker.io/vllm/vllm-openai:v0.33.0-efa",
        "node_pools": ["h100"],
        "spot_allowed": False,
        "startup_seconds": 3600,
        "pre_stop_seconds": 15,
        "shutdown_timeout_seconds": 90,
        "cpu": 150,
        "memory_gib": 1600,
        "cache_gib": 500,
        "shared_memory_gib": 16,
    }
    engine = {"model": "Qwen/Qwen3-235B-A22B", "tensor_parallel": 8, "pipeline_parallel": 2, "nodes": 2}
    fabric = {"transport": "efa", "instance_type": "p5.48xlarge"}
    return {"namespace": "big", "replicas": 3, "engine": engine, "pod": pod, "fabric": fabric, **given}


def templates(**given: Any) -> tuple[Json, Json]:
    template = set_spec("qwen", arguments(**given))["leaderWorkerTemplate"]
    return template["leaderTemplate"], template["workerTemplate"]


def container(template: Json) -> Json:
    found: Json = template["spec"]["containers"][0]
    return found


def test_each_pod_knows_its_place_and_every_flag_is_in_the_table() -> None:
    leader, follower = (container(template)["args"] for template in templates())
    for told in (leader, follower):
        assert {"--nnodes=2", "--node-rank=$(LWS_WORKER_INDEX)", "--master-addr=$(LWS_LEADER_ADDRESS)"} <= set(told)
        assert {"--tensor-parallel-size=8", "--pipeline-parallel-size=2"} <= set(told)
        # Followers whose node comes late are waited for as long as the probe waits.
        assert f"--distributed-timeout-seconds={3600 + NODE_LAUNCH_SECONDS}" in told
        literal = [item.replace("$(LWS_WORKER_INDEX)", "1") for item in told[1:]]
        assert list(argument_problems(flag_table("vllm"), literal)) == []
    assert "--headless" in follower
    assert "--headless" not in leader


@given(st.integers(1, 10_000))
def test_the_last_node_of_a_group_may_come_as_late_as_karpenter_waits_for_one(seconds: int) -> None:
    """The leader's container starts on the first; from then on nobody gives up before the last has had its own time."""
    for template in templates(pod={**arguments()["pod"], "startup_seconds": seconds}):
        variables = {item["name"]: item.get("value") for item in container(template)["env"]}
        assert int(variables["VLLM_ENGINE_READY_TIMEOUT_S"] or 0) >= seconds + NODE_LAUNCH_SECONDS
        (patience,) = [
            word for word in container(template)["args"] if word.startswith("--distributed-timeout-seconds=")
        ]
        assert int(patience.partition("=")[2]) >= seconds + NODE_LAUNCH_SECONDS
        probe = container(template).get("startupProbe")
        assert probe is None or probe["failureThreshold"] * probe["periodSeconds"] >= seconds + NODE_LAUNCH_SECONDS


def test_a_rollout_of_groups_outlasts_each_groups_own_patience() -> None:
    args = arguments()
    drain = GroupDrain(DrainBudget(15, 90)).follower_grace_seconds
    assert rollout_seconds(args) == 3 * (NODE_LAUNCH_SECONDS + 3600 + NODE_LAUNCH_SECONDS + drain)


def test_only_the_leader_has_http() -> None:
    leader, follower = templates()
    probes = {"startupProbe", "readinessProbe", "livenessProbe"}
    assert probes <= set(container(leader))
    assert not (probes | {"ports"}) & set(container(follower))
    chosen = service_spec("qwen")["selector"].items()
    assert chosen <= leader["metadata"]["labels"].items()
    assert not chosen <= follower["metadata"]["labels"].items()


def test_the_group_restarts_whole_and_starts_together() -> None:
    spec = set_spec("qwen", arguments())
    assert spec["leaderWorkerTemplate"]["restartPolicy"] == "RecreateGroupOnPodRestart"
    assert spec["leaderWorkerTemplate"]["size"] == 2
    assert spec["startupPolicy"] == "LeaderCreated"
    # The controller's headless Service has the set's name, the clients' Service the model's.
    assert set_name("qwen") != "qwen"


@pytest.mark.parametrize(("strategy", "surge", "unavailable"), [("surge", 2, 0), ("replace", 0, 2), ("recreate", 0, 3)])
def test_groups_are_exchanged_as_the_rollout_says(strategy: str, surge: int, unavailable: int) -> None:
    spec = set_spec("qwen", arguments(rollout={"strategy": strategy, "at_once": 2}))
    rolling = spec["rolloutStrategy"]["rollingUpdateConfiguration"]
    assert (rolling["maxSurge"], rolling["maxUnavailable"]) == (surge, unavailable)


def test_over_efa_a_pod_takes_the_node_and_may_lock_memory() -> None:
    for template in templates():
        asked = container(template)["resources"]
        assert asked["limits"]["vpc.amazonaws.com/efa"] == "32"
        assert asked["requests"]["hugepages-2Mi"] == asked["limits"]["hugepages-2Mi"]
        assert asked["limits"]["memory"] == "1616Gi"  # with /dev/shm
        assert container(template)["securityContext"]["capabilities"] == {"add": ["IPC_LOCK"], "drop": ["ALL"]}
        assert template["spec"]["securityContext"]["runAsUser"] == 0
        variables = {item["name"]: item.get("value") for item in container(template)["env"]}
        assert variables["NCCL_NET_PLUGIN"] == variables["NCCL_TUNER_PLUGIN"] == "ofi"
        assert variables["FI_PROVIDER"] == "efa"


def test_over_sockets_nothing_of_efa_is_asked_for() -> None:
    engine = {"model": "m/m", "tensor_parallel": 1, "pipeline_parallel": 2, "nodes": 2}
    for template in templates(engine=engine, fabric={"transport": "tcp", "instance_type": "g6.xlarge"}):
        assert set(container(template)["resources"]["limits"]) == {"memory", "nvidia.com/gpu"}
        assert container(template)["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        assert "add" not in container(template)["securityContext"]["capabilities"]
        # One GPU a pod, and still processes that exchange tensors through it.
        assert "shared-memory" in {item["name"] for item in container(template)["volumeMounts"]}


def test_a_group_is_kept_in_one_zone_where_there_are_several() -> None:
    leader, follower = templates(several_zones=True)
    for template in (leader, follower):
        (term,) = template["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["topologyKey"] == "topology.kubernetes.io/zone"
        assert term["matchLabelKeys"] == ["leaderworkerset.sigs.k8s.io/group-key"]
        assert term["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert "podAffinity" not in templates()[0]["spec"]["affinity"]


@pytest.mark.parametrize(("zones", "unsatisfied"), [("required", "DoNotSchedule"), ("preferred", "ScheduleAnyway")])
def test_groups_are_spread_over_zones_by_their_leaders(zones: str, unsatisfied: str) -> None:
    pod = {**arguments()["pod"], "place": {"zones_apart": zones}}
    leader, follower = templates(several_zones=True, pod=pod)

    (constraint,) = leader["spec"]["topologySpreadConstraints"]
    assert (constraint["topologyKey"], constraint["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", unsatisfied)
    chosen = constraint["labelSelector"]["matchLabels"].items()
    assert chosen <= leader["metadata"]["labels"].items()
    assert not chosen <= follower["metadata"]["labels"].items()
    assert "topologySpreadConstraints" not in follower["spec"]
    for template in templates(pod=pod):  # in one zone there is nothing to spread
        assert "topologySpreadConstraints" not in template["spec"]


def test_budget_and_policy_cover_all_pods_of_all_groups() -> None:
    args = arguments()
    budget = disruption_budget_spec("qwen")
    assert budget["maxUnavailable"] == 1
    for role in ("leader", "follower"):
        assert budget["selector"]["matchLabels"].items() <= pod_labels("qwen", args, role).items()
    policy = policy_spec("qwen", args)
    assert policy["podSelector"] == {"matchLabels": group_selector("qwen")}
    assert policy["ingress"][-1] == {"from": [{"podSelector": {"matchLabels": group_selector("qwen")}}]}
    assert all("ports" in rule for rule in policy["ingress"][:-1])


def test_a_follower_outlives_the_drain_of_its_leader() -> None:
    leader, follower = templates()
    longest = int(container(follower)["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert longest >= leader["spec"]["terminationGracePeriodSeconds"] + CONTROLLER_SECONDS
    assert follower["spec"]["terminationGracePeriodSeconds"] >= longest + EXIT_MARGIN_SECONDS
    # After its preStop it ends at once: its drain was the leader's.
    assert "--shutdown-timeout=0" in container(follower)["args"]
    assert "--shutdown-timeout=90" in container(leader)["args"]


def test_a_leader_of_copies_waits_for_all_of_them_before_it_is_told_to_end() -> None:
    """At SIGTERM vLLM waits for the engines of the leader's own node at most."""
    engine = {**arguments()["engine"], "pipeline_parallel": 1, "data_parallel": 2}
    leader, follower = templates(engine=engine)
    command = container(leader)["lifecycle"]["preStop"]["exec"]["command"]
    assert command[3:] == ["8000", "/metrics", "15", "90", "vllm:num_requests_running", "vllm:num_requests_waiting"]
    assert leader["spec"]["terminationGracePeriodSeconds"] == 15 + 90 + EXIT_MARGIN_SECONDS
    # What the hook has waited is not waited again: the grace period would be over.
    assert "--shutdown-timeout=0" in container(leader)["args"]
    assert follower["spec"] | {"containers": []} == templates()[1]["spec"] | {"containers": []}
    # vLLM refuses it beside --headless.
    assert not [word for word in container(follower)["args"] if "api-server-count" in word]


@given(st.integers(1, 600), st.integers(1, 3600))
def test_the_numbers_of_a_group_are_nested(pre_stop: int, shutdown: int) -> None:
    drain = GroupDrain(DrainBudget(pre_stop, shutdown))
    assert pre_stop + shutdown < drain.leader.grace_period_seconds < drain.follower_pre_stop_seconds
    assert drain.follower_pre_stop_seconds < drain.follower_grace_seconds
    longest = drain.longest_shutdown_on_spot
    if longest >= 1:
        assert GroupDrain(DrainBudget(pre_stop, longest)).fits_spot_notice
    assert not GroupDrain(DrainBudget(pre_stop, max(1, longest + 1))).fits_spot_notice


@given(*[st.integers(1, 16)] * 4)
def test_whole_parts_fill_every_node_alike(nodes: int, tensor: int, stages: int, copies: int) -> None:
    size = GroupSize(nodes, tensor, stages, copies)
    if size.is_whole:
        assert size.gpus_per_node * nodes == size.gpus
        assert size.gpus_per_node % tensor == 0


def test_stages_may_differ_by_a_layer_but_not_by_much() -> None:
    assert is_even_enough(61, 2)
    assert largest_stage(61, 2) == 31
    assert not is_even_enough(36, 8)
    assert not is_even_enough(4, 5)


class _Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class' name
        pass


def _follower(port: int, seconds: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", FOLLOWER_SCRIPT, str(port), "/health", str(seconds)]
    return subprocess.Popen(command, env={**os.environ, "LWS_LEADER_ADDRESS": "127.0.0.1", "no_proxy": "*"})


def test_the_hook_stays_while_the_leader_lives_and_ends_soon_after() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hook = _follower(server.server_port, 120)
    time.sleep(3)
    assert hook.poll() is None
    server.shutdown()
    server.server_close()
    assert hook.wait(timeout=30) == 0


def test_the_hook_ends_without_a_leader_and_in_time_with_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]
    begun = time.monotonic()
    assert _follower(nobody, 600).wait(timeout=60) == 0
    assert time.monotonic() - begun < 60
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Healthy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert _follower(server.server_port, 2).wait(timeout=60) == 0
    server.shutdown()
    server.server_close()


def _leader(address: str, sleep: int, wait: int) -> subprocess.Popen[bytes]:
    hook = leader_pre_stop(VLLM, DrainBudget(sleep, wait))["exec"]["command"]
    command = [sys.executable, *hook[1:3], address.rpartition(":")[2], *hook[4:]]
    return subprocess.Popen(command, env={**os.environ, "no_proxy": "*"})


def _ask(address: str, tokens: int) -> Any:
    body = json.dumps({"prompt": "a", "max_tokens": tokens}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(f"http://{address}/v1/completions", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)


def test_the_hook_of_a_leader_of_copies_stays_while_requests_run_and_ends_soon_after() -> None:
    with stand_in(["m", "--stand-in-tpot-seconds=0.5"]) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_ask, server.address, 14)  # seven seconds
        hook = _leader(server.address, 1, 120)
        assert asked.result()["choices"][0]["finish_reason"] == "length"
        assert hook.poll() is None
        assert hook.wait(timeout=30) == 0


def test_the_hook_of_a_leader_of_copies_ends_in_time_while_requests_run_and_without_an_answer() -> None:
    with stand_in(["m", "--stand-in-tpot-seconds=0.5"]) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_ask, server.address, 24)  # twelve seconds
        assert _leader(server.address, 1, 3).wait(timeout=10) == 0
        assert not asked.done()
        assert asked.result()["choices"][0]["finish_reason"] == "length"
    begun = time.monotonic()
    assert _leader(server.address, 0, 2).wait(timeout=30) == 0  # nobody is there
    assert time.monotonic() - begun >= 2


def test_the_operator_needs_no_certificates_of_others_and_no_moving_image() -> None:
    values = leader_worker_set_values("v0.9.0")
    assert values["enableCertManager"] is False
    assert values["image"]["manager"] == {"tag": "v0.9.0", "pullPolicy": "IfNotPresent"}
    assert values["podSecurityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}

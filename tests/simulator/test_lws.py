"""LeaderWorkerSet's real controller beside the embedded control plane: groups of our own specification.

One environment for all tests; the last one stops the kubelets' stand-in and starts it again.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components.serving.model_server_spec import service_spec
from components.serving.multi_node.spec import disruption_budget_spec, set_name, set_spec
from infra.plan import kubernetes_manifests
from infra.plan.manifests import Manifest
from infra.progress import SilentProgress
from infra.settings import load_stack_file
from simulator.client import ApiError, Client, Json, wait_for
from simulator.controllers.known import accompanied
from simulator.controllers.lws import LEADER_WORKER_SETS
from simulator.environment import Throwaway, throwaway
from simulator.node_sources import PlannedNodes
from simulator.workloads import pod_is_ready, wait_available
from stacks.evaluation import evaluate
from tests.conftest import ROOT
from tests.simulator.manifests import ec2_node_class, manifest, node_pool, requirement, small_plan

SECONDS = 120.0
NAMESPACE = "large"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"

# Several zones: each group must be kept in one.
MACHINES = (
    requirement("node.kubernetes.io/instance-type", "g6e.12xlarge"),
    requirement("karpenter.sh/capacity-type", "on-demand"),
    requirement("topology.k8s.aws/zone-id", "use1-az4", "use1-az6"),
)


def groups(**pod: Any) -> Json:
    """Two groups of two pods with four GPUs each."""
    told: Any = {
        "namespace": NAMESPACE,
        "replicas": 2,
        "engine": {"model": "Qwen/Qwen3-32B", "tensor_parallel": 4, "pipeline_parallel": 2, "nodes": 2},
        "pod": {
            "image": "docker.io/vllm/vllm-openai:v0.33.0",
            "node_pools": ["gpu"],
            "spot_allowed": False,
            "startup_seconds": 1800,
            "pre_stop_seconds": 15,
            "shutdown_timeout_seconds": 90,
            "cpu": 30,
            "memory_gib": 200,
            "cache_gib": 50,
            "shared_memory_gib": 8,
            "place": {"nodes_apart": "required", "zones_apart": "required"},
            **pod,
        },
        "fabric": {"transport": "tcp", "instance_type": "g6e.12xlarge"},
        "several_zones": True,
    }
    made: Json = set_spec("qwen", told)
    return made


def lws(name: str, spec: Json) -> Manifest:
    return manifest("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", name, NAMESPACE, spec=spec)


SET = lws(set_name("qwen"), groups())
PLAN = [
    ec2_node_class(),
    node_pool(requirements=MACHINES, limits={"nvidia.com/gpu": 16}),
    manifest("v1", "ServiceAccount", "qwen", NAMESPACE),
    manifest("policy/v1", "PodDisruptionBudget", "qwen", NAMESPACE, spec=disruption_budget_spec("qwen")),
    SET,
    manifest("v1", "Service", "qwen", NAMESPACE, spec=service_spec("qwen")),
]


@pytest.fixture(scope="module")
def environment(state_root: Path) -> Iterator[Throwaway]:
    del state_root
    with throwaway(SilentProgress(), PLAN, controllers=[LEADER_WORKER_SETS]) as running:
        wait_available(running.client, PLAN, SilentProgress(), SECONDS)
        yield running


@pytest.fixture
def client(environment: Throwaway) -> Client:
    return environment.client


def pods(client: Client) -> dict[str, Json]:
    return {pod["metadata"]["name"]: pod for pod in client.items(PODS)}


def uids(client: Client) -> dict[str, str]:
    return {name: pod["metadata"]["uid"] for name, pod in pods(client).items()}


def all_ready(client: Client) -> bool:
    found = pods(client).values()
    return len(found) == 4 and all(pod_is_ready(pod) and "deletionTimestamp" not in pod["metadata"] for pod in found)


def eventually(condition: Callable[[], bool]) -> bool:
    return wait_for(condition, SECONDS)


def test_groups_of_a_leader_and_a_follower_run_on_nodes_of_the_pool(client: Client) -> None:
    found = pods(client)
    assert sorted(found) == ["qwen-group-0", "qwen-group-0-1", "qwen-group-1", "qwen-group-1-1"]
    nodes = {node["metadata"]["name"]: node["metadata"]["labels"] for node in client.items("/api/v1/nodes")}
    used = {name: pod["spec"]["nodeName"] for name, pod in found.items()}
    assert len(set(used.values())) == 4
    assert {nodes[node]["karpenter.sh/nodepool"] for node in used.values()} == {"gpu"}
    zones = {name: nodes[node]["topology.kubernetes.io/zone"] for name, node in used.items()}
    # Each group in one zone, and the groups in several.
    assert zones["qwen-group-0"] == zones["qwen-group-0-1"]
    assert zones["qwen-group-1"] == zones["qwen-group-1-1"]
    assert zones["qwen-group-0"] != zones["qwen-group-1"]


def test_groups_are_spread_over_zones_by_their_leaders_of_one_version(client: Client) -> None:
    """As the API server has it: it merges the labels that the set's own webhook and controller have given."""
    found = pods(client)
    for leader in ("qwen-group-0", "qwen-group-1"):
        (constraint,) = found[leader]["spec"]["topologySpreadConstraints"]
        assert (constraint["maxSkew"], constraint["whenUnsatisfiable"]) == (1, "DoNotSchedule")
        wanted = dict(constraint["labelSelector"].get("matchLabels") or {})
        for item in constraint["labelSelector"].get("matchExpressions") or ():
            (wanted[item["key"]],) = item["values"]
        assert "leaderworkerset.sigs.k8s.io/template-revision-hash" in wanted
        counted = [name for name, pod in found.items() if wanted.items() <= pod["metadata"]["labels"].items()]
        assert sorted(counted) == ["qwen-group-0", "qwen-group-1"]
    assert "topologySpreadConstraints" not in found["qwen-group-0-1"]["spec"]


def test_each_pod_is_told_its_place(client: Client) -> None:
    told = {
        name: {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
        for name, pod in pods(client).items()
    }
    for group in ("0", "1"):
        leader, follower = told[f"qwen-group-{group}"], told[f"qwen-group-{group}-1"]
        assert leader["LWS_LEADER_ADDRESS"] == follower["LWS_LEADER_ADDRESS"] == f"qwen-group-{group}.qwen-group.large"
        assert (leader["LWS_WORKER_INDEX"], follower["LWS_WORKER_INDEX"]) == ("0", "1")
        assert leader["LWS_GROUP_SIZE"] == "2"


def test_the_service_leads_to_leaders_only(client: Client) -> None:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"

    def targets() -> set[str]:
        slices = client.items(path, labelSelector="kubernetes.io/service-name=qwen")
        return {end["targetRef"]["name"] for item in slices for end in item.get("endpoints") or ()}

    assert eventually(lambda: targets() == {"qwen-group-0", "qwen-group-1"}), targets()


def test_the_loss_of_a_follower_restarts_its_whole_group(client: Client) -> None:
    before = uids(client)
    client.delete(f"{PODS}/qwen-group-1-1")
    lost = {"qwen-group-1", "qwen-group-1-1"}
    assert eventually(
        lambda: all_ready(client) and all(uids(client).get(name) not in {None, before[name]} for name in lost)
    ), uids(client)
    after = uids(client)
    assert {name for name in after if after[name] == before[name]} == {"qwen-group-0", "qwen-group-0-1"}


def test_its_webhook_refuses_what_could_never_roll(client: Client) -> None:
    spec = groups()
    spec["rolloutStrategy"]["rollingUpdateConfiguration"] = {"maxSurge": 0, "maxUnavailable": 0, "partition": 0}
    with pytest.raises(ApiError, match="must not be 0 when `maxSurge` is 0"):
        client.apply(lws("stuck", spec).body, dry_run=True)
    with pytest.raises(ApiError, match="DNS-1035"):
        client.apply(lws("1-begins-with-a-digit", groups()).body, dry_run=True)


def test_a_plan_with_groups_calls_for_the_controller_and_no_other_does() -> None:
    tool = LEADER_WORKER_SETS.tool
    assert tool in accompanied(PlannedNodes(PLAN), PLAN).tools
    without = small_plan()
    assert tool not in accompanied(PlannedNodes(without), without).tools


def test_groups_are_applied_before_what_could_take_the_nodes_of_their_zone() -> None:
    stack = load_stack_file(ROOT / "Pulumi.staging.yaml")
    kinds = [item.kind for item in PlannedNodes(kubernetes_manifests(evaluate(stack, "stand-in"))).manifests()]

    assert kinds.index("LeaderWorkerSet") < kinds.index("Deployment")
    assert sorted(kinds) == sorted(item.kind for item in kubernetes_manifests(evaluate(stack, "stand-in")))


def test_one_group_at_a_time_may_be_evicted(environment: Throwaway, client: Client) -> None:
    assert eventually(lambda: all_ready(client))
    budget = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/qwen"
    assert eventually(lambda: client.get(budget)["status"].get("disruptionsAllowed") == 1)

    def evict(name: str) -> None:
        metadata = {"name": name, "namespace": NAMESPACE}
        client.create(f"{PODS}/{name}/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})

    def evicted(name: str) -> bool:
        try:
            evict(name)
        except ApiError as error:  # the budget's status may still be of the last test
            assert error.status == 429
            return False
        return True

    environment.stop("kwok")  # nobody ends pods or starts new ones
    assert eventually(lambda: evicted("qwen-group-0-1"))
    assert eventually(lambda: "deletionTimestamp" in pods(client)["qwen-group-0"]["metadata"])
    for name in ("qwen-group-1", "qwen-group-1-1"):
        with pytest.raises(ApiError) as refused:
            evict(name)
        assert refused.value.status == 429
    environment.restart()
    assert eventually(lambda: all_ready(client))
    assert eventually(lambda: client.get(budget)["status"].get("disruptionsAllowed") == 1)
    evict("qwen-group-1-1")

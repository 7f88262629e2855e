"""The guard: it names who still uses what would go, and lets go what nobody uses."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra.conventions import NODEPOOL_LABEL, STACK_LABEL, TEAM_LABEL
from infra.errors import PlatformError
from infra.progress import SilentProgress
from simulator.client import Client, wait_for
from simulator.environment import throwaway
from teardown.cluster import Cluster, UnreachableError
from teardown.guard import Scope, check_no_consumers

SCOPE = Scope("prod", frozenset({"inference"}), controllers=True, cluster=True, own=frozenset({"models/ours"}))
PLATFORM = replace(SCOPE, cluster=False)
POOL_ONLY = replace(PLATFORM, controllers=False)


@pytest.fixture(scope="module")
def client() -> Iterator[tuple[Client, Cluster]]:
    """An API server with one node of each of two pools and of none, and the namespaces of two stacks."""
    with throwaway(SilentProgress(), []) as environment:
        for node, pool in (("gpu", "inference"), ("other", "training"), ("system", "")):
            labels = {NODEPOOL_LABEL: pool} if pool else {}
            body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": labels}}
            environment.client.create("/api/v1/nodes", body)
        for name, stack in (("models", "prod-workloads"), ("team-a", "")):
            labels = {STACK_LABEL: stack} if stack else {}
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            environment.client.create("/api/v1/namespaces", body)
        accounts = [
            f"/api/v1/namespaces/{name}/serviceaccounts/default" for name in ("models", "team-a", "kube-system")
        ]
        assert wait_for(lambda: all(map(environment.client.exists, accounts)), 30)
        environment.stop("kube-controller-manager")  # it would tidy up owners that are not there
        kubeconfig = environment.kubeconfig.read_text(encoding="utf-8")
        yield environment.client, Cluster.reach("gpu-prod", kubeconfig, None)


Fixture = tuple[Client, Cluster]


@pytest.fixture
def made(client: Fixture) -> Iterator[Any]:
    """Create objects that are gone after the test."""
    paths: list[str] = []

    def make(body: dict[str, Any]) -> None:
        client[0].apply(body)
        paths.append(client[0].path_of(body))

    yield make
    for path in paths:
        client[0].delete(path, grace_seconds=0)


def pod(name: str, namespace: str, node: str = "", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "main", "image": "main"}
    placed = {"nodeName": node} if node else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [container], **placed, **spec},
    }


def refusal(cluster: Cluster, scope: Scope) -> str:
    with pytest.raises(PlatformError) as raised:
        check_no_consumers(cluster, scope)
    return str(raised.value)


def test_a_cluster_that_nobody_uses_may_go(client: Fixture) -> None:
    check_no_consumers(client[1], SCOPE)


# A name each: kwok deletes by name, and may still be at the pod of the case before.
@pytest.mark.parametrize(("name", "scope"), [("whole", SCOPE), ("platform", PLATFORM), ("pool", POOL_ONLY)])
def test_a_pod_on_a_pool_that_goes_is_a_reason(client: Fixture, made: Any, name: str, scope: Scope) -> None:
    made(pod(name, "team-a", "gpu"))

    text = refusal(client[1], scope)

    assert "the stack prod is still in use; nothing was destroyed" in text
    assert f"Pod team-a/{name}" in text
    assert "GPU_PLATFORM_TEARDOWN_SKIP=guard" in text


def test_a_pod_elsewhere_is_a_reason_only_where_the_cluster_goes(client: Fixture, made: Any) -> None:
    made(pod("job", "team-a", "other"))

    check_no_consumers(client[1], PLATFORM)
    assert "Pod team-a/job" in refusal(client[1], SCOPE)


def test_a_waiting_pod_that_asks_for_the_pool_is_a_reason(client: Fixture, made: Any) -> None:
    made(pod("waiting", "team-a", nodeSelector={NODEPOOL_LABEL: "inference"}))

    assert "Pod team-a/waiting" in refusal(client[1], POOL_ONLY)


def test_the_stack_behind_a_namespace_is_named(client: Fixture, made: Any) -> None:
    made(pod("llama", "models", "gpu"))

    text = refusal(client[1], PLATFORM)

    assert "Pod models/llama, of the stack prod-workloads" in text
    assert "`pulumi destroy --stack prod-workloads` first" in text


def test_own_workloads_and_those_of_the_cluster_are_no_reason(client: Fixture, made: Any) -> None:
    made(pod("ours", "models", "gpu"))
    made(pod("coredns", "kube-system", "gpu"))
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "1"}
    agent = pod("agent-x", "team-a", "gpu")
    made({**agent, "metadata": {**agent["metadata"], "ownerReferences": [owner]}})

    check_no_consumers(client[1], SCOPE)


def test_what_the_own_components_controllers_made_is_no_reason(client: Fixture, made: Any) -> None:
    """Groups and predictors have other names than their model; their pods carry its name."""
    labels = {"app.kubernetes.io/name": "ours", "app.kubernetes.io/component": "model-follower"}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "ours-group-0", "uid": "1"}
    follower = pod("ours-group-0-1", "models", "gpu")
    made({**follower, "metadata": {**follower["metadata"], "labels": labels, "ownerReferences": [owner]}})
    stranger = pod("ours-group-0-2", "team-a", "gpu")
    made({**stranger, "metadata": {**stranger["metadata"], "labels": labels, "ownerReferences": [owner]}})
    door = {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    made({**door, "metadata": {"name": "ours-exposed", "namespace": "models", "labels": labels}})

    text = refusal(client[1], SCOPE)

    assert "StatefulSet team-a/ours-group-0" in text
    assert "models/" not in text


@pytest.mark.parametrize("errand", ["model-download", "canary-check"])
@pytest.mark.parametrize("stack", ["prod-workloads", "prod"])
def test_an_own_errand_that_still_runs_is_no_reason(client: Fixture, made: Any, stack: str, errand: str) -> None:
    labels = {"app.kubernetes.io/component": errand, "app.kubernetes.io/part-of": "gpu-platform"}
    found = pod("errand-x", "models", "gpu")
    made({**found, "metadata": {**found["metadata"], "labels": labels}})

    if stack == "prod":  # the namespace is another stack's
        assert "Pod models/errand-x, of the stack prod-workloads" in refusal(client[1], replace(SCOPE, stack=stack))
    else:
        check_no_consumers(client[1], replace(SCOPE, stack=stack))


def test_operators_are_no_reason_where_they_go_too(client: Fixture, made: Any) -> None:
    part = {"app.kubernetes.io/part-of": "gpu-platform"}
    for name, labels in (("operator", part), ("tenant", {**part, TEAM_LABEL: "tenant"})):
        made({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        if not client[0].exists(account):  # the controller-manager was stopped
            client[0].create(
                f"/api/v1/namespaces/{name}/serviceaccounts",
                {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}},
            )
        made(pod("main", name, "system"))
        door = {"apiVersion": "v1", "kind": "Service", "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
        made({**door, "metadata": {"name": "door", "namespace": name}})

    alone = refusal(client[1], SCOPE)
    together = refusal(client[1], replace(SCOPE, operators=True))

    assert "Pod operator/main" in alone
    assert "Service operator/door of type LoadBalancer" in alone
    assert "operator/" not in together
    assert "Pod tenant/main" in together
    assert "Service tenant/door of type LoadBalancer" in together


def test_pods_are_named_by_their_deployment(client: Fixture, made: Any) -> None:
    uid = "00000000-0000-0000-0000-000000000001"
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "main"}]}}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid, "controller": True}
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web-1", "namespace": "team-a", "ownerReferences": [owner]},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    made(replicas)
    live = client[0].get("/apis/apps/v1/namespaces/team-a/replicasets/web-1")
    parent = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": live["metadata"]["uid"]}
    child = pod("web-1-x", "team-a", "gpu")
    made({**child, "metadata": {**child["metadata"], "ownerReferences": [parent]}})

    assert "Deployment team-a/web" in refusal(client[1], POOL_ONLY)


def test_what_only_a_controller_can_delete_is_a_reason(client: Fixture, made: Any) -> None:
    port = {"port": 80}
    service = {"type": "LoadBalancer", "ports": [port]}
    made({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "door", "namespace": "team-a"}, "spec": service})
    rule = {"defaultBackend": {"service": {"name": "door", "port": {"number": 80}}}}
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": rule}
    made({**ingress, "metadata": {"name": "web", "namespace": "team-a"}})

    text = refusal(client[1], PLATFORM)

    assert "Service team-a/door of type LoadBalancer" in text
    assert "Ingress team-a/web" in text
    check_no_consumers(client[1], POOL_ONLY)


def test_a_pool_of_somebody_else_is_a_reason_where_karpenter_goes(client: Fixture, made: Any) -> None:
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "theirs"}
    requirement = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    template = {"spec": {"nodeClassRef": reference, "requirements": [requirement]}}
    for name in ("theirs", "inference"):
        made({"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": name},
              "spec": {"template": template}})  # fmt: skip

    text = refusal(client[1], PLATFORM)

    assert "NodePool theirs" in text
    assert "NodePool inference" not in text


def test_a_dynamic_volume_is_a_reason_where_the_cluster_goes(client: Fixture, made: Any) -> None:
    annotation = {"volume.kubernetes.io/storage-provisioner": "ebs.csi.aws.com"}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "gp3"}
    metadata = {"name": "data", "namespace": "team-a", "annotations": annotation}
    made({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})

    assert "PersistentVolumeClaim team-a/data" in refusal(client[1], SCOPE)
    check_no_consumers(client[1], PLATFORM)


def test_many_consumers_are_counted(client: Fixture, made: Any) -> None:
    for index in range(15):
        made(pod(f"p{index:02}", "team-a", "gpu"))

    assert "and 3 more" in refusal(client[1], POOL_ONLY)


@pytest.mark.parametrize(
    ("kubeconfig", "says"),
    [
        ("{", "cannot be used"),
        ("[]", "cannot be used"),
        ("{}", "cannot be used"),
    ],
)
def test_a_kubeconfig_that_is_none_is_an_error(kubeconfig: str, says: str) -> None:
    with pytest.raises(UnreachableError, match=says):
        Cluster.reach("gpu-prod", kubeconfig, None)


def test_a_cluster_that_does_not_answer_says_what_to_do() -> None:
    closed = """
apiVersion: v1
kind: Config
current-context: x
clusters: [{name: x, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: x, user: {token: secret-token}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
"""
    with pytest.raises(UnreachableError) as raised:
        check_no_consumers(Cluster.reach("gpu-prod", closed, None), SCOPE)

    assert "gpu-prod does not answer" in raised.value.message
    assert "inside the VPC" in raised.value.mend
    assert "secret-token" not in str(raised.value)

"""A real control plane holds tenants to their bounds: quota, defaults, Pod Security and rights, as rendered."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.conventions import GPU_RESOURCE
from infra.plan import Manifest
from infra.progress import SilentProgress
from simulator.apply import dry_run
from simulator.client import ApiError, Client
from simulator.throwaway import throwaway
from tests.embedded import Listener
from tests.tenancy.examples import manifests

# What people may do with stores and ExternalSecrets is a role of the cluster, which view, edit and admin take in.
READERS = "external-secrets-readers"
TENANCY = ("Namespace", "ResourceQuota", "LimitRange", "NetworkPolicy", "RoleBinding")
SECRETS, STORES = "external-secrets.io", "secretstores"
REVIEW = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


def tenancies() -> list[Manifest]:
    return [
        item
        for item in manifests()
        if (item.kind in TENANCY and (item.namespace or item.name) in ("chat", "research"))
        or (item.kind, item.name) == ("ClusterRole", READERS)
    ]


@pytest.fixture(scope="module")
def cluster(state_root: Any) -> Iterator[Client]:
    """Two tenants on a control plane whose quota controller runs."""
    del state_root
    with throwaway(SilentProgress(), tenancies()) as environment:
        client = environment.client
        for namespace in ("chat", "research"):
            settle(client, namespace)
        # Roles are put together by a controller.
        wait(lambda: allowed(client, "auditors", "list", "pods"))
        wait(lambda: allowed(client, "research", "list", STORES, namespace="research", api_group=SECRETS))
        yield client


def wait(ready: Callable[[], object]) -> None:
    """Until controllers have done their part."""
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end, "the controllers did not get to it"
        time.sleep(0.1)


def settle(client: Client, namespace: str) -> None:
    """Until pods can be judged: their account is there, and every quota has its status."""
    wait(lambda: client.exists(client.path("v1", "ServiceAccount", namespace, "default")))
    quotas = client.path("v1", "ResourceQuota", namespace)
    wait(lambda: all((item.get("status") or {}).get("hard") for item in client.items(quotas)))


def pod(name: str, namespace: str, requests: dict[str, str], **security: Any) -> dict[str, Any]:
    """A pod as `restricted` wants it, that asks for something."""
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        **security,
    }
    extended = {key: value for key, value in requests.items() if "/" in key}
    container = {
        "name": "work",
        "image": "registry.example/work:v1",
        "resources": {"requests": requests, "limits": extended},
        "securityContext": context,
    }
    spec = {"containers": [container], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def create(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    return client.create(client.path("v1", body["kind"], body["metadata"]["namespace"]), body)


def refusal(client: Client, body: dict[str, Any]) -> str:
    with pytest.raises(ApiError) as caught:
        create(client, body)
    assert caught.value.status == 403
    return caught.value.message


def allowed(
    client: Client, group: str, verb: str, resource: str, *, namespace: str = "chat", api_group: str = ""
) -> bool:
    """Whether RBAC lets a member of the group do that."""
    attributes = {"namespace": namespace, "verb": verb, "resource": resource, "group": api_group}
    spec = {"user": "somebody", "groups": [group], "resourceAttributes": attributes}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(client.create(REVIEW, body)["status"]["allowed"])


def test_every_object_of_the_example_is_accepted(control_plane: Client, listener: Listener) -> None:
    assert [str(item) for item in dry_run(control_plane, manifests(), listener)] == []


def test_the_quota_refuses_the_gpu_above_it(cluster: Client) -> None:
    create(cluster, pod("six", "chat", {GPU_RESOURCE: "6"}))
    message = refusal(cluster, pod("seventh", "chat", {GPU_RESOURCE: "1"}))

    assert "exceeded quota: quota" in message
    assert (
        "requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=6, limited: requests.nvidia.com/gpu=6"
        in message
    )


def test_slices_of_another_tenant_are_refused_and_ones_own_counted(cluster: Client) -> None:
    assert "exceeded quota" in refusal(cluster, pod("slice", "chat", {"nvidia.com/mig-3g.40gb": "1"}))

    create(cluster, pod("slices", "research", {"nvidia.com/mig-3g.40gb": "4"}))
    assert "exceeded quota" in refusal(cluster, pod("fifth", "research", {"nvidia.com/mig-3g.40gb": "1"}))


def test_a_load_balancer_that_nobody_granted_is_refused(cluster: Client) -> None:
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "x"}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "open", "namespace": "chat"}, "spec": spec}

    assert "services.loadbalancers" in refusal(cluster, service)


def test_a_limit_of_gpus_is_accepted_as_a_key_and_counts_nothing(cluster: Client) -> None:
    """The usual mistake: Kubernetes takes the key and lets every pod pass."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mistaken"}}
    cluster.apply(space)
    hard = {"limits.nvidia.com/gpu": "1"}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "gpus", "namespace": "mistaken"},
            "spec": {"hard": hard},
        }
    )
    settle(cluster, "mistaken")

    create(cluster, pod("eight", "mistaken", {GPU_RESOURCE: "8"}))


def test_a_container_that_says_nothing_gets_the_defaults(cluster: Client) -> None:
    made = create(cluster, pod("quiet", "chat", {}))

    resources = made["spec"]["containers"][0]["resources"]
    assert resources["requests"] == {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "1Gi"}
    assert resources["limits"] == {"memory": "512Mi"}  # and no CPU limit, which would throttle engines


def test_a_container_above_the_largest_memory_is_refused(cluster: Client) -> None:
    body = pod("huge", "chat", {"memory": "200Gi"})
    body["spec"]["containers"][0]["resources"]["limits"] = {"memory": "200Gi"}

    assert "maximum memory usage per Container is 128Gi" in refusal(cluster, body)


def test_a_default_above_the_largest_is_refused(cluster: Client) -> None:
    """What checks of the settings say before an `up` does."""
    limit = {"type": "Container", "default": {"memory": "3Gi"}, "max": {"memory": "2Gi"}}
    metadata = {"name": "wrong", "namespace": "chat"}
    with pytest.raises(ApiError) as caught:
        create(cluster, {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [limit]}})

    assert caught.value.status == 422
    assert "default value 3Gi is greater than max value 2Gi" in caught.value.message


def test_a_claim_above_the_quota_is_refused(cluster: Client) -> None:
    for index in range(5):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        metadata = {"name": f"claim-{index}", "namespace": "chat"}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
        if index < 4:
            create(cluster, claim)
        else:
            assert "requested: persistentvolumeclaims=1, used: persistentvolumeclaims=4" in refusal(cluster, claim)


@pytest.mark.parametrize(
    "security",
    [{"privileged": True, "allowPrivilegeEscalation": True}, {"capabilities": {"drop": ["ALL"], "add": ["IPC_LOCK"]}}],
)
def test_what_is_not_restricted_is_refused(cluster: Client, security: dict[str, Any]) -> None:
    assert 'violates PodSecurity "restricted:v1.36"' in refusal(cluster, pod("loose", "chat", {}, **security))


def test_efa_needs_the_privileged_level_and_nothing_less(cluster: Client) -> None:
    locking = {"capabilities": {"drop": ["ALL"], "add": ["IPC_LOCK"]}}
    for level in ("baseline", "privileged"):
        labels = {"pod-security.kubernetes.io/enforce": level}
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": level, "labels": labels}})
        settle(cluster, level)

    assert "violates PodSecurity" in refusal(cluster, pod("efa", "baseline", {}, **locking))
    create(cluster, pod("efa", "privileged", {}, **locking))


def test_rights_end_at_the_namespace_and_view_reads_no_secret(cluster: Client) -> None:
    assert allowed(cluster, "auditors", "list", "pods")
    assert not allowed(cluster, "auditors", "get", "secrets")
    assert not allowed(cluster, "auditors", "list", "pods", namespace="research")
    assert allowed(cluster, "chat-developers", "update", "deployments", api_group="apps")
    assert allowed(cluster, "chat-developers", "get", "secrets")  # edit does: give view to who must not
    assert not allowed(cluster, "chat-developers", "update", "resourcequotas")
    assert not allowed(cluster, "research", "update", "resourcequotas", namespace="research")  # nor admin
    assert not allowed(cluster, "research", "list", "pods", namespace="chat")


@pytest.mark.parametrize(
    ("group", "namespace"), [("auditors", "chat"), ("chat-developers", "chat"), ("research", "research")]
)
def test_nobody_of_a_tenant_says_what_is_brought_in_from_outside(cluster: Client, group: str, namespace: str) -> None:
    """Whoever writes a store may name any role that the operator takes; view, edit and admin see them only."""
    for kind in (STORES, "externalsecrets"):
        verbs = [
            verb
            for verb in ("get", "list", "watch", "create", "update", "patch", "delete")
            if allowed(cluster, group, verb, kind, namespace=namespace, api_group=SECRETS)
        ]
        assert verbs == ["get", "list", "watch"], kind


def test_who_may_edit_may_change_network_policies(cluster: Client) -> None:
    """A fact of Kubernetes' own roles that docs/tenancy.md warns of; `up` puts back what was changed."""
    who = (("view", "auditors", "chat"), ("edit", "chat-developers", "chat"), ("admin", "research", "research"))
    rights = {
        role: allowed(cluster, group, "delete", "networkpolicies", namespace=namespace, api_group="networking.k8s.io")
        for role, group, namespace in who
    }

    assert rights == {"view": False, "edit": True, "admin": True}

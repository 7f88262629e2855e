"""What must outlive what in the cluster.

A controller has to see the end of everything it looks after: what has a finalizer of a controller that is gone stays
for ever, and with it the namespace, the node, or the machine in EC2 that nobody's state knows.
Sources: METR/hawk pull requests 21 and 576; karpenter-provider-aws issues 1134, 1955, 9185; ../shared/knowledge/aws.md
8.3 as read 2026-11-21.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.conventions import NODEPOOL_LABEL, TEAM_LABEL
from infra.plan import PlannedResource
from infra.planning.destroy.requirement import Found, Requirement, metadata, ordered
from infra.planning.destroy.servers import SERVERS, pod_labels, pod_of


@dataclass(frozen=True, slots=True)
class Controller:
    """Who looks after the kinds of an API group.

    Attributes:
        chart: its Helm chart.
        crd_chart: the chart of its CRDs; empty when they are part of `chart`.
        service_account: under which it acts in AWS; empty when it does not.
    """

    chart: str
    crd_chart: str = ""
    service_account: str = ""


_KARPENTER = Controller("karpenter", "karpenter-crd", "karpenter")
_LOAD_BALANCERS = Controller("aws-load-balancer-controller", "", "aws-load-balancer-controller")
_SECRETS = Controller("external-secrets", "", "external-secrets")

_KSERVE = "serving.kserve.io"
_KSERVE_CACHE = Controller("kserve-localmodel-resources", "kserve-localmodel-crd")

# Every API group of custom resources that this program makes; where kinds of a group have different controllers, every
# such kind with its group before it.
CONTROLLERS = {
    "karpenter.sh": _KARPENTER,
    "karpenter.k8s.aws": _KARPENTER,
    "sriovnetwork.openshift.io": Controller("sriov-network-operator-chart"),
    "mellanox.com": Controller("network-operator"),
    f"{_KSERVE}/InferenceService": Controller("kserve-resources", "kserve-crd"),
    f"{_KSERVE}/LLMInferenceService": Controller("kserve-llmisvc-resources", "kserve-llmisvc-crd"),
    f"{_KSERVE}/LocalModelCache": _KSERVE_CACHE,
    f"{_KSERVE}/LocalModelNodeGroup": _KSERVE_CACHE,
    "operator.knative.dev": Controller("knative-operator"),
    "external-secrets.io": _SECRETS,
    "leaderworkerset.x-k8s.io": Controller("lws"),
    "cert-manager.io": Controller("cert-manager"),
    "gateway.networking.k8s.io": Controller("gateway-helm"),
    "gateway.envoyproxy.io": Controller("gateway-helm"),
    "aigateway.envoyproxy.io": Controller("ai-gateway-helm", "ai-gateway-crds-helm"),
    "inference.networking.k8s.io": Controller("ai-gateway-helm"),
}

# KServe makes Services for its models.
_SERVED = ("Service", "Ingress", "InferenceService", "LLMInferenceService")


def rules(found: Found) -> Iterator[Requirement]:
    """Every requirement inside the cluster."""
    yield from _controllers(found)
    yield from _stores(found)
    yield from _pools(found)
    yield from _namespaces(found)
    yield from _servers(found)
    yield from ordered(
        found.objects(*_SERVED),
        found.releases(_LOAD_BALANCERS.chart),
        "the load balancer controller's webhook sees every change of it",
    )
    touched = [item for item in found.all if not item.type_token.startswith("pulumi:providers:")]
    yield from ordered(found.hooks("guard"), touched, "a destroy is refused before anything is touched")


def group_of(resource: PlannedResource) -> str:
    """API group of a Kubernetes object; empty for the core group."""
    return str(resource.inputs.get("apiVersion", "")).rpartition("/")[0]


def controller_of(resource: PlannedResource) -> Controller | None:
    """Who looks after a Kubernetes object; None for what the API server and its own controllers do."""
    group = group_of(resource)
    return CONTROLLERS.get(f"{group}/{resource.inputs.get('kind')}") or CONTROLLERS.get(group)


def _controllers(found: Found) -> Iterator[Requirement]:
    for item in found.objects():
        controller = controller_of(item)
        if controller is None:
            continue
        yield from ordered([item], found.releases(controller.chart), "its finalizers need their controller")
        yield from ordered([item], found.releases(controller.crd_chart), "deleting a CRD deletes what is of it")
    for controller in {_KARPENTER, _LOAD_BALANCERS}:
        releases = found.releases(controller.chart)
        yield from ordered(releases, found.releases(controller.crd_chart), "a controller fails without its kinds")
        identity = found.named("aws:eks/podIdentityAssociation:PodIdentityAssociation", "serviceAccount",
                               controller.service_account)  # fmt: skip
        yield from ordered(releases, identity, "it clears finalizers with these rights in AWS")
    yield from _of_kserve(found)
    yield from ordered(
        found.releases(_KARPENTER.chart),
        _ways_of_nodes(found),
        "its nodes drain, and tell of their interruption, until the last of them is gone",
    )


def _of_kserve(found: Found) -> Iterator[Requirement]:
    """KServe stands on cert-manager, and on Knative where a model wants it."""
    kserve = [*found.releases("kserve-resources"), *found.releases("kserve-llmisvc-resources")]
    yield from ordered(kserve, found.releases("cert-manager"), "the certificates of its webhooks are renewed")
    knative = found.objects("KnativeServing")
    yield from ordered(kserve, knative, "it watches the kinds of Knative from its start to its end")
    served = [item for item in found.objects("InferenceService") if _mode(item) == "Knative"]
    yield from ordered(served, knative, "their revisions end through Knative's controllers")


def _mode(service: PlannedResource) -> str:
    given: Any = service.inputs["metadata"]
    return str((given.get("annotations") or {}).get("serving.kserve.io/deploymentMode"))


def _stores(found: Found) -> Iterator[Requirement]:
    """Secrets from outside the cluster: read through a store, by an operator whose CRDs are a release of its chart."""
    for secret in found.objects("ExternalSecret"):
        named: Any = secret.inputs["spec"]
        wanted = named["secretStoreRef"]
        stores = [
            item
            for item in found.objects(wanted["kind"])
            if metadata(item, "name") == wanted["name"]
            and (wanted["kind"] != "SecretStore" or metadata(item, "namespace") == metadata(secret, "namespace"))
        ]
        yield from ordered([secret], stores, "it is read through the store")
    for store in found.objects("SecretStore"):
        spec: Any = store.inputs["spec"]
        arn = str(spec["provider"].get("aws", {}).get("role", ""))
        roles = {item.urn for item in found.named("aws:iam/role:Role", "name", arn.rpartition("/")[2])}
        rights = [
            item
            for item in found.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
            if found.read_by(item) & roles
        ]
        yield from ordered([store], rights, "it is read with these rights")
    operators = [item for item in found.releases(_SECRETS.chart) if item.inputs.get("name") == _SECRETS.chart]
    identity = found.named("aws:eks/podIdentityAssociation:PodIdentityAssociation", "serviceAccount",
                           _SECRETS.service_account)  # fmt: skip
    yield from ordered(operators, identity, "it reads the store with these rights to the end")


def _ways_of_nodes(found: Found) -> list[PlannedResource]:
    """What Karpenter's nodes live by: their way into the cluster, their rights, and the queue that warns of a loss."""
    entries = found.named("aws:eks/accessEntry:AccessEntry", "type", "EC2_LINUX")
    roles = {urn for entry in entries for urn in found.read_by(entry)}
    rights = [
        item for item in found.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment") if found.read_by(item) & roles
    ]
    queue = found.of("aws:sqs/queuePolicy:QueuePolicy", "aws:cloudwatch/eventTarget:EventTarget")
    return [*entries, *rights, *queue]


def _pools(found: Found) -> Iterator[Requirement]:
    pools, classes = found.objects("NodePool"), found.objects("EC2NodeClass")
    for hook in found.hooks("drain"):
        words = str(hook.inputs["delete"]).split()
        mine = [item for item in (*pools, *classes) if f"--pool={metadata(item, 'name')}" in words]
        yield from ordered([hook], mine, "a pool is drained while it and its class are there")
        users = [
            item for item in found.objects(*SERVERS) if _asks_for(item) & {metadata(pool, "name") for pool in mine}
        ]
        yield from ordered(users, [hook], "servers finish their requests before their nodes are drained")
    for pool in pools:
        spec: Any = pool.inputs["spec"]
        if any(device.startswith("nvidia.com/") for device in spec.get("limits", {})):
            yield from ordered([pool], found.releases("gpu-operator"), "its device plugin serves pods to the end")
        name = spec["template"]["spec"]["nodeClassRef"]["name"]
        mine = [item for item in classes if metadata(item, "name") == name]
        yield from ordered([pool], mine, "machines of the pool are ended with its class")


def _namespaces(found: Found) -> Iterator[Requirement]:
    for namespace in found.objects("Namespace"):
        name = metadata(namespace, "name")
        inside = [item for item in found.objects() if metadata(item, "namespace") == name]
        inside += [item for item in found.of("kubernetes:helm.sh/v3:Release") if item.inputs.get("namespace") == name]
        yield from ordered(inside, [namespace], "a namespace deletes what is in it, in no order")
        bounds = [item for item in inside if TEAM_LABEL in _labels(item)]
        others = [item for item in inside if item not in bounds]
        yield from ordered(others, bounds, "a tenant's bounds and secrets hold while anything is in its namespace")


def _labels(item: PlannedResource) -> dict[str, Any]:
    given: Any = item.inputs.get("metadata")
    return (given.get("labels") or {}) if isinstance(given, dict) else {}


def _servers(found: Found) -> Iterator[Requirement]:
    for server in found.objects(*SERVERS):
        namespace = metadata(server, "namespace")
        used = [
            item
            for item in found.objects("ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim")
            if metadata(item, "namespace") == namespace and metadata(item, "name") in _names_in(pod_of(server))
        ]
        yield from ordered([server], used, "its pods use it until they end")
        priority = pod_of(server).get("priorityClassName")
        classes = [item for item in found.objects("PriorityClass") if metadata(item, "name") == priority]
        yield from ordered([server], classes, "a pod that is lost meanwhile is not made again without its class")
        labels = pod_labels(server)
        # Of its own component: another's only adds to who is let in, and goes with what it lets in.
        policies = [
            item
            for item in found.objects("NetworkPolicy")
            if item.parent == server.parent
            and metadata(item, "namespace") == namespace
            and _chosen(item).items() <= labels.items()
        ]
        yield from ordered([server], policies, "without it everybody reaches the server")
        services = [
            item
            for item in found.objects("Service")
            if metadata(item, "namespace") == namespace and _selector(item).items() <= labels.items()
        ]
        yield from ordered(services, [server], "nobody is sent to a server that ends")


def _selector(service: PlannedResource) -> dict[str, Any]:
    spec: Any = service.inputs["spec"]
    return dict(spec.get("selector") or {"": None})  # a Service without selector chooses no pod


def _chosen(policy: PlannedResource) -> dict[str, Any]:
    """Labels of the pods that a NetworkPolicy is about; none: all of its namespace."""
    spec: Any = policy.inputs["spec"]
    return dict((spec.get("podSelector") or {}).get("matchLabels") or {})


def _names_in(value: Any) -> set[str]:
    """Every text in a pod's specification: a reference is the name of what it refers to."""
    if isinstance(value, dict):
        return {name for item in value.values() for name in _names_in(item)}
    if isinstance(value, list):
        return {name for item in value for name in _names_in(item)}
    return {value} if isinstance(value, str) else set()


def _asks_for(server: PlannedResource) -> set[str]:
    """Names of the pools a server's pods may run on."""
    required = (
        pod_of(server)
        .get("affinity", {})
        .get("nodeAffinity", {})
        .get("requiredDuringSchedulingIgnoredDuringExecution", {})
        .get("nodeSelectorTerms", [])
    )
    return {
        str(value)
        for term in required
        for expression in term.get("matchExpressions", [])
        if expression["key"] == NODEPOOL_LABEL
        for value in expression.get("values", [])
    }

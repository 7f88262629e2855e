"""What pods ask of a node, read from every kind of object that holds a pod template."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from infra.catalog.kserve import LLM_PODS
from infra.plan.manifests import Manifest
from infra.planning.placement.pools import Requirement, Toleration, requirement
from infra.planning.placement.quantities import quantity

_HOSTNAME = "kubernetes.io/hostname"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector in some namespaces."""

    namespaces: tuple[str, ...]
    requirements: tuple[Requirement, ...]

    def selects(self, namespace: str, labels: Mapping[str, str]) -> bool:
        return namespace in self.namespaces and all(item.allows(labels.get(item.key)) for item in self.requirements)


@dataclass(frozen=True, slots=True)
class PodDemand:
    """Equal pods of one object.

    Attributes:
        owner: the object, as a person names it: `Deployment llm/qwen`.
        count: how many pods at once.
        requests: what one pod asks for, as the scheduler counts it; `pods` is 1.
        terms: node conditions; a node must meet all of one term. Never empty: without conditions it is one empty term.
        apart_from: required anti-affinity by host name.
        per_node: True for a DaemonSet, whose pods come with the nodes.
    """

    owner: str
    namespace: str
    count: int
    requests: Mapping[str, Decimal]
    labels: Mapping[str, str] = field(default_factory=dict)
    terms: tuple[tuple[Requirement, ...], ...] = ((),)
    tolerations: tuple[Toleration, ...] = ()
    apart_from: tuple[Selector, ...] = ()
    per_node: bool = False


def pod_demands(manifests: Iterable[Manifest]) -> list[PodDemand]:
    """The pods that the objects among the manifests would start, in their order; objects of zero pods are left out."""
    return [
        _demand(manifest, template, count)
        for manifest in manifests
        if manifest.kind in _TEMPLATES
        for template, count in _TEMPLATES[manifest.kind](manifest.body)
        if count > 0
    ]


def _replicated(body: Json) -> list[tuple[Json, int]]:
    spec = body["spec"]
    replicas = spec.get("replicas")
    return [(spec["template"], 1 if replicas is None else int(replicas))]


def _job(body: Json) -> list[tuple[Json, int]]:
    spec = body["spec"]
    parallel = int(spec.get("parallelism") or 1)
    completions = spec.get("completions")
    at_once = parallel if completions is None else min(parallel, int(completions))
    return [(spec["template"], 0 if spec.get("suspend") else at_once)]


def _cron_job(body: Json) -> list[tuple[Json, int]]:
    return [] if body["spec"].get("suspend") else _job(body["spec"]["jobTemplate"])


def _groups(body: Json) -> list[tuple[Json, int]]:
    """Of a LeaderWorkerSet: a leader a group, and the rest of the group. Without a template of its own the leader has
    that of the workers."""
    spec = body["spec"]
    template = spec["leaderWorkerTemplate"]
    groups, size = int(spec.get("replicas", 1)), int(template.get("size", 1))
    workers = template["workerTemplate"]
    return [(template.get("leaderTemplate") or workers, groups), (workers, groups * (size - 1))]


def _predictor(body: Json) -> list[tuple[Json, int]]:
    """Of KServe's InferenceService: the predictor is a pod and more. A revision of Knative may begin with more pods
    than it keeps, and these must stand somewhere."""
    predictor = body["spec"]["predictor"]
    least = predictor.get("minReplicas")
    first = int((predictor.get("annotations") or {}).get(_KNATIVE_FIRST, 0))
    count = max(1 if least is None else int(least), first)
    return [({"metadata": {"labels": predictor.get("labels")}, "spec": predictor}, count)]


def _llm_servers(body: Json) -> list[tuple[Json, int]]:
    """Of KServe's LLMInferenceService: the servers, those for prompts only, and the endpoint picker, which KServe lays
    over a template of its own; what it asks of a node stands in the object."""
    spec = body["spec"]
    servers, name = [part for part in (spec, spec.get("prefill")) if part], body["metadata"]["name"]
    picker = (spec.get("router") or {}).get("scheduler") or {}
    key, value = LLM_PODS.component
    of_servers = {"app.kubernetes.io/name": name, key: value}
    of_picker = {"app.kubernetes.io/name": name, "app.kubernetes.io/component": LLM_PODS.picker}
    return [
        ({"metadata": {"labels": labels}, "spec": part["template"]}, int(part.get("replicas", 1)))
        for part, labels in (*((part, of_servers) for part in servers), (picker, of_picker))
        if part.get("template")
    ]


# knative.dev/serving v0.48.1, pkg/apis/autoscaling/register.go.
_KNATIVE_FIRST = "autoscaling.knative.dev/initial-scale"

# A line a kind: its pod templates, each with the number of pods that run at once.
_TEMPLATES: dict[str, Callable[[Json], list[tuple[Json, int]]]] = {
    "Pod": lambda body: [(body, 1)],
    "Deployment": _replicated,
    "ReplicaSet": _replicated,
    "StatefulSet": _replicated,
    "LeaderWorkerSet": _groups,
    "InferenceService": _predictor,
    "LLMInferenceService": _llm_servers,
    "DaemonSet": lambda body: [(body["spec"]["template"], 1)],
    "Job": _job,
    "CronJob": _cron_job,
}


def _demand(manifest: Manifest, template: Json, count: int) -> PodDemand:
    spec = template["spec"]
    namespace = manifest.namespace or "default"
    affinity = spec.get("affinity") or {}
    metadata = template.get("metadata") or {}
    return PodDemand(
        owner=f"{manifest.kind} {namespace}/{manifest.name}",
        namespace=namespace,
        count=count,
        requests=_pod_requests(spec),
        labels={key: str(value) for key, value in (metadata.get("labels") or {}).items()},
        terms=_terms(spec.get("nodeSelector") or {}, affinity.get("nodeAffinity") or {}),
        tolerations=tuple(
            Toleration(
                str(item.get("key") or ""),
                str(item.get("operator") or "Equal"),
                str(item.get("value") or ""),
                str(item.get("effect") or ""),
            )
            for item in spec.get("tolerations") or ()
        ),
        apart_from=_apart_from(affinity.get("podAntiAffinity") or {}, namespace),
        per_node=manifest.kind == "DaemonSet",
    )


def _pod_requests(spec: Json) -> dict[str, Decimal]:
    """What the scheduler counts for a pod.

    The sum of its containers and sidecars, or a start-up container's own need beside the sidecars before it where that
    is greater; requests of the pod as a whole win; overhead is added.
    Source: Kubernetes documentation, "Resource sharing within containers" (init containers, sidecars) and "Pod-level
    resources".
    """
    running: dict[str, Decimal] = {}
    peak: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        asked = _requests(container.get("resources") or {})
        if container.get("restartPolicy") == "Always":
            running = _sum(running, asked)
            peak = _most(peak, running)
        else:
            peak = _most(peak, _sum(running, asked))
    for container in spec.get("containers") or ():
        running = _sum(running, _requests(container.get("resources") or {}))
    total = {**_most(running, peak), **_requests(spec.get("resources") or {})}
    overhead = {key: quantity(value) for key, value in (spec.get("overhead") or {}).items()}
    return {key: amount for key, amount in _sum(total, overhead).items() if amount > 0} | {"pods": Decimal(1)}


def _requests(resources: Json) -> dict[str, Decimal]:
    """Requests, and limits where there is no request, as the API server fills them in."""
    merged = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {key: quantity(value) for key, value in merged.items()}


def _sum(left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {key: left.get(key, Decimal(0)) + right.get(key, Decimal(0)) for key in {**left, **right}}


def _most(left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {key: max(left.get(key, Decimal(0)), right.get(key, Decimal(0))) for key in {**left, **right}}


def _terms(selector: Json, node_affinity: Json) -> tuple[tuple[Requirement, ...], ...]:
    always = tuple(Requirement(key, "In", (str(value),)) for key, value in selector.items())
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or [{}]
    return tuple((*always, *(requirement(item) for item in term.get("matchExpressions") or ())) for term in terms)


def _apart_from(anti_affinity: Json, namespace: str) -> tuple[Selector, ...]:
    """Required anti-affinity by host name; other topologies do not decide how many pods share a node."""
    found = []
    for term in anti_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
        if term.get("topologyKey") != _HOSTNAME:
            continue
        selector = term.get("labelSelector") or {}
        equal = (Requirement(key, "In", (str(value),)) for key, value in (selector.get("matchLabels") or {}).items())
        others = (requirement(item) for item in selector.get("matchExpressions") or ())
        found.append(Selector(tuple(term.get("namespaces") or (namespace,)), (*equal, *others)))
    return tuple(found)

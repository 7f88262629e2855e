"""The shape of the gate that lifts the startup taint of a node once its GPUs are cut.

NVIDIA's MIG manager writes a node label when it is done and lifts no taint; nothing else upstream lifts one by a label
(docs/adr/0017). So a pod on each such node waits for the label, takes the taint off its own node, labels it, and is
gone, because its DaemonSet does not want labelled nodes. It is plain kubectl, one command a container: the image of the
Kubernetes project has no shell.
"""

from components.partitioning.gpu_operator_values import DISABLED
from components.specs import Spec
from infra.conventions import GPU_TAINT, MIG_CONFIG_LABEL, MIG_STATE_LABEL, PARTITION_TAINT, PARTITIONED_LABEL

NAMESPACE = "gpu-partitioning"
NAME = "partition-gate"

# Longer than a repartition with its reboot; then the pod fails, is seen, and tries again.
_WAIT = "30m"
_SMALL: Spec = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}}
_NODE_NAME_CLAIM = "authentication.kubernetes.io/node-name"


def commands(node: str) -> dict[str, list[str]]:
    """Arguments of kubectl by the name of the step, in their order.

    Each may run again after a crash or a reboot: the soft taint is added first so that there is always one to take
    away, since kubectl fails when there is none.

    Args:
        node: name of the node.
    """
    state = MIG_STATE_LABEL.replace(".", r"\.")
    return {
        "wait": ["wait", f"node/{node}", f"--for=jsonpath={{.metadata.labels.{state}}}=success", f"--timeout={_WAIT}"],
        "soften": ["taint", "node", node, f"{PARTITION_TAINT}=done:PreferNoSchedule", "--overwrite"],
        "lift": ["taint", "node", node, f"{PARTITION_TAINT}-"],
        "label": ["label", "node", node, f"{PARTITIONED_LABEL}=true", "--overwrite"],
    }


def namespace_metadata() -> Spec:
    """Metadata of the gate's namespace."""
    labels = {"app.kubernetes.io/part-of": "gpu-platform", "pod-security.kubernetes.io/enforce": "restricted"}
    return {"name": NAMESPACE, "labels": labels}


def object_metadata(namespace: str = "") -> Spec:
    """Metadata of the gate's objects, of which there is one of a kind; in no namespace by default."""
    there = {"namespace": namespace} if namespace else {}
    return {"name": NAME, **there, "labels": {"app.kubernetes.io/part-of": "gpu-platform"}}


def daemon_set_spec(image: str, tolerations: list[Spec]) -> Spec:
    """`DaemonSet.spec`: one pod on each node that is to be cut and has not been released yet.

    Args:
        tolerations: taints of MIG pools beyond nvidia.com/gpu and the startup taint.
    """
    labels = {"app.kubernetes.io/name": NAME}
    *first, last = commands("$(NODE_NAME)").items()
    return {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": {**labels, "app.kubernetes.io/part-of": "gpu-platform"}},
            "spec": {
                "serviceAccountName": NAME,
                "enableServiceLinks": False,
                "priorityClassName": "system-node-critical",  # the node is of no use until it has run
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "runAsGroup": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _nodes()}},
                "tolerations": [
                    {"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"},
                    {"key": PARTITION_TAINT, "operator": "Exists"},
                    *tolerations,
                ],
                "initContainers": [_container(name, image, arguments) for name, arguments in first],
                "containers": [_container(last[0], image, last[1])],
            },
        },
    }


def role_rules() -> Spec:
    """Rules of the ClusterRole; the admission policy leaves of `patch` only what the gate needs."""
    return [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch", "patch"]}]


def role_reference() -> Spec:
    """`ClusterRoleBinding.roleRef`."""
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME}


def role_subjects() -> Spec:
    """`ClusterRoleBinding.subjects`: the gate's own account."""
    return [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}]


def policy_binding_spec() -> Spec:
    """`ValidatingAdmissionPolicyBinding.spec`."""
    return {"policyName": NAME, "validationActions": ["Deny"]}


def policy_spec() -> Spec:
    """`ValidatingAdmissionPolicy.spec`: the gate may touch its own node, and there one taint and one label.

    It also closes a race: kubectl writes the whole list of taints that it has read, and a taint that Karpenter or the
    node controller set meanwhile would be lost. Such a write is refused here, and the pod tries again.
    """
    node_name = f"request.userInfo.?extra[?'{_NODE_NAME_CLAIM}'].orValue([])"
    others = "{}.spec.?taints.orValue([]).filter(t, t.key != '%s')" % PARTITION_TAINT  # noqa: UP031 - braces stay
    labels = "{}.metadata.?labels.orValue({{}})"
    new, old = labels.format("object"), labels.format("oldObject")
    kept = "{}.all(k, k == '%s' || (k in {} && {}[k] == {}[k]))" % PARTITIONED_LABEL  # noqa: UP031
    rules = {
        "the gate may touch only the node it runs on": f"{node_name}.exists(n, n == request.name)",
        f"the gate may change no taint but {PARTITION_TAINT}": f"{others.format('object')}"
        f" == {others.format('oldObject')}",
        "the gate may not keep pods off a node": f"object.spec.?taints.orValue([]).all(t, t.key != '{PARTITION_TAINT}'"
        " || t.effect == 'PreferNoSchedule'"
        " || oldObject.spec.?taints.orValue([]).exists(o, o.key == t.key && o.effect == t.effect))"
        " && object.spec.?unschedulable.orValue(false) == oldObject.spec.?unschedulable.orValue(false)",
        f"the gate may change no label but {PARTITIONED_LABEL}": f"{kept.format(new, old, new, old)}"
        f" && {kept.format(old, new, new, old)}",
        "the gate may change no annotation": "object.metadata.?annotations.orValue({})"
        " == oldObject.metadata.?annotations.orValue({})",
    }
    resources = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["nodes"]}
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [resources]},
        "matchConditions": [
            {"name": "by-the-gate", "expression": f"request.userInfo.username == '{_user()}'"},
        ],
        "validations": [{"expression": text, "message": message} for message, text in rules.items()],
    }


def _user() -> str:
    return f"system:serviceaccount:{NAMESPACE}:{NAME}"


def _nodes() -> Spec:
    wanted = [
        {"key": MIG_CONFIG_LABEL, "operator": "Exists"},
        # The operator writes it on nodes with whole GPUs; they have no startup taint.
        {"key": MIG_CONFIG_LABEL, "operator": "NotIn", "values": [DISABLED]},
        {"key": PARTITIONED_LABEL, "operator": "DoesNotExist"},
    ]
    return {"nodeSelectorTerms": [{"matchExpressions": wanted}]}


def _container(name: str, image: str, arguments: list[str]) -> Spec:
    return {
        "name": name,
        "image": image,
        "args": arguments,
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "resources": _SMALL,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }

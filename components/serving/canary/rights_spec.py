"""What a canary's rollout may do, and who lets it in: plain values in, rules of Roles and NetworkPolicies out."""

from typing import TYPE_CHECKING

from components.serving.canary.rollout_spec import check_labels, check_names, object_labels
from components.serving.pod_parts import selector_labels
from components.specs import Spec

if TYPE_CHECKING:
    from components.serving.canary.rollout import CanaryRolloutArgs


def split_rules(args: "CanaryRolloutArgs") -> Spec:
    """`Role.rules` where the traffic is split: the named objects and nothing else of their kind, and events on them."""
    rules: Spec = [
        {
            "apiGroups": [split["group"]],
            "resources": [split["plural"]],
            "resourceNames": [split["name"]],
            "verbs": ["get", "patch"],
        }
        for split in args["splits"]
    ]
    return [*rules, {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}]


def server_rules(called: str, args: "CanaryRolloutArgs") -> Spec:
    """`Role.rules` where the servers are: their addresses, and the checks that may be let go."""
    rules: Spec = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    jobs = sorted(check_names(called, args).values())
    if jobs:
        rules.append({"apiGroups": ["batch"], "resources": ["jobs"], "resourceNames": jobs, "verbs": ["get", "patch"]})
    return rules


def role_reference(role: str) -> Spec:
    """`RoleBinding.roleRef`."""
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}


def role_subjects(called: str, namespace: str) -> Spec:
    """`RoleBinding.subjects`: the rollout's own account."""
    return [{"kind": "ServiceAccount", "name": called, "namespace": namespace}]


def network_policy_spec(called: str, server: str, args: "CanaryRolloutArgs") -> Spec:
    """`NetworkPolicy.spec`: the rollout and its check may reach one version's servers, beside whoever else may."""
    home = {"matchLabels": {"kubernetes.io/metadata.name": args["home"]}}
    return {
        "podSelector": {"matchLabels": selector_labels(server)},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [
                    {"namespaceSelector": home, "podSelector": {"matchLabels": object_labels(called)}},
                    {"podSelector": {"matchLabels": check_labels(called)}},
                ],
                "ports": [{"protocol": "TCP", "port": args["port"]}],
            }
        ],
    }

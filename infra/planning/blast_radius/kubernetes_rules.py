"""Rules of Kubernetes objects, Helm releases and local commands, and of their provider.

Source of "replaced": the table of fields that force a new object in pulumi-kubernetes 4, provider/pkg/provider/diff.go
(read 2026-11-21). Every other field is applied to the living object, and its controller does the rest.
"""

from infra.planning.blast_radius.rules import Effect, Rule, Table, at

PROVIDER = "pulumi-kubernetes 4, provider/pkg/provider/diff.go"
DEPLOYMENTS = "Kubernetes documentation, Deployments"
HELM = "pulumi-kubernetes 4, helm.v3.Release"

_NAME = Rule(
    at("metadata.name", "metadata.namespace", "apiVersion", "kind"),
    Effect.REPLACE,
    "another object: with a name of its own the old one goes first",
    PROVIDER,
    "give the resource `aliases` where only its name in the program moved",
)
_METADATA = Rule(
    at("metadata"),
    Effect.UPDATE,
    "labels and annotations of the object itself; its pods do not see them",
    PROVIDER,
)


def object_rules(*rules: Rule) -> tuple[Rule, ...]:
    """Rules of one kind, with those that hold for every object."""
    return (_NAME, *rules, _METADATA)


def _in_place(why: str, source: str, *fields: str) -> tuple[Rule, ...]:
    return object_rules(Rule(at(*fields), Effect.UPDATE, why, source))


def _pods(template: str, replaces: str, in_place: str) -> tuple[Rule, ...]:
    """An object that rolls its pods."""
    return object_rules(
        Rule(at(*replaces.split()), Effect.REPLACE, "the selector of living pods cannot change", PROVIDER),
        Rule(at("spec.replicas"), Effect.SCALE, "pods start or stop; the others stay", DEPLOYMENTS),
        Rule(
            at(template),
            Effect.RESTART,
            "every pod is exchanged, as fast as the strategy allows",
            DEPLOYMENTS,
            "change several things in one `up`: each change of the template is a rollout of its own",
        ),
        Rule(at(*in_place.split()), Effect.UPDATE, "only how the next rollout goes changes", DEPLOYMENTS),
    )


_IMMUTABLE = (
    "pods that read it as environment keep the old value until they restart; with its own name it is gone for a moment"
)

_RELEASE = (
    Rule(
        at("name", "namespace"),
        Effect.REPLACE,
        "Helm knows a release by name and namespace: the old one is uninstalled",
        HELM,
        "leave both",
    ),
    Rule(
        at("values.migManager", "values.mig"),
        Effect.DRAIN,
        "MIG manager stops every GPU pod on its nodes to cut the GPUs anew, some need a reboot",
        "GPU Operator documentation, MIG manager",
        "make a pool with the new layout, move the pods, then remove the old pool",
    ),
    Rule(
        at("version", "chart", "values", "valueYamlFiles", "repositoryOpts"),
        Effect.UPGRADE,
        "Helm upgrades the release and its own pods roll; what it controls stays while it does",
        HELM,
    ),
    Rule(
        at("atomic", "cleanupOnFail", "timeout", "skipCrds", "skipAwait", "waitForJobs", "maxHistory", "description",
           "createNamespace", "dependencyUpdate", "forceUpdate", "lint", "recreatePods", "verify"),
        Effect.UPDATE,
        "only how Helm works changes",
        HELM,
    ),
)  # fmt: skip

_PROVIDER = (
    Rule(
        at("clusterIdentifier"),
        Effect.REPLACE,
        "the provider takes it for another cluster, and makes every object anew",
        "pulumi-kubernetes 4, clusterIdentifier",
    ),
    Rule(
        at("kubeconfig", "context", "cluster"),
        Effect.UPDATE,
        "the same cluster by its clusterIdentifier: objects stay",
        "pulumi-kubernetes 4, clusterIdentifier (issue 4019)",
    ),
    Rule(
        at("deleteUnreachable", "enableServerSideApply", "enablePatchForce", "suppressDeprecationWarnings",
           "kubeClientSettings", "helmReleaseSettings", "skipUpdateUnreachable", "namespace",
           "enableSecretMutable", "enableConfigMapMutable"),
        Effect.UPDATE,
        "only how the provider works changes",
        "pulumi-kubernetes 4, provider configuration",
    ),
)  # fmt: skip

_COMMAND = (
    Rule(
        at("triggers"), Effect.REPLACE, "its delete runs, then its create", "pulumi-command 1.2, local.Command",
    ),
    Rule(
        at("create", "update", "environment", "stdin", "dir", "interpreter", "assetPaths", "archivePaths"),
        Effect.UPDATE,
        "`update` runs, or `create` once more where there is none",
        "pulumi-command 1.2, local.Command",
    ),
    Rule(
        at("delete", "logging", "addPreviousOutputInEnv"),
        Effect.UPDATE,
        "kept for later; nothing runs now but `update`, where there is one",
        "pulumi-command 1.2, local.Command",
    ),
)  # fmt: skip

_KSERVE = "KServe 0.20.0, pkg/controller"
_LWS = "LeaderWorkerSet v0.9.0, pkg/controllers"

KUBERNETES_RULES: Table = {
    "pulumi:providers:kubernetes": _PROVIDER,
    "kubernetes:helm.sh/v3:Release": _RELEASE,
    "command:local:Command": _COMMAND,
    "kubernetes:apps/v1:Deployment": _pods(
        "spec.template",
        "spec.selector",
        "spec.strategy spec.progressDeadlineSeconds spec.minReadySeconds spec.revisionHistoryLimit spec.paused",
    ),
    "kubernetes:apps/v1:StatefulSet": _pods(
        "spec.template",
        "spec.selector spec.serviceName spec.volumeClaimTemplates spec.podManagementPolicy spec.revisionHistoryLimit",
        "spec.updateStrategy spec.minReadySeconds spec.persistentVolumeClaimRetentionPolicy",
    ),
    "kubernetes:serving.kserve.io/v1beta1:InferenceService": object_rules(
        Rule(
            at("metadata.annotations"),
            Effect.REPLACE,
            "KServe refuses another deploymentMode; its other annotations roll the pods",
            _KSERVE,
            "serve the new mode under a new name and move the traffic",
        ),
        Rule(
            at("spec.predictor.minReplicas", "spec.predictor.maxReplicas"),
            Effect.SCALE,
            "pods start or stop; the others stay",
            _KSERVE,
        ),
        Rule(
            at("spec.predictor.canaryTrafficPercent"), Effect.UPDATE, "only the shares of two revisions change", _KSERVE
        ),
        Rule(at("spec.predictor.deploymentStrategy"), Effect.UPDATE, "only how the next rollout goes changes", _KSERVE),
        Rule(at("spec"), Effect.RESTART, "every server is exchanged, as its strategy says", _KSERVE),
    ),
    "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService": object_rules(
        Rule(
            at("spec.replicas", "spec.prefill.replicas"), Effect.SCALE, "pods start or stop; the others stay", _KSERVE
        ),
        Rule(
            at("spec.labels", "spec.prefill.labels"),
            Effect.REPLACE,
            "KServe puts them into its Deployment's selector, which cannot change",
            _KSERVE,
            "serve it under a new name and move the traffic",
        ),
        Rule(at("spec.router"), Effect.UPDATE, "the endpoint picker is recreated; servers stay", _KSERVE),
        Rule(at("spec"), Effect.RESTART, "every server is exchanged as its Deployment's strategy says", _KSERVE),
    ),
    "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet": object_rules(
        Rule(at("spec.replicas"), Effect.SCALE, "groups start or stop; the others stay", _LWS),
        Rule(
            at("spec.leaderWorkerTemplate"),
            Effect.RESTART,
            "every group is exchanged whole, as fast as the strategy allows",
            _LWS,
            "change several things in one `up`: each change of the template is a rollout of its own",
        ),
        Rule(at("spec.networkConfig"), Effect.RESTART, "pods get other DNS names, so every group is exchanged", _LWS),
        Rule(at("spec.rolloutStrategy", "spec.startupPolicy"), Effect.UPDATE, "only how the next groups start", _LWS),
    ),
    "kubernetes:operator.knative.dev/v1beta1:KnativeServing": _in_place(
        "the operator rolls Knative's own pods; revisions stay", "Knative operator v1.21.1", "spec"
    ),
    "kubernetes:apps/v1:DaemonSet": _pods(
        "spec.template", "spec.selector", "spec.updateStrategy spec.minReadySeconds spec.revisionHistoryLimit"
    ),
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": _in_place(
        "rights change at once", "Kubernetes documentation, RBAC", "rules", "aggregationRule"
    ),
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": object_rules(
        Rule(at("roleRef"), Effect.REPLACE, "a binding's role cannot change", "Kubernetes documentation, RBAC"),
        Rule(at("subjects"), Effect.UPDATE, "rights change at once", "Kubernetes documentation, RBAC"),
    ),
    "kubernetes:rbac.authorization.k8s.io/v1:Role": _in_place(
        "rights change at once", "Kubernetes documentation, RBAC", "rules"
    ),
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": object_rules(
        Rule(at("roleRef"), Effect.REPLACE, "a binding's role cannot change", "Kubernetes documentation, RBAC"),
        Rule(at("subjects"), Effect.UPDATE, "rights change at once", "Kubernetes documentation, RBAC"),
    ),
    "kubernetes:scheduling.k8s.io/v1:PriorityClass": object_rules(
        Rule(
            at("value", "preemptionPolicy"),
            Effect.REPLACE,
            "the API server refuses another value: the class is made anew; pods keep the number they were made with",
            "Kubernetes documentation, Pod Priority and Preemption",
        ),
        Rule(at("description", "globalDefault"), Effect.UPDATE, "holds for new pods", PROVIDER),
    ),
    "kubernetes:core/v1:ResourceQuota": _in_place(
        "holds for new objects; pods above it stay", "Kubernetes documentation, resource quotas", "spec"
    ),
    "kubernetes:core/v1:LimitRange": _in_place("holds for new pods", "Kubernetes documentation, limit ranges", "spec"),
    "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy": _in_place(
        "holds for the next request", "Kubernetes documentation, validating admission policy", "spec"
    ),
    "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding": _in_place(
        "holds for the next request", "Kubernetes documentation, validating admission policy", "spec"
    ),
    "kubernetes:core/v1:Namespace": _in_place("labels of the namespace hold for new pods", PROVIDER, "metadata"),
    "kubernetes:core/v1:ServiceAccount": _in_place(
        "holds for new pods", PROVIDER, "automountServiceAccountToken", "imagePullSecrets", "secrets"
    ),
    "kubernetes:core/v1:Service": object_rules(
        Rule(at("spec.clusterIP"), Effect.REPLACE, "its address cannot change", PROVIDER),
        Rule(at("spec"), Effect.UPDATE, "endpoints follow in seconds; pods stay", PROVIDER),
    ),
    "kubernetes:core/v1:Secret": object_rules(
        Rule(
            at("type", "stringData", "data"),
            Effect.REPLACE,
            _IMMUTABLE,
            PROVIDER,
            "give the new value a name of its own: it is there before its readers change, and the old one goes after",
        ),
        Rule(at("immutable"), Effect.UPDATE, "only later changes are refused", PROVIDER),
    ),
    "kubernetes:core/v1:ConfigMap": object_rules(
        Rule(
            at("data", "binaryData"),
            Effect.DRAIN,
            "a MIG layout: MIG manager stops every GPU pod on nodes of that layout when it cuts the GPUs anew",
            "GPU Operator documentation, MIG manager",
            "add a layout under a new name and move the pools to it one by one",
            when=lambda change: any("mig-configs" in str(value) for value in (change.old, change.new)),
        ),
        Rule(at("data", "binaryData"), Effect.REPLACE, _IMMUTABLE, PROVIDER),
        Rule(at("immutable"), Effect.UPDATE, "only later changes are refused", PROVIDER),
    ),
    "kubernetes:core/v1:PersistentVolumeClaim": object_rules(
        Rule(at("spec"), Effect.REPLACE, "the claim is made anew, and its volume with it", PROVIDER)
    ),
    "kubernetes:policy/v1:PodDisruptionBudget": _in_place(
        "holds from the next eviction on", "Kubernetes documentation, disruptions", "spec"
    ),
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": _in_place(
        "holds for new connections; pods stay", "Kubernetes documentation, network policies", "spec"
    ),
}

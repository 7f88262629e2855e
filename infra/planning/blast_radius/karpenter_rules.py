"""Rules of Karpenter's objects: which field makes nodes drift, and so be replaced, and which only steers Karpenter.

A node drifts when the hash of what made it changes. In the hash are `spec.template` of the NodePool, without its
requirements, and `spec` of the EC2NodeClass, without the selectors that are resolved to what is there now; those are
compared with the living node instead. Source: sigs.k8s.io/karpenter 1.14.1 (pkg/apis/v1/nodepool.go,
pkg/controllers/nodeclaim/disruption/drift.go) and karpenter-provider-aws 1.14.1 (pkg/apis/v1/ec2nodeclass.go,
pkg/cloudprovider/drift.go), read 2026-11-21.
"""

from infra.planning.blast_radius.kubernetes_rules import object_rules
from infra.planning.blast_radius.rules import Effect, Nodes, Rule, Table, at

POOL = "karpenter 1.14.1, NodePool.Hash and drift.go"
CLASS = "karpenter-provider-aws 1.14.1, EC2NodeClass.Hash and drift.go"

_GENTLER = "hold it back with a disruption budget for Drifted, or make a second pool and move models one by one"

MIG_LABEL = "nvidia.com/mig.config"

_NODE_POOL = object_rules(
    Rule(
        at("spec.limits", "spec.weight", "spec.disruption"),
        Effect.UPDATE,
        "steers Karpenter from now on; nodes that run stay",
        POOL,
    ),
    Rule(
        at("spec.replicas"),
        Effect.SCALE,
        "a pool of fixed size: nodes start, or the surplus is drained",
        "karpenter 1.14.1, static capacity",
    ),
    Rule(
        at("spec.template.spec.requirements"),
        Effect.DRAIN,
        "only nodes that the new requirements no longer allow drift; wider requirements drain nothing",
        POOL,
        _GENTLER,
        Nodes.INCOMPATIBLE,
    ),
    Rule(
        (("spec", "template", "metadata", "labels", MIG_LABEL),),
        Effect.DRAIN,
        "another MIG layout: the nodes drift and new ones are cut anew before pods start",
        f"{POOL}; GPU Operator documentation, MIG manager",
        "make a pool with the new layout, move the pods, then remove the old pool",
    ),
    Rule(
        at("spec.template.metadata", "spec.template.spec"),
        Effect.DRAIN,
        "part of what Karpenter hashes: every node of the pool drifts and is replaced, within the disruption budgets",
        POOL,
        _GENTLER,
    ),
)

_NODE_CLASS = object_rules(
    Rule(
        at("spec.amiSelectorTerms"),
        Effect.DRAIN,
        "nodes with another AMI drift and are replaced, within the disruption budgets",
        CLASS,
        _GENTLER,
    ),
    Rule(
        at("spec.subnetSelectorTerms", "spec.securityGroupSelectorTerms", "spec.capacityReservationSelectorTerms"),
        Effect.DRAIN,
        "nodes drift where the terms now find something else than what they stand in",
        CLASS,
        _GENTLER,
        certain=False,
    ),
    Rule(
        at("spec.ipPrefixCount", "spec.amiFamily"),
        Effect.UPDATE,
        "holds for new nodes; not part of what Karpenter hashes",
        CLASS,
    ),
    Rule(
        at("spec.tags"),
        Effect.DRAIN,
        "tags are part of what Karpenter hashes: every node of the class drifts and is replaced",
        CLASS,
        "put tags that change often elsewhere, or change them together with the next AMI",
    ),
    Rule(
        at("spec"),
        Effect.DRAIN,
        "part of what Karpenter hashes: every node of the class drifts and is replaced, within the disruption budgets",
        CLASS,
        _GENTLER,
    ),
)

KARPENTER_RULES: Table = {
    "kubernetes:karpenter.sh/v1:NodePool": _NODE_POOL,
    "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass": _NODE_CLASS,
    "kubernetes:karpenter.sh/v1alpha1:NodeOverlay": object_rules(
        Rule(at("spec"), Effect.UPDATE, "holds for the next node that Karpenter plans", "karpenter 1.14.1, NodeOverlay")
    ),
}

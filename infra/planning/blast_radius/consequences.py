"""What follows from a change beyond the resource itself: the engine's own cascade, and what stands inside what goes.

The engine replaces a resource when an input that it cannot change comes from one that is replaced, and everything of a
provider that is. Beyond that, objects live in a cluster or a namespace and go with it, a launch template that changes
moves its node groups, and a new Kubernetes version of the cluster moves every AMI that is chosen by alias.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from infra.plan.records import Marker, Plan, PlannedResource
from infra.planning.blast_radius.changes import FieldChange, unknown_parts
from infra.planning.blast_radius.eks_rules import FOLLOWS_UPDATES
from infra.planning.blast_radius.findings import Finding
from infra.planning.blast_radius.karpenter_rules import CLASS
from infra.planning.blast_radius.rules import ENGINE, Effect, Rule, lowered, rule_for, worst_rule_below
from infra.planning.blast_radius.table import rules_of

_CLUSTER = "eks:index:Cluster"
_NAMESPACE = "kubernetes:core/v1:Namespace"
_NODE_CLASS = "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"


def consequences(old: Plan, new: Plan, direct: list[Finding]) -> list[Finding]:
    """Findings about resources that are in both plans and follow from `direct` ones."""
    return _Spreading(old.by_urn(), new.by_urn(), direct).run()


@dataclass(slots=True)
class _Spreading:
    """The state of the search.

    Attributes:
        gone: URNs that are replaced, and whether that is certain.
        moved: URNs whose outputs change while they stay.
    """

    before: Mapping[str, PlannedResource]
    after: Mapping[str, PlannedResource]
    direct: list[Finding]
    gone: dict[str, bool] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)

    def run(self) -> list[Finding]:
        kept = [resource for urn, resource in self.after.items() if urn in self.before]
        self.gone = {item.resource.urn: item.certain for item in self.direct if item.effect is Effect.REPLACE}
        self.moved = {item.resource.urn for item in self.direct if _moves_others(item)}
        already = set(self.gone)
        # The plan is in dependency order, but a cluster takes with it what came before: hence until nothing is new.
        while sum(self._spread(resource) for resource in kept):
            pass
        found = [
            item
            for resource in kept
            if resource.urn not in already
            for item in self._follows(resource)
            # What is made anew is not changed in place as well.
            if item.effect is not Effect.UPDATE or resource.urn not in self.gone
        ]
        return [*found, *self._new_version(kept), *self._left_ground(kept)]

    def _spread(self, resource: PlannedResource) -> bool:
        """Note what happens to one resource; True when that was not known yet."""
        before = (resource.urn in self.gone, resource.urn in self.moved)
        if not all(before):
            for item in self._follows(resource):
                if item.effect is Effect.REPLACE:
                    self.gone.setdefault(resource.urn, item.certain)
                if resource.type_token in FOLLOWS_UPDATES:
                    self.moved.add(resource.urn)
        return before != (resource.urn in self.gone, resource.urn in self.moved)

    def _follows(self, resource: PlannedResource) -> Iterator[Finding]:
        """What happens to one resource because of those that are replaced or changed so far."""
        home = self._home(resource)
        if home:
            yield self._goes_with(resource, home)
            return
        for name, needs in resource.property_dependencies.items():
            causes = [urn for urn in needs if urn in self.gone]
            if causes:
                certain = all(self.gone[urn] for urn in causes) and set(needs) <= self.gone.keys()
                for rule in _rules_below(resource, name):
                    yield self._by_rule(resource, rule, causes, certain)
            for urn in sorted(set(needs) & self.moved - set(causes)):
                for keys in FOLLOWS_UPDATES[self.after[urn].type_token]:
                    if keys[0] == name:
                        rule = rule_for(rules_of(resource), FieldChange(keys, Marker.UNKNOWN, Marker.UNKNOWN))
                        yield self._by_rule(resource, rule, [urn], True)

    def _home(self, resource: PlannedResource) -> str:
        """The provider, cluster or namespace that is replaced and takes the resource with it; empty if none."""
        if resource.provider in self.gone:
            return resource.provider
        metadata = resource.inputs.get("metadata")
        inside = metadata.get("namespace") if isinstance(metadata, dict) else None
        for urn in self.gone:
            home = self.after.get(urn)
            if home is None:
                continue
            if home.type_token == _CLUSTER and resource.type_token.startswith(("aws:eks/", "kubernetes:")):
                return urn
            own = home.inputs.get("metadata")
            if home.type_token == _NAMESPACE and isinstance(own, dict) and inside and own.get("name") == inside:
                return urn
        return ""

    def _goes_with(self, resource: PlannedResource, home: str) -> Finding:
        why, causes = "it goes with the cluster, namespace or provider in which it lives", (self._name(home),)
        before = self.before[resource.urn]
        return Finding(before, resource, Effect.REPLACE, (), why, ENGINE, certain=self.gone[home], caused_by=causes)

    def _by_rule(self, resource: PlannedResource, rule: Rule, causes: list[str], certain: bool) -> Finding:
        before, sure = self.before[resource.urn], certain and rule.certain
        names = tuple(self._name(urn) for urn in causes)
        return Finding(before, resource, rule.effect, (), rule.why, rule.source, rule.instead, sure, names)

    def _name(self, urn: str) -> str:
        resource = self.after.get(urn) or self.before[urn]
        return f"{Finding(None, resource, Effect.UPDATE, (), '', '').kind} {resource.name}"

    def _new_version(self, kept: list[PlannedResource]) -> Iterator[Finding]:
        """EC2NodeClasses whose alias means another AMI because the cluster has another Kubernetes version."""
        raised = [
            item.resource.urn
            for item in self.direct
            if item.resource.type_token == _CLUSTER
            and item.effect is Effect.UPGRADE
            and any(change.field == ("version",) and not lowered(change) for change in item.changes)
        ]
        why = "its AMI alias means the AMI of the cluster's Kubernetes version: every node of it drifts"
        for resource in kept if raised else ():
            if resource.type_token == _NODE_CLASS and resource.urn not in self.gone and _has_alias(resource):
                before = self.before[resource.urn]
                yield Finding(before, resource, Effect.DRAIN, (), why, CLASS, caused_by=(self._name(raised[0]),))

    def _left_ground(self, kept: list[PlannedResource]) -> Iterator[Finding]:
        """EC2NodeClasses that select subnets or security groups which are replaced or deleted."""
        lost = [item for item in self.direct if item.effect in (Effect.REPLACE, Effect.DELETE) and item.old is not None]
        lost += [item for item in self._replaced() if item.old is not None]
        for resource in kept:
            if resource.type_token != _NODE_CLASS or resource.urn in self.gone:
                continue
            for token, terms in _SELECTED.items():
                causes = [
                    item.resource.urn
                    for item in lost
                    if item.old and item.old.type_token == token and _selects(resource, terms, item.old)
                ]
                if causes:
                    why = f"its nodes stand in {token.rpartition(':')[2]}s that go: those nodes drift and are replaced"
                    every = [item for item in self.before.values() if item.type_token == token]
                    certain = sum(_selects(resource, terms, item) for item in every) == len(set(causes))
                    before = self.before[resource.urn]
                    yield Finding(
                        before,
                        resource,
                        Effect.DRAIN,
                        (),
                        why,
                        CLASS,
                        certain=certain,
                        caused_by=tuple(map(self._name, causes)),
                    )

    def _replaced(self) -> list[Finding]:
        """What is replaced as a consequence."""
        direct = {item.resource.urn for item in self.direct}
        return [
            Finding(self.before[urn], self.after[urn], Effect.REPLACE, (), "", ENGINE)
            for urn in self.gone
            if urn not in direct and urn in self.before
        ]


# What an EC2NodeClass selects by tags, and the field that does.
_SELECTED = {
    "aws:ec2/subnet:Subnet": "subnetSelectorTerms",
    "aws:ec2/securityGroup:SecurityGroup": "securityGroupSelectorTerms",
}


def _selects(node_class: PlannedResource, terms: str, target: PlannedResource) -> bool:
    """Whether the tags of any term are among those of the target."""
    spec, own = node_class.inputs.get("spec"), target.inputs.get("tags")
    wanted = spec.get(terms) if isinstance(spec, dict) else None
    if not isinstance(wanted, list) or not isinstance(own, dict):
        return False
    tags = [term.get("tags") for term in wanted if isinstance(term, dict)]
    return any(isinstance(item, dict) and item and item.items() <= own.items() for item in tags)


def _moves_others(item: Finding) -> bool:
    """A change in place of a resource whose outputs follow it."""
    changes_itself = any(change.field[:1] != ("(options)",) for change in item.changes)
    return item.resource.type_token in FOLLOWS_UPDATES and item.effect is Effect.UPDATE and changes_itself


def _rules_below(resource: PlannedResource, name: str) -> list[Rule]:
    """The rules of the parts of one input that only `up` knows; each once."""
    parts = list(unknown_parts(resource.inputs.get(name), (name,)))
    rules = [rule_for(rules_of(resource), FieldChange(keys, Marker.UNKNOWN, Marker.UNKNOWN)) for keys in parts]
    found = rules or [worst_rule_below(rules_of(resource), (name,))]
    return list({id(rule): rule for rule in found}.values())


def _has_alias(resource: PlannedResource) -> bool:
    spec = resource.inputs.get("spec")
    terms = spec.get("amiSelectorTerms") if isinstance(spec, dict) else None
    return isinstance(terms, list) and any(isinstance(term, dict) and "alias" in term for term in terms)

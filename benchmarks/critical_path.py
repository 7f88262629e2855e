"""The critical path of `pulumi up`: the longest chain of resources that wait for each other, for each environment.

Compared with it is the chain nobody gets around: a network, the control plane, nodes, Karpenter, a NodePool. What is on
our chain and not on that one is named, because each of those is either needed for a reason or a dependency too much.
Nothing is measured here and nothing touches a cloud: times come from the catalogue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.measuring import ROOT, Row
from infra.catalog.creation import CreationTime, creation_times
from infra.plan import Plan, PlannedResource
from infra.plan.ordering import predecessors
from infra.planning.critical_path import critical_path, is_operation
from infra.settings import load_stack_file
from stacks.evaluation import evaluate

# Those that create something in a cloud; `local` is brought up by the simulator.
ENVIRONMENTS = ("dev", "staging", "prod")

# What every EKS cluster with Karpenter waits for, in this order.
UNAVOIDABLE = (
    "aws:ec2/vpc:Vpc",
    "eks:index:Cluster",
    "aws:eks/nodeGroup:NodeGroup",
    "kubernetes:helm.sh/v3:Release",
    "kubernetes:karpenter.sh/v1:NodePool",
)
LAST = UNAVOIDABLE[-1]


class MissingCreationTimeError(LookupError):
    """A type of the plan has no row in the catalogue; a silent zero would shorten the chain."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain and how long it takes.

    Attributes:
        low, high: seconds; each the most that any chain takes with the low, or with the high, figures.
        steps: the chain with the high figures.
    """

    steps: tuple[PlannedResource, ...]
    low: float
    high: float


def creation_time(resource: PlannedResource) -> CreationTime:
    """The catalogue's row; nothing for a component.

    Raises:
        MissingCreationTimeError: naming the type and the file that lacks it.
    """
    if not is_operation(resource):
        return CreationTime(resource.type_token, 0, 0, (), "")
    found = creation_times().get(resource.type_token)
    if found is None:
        raise MissingCreationTimeError(f"{resource.type_token} has no row in infra/catalog/data/creation_times.csv")
    return found


def longest(plan: Plan) -> Chain:
    """The critical path of a plan."""
    fast = critical_path(plan, lambda resource: creation_time(resource).low)
    slow = critical_path(plan, lambda resource: creation_time(resource).high)
    return Chain(
        tuple(resource for resource in slow if is_operation(resource)),
        sum(creation_time(resource).low for resource in fast),
        sum(creation_time(resource).high for resource in slow),
    )


def until_pools(plan: Plan) -> Plan:
    """What the NodePools wait for, and they: model servers start GPU nodes, and that time is not ours."""
    by_urn = plan.by_urn()
    needed, ahead = set[str](), [resource.urn for resource in plan.of_type(LAST)]
    while ahead:
        urn = ahead.pop()
        if urn in by_urn and urn not in needed:
            needed.add(urn)
            ahead += predecessors(by_urn[urn])
    return replace(plan, resources=tuple(resource for resource in plan if resource.urn in needed))


def unavoidable(plan: Plan) -> tuple[float, float]:
    """Seconds of the chain nobody gets around, of those of its types that the plan has."""
    there = {resource.type_token for resource in plan}
    times = [creation_times()[token] for token in UNAVOIDABLE if token in there]
    return sum(item.low for item in times), sum(item.high for item in times)


def rows() -> list[Row]:
    """A ratio of the high ends for each environment, and above the table each chain in full."""
    found = []
    for name in ENVIRONMENTS:
        plan = evaluate(load_stack_file(ROOT / f"Pulumi.{name}.yaml"))
        least, chain, whole = unavoidable(plan), longest(until_pools(plan)), longest(plan)
        print("\n".join(report(name, chain, least)))
        ratio = chain.high / least[1]
        detail = f"{_minutes(chain.low, chain.high)} / {_minutes(*least)}, low ends {chain.low / least[0]:.2f} x"
        detail += f"; with model servers {_minutes(whole.low, whole.high)}"
        found.append(Row(f"critical path of {name} to its pools / unavoidable", ratio, ratio, None, "x", detail))
    return found


def report(name: str, chain: Chain, least: tuple[float, float]) -> Iterator[str]:
    """One chain as text: each step with its time, and a mark on what others have not."""
    yield f"{name}: {_minutes(chain.low, chain.high)} until every NodePool is there"
    for step in chain.steps:
        time = creation_time(step)
        mark = " " if _is_unavoidable(step, chain.steps) else "+"
        guess = "  estimate" if time.is_estimate else ""
        kind = "Provider" if step.type_token.startswith("pulumi:providers:") else step.type_token.rpartition(":")[2]
        yield f"  {mark} {time.low:5.0f} to {time.high:4.0f} s  {kind} {step.name}{guess}"
    extra = [step for step in chain.steps if not _is_unavoidable(step, chain.steps)]
    spent = sum(creation_time(step).high for step in extra)
    yield f"  unavoidable {_minutes(*least)}; {len(extra)} steps beyond it (+), {spent:.0f} s of the high end"
    yield ""


def _is_unavoidable(step: PlannedResource, steps: Sequence[PlannedResource]) -> bool:
    """The last step of each unavoidable type: Karpenter's CRDs are a Release too, and come before its own."""
    return step.type_token in UNAVOIDABLE and step == [item for item in steps if item.type_token == step.type_token][-1]


def _minutes(low: float, high: float) -> str:
    return f"{low / 60:.1f} to {high / 60:.1f} min"

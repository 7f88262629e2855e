"""What spans areas of the settings: names that must agree, numbers that must fit.

Each check reads a `Draft`, the parts that are valid by themselves, so that one wrong value does not hide the others.
A check says nothing about what it cannot see.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from infra.catalog.zones import regions, zones_of
from infra.errors import Problem
from infra.planning.drain import SPOT_NOTICE_SECONDS, DrainBudget
from infra.settings.cluster import ClusterSettings
from infra.settings.models import ModelSettings
from infra.settings.network import NetworkSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.target import AwsSettings, Target
from infra.settings.values import did_you_mean, duration_seconds

MANDATORY_TAGS = ("owner", "cost-center")


@dataclass(frozen=True, slots=True)
class Draft:
    """The parts of the settings that are valid by themselves.

    Attributes:
        node_pools, models: each with its index in the file.
        pool_names: every name under nodePools, also of pools that are not valid.
    """

    target: Target | None = None
    tags: dict[str, str] | None = None
    aws: AwsSettings | None = None
    network: NetworkSettings | None = None
    cluster: ClusterSettings | None = None
    node_pools: tuple[tuple[int, NodePoolSettings], ...] = ()
    models: tuple[tuple[int, ModelSettings], ...] = ()
    pool_names: frozenset[str] = frozenset()
    broken_areas: frozenset[str] = frozenset()

    def pools_of(self, model: ModelSettings) -> list[NodePoolSettings]:
        """The valid pools the model names."""
        return [pool for _, pool in self.node_pools if pool.name in model.node_pools]


def problems_across_areas(draft: Draft) -> Iterator[Problem]:
    """Every problem that no single value shows."""
    for check in CHECKS:
        yield from check(draft)


def _required_areas(draft: Draft) -> Iterator[Problem]:
    if draft.target is None or draft.target == "local":
        return
    needed = {"aws": draft.aws} | ({"network": draft.network} if draft.target == "eks" else {})
    for area, value in needed.items():
        if value is None and area not in draft.broken_areas:
            yield Problem(area, "nothing", f"the area {area}, which target {draft.target} needs", f"add {area}")


def _mandatory_tags(draft: Draft) -> Iterator[Problem]:
    if draft.target in (None, "local") or draft.tags is None:
        return
    for tag in MANDATORY_TAGS:
        if not draft.tags.get(tag):
            yield Problem(
                "tags", f"no {tag}", f"the tags {' and '.join(MANDATORY_TAGS)} outside local", f"add tags.{tag}"
            )


def _region_and_zones(draft: Draft) -> Iterator[Problem]:
    if draft.aws is None:
        return
    region = draft.aws.region
    if region not in regions():
        yield Problem(
            "aws.region",
            f'"{region}"',
            f"a region that offers GPU instances ({len(regions())} known)",
            did_you_mean(region, regions(), f"choose one of: {', '.join(regions())}"),
        )
        return
    places = [("network.zones", draft.network.zones)] if draft.network else []
    places += [(f"nodePools[{index}].zones", pool.zones) for index, pool in draft.node_pools]
    for path, zones in places:
        for position, zone in enumerate(zones):
            if zone not in zones_of(region):
                yield Problem(
                    f"{path}[{position}]",
                    f'"{zone}"',
                    f"a zone id of {region} with GPU instances: {', '.join(sorted(zones_of(region)))}",
                    did_you_mean(zone, zones_of(region), "use zone ids (use2-az1), not letters (us-east-2a)"),
                )


def _enough_zones(draft: Draft) -> Iterator[Problem]:
    if draft.network is not None and len(set(draft.network.zones)) < 2:
        yield Problem(
            "network.zones",
            f"{len(set(draft.network.zones))} zone(s)",
            "two or more zones, which EKS needs",
            "add a zone id",
        )


def _ranges_apart(draft: Draft) -> Iterator[Problem]:
    ranges: list[tuple[str, IPv4Network]] = []
    if draft.network:
        ranges.append(("network.cidr", IPv4Network(draft.network.cidr)))
        for index, cidr in enumerate(draft.network.secondary_cidrs):
            ranges.append((f"network.secondaryCidrs[{index}]", IPv4Network(cidr)))
    if draft.cluster:
        ranges.append(("cluster.serviceCidr", IPv4Network(draft.cluster.service_cidr)))
    for position, (path, network) in enumerate(ranges):
        for other_path, other in ranges[:position]:
            if network.overlaps(other):
                yield Problem(
                    path,
                    f'"{network}"',
                    f"a range apart from {other_path} ({other})",
                    f"move one of them, for example to {_free_range(network, [taken for _, taken in ranges])}",
                )


def _free_range(network: IPv4Network, taken: list[IPv4Network]) -> IPv4Network:
    """A private range as large as `network` that overlaps none of `taken`."""
    for space in ("10.0.0.0/8", "172.16.0.0/12", "100.64.0.0/10", "192.168.0.0/16"):
        whole = IPv4Network(space)
        if network.prefixlen < whole.prefixlen:
            continue
        for candidate in whole.subnets(new_prefix=network.prefixlen):
            if not any(candidate.overlaps(other) for other in taken):
                return candidate
    return network


def _unique_names(draft: Draft) -> Iterator[Problem]:
    """Pools are cluster-wide; models share the namespace of their Deployments."""
    seen: dict[tuple[str, str], str] = {}
    named = [(f"nodePools[{index}].name", ("pool", pool.name)) for index, pool in draft.node_pools]
    named += [(f"models[{index}].name", (f"model in {model.namespace}", model.name)) for index, model in draft.models]
    for path, key in named:
        if key in seen:
            yield Problem(
                path, f'"{key[1]}"', f"a name no other {key[0]} has; {seen[key]} has it", "rename one of them"
            )
        seen.setdefault(key, path)


def _known_pools(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        for position, name in enumerate(model.node_pools):
            if name not in draft.pool_names:
                names = sorted(draft.pool_names)
                yield Problem(
                    f"models[{index}].nodePools[{position}]",
                    f'"{name}"',
                    f"the name of a pool under nodePools: {', '.join(names) or 'there is none'}",
                    did_you_mean(name, names, "add the pool, or name one that is there"),
                )
        for pool in draft.pools_of(model):
            if pool.purpose != "inference":
                yield Problem(
                    f"models[{index}].nodePools",
                    f'"{pool.name}", a pool for {pool.purpose}',
                    "pools for inference",
                    "name an inference pool",
                )


def _parallel_fits_node(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        pools = draft.pools_of(model)
        if len(pools) < len(set(model.node_pools)):
            continue  # a pool it names is unknown or not valid: said elsewhere
        largest = max(pools, key=lambda pool: pool.largest_gpu_count)
        if model.tensor_parallel > largest.largest_gpu_count:
            yield Problem(
                f"models[{index}].tensorParallel",
                str(model.tensor_parallel),
                f"at most {largest.largest_gpu_count}: the largest node of {', '.join(model.node_pools)} has that many"
                " GPUs, and tensor parallelism stays within one node",
                f"write {largest.largest_gpu_count}, or name a pool with larger nodes",
            )
        for pool in pools:
            if model.tensor_parallel > pool.limits.gpus:
                yield Problem(
                    f"models[{index}].tensorParallel",
                    str(model.tensor_parallel),
                    f"at most {pool.limits.gpus}, the GPU limit of pool {pool.name}",
                    f"raise limits.gpus of {pool.name}, or remove it from nodePools",
                )


def _parallel_divides_heads(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        heads = model.shape.attention_heads if model.shape else None
        if heads and heads % model.tensor_parallel:
            divisors = [number for number in range(1, heads + 1) if heads % number == 0]
            closest = min(divisors, key=lambda number: (abs(number - model.tensor_parallel), number))
            yield Problem(
                f"models[{index}].tensorParallel",
                str(model.tensor_parallel),
                f"a divisor of the {heads} attention heads of {model.shape_of or model.model}",
                f"write {closest}",
            )


def _context_within_model(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        longest = model.shape.max_context if model.shape else None
        if longest and model.max_model_len and model.max_model_len > longest:
            yield Problem(
                f"models[{index}].maxModelLen",
                str(model.max_model_len),
                f"at most {longest} tokens, which {model.shape_of or model.model} states",
                f"write {longest} or less",
            )


def _checkpoint_size_known(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        if model.known_checkpoint_gib is None:
            yield Problem(
                f"models[{index}].model",
                f'"{model.model}"',
                "a model whose checkpoint size the catalogue knows, or checkpointGib beside it",
                "add checkpointGib, or shapeOf with a model of the catalogue it was made from",
            )


def _traffic_fits_capacity(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        pools = draft.pools_of(model)
        if not pools or len(pools) < len(set(model.node_pools)):
            continue
        if model.traffic == "interactive" and all(set(pool.capacity_types) == {"spot"} for pool in pools):
            yield Problem(
                f"models[{index}].traffic",
                '"interactive"',
                f"interruptible, because {', '.join(model.node_pools)} can only be bought as spot",
                "name a pool with reserved or on-demand capacity, or write interruptible",
            )


def _drain_fits(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        budget = DrainBudget(model.drain.pre_stop_seconds, model.drain.shutdown_timeout_seconds)
        grace = budget.grace_period_seconds
        pools = draft.pools_of(model)
        on_spot = [pool.name for pool in pools if "spot" in pool.capacity_types]
        if model.traffic == "interruptible" and on_spot and not budget.fits_spot_notice:
            yield Problem(
                f"models[{index}].drain",
                f"{grace} s from preStop to exit",
                f"at most {SPOT_NOTICE_SECONDS} s on spot (pool {', '.join(on_spot)}): EC2 takes the node then",
                f"write shutdownTimeoutSeconds: {max(1, budget.longest_shutdown_on_spot)} or less",
            )
        for pool in pools:
            longest = duration_seconds(pool.termination_grace_period)
            if grace > longest:
                yield Problem(
                    f"models[{index}].drain",
                    f"{grace} s from preStop to exit",
                    f"at most {longest} s, the terminationGracePeriod of pool {pool.name}",
                    f"raise terminationGracePeriod of {pool.name} to {grace}s or shorten the drain",
                )


CHECKS: tuple[Callable[[Draft], Iterator[Problem]], ...] = (
    _required_areas,
    _mandatory_tags,
    _region_and_zones,
    _enough_zones,
    _ranges_apart,
    _unique_names,
    _known_pools,
    _parallel_fits_node,
    _parallel_divides_heads,
    _context_within_model,
    _checkpoint_size_known,
    _traffic_fits_capacity,
    _drain_fits,
)

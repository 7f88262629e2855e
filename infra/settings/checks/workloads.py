"""What models ask of node pools: names that agree, numbers that fit."""

from collections.abc import Iterator

from infra.errors import Problem
from infra.planning.drain import SPOT_NOTICE_SECONDS, DrainBudget
from infra.planning.group_size import GroupDrain
from infra.planning.kserve import KNATIVE_QUIET_SECONDS
from infra.settings.checks.draft import Draft
from infra.settings.checks.nearest_size import nearest_tensor_parallel
from infra.settings.gateway_routes import scales_by_requests
from infra.settings.models import ModelSettings
from infra.settings.values import did_you_mean, duration_seconds


def unique_names(draft: Draft) -> Iterator[Problem]:
    """Pools are cluster-wide; models are told apart by name alone, by the gateway and in the stack."""
    seen: dict[tuple[str, str], str] = {}
    named = [(f"nodePools[{index}].name", ("pool", pool.name)) for index, pool in draft.node_pools]
    named += [(f"models[{index}].name", ("model", model.name)) for index, model in draft.models]
    for path, key in named:
        if key in seen:
            everywhere = ", in any namespace: the gateway's routes and the stack know it by that name"
            accepted = f"a name no other {key[0]} has{everywhere if key[0] == 'model' else ''}; {seen[key]} has it"
            yield Problem(path, f'"{key[1]}"', accepted, "rename one of them")
        seen.setdefault(key, path)


def known_pools(draft: Draft) -> Iterator[Problem]:
    """Every pool that a model names is there."""
    for index, position, name in draft.named_pools:
        if draft.pool_names is not None and name not in draft.pool_names:
            names = sorted(draft.pool_names)
            yield Problem(
                f"models[{index}].nodePools[{position}]",
                f'"{name}"',
                f"the name of a pool under nodePools: {', '.join(names) or 'there is none'}",
                did_you_mean(name, names, "add the pool, or name one that is there"),
            )


def pools_for_inference(draft: Draft) -> Iterator[Problem]:
    """A server does not run where jobs do."""
    for index, model in draft.models:
        for pool in draft.pools_of(model):
            if pool.purpose != "inference":
                yield Problem(
                    f"models[{index}].nodePools",
                    f'"{pool.name}", a pool for {pool.purpose}',
                    "pools for inference",
                    "name an inference pool",
                )


def parallel_divides_heads(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        heads = model.shape.attention_heads if model.shape else None
        if heads and heads % model.tensor_parallel:
            yield Problem(
                f"models[{index}].tensorParallel",
                str(model.tensor_parallel),
                f"a divisor of the {heads} attention heads of {model.shape_of or model.model}",
                f"write {nearest_tensor_parallel(draft, model)}",
            )


def context_within_model(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        longest = model.shape.max_context if model.shape else None
        if longest and model.max_model_len and model.max_model_len > longest:
            yield Problem(
                f"models[{index}].maxModelLen",
                str(model.max_model_len),
                f"at most {longest} tokens, which {model.shape_of or model.model} states",
                f"write {longest} or less",
            )


def checkpoint_size_known(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        if model.known_checkpoint_gib is None:
            yield Problem(
                f"models[{index}].model",
                f'"{model.model}"',
                "a model whose checkpoint size the catalogue knows, or checkpointGib beside it",
                "add checkpointGib, or shapeOf with a model of the catalogue it was made from",
            )


def traffic_fits_capacity(draft: Draft) -> Iterator[Problem]:
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


def drain_fits(draft: Draft) -> Iterator[Problem]:
    for index, model in draft.models:
        budget = drain_budget(model)
        grace = budget.grace_period_seconds
        found = f"{grace} s from {'the quiet time of Knative' if scales_by_requests(model) else 'preStop'} to exit"
        pools = draft.pools_of(model)
        on_spot = [pool.name for pool in pools if "spot" in pool.capacity_types]
        if model.traffic == "interruptible" and on_spot and not budget.fits_spot_notice:
            yield Problem(
                f"models[{index}].drain",
                found,
                f"at most {SPOT_NOTICE_SECONDS} s on spot (pool {', '.join(on_spot)}): EC2 takes the node then",
                _shorter_drain(budget),
            )
        for pool in pools:
            longest = duration_seconds(pool.termination_grace_period)
            if grace > longest:
                yield Problem(
                    f"models[{index}].drain",
                    found,
                    f"at most {longest} s, the terminationGracePeriod of pool {pool.name}",
                    f"raise terminationGracePeriod of {pool.name} to {grace}s or shorten the drain",
                )


def destroy_waits_for_requests(draft: Draft) -> Iterator[Problem]:
    """A destroy that deletes pods sooner than they may stop would cut running requests."""
    if draft.destroy is None or not draft.models:
        return
    minutes = draft.destroy.drain_minutes
    grace, name = max((_longest_grace(model), model.name) for _, model in draft.models)
    if grace > minutes * 60:
        needed = -(-grace // 60)
        yield Problem(
            "destroy.drainMinutes",
            str(minutes),
            f"at least {needed}: the model {name} takes up to {grace} s from preStop to exit",
            f"write {needed}, or shorten the drain of {name}",
        )


def drain_budget(model: ModelSettings) -> DrainBudget:
    """How a server of a model stops. Knative refuses the preStop hook; its own proxy goes on for a time of its own, and
    the pod has the revision's time-out to end in (`infra/planning/kserve.py`)."""
    first = KNATIVE_QUIET_SECONDS if scales_by_requests(model) else model.drain.pre_stop_seconds
    return DrainBudget(first, model.drain.shutdown_timeout_seconds)


def _longest_grace(model: ModelSettings) -> int:
    """Seconds until the last pod of a server is gone; a follower outlives its leader."""
    budget = drain_budget(model)
    return budget.grace_period_seconds if model.nodes == 1 else GroupDrain(budget).follower_grace_seconds


def _shorter_drain(budget: DrainBudget) -> str:
    """How to fit the spot notice: a shorter drain, or a shorter preStop where that leaves no drain at all."""
    if budget.longest_shutdown_on_spot >= 1:
        return f"write shutdownTimeoutSeconds: {budget.longest_shutdown_on_spot} or less"
    if budget.longest_pre_stop_on_spot >= 1:
        return f"write preStopSeconds: {budget.longest_pre_stop_on_spot} or less"
    return "shorten both preStopSeconds and shutdownTimeoutSeconds"

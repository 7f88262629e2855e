"""Servers that span nodes: parts that are whole on each node, machines that are alike, room for whole groups."""

from collections.abc import Iterator

from infra.errors import Problem
from infra.planning.drain import SPOT_NOTICE_SECONDS, DrainBudget
from infra.planning.fabric import pod_share
from infra.planning.group_size import GroupDrain, is_even_enough, largest_stage
from infra.settings.checks.draft import Draft
from infra.settings.checks.nearest_size import as_written, nearest_size, possible_gpus
from infra.settings.models import ModelSettings
from infra.settings.multi_node import LONGEST_NAME, GroupSettings
from infra.settings.node_pools import NodePoolSettings
from infra.settings.values import duration_seconds
from infra.versions import VLLM_EFA_IMAGE, VLLM_IMAGE

# The one engine of the table whose flags for several nodes and whose followers were read in its source (0.33).
_ENGINE = "vllm"


def _groups(draft: Draft) -> Iterator[tuple[str, ModelSettings]]:
    """Models over several nodes, each with its path."""
    for index, model in draft.models:
        if model.nodes > 1:
            yield f"models[{index}]", model


def _pools(draft: Draft, model: ModelSettings) -> list[NodePoolSettings]:
    """All pools of the model; none where one of them is unknown or not valid, which is said elsewhere."""
    pools = draft.pools_of(model)
    return pools if len(pools) == len(set(model.node_pools)) else []


def group_settings_have_a_group(draft: Draft) -> Iterator[Problem]:
    """What is said of a group without one would be ignored."""
    for index, model in draft.models:
        if model.nodes == 1 and model.group != GroupSettings():
            yield Problem(
                f"models[{index}].group",
                "given with nodes: 1",
                "group only where nodes is above 1",
                "remove it, or write nodes",
            )


def groups_are_possible(draft: Draft) -> Iterator[Problem]:
    """The engine, the name, and what serves it."""
    for path, model in _groups(draft):
        if model.engine != _ENGINE:
            yield Problem(
                f"{path}.engine",
                f'"{model.engine}" with nodes: {model.nodes}',
                f"{_ENGINE}: of the other engines the flags of a group and what a follower does were not confirmed",
                f"write engine: {_ENGINE}, or nodes: 1",
            )
        if model.kserve:
            yield Problem(
                f"{path}.kserve",
                f"given with nodes: {model.nodes}",
                "one of the two: a LeaderWorkerSet of this program, or an object of KServe",
                "remove kserve or nodes",
            )
        if len(model.name) > LONGEST_NAME or not model.name[0].isalpha():
            yield Problem(
                f"{path}.name",
                f'"{model.name}" with nodes: {model.nodes}',
                f"a name that begins with a letter, of at most {LONGEST_NAME} characters: names of the group's pods,"
                " its DNS name and a label are derived from it",
                "rename it",
            )


def parts_are_whole(draft: Draft) -> Iterator[Problem]:
    """Tensor parallelism stays within a node: every layer exchanges data several times a token."""
    for path, model in _groups(draft):
        if not model.size.is_whole:
            parts = model.pipeline_parallel * model.size.data_parallel
            yield Problem(
                f"{path}.nodes",
                f"{model.nodes} with pipelineParallel {model.pipeline_parallel} and dataParallel"
                f" {model.size.data_parallel}: {parts} part{'s' if parts > 1 else ''} of tensorParallel"
                f" {model.tensor_parallel}",
                f"equally many whole parts on each node: pipelineParallel x dataParallel a multiple of {model.nodes}",
                _nearest(draft, model, "write nodes: 1"),
            )


def stages_are_even(draft: Draft) -> Iterator[Problem]:
    """The group runs at the pace of the stage with the most layers."""
    for index, model in draft.models:
        layers, stages = model.shape.layers if model.shape else None, model.pipeline_parallel
        if not layers or stages == 1 or is_even_enough(layers, stages):
            continue
        yield Problem(
            f"models[{index}].pipelineParallel",
            f"{stages} stages of {layers} layers"
            + (f", the largest with {largest_stage(layers, stages)}" if stages <= layers else ""),
            f"stages within a tenth of {layers / stages:.1f} layers each: the slowest sets the pace",
            _nearest(draft, model, "remove pipelineParallel"),
        )


def machines_hold_parts(draft: Draft) -> Iterator[Problem]:
    """Each pod takes a whole node where it talks over EFA; over TCP it takes a part that a node has."""
    for path, model in _groups(draft):
        asked = model.size.gpus_per_node
        for pool in _pools(draft, model) if model.size.is_whole else ():
            if pool.partition:
                yield Problem(
                    f"{path}.nodePools",
                    f'"{pool.name}", whose GPUs are divided',
                    "pools of whole GPUs: NCCL does not join slices of different nodes",
                    "name another pool",
                )
            counts = sorted({machine.gpu_count for machine in pool.candidates})
            if model.group.transport == "efa" and pool.fabric == "efa" and counts != [asked]:
                yield Problem(
                    f"{path}.tensorParallel",
                    f"{model.size.gpus} GPUs over {model.nodes} nodes, {asked} on each",
                    f"all GPUs of a node of {pool.name}, which has {_either(counts)}: with EFA a pod takes all of it",
                    f"name machines with {asked} GPUs, or {_nearest(draft, model, 'name other pools')}",
                )


def transport_is_there(draft: Draft) -> Iterator[Problem]:
    """TCP between nodes is slow enough that nobody should get it by accident."""
    for path, model in _groups(draft):
        if model.group.transport != "efa":
            continue
        without = [pool.name for pool in _pools(draft, model) if pool.fabric != "efa"]
        if without:
            yield Problem(
                f"{path}.nodePools",
                f"{', '.join(without)} without EFA, for a server over {model.nodes} nodes",
                "pools with fabric: efa, or transport: tcp written for the group",
                f"write fabric: efa for {without[0]}, or group: {{transport: tcp}} if sockets are fast enough",
            )


def image_has_the_fabric(draft: Draft) -> Iterator[Problem]:
    """Without the library NCCL says so in its log and uses sockets: everything works, and slowly."""
    for path, model in _groups(draft):
        over_efa = any(pool.fabric == "efa" for pool in draft.pools_of(model))
        if over_efa and model.group.transport == "efa" and model.image == VLLM_IMAGE:
            yield Problem(
                f"{path}.image",
                f'"{model.image}", which holds neither libfabric nor aws-ofi-nccl',
                "an image with both, made from docker/Dockerfile.efa of vLLM: NCCL would fall back to sockets",
                f'write image: "{VLLM_EFA_IMAGE}", or one that you made so',
            )


def machines_are_alike(draft: Draft) -> Iterator[Problem]:
    """One pod template serves all pools: as many interfaces everywhere, and no group half in a placement group."""
    for path, model in _groups(draft):
        pools = [pool for pool in _pools(draft, model) if pool.fabric == "efa"]
        if model.group.transport != "efa" or len(pools) < 2:
            continue
        shares = {pool.name: _interfaces(pool) for pool in pools}
        if len(set(shares.values())) > 1:
            found = ", ".join(f"{name} ({count})" for name, count in shares.items())
            yield Problem(
                f"{path}.nodePools",
                f"pools with different numbers of EFA interfaces: {found}",
                "pools of one shape: every pod asks for the same",
                f"name one of them, such as {pools[0].name}",
            )
        places = {pool.name: pool.placement_group or "none" for pool in pools}
        if len(set(places.values())) > 1:
            found = ", ".join(f"{name} ({place})" for name, place in places.items())
            yield Problem(
                f"{path}.nodePools",
                f"pools of different placement groups: {found}",
                "pools of one placement group, or of none: a group of pods would stand half inside",
                f"name one of them, such as {pools[0].name}",
            )


def groups_drain_in_time(draft: Draft) -> Iterator[Problem]:
    """A follower stays until its leader has finished, so it takes longer than the leader."""
    for path, model in _groups(draft):
        drain = GroupDrain(DrainBudget(model.drain.pre_stop_seconds, model.drain.shutdown_timeout_seconds))
        grace = drain.follower_grace_seconds
        found = f"{grace} s from the eviction of a follower until the group has stopped"
        for pool in draft.pools_of(model):
            longest = duration_seconds(pool.termination_grace_period)
            if grace > longest:
                yield Problem(
                    f"{path}.drain",
                    found,
                    f"at most {longest} s, the terminationGracePeriod of pool {pool.name}",
                    f"raise terminationGracePeriod of {pool.name} to {grace}s or shorten the drain",
                )
        on_spot = [pool.name for pool in draft.pools_of(model) if "spot" in pool.capacity_types]
        if model.traffic == "interruptible" and on_spot and not drain.fits_spot_notice:
            yield Problem(
                f"{path}.drain",
                found,
                f"at most {SPOT_NOTICE_SECONDS} s on spot (pool {', '.join(on_spot)}): EC2 takes the node then, and the"
                f" loss of one of its {model.nodes} nodes ends the whole group",
                f"write shutdownTimeoutSeconds: {drain.longest_shutdown_on_spot} or less"
                if drain.longest_shutdown_on_spot >= 1
                else "shorten both preStopSeconds and shutdownTimeoutSeconds",
            )


def weights_come_once(draft: Draft) -> Iterator[Problem]:
    """Every node reads the checkpoint; without a store each downloads all of it at each start."""
    for path, model in _groups(draft):
        size = model.download_gib
        if model.weights or model.group.download_per_node or model.known_checkpoint_gib is None:
            continue
        yield Problem(
            f"{path}.weights",
            f"no store: each of {model.nodes} nodes downloads {size:.0f} GiB at each start,"
            f" {size * model.nodes:.0f} GiB a group",
            "a store under storage.weights, or the choice written down",
            "name a store, or write group: {downloadPerNode: true}",
        )


def _interfaces(pool: NodePoolSettings) -> int:
    machine = pool.candidates[0]
    return pod_share(machine.name, machine.gpu_count).efa_interfaces


def _nearest(draft: Draft, model: ModelSettings, otherwise: str) -> str:
    """The closest numbers that are whole, even, and what a node of its pools has."""
    near = nearest_size(model, possible_gpus(draft, model))
    return f"write {as_written(near, model.size)}" if near else otherwise


def _either(counts: list[int]) -> str:
    return " or ".join(str(count) for count in counts)

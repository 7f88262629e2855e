"""Devices of pools of a fixed size whose GPUs are divided.

For a pool that follows its pods, NodeOverlays say which devices its nodes will have; without one Karpenter starts
nothing, and neither does placement. A pool of fixed size needs none, so its devices are read where the operator reads
them: the node labels, and the layouts and configurations that they name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import yaml

from infra.catalog.instances import gpu_instance_types
from infra.conventions import (
    CLAIMED_LABEL,
    GPU_RESOURCE,
    MIG_CONFIG_LABEL,
    NODEPOOL_LABEL,
    PLUGIN_CONFIG_LABEL,
)
from infra.plan.manifests import Manifest
from infra.planning.placement import pools
from infra.planning.placement.pools import NodeOverlay, NodePool, Requirement

_GPU_COUNT_LABEL = "karpenter.k8s.aws/instance-gpu-count"

Json = Mapping[str, Any]


def node_pools(manifests: Iterable[Manifest]) -> list[NodePool]:
    """The NodePools among the manifests, in the order Karpenter tries them, with what their nodes have besides."""
    manifests = list(manifests)
    return [
        replace(pool, overlays=(*pool.overlays, *fixed_devices(pool.name, pool.labels, manifests)))
        if pool.replicas is not None
        else pool
        for pool in pools.node_pools(manifests)
    ]


def fixed_devices(pool: str, labels: Mapping[str, str], manifests: Iterable[Manifest]) -> Iterator[NodeOverlay]:
    """What the nodes of a pool of fixed size have once they are divided, for each number of GPUs; as NodeOverlays.

    Args:
        labels: of the pool's node template.
        manifests: of the plan; ConfigMaps with layouts and with configurations of the device plugin count.
    """
    per_gpu = _per_gpu(labels, [item for item in manifests if item.kind == "ConfigMap"])
    for gpus in sorted({machine.gpu_count for machine in gpu_instance_types().values()} - {0}) if per_gpu else ():
        requirements = (
            Requirement(NODEPOOL_LABEL, "In", (pool,)),
            Requirement(_GPU_COUNT_LABEL, "In", (str(gpus),)),
        )
        capacity = {resource: Decimal(count * gpus) for resource, count in per_gpu.items()}
        yield NodeOverlay(f"devices of {pool} with {gpus} GPUs", 0, requirements, capacity)


def _per_gpu(labels: Mapping[str, str], maps: list[Manifest]) -> dict[str, int]:
    """Devices of one GPU by resource; empty where it is whole."""
    if CLAIMED_LABEL in labels:
        return {GPU_RESOURCE: 0}  # claimed, not counted
    configuration = _found(maps, labels.get(PLUGIN_CONFIG_LABEL, ""), ("flags", "sharing"))
    sharing = configuration.get("sharing") or {}
    for way in sharing.values():
        return {item["name"]: int(item["replicas"]) for item in way["resources"]}
    slices = _slices(labels.get(MIG_CONFIG_LABEL, ""), maps)
    if slices and (configuration.get("flags") or {}).get("migStrategy") == "single":
        return {GPU_RESOURCE: sum(slices.values())}
    cut = {f"nvidia.com/mig-{name.replace('+', '.')}": count for name, count in slices.items()}
    return {**cut, GPU_RESOURCE: 0} if cut else {}


def _slices(layout: str, maps: list[Manifest]) -> dict[str, int]:
    """Slices of one GPU in a layout of mig-parted that treats all GPUs alike."""
    for item in maps:
        for text in (item.body.get("data") or {}).values():
            entries = (_read(text).get("mig-configs") or {}).get(layout)
            if entries:
                return {name: int(count) for name, count in (entries[0].get("mig-devices") or {}).items()}
    return {}


def _found(maps: list[Manifest], key: str, words: tuple[str, ...]) -> Json:
    """The configuration under `key` of any map that looks like one of the device plugin's."""
    for item in maps:
        read = _read((item.body.get("data") or {}).get(key, ""))
        if set(words) & set(read):
            return read
    return {}


def _read(text: object) -> Json:
    """A mapping from YAML; empty for any other text."""
    if not isinstance(text, str):
        return {}
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return data if isinstance(data, dict) else {}

"""The shape of a compile cache: volume, mount, variables and claim. Plain values in, dicts out."""

from collections.abc import Sequence
from typing import Any

import pulumi

from components.serving.place_args import CompileCacheArgs, ServerPlaceArgs
from components.specs import Spec
from infra.planning.compile_cache import CACHE_PATH, CACHE_VARIABLES, cache_key

VOLUME = "compile-cache"
_DEFAULT_GIB = 20


def cache_volumes(place: ServerPlaceArgs) -> list[Spec]:
    """The shared volume; nothing where the cache is on the pod's own disk."""
    cache = _claimed(place)
    return [{"name": VOLUME, "persistentVolumeClaim": {"claimName": cache["claim_name"]}}] if cache else []


def cache_mounts(place: ServerPlaceArgs) -> list[Spec]:
    """Its mount in the engine's container."""
    return [{"name": VOLUME, "mountPath": CACHE_PATH}] if _claimed(place) else []


def cache_variables(engine: str, image: Any, arguments: Sequence[str], place: ServerPlaceArgs) -> list[Spec]:
    """Variables that tell the engine where its cache is, or that there is none.

    The folder is named in a variable and made by the engine: a folder that kubelet makes for a `subPath` belongs to
    root.

    Args:
        engine: name in the engine table.
        image: may be an Output; then so is the folder's name.
    """
    known = CACHE_VARIABLES.get(engine)
    kind = place.get("compile_cache", {"kind": "node"})["kind"]
    cache = _claimed(place)
    if known is None or kind == "node":
        return []
    if not cache:
        return [{"name": known.disable, "value": "1"}]
    gpu = cache.get("gpu", "")

    def folder(reference: str) -> str:
        return f"{CACHE_PATH}/{cache_key(reference, gpu, arguments)}"

    value = folder(image) if isinstance(image, str) else pulumi.Output.from_input(image).apply(folder)
    return [{"name": known.folder, "value": value}]


def cache_claim_spec(cache: CompileCacheArgs) -> Spec:
    """`PersistentVolumeClaim.spec`: many nodes write it."""
    return {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": cache.get("storage_class", ""),
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": f"{cache.get('gib', _DEFAULT_GIB)}Gi"}},
    }


def _claimed(place: ServerPlaceArgs) -> CompileCacheArgs | None:
    cache = place.get("compile_cache")
    return cache if cache and cache["kind"] == "claim" else None

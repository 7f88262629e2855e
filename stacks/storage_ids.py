"""Ids of file systems on their way from the foundation to the layers above. Imports no AWS SDK."""

from collections.abc import Mapping

import pulumi

from infra.errors import PlatformError
from infra.settings import PlatformSettings
from infra.settings.storage import EfsWeights, LustreCheckpoints
from stacks.foundation import Foundation

# The optional output of the contract that carries them.
STORAGE_OUTPUT = "storageIds"


def mount_name_key(store: str) -> str:
    """Under which a Lustre file system's mount name stands beside its id; no store's name holds a dot."""
    return f"{store}.mountName"


def storage_outputs(settings: PlatformSettings) -> tuple[str, ...]:
    """Outputs of the contract that exist because of the stores in the settings."""
    made_by_us = any(isinstance(store, EfsWeights) and not store.file_system_id for store in settings.storage.weights)
    lustre = any(isinstance(store, LustreCheckpoints) for store in settings.storage.checkpoints)
    return (STORAGE_OUTPUT,) if made_by_us or lustre else ()


def storage_id(foundation: Foundation, key: str) -> pulumi.Input[str]:
    """One id, from this stack or from the stack of the foundation."""
    ids = foundation.storage_ids
    if isinstance(ids, Mapping) and key in ids:
        found: pulumi.Input[str] = ids[key]
        return found
    if not isinstance(ids, pulumi.Output):
        raise _missing(key)

    def pick(given: Mapping[str, str]) -> str:
        if key not in given:
            raise _missing(key)
        return given[key]

    return ids.apply(pick)


def _missing(key: str) -> PlatformError:
    return PlatformError(
        f"the foundation has no file system for the store {key}", "run pulumi up for the stack of the foundation first"
    )

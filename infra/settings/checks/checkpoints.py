"""What checkpoint stores must hold, and what they are copied to."""

import math
from collections.abc import Iterator

from infra.catalog.models import model_shapes
from infra.errors import Problem
from infra.planning.checkpoints import checkpoint_gib, needed_gib
from infra.settings.checks.draft import Draft
from infra.settings.storage import LustreCheckpoints, ScratchCheckpoints, StorageClassCheckpoints
from infra.settings.values import did_you_mean


def checkpoints_fit(draft: Draft) -> Iterator[Problem]:
    """A store holds the checkpoints it is for."""
    for index, store in enumerate(draft.storage.checkpoints if draft.storage else ()):
        holds, path = store.holds, f"storage.checkpoints[{index}]"
        if holds is None:
            continue
        shape = model_shapes().get(holds.model)
        if shape is None or shape.checkpoint_gib is None:
            accepted = "a model of the catalogue whose size is known"
            mend = did_you_mean(holds.model, model_shapes(), "leave holds out")
            yield Problem(f"{path}.holds.model", f'"{holds.model}"', accepted, mend)
            continue
        one = checkpoint_gib(shape.checkpoint_gib, optimizer=holds.optimizer)
        if isinstance(store, ScratchCheckpoints):
            key, has, needed = "scratchGib", store.scratch_gib, 2 * one  # one that is copied, one that is written
        elif isinstance(store, LustreCheckpoints | StorageClassCheckpoints):
            key, has = "capacityGib", store.capacity_gib
            needed = needed_gib(shape.checkpoint_gib, optimizer=holds.optimizer, keep=holds.keep)
        else:
            continue  # a bucket has no size
        if has < needed:
            yield Problem(
                f"{path}.{key}",
                str(has),
                f"at least {needed:.0f} GiB: a checkpoint of {holds.model} takes {one:.0f} GiB"
                f"{' with its optimizer states' if holds.optimizer else ''}",
                f"write {_next_size(needed, store)} or more, or keep fewer",
            )


def _next_size(needed: float, store: object) -> int:
    """A size in GiB that is enough: FSx for Lustre is made in steps of 2400."""
    step = 2400 if isinstance(store, LustreCheckpoints) else 100
    return math.ceil(needed / step) * step


def scratch_has_a_target(draft: Draft) -> Iterator[Problem]:
    """What is copied from scratch goes to a claim of the same namespace."""
    stores = draft.storage.checkpoints if draft.storage else ()
    for index, store in enumerate(stores):
        if not isinstance(store, ScratchCheckpoints):
            continue
        able = [
            one.name
            for one in stores
            if isinstance(one, LustreCheckpoints | StorageClassCheckpoints) and one.namespace == store.namespace
        ]
        if store.target not in able:
            accepted = f"a store with a claim in the namespace {store.namespace}: {', '.join(able) or 'there is none'}"
            mend = did_you_mean(store.target, able, "add a store of kind fsx-lustre or storage-class")
            yield Problem(f"storage.checkpoints[{index}].target", f'"{store.target}"', accepted, mend)

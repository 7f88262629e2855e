"""The closest layout that works, for one that does not."""

from collections.abc import Iterator, Mapping
from functools import cache

from infra.catalog.mig import MigGpu, mig_gpus
from infra.planning.mig.placing import placements

Counts = tuple[int, ...]


def nearest_devices(gpu: MigGpu, devices: Mapping[str, int]) -> dict[str, int]:
    """Slices that fit on one GPU and differ from `devices` by as few slices as possible.

    A profile of another GPU is taken for the one here with as many compute slices. Of equally close answers the one
    that uses the most memory comes first.

    Args:
        devices: how many of each profile; names that nobody knows are left out.
    """
    names = list(gpu.profiles)
    wanted = dict.fromkeys(names, 0)
    for name, count in devices.items():
        own = name if name in gpu.profiles else _counterpart(gpu, name)
        if own:
            wanted[own] += count
    target = tuple(wanted.values())

    def distance(counts: Counts) -> tuple[int, int, Counts]:
        off = sum(abs(there - asked) for there, asked in zip(counts, target, strict=True))
        units = sum(gpu.profiles[name].memory_units * count for name, count in zip(names, counts, strict=True))
        return off, -units, tuple(-count for count in counts)

    best = min(_possible(gpu.name), key=distance)
    return {name: count for name, count in zip(names, best, strict=True) if count}


def _counterpart(gpu: MigGpu, profile: str) -> str:
    """The profile of `gpu` of the same compute slices and suffix, or the same without suffix; empty when none is."""
    compute, _, rest = profile.partition("g.")
    suffix = rest.partition("gb")[2]
    own = [item for item in gpu.profiles.values() if str(item.compute_slices) == compute]
    alike = [item.name for item in own if item.name.partition("gb")[2] == suffix] or [item.name for item in own]
    return alike[0] if alike else ""


@cache
def _possible(gpu_name: str) -> tuple[Counts, ...]:
    """Every choice of slices that fits on one GPU, but for none at all."""
    gpu = mig_gpus()[gpu_name]
    return tuple(counts for counts in _fitting(gpu, ()) if any(counts))


def _fitting(gpu: MigGpu, start: Counts) -> Iterator[Counts]:
    """Every way to go on from `start`, counts of the first profiles, that fits; what does not fit never will again."""
    names = list(gpu.profiles)
    if len(start) == len(names):
        yield start
        return
    for count in range(gpu.profiles[names[len(start)]].max_count + 1):
        counts = (*start, count)
        if placements(gpu, dict(zip(names, counts, strict=False))) is None:
            return
        yield from _fitting(gpu, counts)

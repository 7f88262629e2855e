"""Whether slices fit on one GPU together, and why not.

The search tries places for one slice after the other, largest first, as mig-parted does when it creates them. It is
exact: a GPU has at most twelve units and seven slices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.catalog.mig import MigGpu, MigProfile, gpus_with


@dataclass(frozen=True, slots=True)
class Placement:
    """One slice on a GPU, from unit `start` on."""

    profile: MigProfile
    start: int


def placements(gpu: MigGpu, devices: Mapping[str, int]) -> tuple[Placement, ...] | None:
    """Places for every slice of `devices` on one GPU; None when there are none.

    Args:
        devices: how many of each profile, all of this GPU; zeros are allowed.
    """
    if why_impossible(gpu, devices, places=False):
        return None
    wanted = [gpu.profiles[name] for name, count in devices.items() for _ in range(count)]
    wanted.sort(key=lambda profile: (-profile.memory_units, -profile.compute_slices, profile.name))
    return _search(tuple(wanted), 0, gpu.compute_slices)


def why_impossible(gpu: MigGpu, devices: Mapping[str, int], *, places: bool = True) -> str:
    """Why these slices do not fit on one GPU, with both numbers; empty when they do.

    Args:
        places: whether to search for places; without, only what can be counted is judged.
    """
    faults = list(_foreign(gpu, devices))
    if not faults:
        faults = list(_counted(gpu, devices))
    if not faults and places and placements(gpu, devices) is None:
        faults = [
            f"{shown(devices)} leave no place for each: {_starts(gpu, devices)} of its {gpu.memory_units} memory units"
        ]
    return "; ".join(faults)


def shown(devices: Mapping[str, int]) -> str:
    """Slices as a person writes them: `2x 2g.20gb + 1x 3g.40gb`."""
    return " + ".join(f"{count}x {name}" for name, count in sorted(devices.items()) if count) or "no slice"


def _foreign(gpu: MigGpu, devices: Mapping[str, int]) -> Iterator[str]:
    names = sorted(name for name in devices if name not in gpu.profiles)
    if names:
        others = dict.fromkeys(other.product for name in names for other in gpus_with(name))
        of = f"of {', '.join(others)}" if others else "of no GPU"
        many = "are profiles" if len(names) > 1 else "is a profile"
        yield f"{', '.join(names)} {many} {of}; {gpu.product} has {', '.join(gpu.profiles)}"


def _counted(gpu: MigGpu, devices: Mapping[str, int]) -> Iterator[str]:
    wanted = {gpu.profiles[name]: count for name, count in devices.items() if count}
    for profile, count in wanted.items():
        if count > profile.max_count:
            yield f"{count}x {profile.name}, and {gpu.product} holds at most {profile.max_count}"
    units = sum(profile.memory_units * count for profile, count in wanted.items())
    if units > gpu.memory_units:
        yield f"{shown(devices)} take {units} memory units, and {gpu.product} has {gpu.memory_units}"
    compute = sum(profile.compute_slices * count for profile, count in wanted.items())
    if compute > gpu.compute_slices:
        yield f"{shown(devices)} take {compute} compute slices, and {gpu.product} has {gpu.compute_slices}"
    yield from _media(wanted)


def _media(wanted: Mapping[MigProfile, int]) -> Iterator[str]:
    """Engines that only one slice can have; where it takes all, the others must be of the kind without (`-me`)."""
    single = {profile: count for profile, count in wanted.items() if profile.media in {"one", "all"}}
    if sum(single.values()) > 1:
        names = ", ".join(profile.name for profile in single)
        yield f"{sum(single.values())} slices of {names}, and the media engines go to one of them"
    if any(profile.media == "all" for profile in single):
        others = [profile.name for profile in wanted if profile not in single and profile.media != "none"]
        if others:
            yield f"{', '.join(others)} beside a slice with all media engines; only profiles that end in -me may be"


def _starts(gpu: MigGpu, devices: Mapping[str, int]) -> str:
    rules = [
        f"{name} takes {gpu.profiles[name].memory_units} from {' or '.join(map(str, gpu.profiles[name].starts))}"
        for name, count in sorted(devices.items())
        if count
    ]
    return ", ".join(rules)


def _search(wanted: tuple[MigProfile, ...], taken: int, compute: int) -> tuple[Placement, ...] | None:
    """Places for `wanted` on what `taken`, a bit for each unit, leaves; the first that is found."""
    if not wanted:
        return ()
    profile = wanted[0]
    if profile.compute_slices > compute:
        return None
    for start in profile.starts:
        run = ((1 << profile.memory_units) - 1) << start
        if run & taken:
            continue
        rest = _search(wanted[1:], taken | run, compute - profile.compute_slices)
        if rest is not None:
            return (Placement(profile, start), *rest)
    return None

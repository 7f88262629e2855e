"""Layouts by name: one profile as often as it fits, a mixture that every GPU has, and those of the settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.catalog.mig import MigGpu
from infra.planning.mig.placing import placements

# mig-parted's name for two of the smallest slices, one of two and, where the GPU is large enough, one of three.
# Source: mig-parted v0.15.0, its default configuration.
BALANCED = "all-balanced"
_BALANCED_SLICES = ((1, 2), (2, 1), (3, 1))


@dataclass(frozen=True, slots=True)
class MigLayout:
    """How each GPU of a node is cut: `devices` of one GPU, by profile."""

    name: str
    devices: Mapping[str, int]

    @property
    def is_uniform(self) -> bool:
        """Whether all slices are alike, which the strategy `single` needs."""
        return len([count for count in self.devices.values() if count]) == 1


def layouts_of(gpu: MigGpu) -> dict[str, MigLayout]:
    """The layouts that a GPU has without anybody naming slices, by name, as mig-parted names them."""
    found = {
        profile.layout_name: MigLayout(profile.layout_name, {profile.name: profile.max_count})
        for profile in gpu.profiles.values()
    }
    balanced = _balanced(gpu)
    if balanced and placements(gpu, balanced) is not None:
        found[BALANCED] = MigLayout(BALANCED, balanced)
    return found


def _balanced(gpu: MigGpu) -> dict[str, int]:
    """Of profiles of one size of compute, the one with the least memory and no suffix."""
    devices = {}
    for slices, count in _BALANCED_SLICES:
        plain = [
            profile
            for profile in gpu.profiles.values()
            if profile.compute_slices == slices and profile.name.endswith("gb")
        ]
        if plain:
            devices[min(plain, key=lambda profile: profile.memory_units).name] = count
    return devices if len(devices) > 1 else {}

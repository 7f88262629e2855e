"""How much a preview costs beyond its floor, and how that grows with the number of models.

One run times three processes in turn: the floor of prod, the preview of prod, and the preview of a configuration that
is prod with ten times the models. The larger one needs the same SDK classes, so it has the same floor.
"""

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.floor import floor_command, preview_command
from benchmarks.measuring import ROOT, Row, Times, interleaved

ENVIRONMENT = "prod"
ROUNDS = 9
FACTOR = 10

# Targets of issue 3.
TARGET_OVER_FLOOR = 1.5
TARGET_GROWTH = float(FACTOR)


def rows() -> list[Row]:
    """The preview against its floor, and the growth above the floor."""
    with tempfile.TemporaryDirectory(prefix="gpu-platform-benchmark-") as folder:
        large = Path(folder) / "Pulumi.large.yaml"
        source = yaml.safe_load((ROOT / f"Pulumi.{ENVIRONMENT}.yaml").read_text(encoding="utf-8"))
        large.write_text(yaml.safe_dump(scaled(source, FACTOR), sort_keys=False), encoding="utf-8")
        times = interleaved(
            {
                "floor": floor_command("--env", ENVIRONMENT),
                "preview": preview_command("--env", ENVIRONMENT),
                "large": preview_command("--file", str(large)),
            },
            ROUNDS,
        )
    return [_over_floor(times), _growth(times)]


def scaled(stack: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """A stack file's content with every model `factor` times, under names of its own.

    The limits of the node pools grow alike, so that the settings stay valid where limits are held against replicas.
    """
    result = copy.deepcopy(dict(stack))
    platform = result["config"]["gpu-platform:platform"]
    platform["models"] = [
        {**model, "name": f"{model['name']}-{number}"} for number in range(factor) for model in platform["models"]
    ]
    for pool in platform["nodePools"]:
        pool["limits"] = {key: amount * factor for key, amount in pool["limits"].items()}
    return result


def _over_floor(times: Mapping[str, Times]) -> Row:
    floor, preview = times["floor"], times["preview"]
    return Row(
        f"preview of {ENVIRONMENT} / its floor",
        preview.best / floor.best,
        preview.middle / floor.middle,
        TARGET_OVER_FLOOR,
        "x",
        f"{preview.best:.3f} / {floor.best:.3f} (medians {preview.middle:.3f} / {floor.middle:.3f})",
    )


def _growth(times: Mapping[str, Times]) -> Row:
    floor, preview, large = times["floor"], times["preview"], times["large"]
    best = (large.best - floor.best, preview.best - floor.best)
    middle = (large.middle - floor.middle, preview.middle - floor.middle)
    return Row(
        f"{FACTOR} times the models, above the floor",
        best[0] / best[1],
        middle[0] / middle[1],
        TARGET_GROWTH,
        "x",
        f"{best[0]:.3f} / {best[1]:.3f} (medians {middle[0]:.3f} / {middle[1]:.3f})",
    )

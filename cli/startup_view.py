"""How long models take to start, as text and as data: node, image and weights, with the storage chosen and others."""

from collections.abc import Sequence

from infra.planning.startup.of_models import IMAGE_WAYS, ModelStart, Start
from infra.planning.startup.ranges import Seconds


def startup_as_text(starts: Sequence[ModelStart]) -> str:
    """For people; ends with a newline. Nothing where there is no model."""
    if not starts:
        return ""
    lines = ["From a pending pod to weights in GPU memory, estimated (engine initialisation comes later)"]
    for start in starts:
        lines.append(f"  {start.namespace}/{start.model}, {start.size_gib:.1f} GiB on {start.machine}")
        lines.append(
            f"    node {start.node}, {IMAGE_WAYS[start.image_way]} {start.images[start.image_way]}"
            f" (cached {start.images['cached']})"
        )
        lines.append(f"    {_line(start.chosen)}, as the settings say")
        lines += [f"    {_line(other)}" for other in start.others]
    return "\n".join(lines) + "\n"


def startup_as_json(starts: Sequence[ModelStart]) -> list[dict[str, object]]:
    """As data for machines: seconds, with the keys of their sources (infra/catalog/data/SOURCES.md)."""
    return [
        {
            "model": start.model,
            "namespace": start.namespace,
            "sizeGib": round(start.size_gib, 2),
            "machine": start.machine,
            "node": _json(start.node),
            "imageWay": start.image_way,
            "images": {how: _json(seconds) for how, seconds in start.images.items()},
            "chosen": _start_json(start.chosen),
            "others": [_start_json(other) for other in start.others],
        }
        for start in starts
    ]


def _line(start: Start) -> str:
    if start.weights is None or start.total is None:
        return f"{start.storage:13}  no estimate: give gibPerSecond"
    return f"{start.storage:13}  weights {start.weights}, in all {start.total}"


def _start_json(start: Start) -> dict[str, object]:
    return {
        "storage": start.storage,
        "weights": _json(start.weights) if start.weights else None,
        "total": _json(start.total) if start.total else None,
    }


def _json(seconds: Seconds) -> dict[str, object]:
    return {
        "lowSeconds": round(seconds.low, 1),
        "highSeconds": round(seconds.high, 1),
        "sources": list(seconds.sources),
    }

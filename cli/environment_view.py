"""The embedded environment as text: what runs where, and how to reach it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.status import EnvironmentStatus


def environment_text(status: "EnvironmentStatus") -> str:
    """Nodes, pods and their nodes, and the kubeconfig. Ends with a newline."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: "EnvironmentStatus") -> Iterator[str]:
    if status.kubernetes_version:
        yield f"{status.name} is up: Kubernetes {status.kubernetes_version} at {status.server}"
    else:
        yield f"{status.name} is not running"
    dead = [process.name for process in status.processes if not process.alive]
    if dead:
        yield f"ended: {', '.join(dead)}; `gpu-platform up` starts them again"
    if status.phases:
        spent = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in status.phases.items())
        yield f"took {sum(status.phases.values()):.1f} s: {spent}"
    yield ""
    yield from _table(
        ("NODE", "TYPE", "GPUS", "POOL", "CAPACITY", "ZONE", "STATE"),
        [
            (node.name, node.instance_type, str(node.gpus), node.pool, node.capacity_type, node.zone or "-",
             "Ready" if node.ready else "NotReady")
            for node in status.nodes
        ],
    )  # fmt: skip
    yield ""
    yield from _table(
        ("POD", "STATE", "NODE"),
        [
            (f"{pod.namespace}/{pod.name}", pod.phase if pod.ready else f"{pod.phase}, not ready", pod.node or "-")
            for pod in status.pods
        ],
    )
    yield ""
    yield f"kubectl --kubeconfig {status.kubeconfig} get nodepools,nodes,pods -A"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

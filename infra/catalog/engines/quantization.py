"""Which GPUs can run which method of quantisation, and which methods need no quantised checkpoint."""

from functools import cache

from infra.catalog.tables import read_table


@cache
def _capabilities() -> dict[str, int]:
    return {row["gpu"]: int(row["capability"]) for row in read_table("gpu_capabilities")}


@cache
def _least() -> dict[tuple[str, str], int]:
    rows = read_table("engine_quantization")
    return {(row["engine"], row["method"]): int(row["least_capability"]) for row in rows}


def gpu_capability(gpu: str) -> int | None:
    """CUDA compute capability of a GPU, as 80 for 8.0; None where it is not known."""
    return _capabilities().get(gpu)


def least_capability(engine: str, method: str) -> int | None:
    """The capability that an engine asks for with a method; None where it is not known."""
    return _least().get((engine, method))


@cache
def online_methods(engine: str) -> tuple[str, ...]:
    """Methods that quantise the weights of any checkpoint as they are loaded; empty where it is not known."""
    rows = read_table("engine_quantization")
    return tuple(row["method"] for row in rows if row["engine"] == engine and row["online"] == "yes")

"""Figures of a server's start: ranges with their sources, and the word estimate where our judgement is part of one."""

from dataclasses import dataclass
from functools import cache

from infra.catalog.tables import read_table, texts


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        low, high: of the quantity itself: for a throughput, `high` is the fast end.
        unit: s, MiB, MiB/s, or a share of something.
        sources: keys of `data/SOURCES.md`; `estimate` where our judgement is part of it.
        note: what was seen.
    """

    key: str
    low: float
    high: float
    unit: str
    sources: tuple[str, ...]
    note: str


@cache
def startup_figures() -> dict[str, Figure]:
    """Every figure, by key."""
    return {row["key"]: _figure(row) for row in read_table("startup_figures")}


def _figure(row: dict[str, str]) -> Figure:
    return Figure(
        key=row["key"],
        low=float(row["low"]),
        high=float(row["high"]),
        unit=row["unit"],
        sources=texts(row["source"]),
        note=row["note"],
    )

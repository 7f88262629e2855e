"""How long the engine takes to create one resource of a type, as a range, with its source or the word estimate."""

from dataclasses import dataclass
from functools import cache

from infra.catalog.tables import read_table, texts

ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True)
class CreationTime:
    """Seconds from the engine's call to a resource that its dependents can use.

    Attributes:
        type_token: Pulumi type.
        low, high: the fastest and the slowest that was seen, in seconds.
        sources: keys of `data/SOURCES.md`; `estimate` where nobody published a figure.
        note: what the figure is of.
    """

    type_token: str
    low: float
    high: float
    sources: tuple[str, ...]
    note: str

    @property
    def is_estimate(self) -> bool:
        """Whether nothing but our judgement stands behind it."""
        return self.sources == (ESTIMATE,)


@cache
def creation_times() -> dict[str, CreationTime]:
    """Every type of the catalogue, keyed by its token."""
    return {row["type"]: _row(row) for row in read_table("creation_times")}


def _row(row: dict[str, str]) -> CreationTime:
    return CreationTime(
        type_token=row["type"],
        low=float(row["seconds_low"]),
        high=float(row["seconds_high"]),
        sources=texts(row["source"]),
        note=row["note"],
    )

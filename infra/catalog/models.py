"""Shapes of published models: what decides whether a parallel layout is possible and how much disk a start needs."""

from dataclasses import dataclass
from functools import cache

from infra.catalog.tables import read_table

# Bytes a parameter takes in a checkpoint, by the dtype the checkpoint states.
_BYTES_PER_PARAMETER = {"bfloat16": 2.0, "bf16/fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "float-quantized": 1.0}

_PLAIN_BYTES = 2.0  # of a parameter that is not quantised


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The shape of one published model.

    Attributes:
        model_id: Hugging Face repository.
        attention: GQA, MLA, MHA, or a description of a hybrid.
        layers: decoder layers; pipeline parallelism cuts between them. None where not confirmed.
        attention_heads: query heads; tensor parallelism must divide them. None where not confirmed.
        kv_heads: key-value heads. None where not confirmed.
        experts: experts of a mixture; 0 of a dense model. None where not confirmed.
        max_context: longest context in tokens the checkpoint states. None where not confirmed.
        is_unquantised: whether every parameter is known to have two bytes in the checkpoint; what it states alone is no
            proof, because some quantised ones state the type they compute in.
        checkpoint_gib: size of the checkpoint in GiB: listed, else parameters x bytes of its dtype; None if neither.
    """

    model_id: str
    architecture: str
    attention: str
    layers: int | None
    attention_heads: int | None
    kv_heads: int | None
    experts: int | None
    max_context: int | None
    checkpoint_dtype: str
    is_unquantised: bool
    checkpoint_gib: float | None
    notes: str


@cache
def model_shapes() -> dict[str, ModelShape]:
    """Every model of the catalogue, keyed by its Hugging Face repository."""
    return {row["model_id"]: _shape(row) for row in read_table("models")}


def _shape(row: dict[str, str]) -> ModelShape:
    return ModelShape(
        model_id=row["model_id"],
        architecture=row["architecture"],
        attention=row["attention"],
        layers=_whole(row["layers"]),
        attention_heads=_whole(row["attention_heads"]),
        kv_heads=_whole(row["kv_heads"]),
        experts=_whole(row["experts"]),
        max_context=_whole(row["max_context"]),
        checkpoint_dtype=row["checkpoint_dtype"],
        is_unquantised=_is_unquantised(row),
        checkpoint_gib=_checkpoint_gib(row),
        notes=row["notes"],
    )


def _checkpoint_gib(row: dict[str, str]) -> float | None:
    if row["checkpoint_gib"]:
        return float(row["checkpoint_gib"])
    per_parameter, parameters = _BYTES_PER_PARAMETER.get(row["checkpoint_dtype"]), _parameters(row)
    return round(parameters * per_parameter / 2**30, 2) if per_parameter and parameters else None


def _is_unquantised(row: dict[str, str]) -> bool:
    size, parameters = _checkpoint_gib(row), _parameters(row)
    if _BYTES_PER_PARAMETER.get(row["checkpoint_dtype"]) != _PLAIN_BYTES or not size or not parameters:
        return False
    return size * 2**30 / parameters > 0.9 * _PLAIN_BYTES


def _parameters(row: dict[str, str]) -> float | None:
    try:
        return float(row["parameters_billion"]) * 1e9
    except ValueError:
        return None


def _whole(cell: str) -> int | None:
    return int(cell) if cell.isdigit() else None

"""Whole numbers as they were before they crossed a wire that knows only floats."""

from collections.abc import Mapping
from typing import Any


def whole_floats_as_ints(value: Any) -> Any:
    """`value` with every whole float in it as an int; lists and mappings are copied.

    Outputs, assets and everything else that is not plain data stay the objects they are: what is inside an Output is
    not known here, and no component takes an integer as one.
    """
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {key: whole_floats_as_ints(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [whole_floats_as_ints(item) for item in value]
    return value

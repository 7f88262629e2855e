"""Kubernetes quantities as exact numbers."""

import re
from decimal import Decimal

from infra.errors import PlatformError

# Source: Kubernetes API reference, Quantity.
_SUFFIXES = {
    **{"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)},
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", start=1)},
    **{f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", start=1)},
}
_FORM = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([a-zA-Z]{0,2}))$")

_IN_BYTES = ("memory", "storage", "hugepages-")


def quantity(value: str | int | float) -> Decimal:
    """The number a quantity means: cores, bytes or pieces.

    Raises:
        PlatformError: when the text is not a quantity.
    """
    found = _FORM.match(str(value).strip())
    if found is None or (found[3] or "") not in _SUFFIXES:
        raise PlatformError(f"{value!r} is not a Kubernetes quantity", "write it like 8, 500m, 16Gi or 1.5")
    return Decimal(found[1] + (found[2] or "")) * _SUFFIXES[found[3] or ""]


def show_quantity(resource: str, amount: Decimal) -> str:
    """An amount as a person writes it: bytes in Gi or Mi, cores with at most three decimals."""
    if any(part in resource for part in _IN_BYTES):
        unit, size = ("Gi", Decimal(1024) ** 3) if amount >= Decimal(1024) ** 3 else ("Mi", Decimal(1024) ** 2)
        return f"{_short(amount / size, 1)}{unit}"
    return _short(amount, 3)


def _short(number: Decimal, decimals: int) -> str:
    text = f"{number:.{decimals}f}"
    return text.rstrip("0").rstrip(".")

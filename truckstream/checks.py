"""Rules for the values of arguments that several packages share."""

from __future__ import annotations

import math

from truckstream.errors import InvalidArgumentError

__all__ = ["check_number"]


def check_number(option: str, value: float, low: float, high: float = math.inf, *, whole: bool = False) -> None:
    """Check that `value` is a number from `low` to `high`.

    Raises:
        InvalidArgumentError: it is not.
    """
    kind, number = (int, "a whole number") if whole else ((int, float), "a number")
    rule = f"at least {low}" if high == math.inf else f"from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        raise InvalidArgumentError(option, value, f"must be {number}, {rule}")

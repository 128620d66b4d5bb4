"""Lengths of time in options, such as `--window 10s`."""

from __future__ import annotations

import re
from typing import Final

from truckstream.errors import InvalidArgumentError

__all__ = ["parse_seconds"]

_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}

_LENGTH: Final = re.compile(r"(?P<number>\d{1,9}(\.\d{1,9})?)\s*(?P<unit>[a-z]*)", re.ASCII)


def parse_seconds(option: str, text: str) -> float:
    """Return the seconds that the value of an option names.

    Raises:
        InvalidArgumentError: it names none.
    """
    found = _LENGTH.fullmatch(text.strip().lower())
    if found is None or found["unit"] not in _UNITS:
        raise InvalidArgumentError(option, text, "must be a length of time such as 500ms, 10s, 5m or 1h")
    return float(found["number"]) * _UNITS[found["unit"]]

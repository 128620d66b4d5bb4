"""Read an event time: a text in ISO 8601, a datetime, or seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from truckstream.windows.kinds import MICROS

__all__ = ["read_time"]

#: Seconds since the epoch, in the years 68 and 9892, so that datetime can hold the ends of the windows.
_EARLIEST: Final = -60e9
_LATEST: Final = 250e9


def read_time(value: Any) -> int:
    """Return a time as microseconds since the epoch. Without a time zone it is UTC.

    Raises:
        TypeError, ValueError, OverflowError: the value is no time.
    """
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no time")
    if not _EARLIEST < value < _LATEST:
        raise ValueError(f"{value!r} is not within the years that a result can name")
    return round(value * MICROS)

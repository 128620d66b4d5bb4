"""How many records make a group."""

from __future__ import annotations

from typing import Final

__all__ = ["FULL_GROUP", "get_optimal_batch_size"]

#: The records of a full group: 700 of 498 bytes make 350 kB, and a full 6 MB event makes seven such objects.
FULL_GROUP: Final = 700

#: Below the first number of records in an event, groups have the second: a small event makes several objects too.
_STEPS: Final = ((100, 50), (500, 200))


def get_optimal_batch_size(record_count: int) -> int:
    """Return the number of records that an object should hold when `record_count` have arrived: 50, 200 or 700.

    50 for fewer than 100 records, 200 for fewer than 500, else 700.
    """
    return next((size for below, size in _STEPS if record_count < below), FULL_GROUP)

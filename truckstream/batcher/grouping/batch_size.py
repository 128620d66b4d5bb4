"""How many records make an object."""

from __future__ import annotations

from typing import Final

__all__ = ["FULL", "get_optimal_batch_size"]

#: Records in a full object: 700 of 498 bytes make 350 kB, and a full 6 MB event makes seven of them.
FULL: Final = 700

#: Below this many records in the event, this many in an object: a small event still shows in several objects soon.
_STEPS: Final = ((100, 50), (500, 200))


def get_optimal_batch_size(record_count: int) -> int:
    """The records that an object should hold when `record_count` have arrived: 50, 200 or 700.

    50 for fewer than 100 records, 200 for fewer than 500, else 700.
    """
    return next((size for below, size in _STEPS if record_count < below), FULL)

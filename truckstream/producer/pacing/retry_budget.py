"""How many records that the service failed by itself may be sent again.

A service in trouble can store a part of each request and fail the others. Such a response is no reason for fewer
requests at a time (`concurrency_limit.py`), because it brought something. But if every failed record were sent again
and again, a service that stores one record in ten would be sent ten times as many records, just when it has trouble.

So retries are paid for. Each stored record pays for one, and some a second are free. Together the records that are sent
are at most the new ones, as many as are stored, and the free ones.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["RetryBudget"]

#: Free retries a second, so that records get through to a service that stores few.
FREE_PER_SECOND: Final = 100.0

#: The most that is saved up: two full requests.
MOST_SAVED: Final = 1_000.0


class RetryBudget:
    """The retries that may be sent. The last ones may overdraw it."""

    __slots__ = ("_at", "_saved")

    def __init__(self) -> None:
        self._saved = MOST_SAVED
        self._at = -math.inf

    def earn(self, stored: int) -> None:
        """The service stored so many records."""
        self._saved = min(MOST_SAVED, self._saved + stored)

    def spend(self, retries: int, now: float) -> None:
        """So many records are sent again."""
        self._saved = self._saved_at(now) - retries
        self._at = now

    def opens_at(self) -> float:
        """Return when retries may be sent."""
        return -math.inf if self._saved > 0 else self._at - self._saved / FREE_PER_SECOND

    def _saved_at(self, now: float) -> float:
        return min(MOST_SAVED, self._saved + (now - self._at) * FREE_PER_SECOND)

"""The changes of the last 24 hours, for limits such as "10 times a day"."""

from __future__ import annotations

from collections import deque

from truckstream.local.service.quotas.limits import DAY_SECONDS

__all__ = ["DailyChanges"]


class DailyChanges:
    """The times of one kind of change, as far as they lie in the last 24 hours."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def count(self, now: float) -> int:
        """Return the number of changes in the 24 hours before `now`."""
        while self._times and self._times[0] <= now - DAY_SECONDS:
            self._times.popleft()
        return len(self._times)

    def add(self, now: float) -> None:
        """Add a change."""
        self._times.append(now)

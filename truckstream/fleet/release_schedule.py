"""An absolute schedule of when records are due, so that a late wake-up delays no later record.

Record n is due at `start + n / rate`. Nothing here waits: `release` returns how many records are due now, and
`next_release_time` when to ask again.

A wake-up of an idle event loop costs about 100 µs of CPU and a record 2.4, so `next_release_time` is the moment at
which a burst of BURST_SECONDS is due: 50 wake-ups a second instead of 1,000. The first record of a burst is late by
that much, the last one is on time, and none is early. 20 ms is a fifth of a producer's usual linger and less than a put
takes.

If the consumer holds the fleet up for longer than CATCH_UP_SECONDS, the rest of the delay is given up: the schedule
moves, no record is left out, and the burst that follows stays bounded. The limit is 1 second because a shard's own
bucket of tokens holds one second of its quota: a larger burst would only be throttled.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["BURST_SECONDS", "CATCH_UP_SECONDS", "ReleaseSchedule"]

BURST_SECONDS: Final = 0.02
CATCH_UP_SECONDS: Final = 1.0
#: In records: in spite of rounding, a wake-up exactly on time must find its record due.
TOLERANCE: Final = 1e-6


class ReleaseSchedule:
    """The schedule of `rate` records a second, starting at `now` (monotonic seconds)."""

    __slots__ = ("_burst", "_catch_up", "_released", "_start", "given_up", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._start = now
        self._released = 0
        self._burst = max(1, math.floor(rate * BURST_SECONDS))
        self._catch_up = max(1, math.floor(rate * CATCH_UP_SECONDS))
        #: Seconds by which the schedule was moved because the consumer was slower than the rate.
        self.given_up = 0.0

    def release(self, now: float) -> int:
        """Return how many records are due at `now`, and count them as released."""
        due = math.floor((now - self._start) * self.rate + TOLERANCE) + 1 - self._released
        if due > self._catch_up:
            moved = (due - self._catch_up) / self.rate
            self._start += moved
            self.given_up += moved
            due = self._catch_up
        due = max(0, due)
        self._released += due
        return due

    def next_release_time(self) -> float:
        """Return when the next worthwhile burst is due, on the same clock as `now`."""
        return self._start + (self._released + self._burst - 1) / self.rate

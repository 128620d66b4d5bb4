"""How many requests may be in flight: few while the service is in trouble, up to a cap while it is well.

The limit follows TCP's congestion control. While no more requests may be sent because of it, each response within the
usual time raises it: by one for each response at first, and after the first trouble by one for each full round of
responses. A failure, or a response that takes much longer than usual, lowers it by a factor. All requests that were in
flight together lower it once, because they report the same trouble. So a server that has become slow gets fewer
requests, and a timeout does not cause a storm of retries. The limit is at least two, so that one stalled connection
does not stall the others.

When only failures come, requests pause: one at a time is sent, after pauses that grow, until the service responds to
one. Records that wait meanwhile cost nothing but memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from truckstream.producer.pacing.retry_backoff import RetryBackoff

__all__ = ["ConcurrencyLimit"]

#: The limit at first, when nothing is known: enough for a few shards at a usual latency of 20 ms.
START: Final = 10
LEAST: Final = 2

FAILURE_FACTOR: Final = 0.5
SLOWNESS_FACTOR: Final = 0.8

#: A response is slow when it takes over twice the usual time, and 0.1 s more than it: a body of 10 MiB takes longer
#: than one of 10 KiB, and a busy event loop looks like a slow server.
SLOW_FACTOR: Final = 2.0
SLOW_SECONDS: Final = 0.1

#: The usual time follows the responses: at once when they become faster, over some dozens when they become slower, so
#: that a service that stays slow is usual after a while.
FASTER_WEIGHT: Final = 0.3
SLOWER_WEIGHT: Final = 0.02

#: Failures in a row after which requests pause. Those of requests that were in flight together count as one.
FAILURES_BEFORE_PAUSE: Final = 3


class ConcurrencyLimit:
    """The number of requests that may be in flight at a time."""

    __slots__ = ("_backoff", "_cap", "_failures", "_limit", "_lowered_at", "_not_before", "_starting", "_usual_seconds")

    def __init__(self, cap: int, backoff: RetryBackoff) -> None:
        self._cap = cap
        self._backoff = backoff
        self._limit = float(min(cap, START))
        #: There was no trouble yet.
        self._starting = True
        self._usual_seconds: float | None = None
        self._lowered_at = -math.inf
        # Failures since the last response, and the end of the pause that they cause.
        self._failures = 0
        self._not_before = -math.inf

    @property
    def limit(self) -> int:
        """The number of requests that may be in flight now."""
        return 1 if self._pausing else int(self._limit)

    def opens_at(self, in_flight: int, now: float) -> float:
        """Return when another request may be sent beside `in_flight` others; infinity if one of them must end first."""
        return max(now, self._not_before) if in_flight < self.limit else math.inf

    def on_response(self, sent_at: float, now: float, *, fills_limit: bool) -> None:
        """The service responded to a request. `fills_limit`: with it, as many were in flight as the limit allowed."""
        self._failures = 0
        self._not_before = -math.inf
        seconds = now - sent_at
        usual = seconds if self._usual_seconds is None else self._usual_seconds
        self._usual_seconds = usual + (seconds - usual) * (FASTER_WEIGHT if seconds < usual else SLOWER_WEIGHT)
        if seconds > SLOW_FACTOR * usual and seconds > usual + SLOW_SECONDS:
            self._lower(SLOWNESS_FACTOR, sent_at, now)
        elif fills_limit:
            self._limit = min(self._cap, self._limit + (1.0 if self._starting else 1.0 / self._limit))

    def on_failure(self, sent_at: float, now: float) -> None:
        """A request failed in a way that means trouble at the service, or on the way to it."""
        if not self._lower(FAILURE_FACTOR, sent_at, now):
            return
        self._failures += 1
        if self._pausing:
            attempts = self._failures - FAILURES_BEFORE_PAUSE + 1
            self._not_before = self._backoff.retry_at(attempts, now, math.inf)

    @property
    def _pausing(self) -> bool:
        return self._failures >= FAILURES_BEFORE_PAUSE

    def _lower(self, factor: float, sent_at: float, now: float) -> bool:
        """Lower the limit. Return False if it was lowered after the request was sent: the trouble is known already."""
        self._starting = False
        if sent_at < self._lowered_at:
            return False
        self._lowered_at = now
        self._limit = max(min(self._cap, LEAST), self._limit * factor)
        return True

    def __repr__(self) -> str:
        return f"<ConcurrencyLimit {self.limit} of {self._cap}>"

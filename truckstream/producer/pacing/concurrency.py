"""How many requests may be under way: few while the service is in trouble, up to a cap while it is well.

As TCP does it. Each answer within the usual time lets one more go while requests are what holds the producer back, at
first for each answer and after the first trouble for each full round of answers. A failure, or an answer that takes
much longer than usual, takes a part of them away; once for all that were under way together, which tell of the same
trouble. So a server that has become slow gets fewer requests and not more, and a timeout is not answered with a storm
of retries. Two at least may be under way, so that one stalled connection does not stall the others.

When nothing but failures comes, requests pause: one at a time goes, after pauses that grow, until one is answered.
Records that wait meanwhile cost nothing but their room.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from truckstream.producer.pacing.backoff import Backoff

__all__ = ["Concurrency"]

#: At the start nothing is known: as many as a few shards need at a usual delay of 20 ms.
START: Final = 10
LEAST: Final = 2

FAILURE_FACTOR: Final = 0.5
SLOWNESS_FACTOR: Final = 0.8

#: An answer is slow when it takes over twice the usual time, and 0.1 s more than it: a body of 10 MiB takes longer than
#: one of 10 KiB, and a busy event loop looks like a slow server.
SLOW_FACTOR: Final = 2.0
SLOW_SECONDS: Final = 0.1

#: The usual time follows the answers: at once when they become faster, over some dozens when they become slower, so
#: that a service that stays slow is usual after a while.
FASTER_WEIGHT: Final = 0.3
SLOWER_WEIGHT: Final = 0.02

#: Failures in a row after which requests pause; those of requests that were under way together count as one.
FAILURES_BEFORE_PAUSE: Final = 3


class Concurrency:
    """The number of requests that may be under way at a time."""

    __slots__ = ("_backoff", "_cap", "_cut_at", "_failures", "_limit", "_not_before", "_starting", "_usual")

    def __init__(self, cap: int, backoff: Backoff) -> None:
        self._cap = cap
        self._backoff = backoff
        self._limit = float(min(cap, START))
        #: No trouble was seen yet.
        self._starting = True
        self._usual: float | None = None
        self._cut_at = -math.inf
        # Failures since the last answer, and until when requests pause for them.
        self._failures = 0
        self._not_before = -math.inf

    @property
    def limit(self) -> int:
        """How many may be under way."""
        return 1 if self._pausing else int(self._limit)

    def opens_at(self, under_way: int, now: float) -> float:
        """When the next may go beside `under_way` others; infinity if one of them must end first."""
        return max(now, self._not_before) if under_way < self.limit else math.inf

    def on_answer(self, sent_at: float, now: float, *, was_last: bool) -> None:
        """The service answered; `was_last` says that requests held the producer back when this one was sent."""
        self._failures = 0
        self._not_before = -math.inf
        seconds = now - sent_at
        usual = seconds if self._usual is None else self._usual
        self._usual = usual + (seconds - usual) * (FASTER_WEIGHT if seconds < usual else SLOWER_WEIGHT)
        if seconds > SLOW_FACTOR * usual and seconds > usual + SLOW_SECONDS:
            self._cut(SLOWNESS_FACTOR, sent_at, now)
        elif was_last:
            self._limit = min(self._cap, self._limit + (1.0 if self._starting else 1.0 / self._limit))

    def on_failure(self, sent_at: float, now: float) -> None:
        """A request failed in a way that says that the service, or the way to it, is in trouble."""
        if not self._cut(FAILURE_FACTOR, sent_at, now):
            return
        self._failures += 1
        if self._pausing:
            attempts = self._failures - FAILURES_BEFORE_PAUSE + 1
            self._not_before = self._backoff.retry_at(attempts, now, math.inf)

    @property
    def _pausing(self) -> bool:
        return self._failures >= FAILURES_BEFORE_PAUSE

    def _cut(self, factor: float, sent_at: float, now: float) -> bool:
        """Lower the limit; False if the request was under way when it fell, so that its trouble is nothing new."""
        self._starting = False
        if sent_at < self._cut_at:
            return False
        self._cut_at = now
        self._limit = max(min(self._cap, LEAST), self._limit * factor)
        return True

    def __repr__(self) -> str:
        return f"<Concurrency {self.limit} of {self._cap}>"

"""When a call about the stream is made again: when something contradicts what is known, and not all the time.

The first response that contradicts the map about a shard is probably due to a split or a merge, so the shards are
listed at once. While a stream is being resharded, or a service misreports, every map is contradicted for a while. So
the responses that follow ask with growing pauses, and even the first ones cause at most one listing a second.

Until a map follows, a shard that was probably resharded takes small aggregates only, and at the pace of one shard. So
failed listings are repeated sooner than those that change nothing.

The summary with the stream's largest record is read again in the same way: after it could not be read, and when a
record is refused as larger, because the limit may have been raised since.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

__all__ = ["FAILED_REFRESH_SECONDS", "MAP_REFRESH_SECONDS", "RefreshSchedule"]

#: The least and the most seconds between two listings. The pause doubles while the listings fail or change nothing.
MAP_REFRESH_SECONDS: Final = (1.0, 30.0)

#: The most seconds after a failed listing, while a shard was probably resharded and no map followed. The service takes
#: 1,000 ListShards a second for each stream (API reference, 2026-11).
FAILED_REFRESH_SECONDS: Final = 5.0

#: A pause after a failure is shortened by up to this share, for calls that need it. An account has 20
#: DescribeStreamSummary calls a second; a hundred producers that start together would collide at every retry.
JITTER: Final = 0.5


class RefreshSchedule:
    """When to make one of these calls.

    Args:
        random: the source of the jitter; by default there is none.
    """

    __slots__ = ("_calling", "_delay", "_earliest", "_not_before", "_random", "_urgent", "_wanted")

    def __init__(self, random: Random | None = None) -> None:
        self._random = random
        self._wanted = self._urgent = False
        self._calling = False
        self._not_before = self._earliest = -math.inf
        self._delay = MAP_REFRESH_SECONDS[0]

    def request(self, *, at_once: bool = False) -> None:
        """Ask for a call, because something contradicts what is known; `at_once` if it is the first about its shard."""
        self._wanted = True
        if at_once:
            self._urgent = True
            self._not_before = self._earliest
            self._delay = MAP_REFRESH_SECONDS[0]

    def due_at(self) -> float:
        """Return when to make the call; infinity if nobody asked for it, or it is being made."""
        return self._not_before if self._wanted and not self._calling else math.inf

    def start(self, now: float) -> bool:
        """Return whether to make the call now. If so, `done` or `failed` must follow."""
        if now < self.due_at():
            return False
        self._calling = True
        return True

    def done(self, now: float, *, changed: bool) -> None:
        """The call has succeeded; `changed` if its result differs from the last one."""
        self._wanted = self._urgent = False
        self._pause(MAP_REFRESH_SECONDS[0] if changed else self._delay * 2, now)

    def failed(self, now: float) -> None:
        """The call failed: make it again later, if it is still wanted."""
        self._pause(min(self._delay * 2, FAILED_REFRESH_SECONDS if self._urgent else math.inf), now)
        if self._random:
            self._not_before -= self._delay * JITTER * self._random.random()

    def _pause(self, delay: float, now: float) -> None:
        self._calling = False
        self._delay = min(MAP_REFRESH_SECONDS[1], delay)
        self._not_before = now + self._delay
        self._earliest = now + MAP_REFRESH_SECONDS[0]

"""When the stream's shards are listed again: after a response that contradicts the shard map, and not all the time.

The first response that contradicts the map about a shard is probably due to a split or a merge, so the shards are
listed at once. While a stream is being resharded, or a service misreports, every map is contradicted for a while. So
the responses that follow ask with growing pauses, and even the first ones cause at most one listing a second.

Until a map follows, a shard that was probably resharded takes small aggregates only, and at the pace of one shard. So
failed listings are repeated sooner than those that change nothing.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["FAILED_REFRESH_SECONDS", "MAP_REFRESH_SECONDS", "RefreshSchedule"]

#: The least and the most seconds between two listings. The pause doubles while the listings fail or change nothing.
MAP_REFRESH_SECONDS: Final = (1.0, 30.0)

#: The most seconds after a failed listing, while a shard was probably resharded and no map followed. The service takes
#: 1,000 ListShards a second for each stream (API reference, 2026-11).
FAILED_REFRESH_SECONDS: Final = 5.0


class RefreshSchedule:
    """When to list the shards."""

    __slots__ = ("_delay", "_earliest", "_listing", "_not_before", "_urgent", "_wanted")

    def __init__(self) -> None:
        self._wanted = self._urgent = False
        self._listing = False
        self._not_before = self._earliest = -math.inf
        self._delay = MAP_REFRESH_SECONDS[0]

    def request(self, *, at_once: bool = False) -> None:
        """Ask for a listing, because a response contradicts the map; `at_once` if it is the first about its shard."""
        self._wanted = True
        if at_once:
            self._urgent = True
            self._not_before = self._earliest
            self._delay = MAP_REFRESH_SECONDS[0]

    def due_at(self) -> float:
        """Return when to list the shards; infinity if nobody asked for it, or they are being listed."""
        return self._not_before if self._wanted and not self._listing else math.inf

    def start(self, now: float) -> bool:
        """Return whether to list the shards now. If so, `done` or `failed` must follow."""
        if now < self.due_at():
            return False
        self._listing = True
        return True

    def done(self, now: float, *, changed: bool) -> None:
        """The shards were listed; `changed` if the listing differs from the last one."""
        self._wanted = self._urgent = False
        self._pause(MAP_REFRESH_SECONDS[0] if changed else self._delay * 2, now)

    def failed(self, now: float) -> None:
        """The listing failed: list again later, if it is still wanted."""
        self._pause(min(self._delay * 2, FAILED_REFRESH_SECONDS if self._urgent else math.inf), now)

    def _pause(self, delay: float, now: float) -> None:
        self._listing = False
        self._delay = min(MAP_REFRESH_SECONDS[1], delay)
        self._not_before = now + self._delay
        self._earliest = now + MAP_REFRESH_SECONDS[0]

"""When the stream's shards are listed again: after a response that contradicts the shard map, and not all the time.

While a stream is being resharded, or a service misreports, every map is contradicted for a while.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["MAP_REFRESH_SECONDS", "RefreshSchedule"]

#: The least and the most seconds between two listings. The pause doubles while the listings change nothing.
MAP_REFRESH_SECONDS: Final = (1.0, 30.0)


class RefreshSchedule:
    """When to list the shards."""

    __slots__ = ("_delay", "_listing", "_not_before", "_wanted")

    def __init__(self) -> None:
        self._wanted = False
        self._listing = False
        self._not_before = -math.inf
        self._delay = MAP_REFRESH_SECONDS[0]

    def request(self) -> None:
        """Ask for a listing, because a response contradicts the map."""
        self._wanted = True

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
        self._wanted = False
        self._pause(MAP_REFRESH_SECONDS[0] if changed else self._delay * 2, now)

    def failed(self, now: float) -> None:
        """The listing failed: list again later, if it is still wanted."""
        self._pause(self._delay * 2, now)

    def _pause(self, delay: float, now: float) -> None:
        self._listing = False
        self._delay = min(MAP_REFRESH_SECONDS[1], delay)
        self._not_before = now + self._delay

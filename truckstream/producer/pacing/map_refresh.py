"""When the stream's shards are listed again: when an answer contradicts the map, and not all the time.

A stream that is being resharded, or a service that misreports, contradicts every map for a while.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = ["MAP_REFRESH_SECONDS", "MapRefresh"]

#: The least and the most seconds between two looks at the stream's shards, doubling while they explain nothing.
MAP_REFRESH_SECONDS: Final = (1.0, 30.0)


class MapRefresh:
    """Whether, and when, the shards are to be listed."""

    __slots__ = ("_delay", "_not_before", "_under_way", "_wanted")

    def __init__(self) -> None:
        self._wanted = False
        self._under_way = False
        self._not_before = -math.inf
        self._delay = MAP_REFRESH_SECONDS[0]

    def want(self) -> None:
        """An answer contradicts the map."""
        self._wanted = True

    def due_at(self) -> float:
        """When to list the shards; infinity if there is no reason to, or they are being listed."""
        return self._not_before if self._wanted and not self._under_way else math.inf

    def start(self, now: float) -> bool:
        """Whether to list them now; if so, `done` or `failed` must follow."""
        if now < self.due_at():
            return False
        self._under_way = True
        return True

    def done(self, now: float, *, changed: bool) -> None:
        """They were listed."""
        self._wanted = False
        self._again_after(MAP_REFRESH_SECONDS[0] if changed else self._delay * 2, now)

    def failed(self, now: float) -> None:
        """They could not be listed: later again, if they are still wanted."""
        self._again_after(self._delay * 2, now)

    def _again_after(self, delay: float, now: float) -> None:
        self._under_way = False
        self._delay = min(MAP_REFRESH_SECONDS[1], delay)
        self._not_before = now + self._delay

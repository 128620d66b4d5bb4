"""Memory for the bodies of requests, or for those of responses, per connection and in total.

Without it, a client that begins many large requests and finishes none, or reads no response, takes memory without
limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["MemoryBudget"]


class MemoryBudget:
    """Bytes of bodies in memory.

    Args:
        per_connection: most bytes of one connection, which can have many requests with HTTP/2.
        in_total: most bytes of all connections.
    """

    def __init__(self, per_connection: int, in_total: int) -> None:
        self._per_connection = per_connection
        self._in_total = in_total
        self._taken: dict[Hashable, int] = {}
        self._total = 0

    def take(self, connection: Hashable, size: int) -> bool:
        """Take `size` bytes for a connection, and return whether they fit."""
        mine = self._taken.get(connection, 0) + size
        if mine > self._per_connection or self._total + size > self._in_total:
            return False
        self._taken[connection] = mine
        self._total += size
        return True

    def give_back(self, connection: Hashable, size: int) -> None:
        """Give back bytes that were taken."""
        self._total -= size
        if left := self._taken.pop(connection, 0) - size:
            self._taken[connection] = left

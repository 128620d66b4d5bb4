"""The prefetch budget for the tasks that share it: one whose wait has ended is woken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from truckstream.consumer.reading.prefetch_budget import PrefetchBudget

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Prefetch"]


class Prefetch:
    """Wakes the feeds to which the budget has granted bytes.

    Args:
        capacity: bytes for the pages of all shards.
    """

    def __init__(self, capacity: int) -> None:
        self.budget = PrefetchBudget(capacity)
        self._granted: dict[str, asyncio.Event] = {}

    @property
    def waiting(self) -> Mapping[str, asyncio.Event]:
        """The feeds that take part, by their keys."""
        return self._granted

    def add(self, key: str) -> None:
        """Let a feed take part."""
        self.budget.add(key)
        self._granted[key] = asyncio.Event()

    def remove(self, key: str) -> None:
        """End a feed's part. Bytes that it holds count until they are released."""
        del self._granted[key]
        self.budget.remove(key)
        self.wake_granted()

    async def wait_for_grant(self, key: str) -> None:
        """Return when bytes were granted to a feed that waits for them."""
        event = self._granted[key]
        await event.wait()
        event.clear()

    def release(self, key: str, size: int) -> None:
        """Count bytes of a feed's pages as processed, or dropped."""
        if size:
            self.budget.release(key, size)
            self.wake_granted()

    def set_blocked(self, key: str, *, is_blocked: bool) -> None:
        """Note that a feed's records begin, or end, to wait for those of other feeds."""
        self.budget.set_blocked(key, is_blocked=is_blocked)
        self.wake_granted()

    def wake_granted(self) -> None:
        """Wake the feeds that were granted bytes. Call this after each change of the budget."""
        for key in self.budget.take_granted():
            if key in self._granted:
                self._granted[key].set()

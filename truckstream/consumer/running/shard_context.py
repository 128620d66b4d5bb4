"""The names of one shard, the clock, and the observer, for all tasks of the shard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.consumer.watching.observer import ConsumerEvent
    from truckstream.observer_hooks import ObserverHooks

__all__ = ["ShardContext"]


class ShardContext:
    """One shard, and where its events go."""

    def __init__(self, stream_name: str, shard_id: str, hooks: ObserverHooks | None) -> None:
        self.stream_name = stream_name
        self.shard_id = shard_id
        self._hooks = hooks
        self._loop = asyncio.get_running_loop()

    def now(self) -> float:
        """Return the event loop's time in seconds."""
        return self._loop.time()

    @property
    def is_observed(self) -> bool:
        """Whether anybody wants the events."""
        return self._hooks is not None

    def report(self, event: ConsumerEvent) -> None:
        """Pass an event to the observer, if there is one."""
        if self._hooks is not None:
            self._hooks.call(event)

"""Samples of a consumer's statistics for its observer, once a second."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from truckstream.consumer.watching.observer import (
    AggregateBroken,
    ConsumerObserver,
    ConsumerStatsSampled,
    LeaseLost,
    LeaseReleased,
    LeaseTaken,
    ReadFailed,
    ReadThrottled,
    RecordsProcessed,
    RecordsRead,
    ShardEnded,
)
from truckstream.observer_hooks import ObserverHooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.consumer.watching.observer import ConsumerEvent
    from truckstream.consumer.watching.stats import ConsumerStats

__all__ = ["HOOKS", "Sampler"]

#: The hook that receives each event.
HOOKS: Final[dict[type[ConsumerEvent], str]] = {
    LeaseTaken: "lease_taken",
    LeaseReleased: "lease_released",
    LeaseLost: "lease_lost",
    ShardEnded: "shard_ended",
    RecordsRead: "records_read",
    ReadThrottled: "read_throttled",
    ReadFailed: "read_failed",
    AggregateBroken: "aggregate_broken",
    RecordsProcessed: "records_processed",
    ConsumerStatsSampled: "stats_sampled",
}

#: Between two samples.
SAMPLE_SECONDS: Final = 1.0


class Sampler:
    """Calls `stats_sampled` of an observer, if there is one.

    Args:
        observer: the observer, or None.
        stream: the stream's name, for the events.

    Raises:
        InvalidArgumentError: `observer` is not a `ConsumerObserver`, or one of its hooks is a coroutine function.
    """

    def __init__(self, observer: ConsumerObserver | None, stream: str) -> None:
        logger = logging.getLogger("truckstream.consumer")
        self.hooks = None if observer is None else ObserverHooks(observer, ConsumerObserver, HOOKS, logger)
        self._stream = stream
        self._timer: asyncio.TimerHandle | None = None

    def start(self, stats: Callable[[], ConsumerStats]) -> None:
        """Sample once a second."""
        if self.hooks is not None:
            self._timer = asyncio.get_running_loop().call_later(SAMPLE_SECONDS, self.start, stats)
            self._sample(stats(), is_last=False)

    def stop(self, last: ConsumerStats) -> None:
        """Sample a last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._sample(last, is_last=True)

    def _sample(self, stats: ConsumerStats, *, is_last: bool) -> None:
        if self.hooks is not None:
            self.hooks.call(ConsumerStatsSampled(stream=self._stream, stats=stats, is_last=is_last))

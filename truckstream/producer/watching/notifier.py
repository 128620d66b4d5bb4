"""Calls an observer's hooks. An observer that raises never harms the producer."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Final

from truckstream.observer_hooks import ObserverHooks
from truckstream.producer.watching.event_buffer import EventBuffer
from truckstream.producer.watching.observer import (
    BatchFailed,
    BatchSent,
    MapRefreshed,
    ProducerObserver,
    RecordsAcknowledged,
    RecordsFailed,
    RecordsRetried,
    RecordsThrottled,
    StatsSampled,
)

if TYPE_CHECKING:
    from truckstream.producer.stats import ProducerStats
    from truckstream.producer.watching.observer import ProducerEvent

__all__ = ["HOOKS", "SAMPLE_SECONDS", "ObserverNotifier"]

_logger = logging.getLogger("truckstream.producer")

#: The hook that receives each event.
HOOKS: Final[dict[type[ProducerEvent], str]] = {
    BatchSent: "batch_sent",
    BatchFailed: "batch_failed",
    RecordsAcknowledged: "records_acknowledged",
    RecordsThrottled: "records_throttled",
    RecordsRetried: "records_retried",
    RecordsFailed: "records_failed",
    MapRefreshed: "map_refreshed",
    StatsSampled: "stats_sampled",
}

#: Between two samples of the statistics.
SAMPLE_SECONDS: Final = 1.0

_numbers = itertools.count(1)


class ObserverNotifier:
    """Calls the hooks of one producer's observer.

    Args:
        observer: the observer.
        stream: the stream's name, for the events.

    Raises:
        InvalidArgumentError: `observer` is not a `ProducerObserver`, or one of its hooks is a coroutine function.
    """

    def __init__(self, observer: ProducerObserver, stream: str) -> None:
        self._hooks = ObserverHooks(observer, ProducerObserver, HOOKS, _logger)
        self._stream = stream
        self._number = next(_numbers)
        #: For the core, which reports events to it.
        self.events = EventBuffer(stream)

    def notify(self) -> None:
        """Call the hooks with the events since the last call."""
        for event in self.events.take():
            self._hooks.call(event)

    def notify_stats(self, stats: ProducerStats, *, is_last: bool = False) -> None:
        """Call the hooks with the events since the last call, and then with `stats`."""
        self.notify()
        self._hooks.call(StatsSampled(stream=self._stream, producer=self._number, stats=stats, is_last=is_last))

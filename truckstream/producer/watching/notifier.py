"""Calls an observer's hooks. An observer that raises never harms the producer."""

from __future__ import annotations

import inspect
import itertools
import logging
from typing import TYPE_CHECKING, Final

from truckstream.errors import InvalidArgumentError
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
    from collections.abc import Callable

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
        if not isinstance(observer, ProducerObserver):
            raise InvalidArgumentError("observer", observer, "must be a ProducerObserver: derive from it")
        self._hooks: dict[type[ProducerEvent], Callable[[ProducerEvent], object]] = {
            event: getattr(observer, name) for event, name in HOOKS.items()
        }
        for hook in self._hooks.values():
            if inspect.iscoroutinefunction(hook):
                raise InvalidArgumentError("observer", observer, "must have plain methods: no hook is awaited")
        self._stream = stream
        self._number = next(_numbers)
        self._has_raised = False
        #: For the core, which reports events to it.
        self.events = EventBuffer(stream)

    def notify(self) -> None:
        """Call the hooks with the events since the last call."""
        for event in self.events.take():
            self._call(event)

    def notify_stats(self, stats: ProducerStats, *, is_last: bool = False) -> None:
        """Call the hooks with the events since the last call, and then with `stats`."""
        self.notify()
        self._call(StatsSampled(stream=self._stream, producer=self._number, stats=stats, is_last=is_last))

    def _call(self, event: ProducerEvent) -> None:
        try:
            self._hooks[type(event)](event)
        except Exception:
            if not self._has_raised:
                self._has_raised = True
                _logger.exception("an observer's %s raised; its later exceptions are not logged", HOOKS[type(event)])

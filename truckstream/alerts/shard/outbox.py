"""The events that wait for one target, in their order, and when to send them.

An outbox is bounded. When it is full, its oldest events are dropped: a target that fails for hours must neither stop
the others nor the reading of the stream. The caller logs each drop as an error.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from truckstream.alerts.alert_event import AlertEvent

__all__ = ["LONGEST_WAIT", "EventOutbox"]

#: Seconds between two attempts at most, so that a target that is back gets its alerts soon.
LONGEST_WAIT: Final = 60.0

_FIRST_WAIT: Final = 0.5


class EventOutbox:
    """The events of one shard that one target has not accepted yet.

    Args:
        batch: the most events of one attempt.
        capacity: the most events that wait.
        random: varies the waits, so that the shards of many workers do not come back at the same moment.
    """

    def __init__(self, batch: int, capacity: int, random: Random) -> None:
        self._batch = batch
        self._capacity = capacity
        self._random = random
        self._events: deque[AlertEvent] = deque()
        self._due = 0.0
        self._failures = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def events(self) -> list[AlertEvent]:
        """The events that wait, the oldest first."""
        return list(self._events)

    def add(self, events: Iterable[AlertEvent]) -> int:
        """Add events, and return how many old ones were dropped to make room."""
        self._events.extend(events)
        dropped = max(0, len(self._events) - self._capacity)
        for _ in range(dropped):
            self._events.popleft()
        return dropped

    @property
    def due_time(self) -> float | None:
        """When the next attempt is due; None if nothing waits."""
        return self._due if self._events else None

    def take(self, now: float) -> list[AlertEvent]:
        """Return the events of the next attempt; none before it is due. They stay until `settle`."""
        if now < self._due:
            return []
        return [self._events[index] for index in range(min(self._batch, len(self._events)))]

    def settle(self, taken: Sequence[AlertEvent], failed: Sequence[AlertEvent], now: float) -> None:
        """Remove those of the events taken that did not fail; the others are due again after a wait."""
        failing = {each.key for each in failed}
        done = {each.key for each in taken} - failing
        self._events = deque(each for each in self._events if each.key not in done)
        if not failing:
            self._failures, self._due = 0, now
            return
        self._failures += 1
        bound = min(LONGEST_WAIT, _FIRST_WAIT * 2 ** min(self._failures - 1, 10))
        self._due = now + self._random.uniform(bound / 2, bound)

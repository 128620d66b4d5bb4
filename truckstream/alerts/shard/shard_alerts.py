"""All that a shard's processor decides: what is evaluated, what waits for which target, and the state of both.

The state holds the events that no target has accepted yet. So a checkpoint need not wait for a target that fails, and
after a restart the events are sent all the same, with the same keys.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.alerts.alert_event import AlertEvent
from truckstream.alerts.evaluation.evaluator import AlertEvaluator
from truckstream.alerts.evaluation.report import read_report
from truckstream.alerts.shard.outbox import EventOutbox
from truckstream.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from random import Random

    from truckstream.alerts.rules.rule_set import RuleSet
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["CAPACITY", "TIP_MARGIN", "ShardAlerts"]

#: The most events of a shard that wait for a target: some MiB, and hours of alerts of a fleet that is well.
CAPACITY: Final = 1_000

#: Seconds by which the clock of the tip lags: a record that the service has taken needs a moment until it can be read,
#: and the clock of this machine is not the service's.
TIP_MARGIN: Final = 10.0


class _State(msgspec.Struct, array_like=True):
    evaluator: bytes
    #: By the names of the targets.
    waiting: dict[str, list[AlertEvent]]


_decode: Final = msgspec.msgpack.Decoder(_State).decode


class ShardAlerts:
    """The evaluator of one shard, and the outboxes of its events.

    Args:
        rules: the rules.
        targets: the most events of one attempt, by the name of each target.
        random: varies the waits of the outboxes.
        capacity: the most events that wait for a target.
    """

    def __init__(self, rules: RuleSet, targets: Mapping[str, int], random: Random, *, capacity: int = CAPACITY) -> None:
        self._evaluator = AlertEvaluator(rules)
        self.outboxes = {name: EventOutbox(batch, capacity, random) for name, batch in targets.items()}
        #: Events that were dropped because an outbox was full, by the name of its target, since `take_dropped`.
        self._dropped: Counter[str] = Counter()
        self.records = 0
        #: Records that break a rule of the schema, or have no possible time.
        self.invalid = 0
        self.events = 0

    def take(self, records: Iterable[ShardRecord]) -> bool:
        """Evaluate records, and return whether there are new events."""
        return self.take_data((record.data, record.arrival) for record in records)

    def take_data(self, records: Iterable[tuple[bytes, float]]) -> bool:
        """Evaluate records, the bytes and the arrival of each, and return whether there are new events."""
        events: list[AlertEvent] = []
        for data, arrival in records:
            self.records += 1
            report = read_report(data, arrival or None)
            if report is None:
                self.invalid += 1
            else:
                events += self._evaluator.add(report)
        return self._add(events)

    def reach_tip(self, now: float) -> bool:
        """Note that nothing is left to read at this time, and return whether there are new events.

        Args:
            now: seconds since the epoch.
        """
        return self._add(self._evaluator.advance(now - TIP_MARGIN))

    def take_dropped(self) -> Counter[str]:
        """Return how many events were dropped for which target since the last call."""
        dropped, self._dropped = self._dropped, Counter()
        return dropped

    @property
    def late(self) -> int:
        """Reports that were older than the last one of their truck, or repetitions."""
        return self._evaluator.late

    @property
    def trucks(self) -> int:
        """The number of trucks that are watched."""
        return self._evaluator.trucks

    def snapshot(self) -> bytes:
        """Return the state."""
        waiting = {name: outbox.events for name, outbox in self.outboxes.items()}
        return msgspec.msgpack.encode(_State(self._evaluator.snapshot(), waiting))

    def adopt(self, state: bytes, owns: Callable[[str], bool] = lambda _: True) -> None:
        """Go on from a state of this shard, or of a parent of it.

        Args:
            state: from `snapshot`. What waits for a target that does not exist any more is dropped.
            owns: returns whether a truck, by its ID, reports to this shard.

        Raises:
            UsageError: it is damaged, or of another version.
        """
        try:
            found = _decode(state)
        except msgspec.DecodeError as error:
            raise UsageError(f"the state of the alerts is damaged: {error}") from error
        self._evaluator.adopt(found.evaluator, owns)
        for name, events in found.waiting.items():
            if name in self.outboxes:
                self.outboxes[name].add(event for event in events if owns(event.truck_id or ""))

    def _add(self, events: list[AlertEvent]) -> bool:
        self.events += len(events)
        for name, outbox in self.outboxes.items():
            if dropped := outbox.add(events):
                self._dropped[name] += dropped
        return bool(events)

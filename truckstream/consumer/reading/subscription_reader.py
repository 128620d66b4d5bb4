"""The state machine of one shard that is read with enhanced fan-out.

The service pushes events over a subscription, and ends each subscription after five minutes. The next one goes on after
the continuation number of the last event, so that no record repeats and none is skipped.

- "If you call SubscribeToShard again with the same ConsumerARN and ShardId within 5 seconds of a successful call,
  you'll get a ResourceInUseException" (API reference, read 2026-11-29). It is one of the failures that pass.
- An event is asked for only while the prefetch budget has room. If the application is slow, the window of HTTP/2 fills,
  and the service stops sending.
- A shard with a backlog keeps its reservation until the next event has come, which may be a large one. At the tip it
  reserves nothing, because an idle shard waits for its next event all the time.
- A subscription at LATEST that ends before its first event goes on at the time when it began.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from truckstream.consumer.leases.lease import LATEST
from truckstream.consumer.reading.actions import Ended, Fatal, Open, Receive, Subscribe, Wait
from truckstream.consumer.reading.pacing.failure_backoff import FailureBackoff
from truckstream.consumer.reading.page_opener import PageOpener
from truckstream.consumer.reading.shard_reader import CLOCK_SECONDS
from truckstream.consumer.reading.user_records import position_of
from truckstream.kinesis.failures import TRANSIENT
from truckstream.kinesis.reading.position import Position

if TYPE_CHECKING:
    from random import Random

    from truckstream.consumer.leases.lease import Checkpoint
    from truckstream.consumer.reading.prefetch_budget import PrefetchBudget
    from truckstream.consumer.reading.shard_buffer import RecordBatch
    from truckstream.consumer.reading.user_records import UserRecords
    from truckstream.kinesis.failures import FailureKind
    from truckstream.kinesis.reading.shard_record import RecordsPage

__all__ = ["SubscriptionAction", "SubscriptionReader"]

#: Room for one event, so that it is worth waiting for: half a second of the 2 MiB/s of a subscription.
EVENT_BYTES: Final = 1024 * 1024

SubscriptionAction = Subscribe | Receive | Open | Wait | Ended | Fatal


class SubscriptionReader:
    """Reads one shard from a checkpoint to its end.

    Args:
        shard_id: the shard, which has an account in `budget`.
        start: the checkpoint where reading begins.
        user_records: takes the events apart; made for the same shard and checkpoint.
        budget: the bytes that all shards share.
        random: the source of the jitter.
        now: seconds of the clock that all calls use.
        epoch: seconds since the epoch when that clock stood at 0.
        start_time: seconds since the epoch, for the checkpoint AT_TIMESTAMP.
    """

    def __init__(
        self,
        shard_id: str,
        start: Checkpoint,
        user_records: UserRecords,
        budget: PrefetchBudget,
        random: Random,
        now: float,
        *,
        epoch: float,
        start_time: float | None = None,
    ) -> None:
        self.shard_id = shard_id
        self._opener = PageOpener(shard_id, user_records, budget)
        self._budget = budget
        self._epoch = epoch
        self._position = position_of(start, start_time)
        self._backoff = FailureBackoff(random, now)
        self._is_subscribed = False
        self._has_events = False
        self._has_backlog = True
        self._end: Ended | Fatal | None = None

    def next_action(self, now: float) -> SubscriptionAction:
        """Return the next action."""
        if (action := self._opener.next_action()) is not None:
            return action
        if self._end is not None:
            return self._end
        if not self._is_subscribed:
            return Wait(self._backoff.until) if now < self._backoff.until else Subscribe(self._position)
        if not self._budget.reserve(self.shard_id, EVENT_BYTES):
            self._has_backlog = True  # the service may have more by then
            return Wait(math.inf)
        if not self._has_backlog:
            self._budget.settle(self.shard_id, 0)
        return Receive()

    def subscribed(self, now: float) -> None:
        """Note that the subscription has begun."""
        self._is_subscribed = True
        self._has_events = False
        if self._position.type == LATEST:
            self._position = Position("AT_TIMESTAMP", timestamp=self._epoch + now - CLOCK_SECONDS)

    def got_event(self, page: RecordsPage) -> RecordBatch:
        """Take the next event. Return its records, or none yet if they have to be opened."""
        self._backoff.succeeded()
        self._has_events = True
        self._has_backlog = page.millis_behind > 0
        if page.continuation is None:
            self._end = Ended(page.children)
        else:
            self._position = Position("AFTER_SEQUENCE_NUMBER", page.continuation)
        return self._opener.take_page(page)

    def open_aggregates(self) -> RecordBatch:
        """Return the next user records of the event, as `Open` asked for."""
        return self._opener.open()

    def ended(self, now: float) -> None:
        """Note that the service has ended the subscription, as it does after five minutes."""
        self._leave()
        if not self._has_events:  # a server that ends each one at once would be asked without a pause
            self._backoff.failed(now)

    def failed(self, code: str, kind: FailureKind, now: float) -> None:
        """Take the failure of the subscription, or of the attempt to subscribe."""
        self._leave()
        if code == "ResourceNotFoundException":
            self._end = Ended((), is_gone=True)
        elif kind in TRANSIENT:
            self._backoff.failed(now)
        else:
            self._end = Fatal(code)

    def _leave(self) -> None:
        self._is_subscribed = False
        self._budget.settle(self.shard_id, 0)

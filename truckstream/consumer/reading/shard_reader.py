"""The state machine of one shard that is read with GetRecords.

The caller asks for the next action, does it, and reports its outcome; then it asks again. An action whose outcome is
never reported, because its task was cancelled, is simply returned again.

Records never repeat and are never skipped, because the reader goes on from one of two places: the iterator that came
with the last page, or, where that is lost, the position after the last record of the last page. A call without a
response is repeated with its iterator, which still names the same place.

- "A shard iterator expires 5 minutes after it is returned" (API reference, read 2026-11-29). One that is 4.5 minutes
  old, since the application is slow, is renewed before it fails.
- A reader at LATEST that has no record yet would skip records if it asked for LATEST again. It goes on at the time of
  its first iterator, and a second before that, because its clock is not that of the service.
- A shard that does not exist any more has no records left. The service reports a stream that does not exist in the same
  way (recorded), and so may a server that does not know a new shard yet. So the caller lists the shards first, and
  reports a failure that passes if the shard is among them.
- An iterator that was just made and is invalid is a defect that a retry does not mend. So are missing permissions and
  disabled keys. All other failures are retried for ever: see `FailureBackoff`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from truckstream.consumer.leases.lease import LATEST
from truckstream.consumer.reading.actions import Ended, Fatal, Fetch, NeedIterator, Open, Wait
from truckstream.consumer.reading.pacing.failure_backoff import FailureBackoff
from truckstream.consumer.reading.pacing.page_estimate import PageEstimate
from truckstream.consumer.reading.pacing.polling import Polling
from truckstream.consumer.reading.pacing.read_pacer import ReadPacer
from truckstream.consumer.reading.page_opener import PageOpener
from truckstream.consumer.reading.user_records import position_of
from truckstream.kinesis.failures import TRANSIENT, FailureKind
from truckstream.kinesis.reading.position import Position

if TYPE_CHECKING:
    from random import Random

    from truckstream.consumer.leases.lease import Checkpoint
    from truckstream.consumer.reading.prefetch_budget import PrefetchBudget
    from truckstream.consumer.reading.shard_buffer import RecordBatch
    from truckstream.consumer.reading.user_records import UserRecords
    from truckstream.kinesis.reading.shard_record import RecordsPage

__all__ = ["Action", "ShardReader"]

ITERATOR_SECONDS: Final = 270.0
CLOCK_SECONDS: Final = 1.0

Action = NeedIterator | Fetch | Open | Wait | Ended | Fatal


class ShardReader:
    """Reads one shard from a checkpoint to its end.

    Args:
        shard_id: the shard, which has an account in `budget`.
        start: the checkpoint where reading begins.
        user_records: takes the pages apart; made for the same shard and checkpoint.
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
        self._polling = Polling(now)
        self._pages = PageEstimate()
        #: How this reader shares the shard's quota with others.
        self.pacer = ReadPacer(random, now)

        self._position = position_of(start, start_time)
        self._iterator: str | None = None
        self._iterator_at = now
        # An iterator from GetShardIterator that has not returned a page yet.
        self._is_new_iterator = True

        # The call that was asked for last.
        self._asked_at = now
        self._limit = 0

        self._backoff = FailureBackoff(random, now)
        self._end: Ended | Fatal | None = None

    def next_action(self, now: float) -> Action:
        """Return the next action. After `Fetch`, `Wait` for ever and outcomes see `PrefetchBudget.take_granted`."""
        action = self._opener.next_action()
        return self._next_call(now) if action is None else action

    def _next_call(self, now: float) -> Action:
        if self._end is not None:
            return self._end
        if now < self._backoff.until:
            return Wait(self._backoff.until)
        if self._iterator is None or now > self._iterator_at + ITERATOR_SECONDS:
            self._iterator = None
            self._asked_at = now
            return NeedIterator(self._position)
        due = max(self._polling.next_call(), self.pacer.next_call())
        if now < due:
            return Wait(due)
        reserved = self._budget.reserve(self.shard_id, self._pages.wanted())
        if not reserved:
            return Wait(math.inf)
        self.pacer.on_call(now)
        self._asked_at = now
        self._limit = self._pages.limit(reserved)
        return Fetch(self._iterator, self._limit)

    def got_iterator(self, iterator: str) -> None:
        """Take the iterator that was asked for."""
        self._iterator = iterator
        self._iterator_at = self._asked_at
        self._is_new_iterator = True
        if self._position.type == LATEST:
            self._position = Position("AT_TIMESTAMP", timestamp=self._epoch + self._asked_at - CLOCK_SECONDS)

    def got_page(self, page: RecordsPage) -> RecordBatch:
        """Take the page that was asked for. Return its records, or none yet if they have to be opened.

        The shard holds their bytes of the budget until they are released.
        """
        records = page.records
        data = self._pages.data_of(page)
        self._polling.on_page(page, self._asked_at, self._limit)
        self.pacer.on_page(data, self._asked_at)
        if records:
            self._position = Position("AFTER_SEQUENCE_NUMBER", records[-1].sequence_number)
        self._iterator = page.next_iterator
        self._iterator_at = self._asked_at
        self._is_new_iterator = False
        self._backoff.succeeded()
        if page.next_iterator is None:
            self._end = Ended(page.children)
        self._pages.on_page(len(records), data, page.size)
        return self._opener.take_page(page)

    def open_aggregates(self) -> RecordBatch:
        """Return the next user records of the page, as `Open` asked for."""
        return self._opener.open()

    def failed(self, code: str, kind: FailureKind, now: float) -> None:
        """Take the failure of the call that was asked for."""
        self._budget.settle(self.shard_id, 0)
        if self._iterator is not None:
            if code == "ProvisionedThroughputExceededException":
                self.pacer.on_throttled(now)
                return
            if code == "ExpiredIteratorException" or (kind is FailureKind.POISONED and not self._is_new_iterator):
                self._renew_iterator(now)
                return
        if code == "ResourceNotFoundException":
            self._end = Ended((), is_gone=True)
        elif kind in TRANSIENT:
            self._backoff.failed(now)
        else:
            self._end = Fatal(code)

    def _renew_iterator(self, now: float) -> None:
        self._iterator = None
        if self._is_new_iterator:  # a service that fails each iterator would be asked without a pause
            self._backoff.failed(now)

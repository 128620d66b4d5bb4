"""Opens the aggregates of a shard's pages against the prefetch budget.

A page of 1 MiB can hold 10 MB of truck records in envelopes, and a page of 10 MiB gigabytes of zeros. So a page with an
aggregate is opened in pieces. Each waits for the bytes that its records will take, which the headers state. A piece has
as many bytes as a page without aggregates, or it is one aggregate.

The unopened rest of a page, one for each shard, is not counted: a shard that waited for the budget with bytes that
nobody can release would wait for ever.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from truckstream.consumer.reading.actions import Open, Wait
from truckstream.consumer.reading.shard_buffer import RecordBatch
from truckstream.consumer.reading.user_records import may_have_aggregate
from truckstream.deaggregation import most_user_records

if TYPE_CHECKING:
    from truckstream.consumer.reading.prefetch_budget import PrefetchBudget
    from truckstream.consumer.reading.user_records import UserRecords
    from truckstream.kinesis.reading.shard_record import RecordsPage, ShardRecord

__all__ = ["PageOpener"]

#: Memory of a user record besides its data (Python 3.11).
USER_RECORD_BYTES: Final = 150
#: As much as a page without aggregates takes. Opening it holds the event loop for about 10 ms.
PIECE_BYTES: Final = 1024 * 1024


class PageOpener:
    """The records of one shard's last page that are not open yet.

    Args:
        shard_id: the shard, which has an account in `budget`.
        user_records: takes the records apart.
        budget: the bytes that all shards share.
    """

    def __init__(self, shard_id: str, user_records: UserRecords, budget: PrefetchBudget) -> None:
        self._shard_id = shard_id
        self._user_records = user_records
        self._budget = budget
        self._unopened: deque[ShardRecord] = deque()
        self._millis_behind = 0
        # The number of records and the bytes of the piece that is next; 0 if it is not chosen yet.
        self._next_count = 0
        self._next_size = 0

    def take_page(self, page: RecordsPage) -> RecordBatch:
        """End the reservation of a page. Return its records, or none yet if there is an aggregate among them."""
        if may_have_aggregate(page.records):
            self._budget.settle(self._shard_id, 0)
            self._unopened.extend(page.records)
            self._millis_behind = page.millis_behind
            return RecordBatch([], 0, page.millis_behind, is_last=False)
        records = self._user_records.after_start(page.records)
        size = page.size if records else 0
        self._budget.settle(self._shard_id, size)
        return RecordBatch(records, size, page.millis_behind)

    def next_action(self) -> Open | Wait | None:
        """Return `Open` or a wait for the budget; None if all records are open."""
        if not self._unopened:
            return None
        if not self._next_count:
            self._choose_piece()
        return Open() if self._budget.reserve(self._shard_id, self._next_size) else Wait(math.inf)

    def open(self) -> RecordBatch:
        """Open the next piece, as `next_action` asked for. The shard holds its bytes until they are released."""
        piece = [self._unopened.popleft() for _ in range(self._next_count)]
        self._next_count = 0
        records = self._user_records.take(piece)
        size = sum([len(record.data) for record in records]) + USER_RECORD_BYTES * len(records)
        self._budget.settle(self._shard_id, size)
        return RecordBatch(records, size, self._millis_behind, is_last=not self._unopened)

    def _choose_piece(self) -> None:
        self._next_size = 0
        for record in self._unopened:
            count, data = most_user_records(record.data)
            size = data + USER_RECORD_BYTES * count
            if self._next_count and self._next_size + size > PIECE_BYTES:
                return
            self._next_count += 1
            self._next_size += size

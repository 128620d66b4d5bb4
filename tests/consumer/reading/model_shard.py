"""A shard as the API reference describes it, with the quota of the local one, and a consumer, on their own clock."""

from __future__ import annotations

import itertools
import math
from random import Random
from typing import TYPE_CHECKING

from tests.consumer.reading.support import SHARD
from truckstream.consumer.reading.actions import Ended, Fatal, Fetch, NeedIterator, Open, Wait
from truckstream.consumer.reading.prefetch_budget import PrefetchBudget
from truckstream.consumer.reading.shard_buffer import ShardBuffer
from truckstream.consumer.reading.shard_reader import Action, ShardReader
from truckstream.consumer.reading.user_records import UserRecords
from truckstream.kinesis.failures import FailureKind, RequestFailedError, kind_of_error
from truckstream.kinesis.reading.shard_record import ChildShard, RecordsPage, ShardRecord
from truckstream.local.service.quotas.shard_quota import ReadQuota

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from truckstream.consumer.leases.lease import Checkpoint
    from truckstream.kinesis.reading.position import Position

#: The time of day when the clock stands at 0.
EPOCH = 1_700_000_000.0
CHILD = ChildShard(shard_id="shardId-1", parent_ids=(SHARD,), starting_hash_key=0, ending_hash_key=2**128 - 1)

#: Faults of one call. "lost" is a response that never arrives, "slow" one after 40 seconds.
FAULTS = (
    "ProvisionedThroughputExceededException",
    "ExpiredIteratorException",
    "InternalFailure",
    "ExpiredTokenException",
    "KMSThrottlingException",
    "lost",
    "slow",
    "truncated",
)


def failure(code: str) -> RequestFailedError:
    if code == "lost":
        return RequestFailedError(FailureKind.AMBIGUOUS, "TimeoutError", "no response")
    return RequestFailedError(kind_of_error(code, "", 500 if code == "InternalFailure" else 400), code, "")


class ModelShard:
    """Each record has the time of its storing as `arrival`, counted from `EPOCH`. The shard closes after the last."""

    def __init__(
        self,
        records: Sequence[ShardRecord],
        faults: Iterable[str | None] = (),
        *,
        closed: bool = True,
        most: int = 10_000,
    ) -> None:
        self.records = records
        self.closed = closed
        #: Records of a page: the service may return fewer than were asked for.
        self.most = most
        self.now = 0.0
        self.throttled = 0
        self.calls: list[tuple[float, str]] = []
        self._quota = ReadQuota(0.0)
        self._faults = iter(faults)
        self._tokens = itertools.count()
        self._iterators: dict[str, tuple[int, float]] = {}

    def stored(self) -> int:
        return sum(record.arrival <= EPOCH + self.now for record in self.records)

    def get_shard_iterator(self, position: Position) -> str:
        self.calls.append((self.now, position.type))
        self._fail(unless="ExpiredIteratorException")
        return self._iterator(self._place(position))

    def get_records(self, iterator: str, limit: int) -> RecordsPage:
        self.calls.append((self.now, "GetRecords"))
        assert 1 <= limit <= 10_000
        place, made_at = self._iterators[iterator]
        if self.now > made_at + 300:
            raise failure("ExpiredIteratorException")
        limit = min(limit, self.most)
        if self._fail() == "truncated":
            limit = max(0, limit // 3 - 1)
        if not self._quota.admit(self.now):
            self.throttled += 1
            raise failure("ProvisionedThroughputExceededException")
        last = self.stored()
        records = [
            ShardRecord(each.data, each.partition_key, each.sequence_number, each.arrival, SHARD)
            for each in self.records[place : min(last, place + limit)]
        ]
        self._quota.charge(sum(len(record.data) + len(record.partition_key) for record in records))
        place += len(records)
        size = sum(len(record.data) + 200 for record in records)
        behind = 1_000 if place < last else 0
        if self.closed and place == len(self.records):
            return RecordsPage(records=records, children=(CHILD,), size=size)
        return RecordsPage(records=records, next_iterator=self._iterator(place), millis_behind=behind, size=size)

    def _fail(self, *, unless: str | None = None) -> str | None:
        fault = next(self._faults, None)
        if fault == "slow":
            self.now += 40.0
        elif fault not in {None, unless, "truncated"}:
            raise failure(fault)
        return fault

    def _iterator(self, place: int) -> str:
        token = f"iterator {next(self._tokens)}"
        self._iterators[token] = place, self.now
        return token

    def _place(self, position: Position) -> int:
        if position.sequence_number is not None:
            after = position.type == "AFTER_SEQUENCE_NUMBER"
            return [record.sequence_number for record in self.records].index(position.sequence_number) + after
        if position.timestamp is not None:
            assert position.timestamp <= EPOCH + self.now
            return sum(record.arrival < position.timestamp for record in self.records)
        return self.stored() if position.type == "LATEST" else 0


class ModelConsumer:
    """Reads a shard into a buffer, as the consumer's shell does."""

    def __init__(
        self,
        shard: ModelShard,
        start: Checkpoint,
        *,
        budget: PrefetchBudget | None = None,
        seed: int = 1,
        start_time: float | None = None,
    ) -> None:
        self.shard = shard
        self.budget = budget or PrefetchBudget()
        self.budget.add(SHARD)
        self.buffer = ShardBuffer()
        self.reader = ShardReader(
            *(SHARD, start, UserRecords(SHARD, None, start), self.budget, Random(seed), shard.now),
            epoch=EPOCH,
            start_time=start_time,
        )

    def step(self) -> Action:
        """Do the next action, except `Wait`."""
        action = self.reader.next_action(self.shard.now)
        try:
            if isinstance(action, NeedIterator):
                self.reader.got_iterator(self.shard.get_shard_iterator(action.position))
            elif isinstance(action, Fetch):
                page = self.shard.get_records(action.iterator, action.limit)
                self.buffer.add(self.reader.got_page(page))
            elif isinstance(action, Open):
                self.buffer.add(self.reader.open_aggregates())
        except RequestFailedError as error:
            self.reader.failed(error.code, error.kind, self.shard.now)
        return action

    def run(self, until: float) -> Action:
        """Read until a time, until the budget is used up, or to the end; return the last action."""
        while True:
            action = self.step()
            if isinstance(action, Ended | Fatal):
                return action
            if isinstance(action, Wait):
                if action.until > until:
                    self.shard.now = until if action.until < math.inf else self.shard.now
                    return action
                self.shard.now = action.until
            else:
                self.shard.now += 0.01

    def deliver(self, max_records: int | None = None) -> list[ShardRecord]:
        """Return one batch, which is processed at once."""
        batch = self.buffer.next_batch(max_records)
        if batch is None:
            return []
        self.budget.release(SHARD, batch.size)
        return batch.records

    def deliver_all(self) -> list[ShardRecord]:
        return [record for batch in iter(self.deliver, []) for record in batch]

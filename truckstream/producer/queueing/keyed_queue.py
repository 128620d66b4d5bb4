"""A queue that keeps the order of each key (`ordered=True`).

Each key has a lane. "PutRecords doesn't guarantee the ordering of records" (API reference): the service may reject one
record of a request and store the next. So while a record of a key is in flight, no second record of that key is sent:
the lane is closed until that record is acknowledged or has failed, however many attempts that takes. The lanes of other
keys stay open. A bundle is one Kinesis record, stored as a whole and in its order, so it may take several records of
one lane, and closes that lane.

The guarantee: the first copies of a key's stored records stand in the stream in the order of put. A record that failed
is missing among them, and its successors are still sent. A second copy, left by an attempt that ended without a
response, may stand anywhere.
"""

# ruff: noqa: SLF001 - the queues of all shards share the lanes, so each handles lanes of the others

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from truckstream.producer.queueing.outbox import RecordQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.producer.queueing.outbox import QueuedRecord

__all__ = ["KeyedQueue", "Lane", "LaneKey", "Lanes", "lane_key"]

#: The key of a lane. A partition key with two explicit hash keys goes to two shards, between which there is no order.
LaneKey: TypeAlias = "str | tuple[str, str]"

#: Numbers for the places of lanes, for all queues: a lane that has moved must not seem to be in its old place.
_places: Final = itertools.count()


def lane_key(record: QueuedRecord) -> LaneKey:
    """Return the key whose order `record` is part of."""
    hash_key = record.explicit_hash_key
    return record.partition_key if hash_key is None else (record.partition_key, hash_key)


class Lane:
    """The waiting records of one key, in the order of put."""

    __slots__ = ("bytes", "in_flight", "place", "queue", "records")

    def __init__(self, queue: KeyedQueue) -> None:
        #: The queue of the key's shard. After a reshard it is that of the closed shard, until `KeyedQueue.adopt`.
        self.queue = queue
        self.records: deque[QueuedRecord] = deque()
        self.bytes = 0
        #: The number of records that were taken and have no outcome. While there are any, no more are taken.
        self.in_flight = 0
        #: The number of its place in the queue, while the lane is open.
        self.place: int | None = None


Lanes: TypeAlias = "dict[LaneKey, Lane]"


class KeyedQueue(RecordQueue):
    """Records in lanes, the lane with the oldest record first.

    The queues of all shards share the lanes, because a record may still be in flight to a closed shard when later
    records of its key wait for another one.

    Args:
        lanes: every key that has a record without an outcome.
        bundled: whether several records of one key may be taken together, by `take_while`; otherwise one at a time.
    """

    __slots__ = ("_bundled", "_bytes", "_count", "_lanes", "_open", "_waiting")

    def __init__(self, lanes: Lanes, *, bundled: bool) -> None:
        self._lanes = lanes
        self._bundled = bundled
        # Open lanes by the age of their head. The place of a lane that closes stays until it comes to the top.
        self._open: list[tuple[float, int, Lane]] = []
        self._waiting = 0
        self._count = 0
        self._bytes = 0

    @property
    def count(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def waiting(self) -> int:
        return self._waiting

    def append(self, record: QueuedRecord) -> None:
        key = lane_key(record)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self)
        queue = lane.queue  # this queue, or that of a closed shard
        lane.records.append(record)
        lane.bytes += record.size
        queue._waiting += 1
        if lane.in_flight:
            return
        if len(lane.records) == 1:
            queue._open_lane(lane)
        elif queue._bundled:
            queue._count += 1
            queue._bytes += record.size

    def head(self) -> QueuedRecord:
        return self._first_lane().records[0]

    def pop(self) -> QueuedRecord:
        return self._take_from(self._first_lane())

    def take(self, max_records: int, max_bytes: float) -> list[QueuedRecord]:
        taken: list[QueuedRecord] = []
        while self.count and len(taken) < max_records:
            lane = self._first_lane()
            size = lane.records[0].size
            if size > max_bytes:
                break
            taken.append(self._take_from(lane))
            max_bytes -= size
        return taken

    def take_while(self, fits: Callable[[QueuedRecord], bool], max_records: int) -> list[QueuedRecord]:
        """Take records that may go in one bundle, up to `max_records`, until `fits` refuses the oldest of a lane.

        One lane after the other, each as far as possible: a bundle closes its lanes until it is acknowledged. If it had
        a record of each key, all others would wait for it.
        """
        taken: list[QueuedRecord] = []
        while self._count and len(taken) < max_records:
            lane = self._first_lane()
            before = len(taken)
            while lane.records and len(taken) < max_records and fits(lane.records[0]):
                self._count -= 1
                self._bytes -= lane.records[0].size
                taken.append(self._take_head(lane))
            if len(taken) == before:
                break
            heapq.heappop(self._open)
            self._close_lane(lane)
        return taken

    def put_back(self, records: Sequence[QueuedRecord]) -> None:
        """Return records that were taken, before all others of their keys. Lanes open that have none in flight."""
        for record in reversed(records):
            lane = self._lanes[lane_key(record)]
            lane.records.appendleft(record)
            lane.bytes += record.size
            lane.in_flight -= 1
            lane.queue._waiting += 1
            if not lane.in_flight:
                lane.queue._open_lane(lane)

    def on_outcome(self, record: QueuedRecord) -> None:
        """Open the record's lane, or remove it, if no other record of the lane is in flight."""
        key = lane_key(record)
        lane = self._lanes[key]
        lane.in_flight -= 1
        if lane.in_flight:
            return
        if lane.records:
            lane.queue._open_lane(lane)
        else:
            del self._lanes[key]

    def deadline_behind(self, record: QueuedRecord, delivery_timeout: float) -> float:
        waiting = self._lanes[lane_key(record)].records
        return waiting[0].put_at + delivery_timeout if waiting else math.inf

    def take_expired_behind(self, record: QueuedRecord, delivery_timeout: float, now: float) -> list[QueuedRecord]:
        lane = self._lanes[lane_key(record)]
        expired: list[QueuedRecord] = []
        while lane.records and lane.records[0].put_at + delivery_timeout <= now:
            expired.append(lane.queue._take_head(lane))
        return expired

    def adopt(self, lane: Lane) -> None:
        """Take over a lane of another queue, open or closed."""
        lane.queue._let_go(lane)
        lane.queue = self
        self._waiting += len(lane.records)
        if lane.records and not lane.in_flight:
            self._open_lane(lane)

    def _let_go(self, lane: Lane) -> None:
        """Count a lane out that moves to another queue."""
        if lane.place is not None:
            self._close_lane(lane)
        self._waiting -= len(lane.records)

    def _open_lane(self, lane: Lane) -> None:
        lane.place = next(_places)
        heapq.heappush(self._open, (lane.records[0].put_at, lane.place, lane))
        self._count += len(lane.records) if self._bundled else 1
        self._bytes += lane.bytes if self._bundled else lane.records[0].size

    def _close_lane(self, lane: Lane) -> None:
        """Count the lane's records out: they may not be taken any more."""
        lane.place = None
        if self._bundled:
            self._count -= len(lane.records)
            self._bytes -= lane.bytes
        else:
            self._count -= 1
            self._bytes -= lane.records[0].size

    def _take_from(self, lane: Lane) -> QueuedRecord:
        """Take the head of the lane that is first, and close the lane."""
        heapq.heappop(self._open)
        self._close_lane(lane)
        return self._take_head(lane)

    def _take_head(self, lane: Lane) -> QueuedRecord:
        record = lane.records.popleft()
        lane.bytes -= record.size
        lane.in_flight += 1
        self._waiting -= 1
        return record

    def _first_lane(self) -> Lane:
        """Return the open lane with the oldest head."""
        while True:
            _, place, lane = self._open[0]
            if place == lane.place:
                return lane
            heapq.heappop(self._open)

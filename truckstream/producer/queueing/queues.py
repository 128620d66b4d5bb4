"""The records that wait for their first attempt at one shard: in the order of put, or in the order of each key.

Both queues answer the same: how many records may be taken now, which of them is the oldest, take some, put some back.

With `ordered=True` a key has a lane. "PutRecords doesn't guarantee the ordering of records" (API reference), because
one record of a request may be refused and the next stored. So of one key no second record goes while the first has
no outcome: a lane whose record is under way is closed until that record is stored or given up, however many attempts
that takes. Lanes of other keys stay open. A bundle of records is one Kinesis record, stored as a whole and in its
order: it may take several records of one lane, and closes it.

What this guarantees: the first copies of a key's stored records stand in the stream in the order of put. A record that
failed is missing among them, and its successors go on. A second copy, of an attempt that ended without an answer, may
stand anywhere.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.producer.queueing.queued_record import Entry

__all__ = ["FifoQueue", "KeyedQueue", "Lane", "Lanes", "lane_key"]

_put_at: Callable[[Entry], float] = attrgetter("put_at")
_size: Callable[[Entry], int] = attrgetter("size")


class FifoQueue:
    """Records in the order of put."""

    __slots__ = ("_entries", "bytes", "count")

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        #: Records that may be taken now, and their bytes.
        self.count = 0
        self.bytes = 0

    @property
    def waiting(self) -> int:
        """All records in it."""
        return self.count

    def append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.count += 1
        self.bytes += entry.size

    def head(self) -> Entry:
        """The oldest that may be taken; the queue must have one."""
        return self._entries[0]

    def pop(self) -> Entry:
        """Take the oldest."""
        entry = self._entries.popleft()
        self.count -= 1
        self.bytes -= entry.size
        return entry

    def take(self, max_records: int, max_bytes: float) -> list[Entry]:
        """Take the oldest ones that go together as records of their own."""
        if self.count <= max_records and self.bytes <= max_bytes:
            return self.clear()
        pop = self._entries.popleft
        taken = [pop() for _ in range(min(max_records, self.count))]
        size = sum(map(_size, taken))
        left: list[Entry] = []
        while size > max_bytes:
            left.append(taken.pop())
            size -= left[-1].size
        self._entries.extendleft(left)
        self.count -= len(taken)
        self.bytes -= size
        return taken

    def take_while(self, fits: Callable[[Entry], bool]) -> list[Entry]:
        """Take the oldest ones that go in one bundle: as long as `fits`."""
        entries, taken = self._entries, []
        while entries and fits(entries[0]):
            taken.append(entries.popleft())
        self.count -= len(taken)
        self.bytes -= sum(map(_size, taken))
        return taken

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Put back what was taken, in its order. What was put back before may be older, and the head is the oldest."""
        if self._entries and self._entries[0].put_at < entries[-1].put_at:
            self._entries = deque(sorted([*entries, *self._entries], key=_put_at))
        else:
            self._entries.extendleft(reversed(entries))
        self.count += len(entries)
        self.bytes += sum(entry.size for entry in entries)

    def settled(self, entry: Entry) -> None:
        """A record that was taken has its outcome."""

    def clear(self) -> list[Entry]:
        """Take all."""
        taken = list(self._entries)
        self._entries.clear()
        self.count = self.bytes = 0
        return taken


#: What an order is kept for. A partition key with two explicit hash keys goes to two shards, which know no order.
Key: TypeAlias = "str | tuple[str, str]"


def lane_key(entry: Entry) -> Key:
    """The key whose order `entry` is part of."""
    hash_key = entry.explicit_hash_key
    return entry.partition_key if hash_key is None else (entry.partition_key, hash_key)


#: What a key in order costs beside its records, measured as that of a record: a lane, its deque of 64 places, and what
#: finds it: 840 to 1,000 bytes.
LANE_BYTES: Final = 1_000


class Lane:
    """One key's records in the order of put."""

    __slots__ = ("bytes", "entries", "place", "queue", "under_way")

    def __init__(self, queue: KeyedQueue) -> None:
        #: The queue of the key's shard.
        self.queue = queue
        self.entries: deque[Entry] = deque()
        self.bytes = 0
        #: Records that were taken and have no outcome; while there are any, no more are taken.
        self.under_way = 0
        #: Of an open lane, the number of its place in the queue.
        self.place: int | None = None


Lanes: TypeAlias = "dict[Key, Lane]"


class KeyedQueue:
    """Records of open lanes, oldest first.

    The lanes belong to all shards' queues together, because a record may be under way to a shard that is gone when
    its outcome comes.

    Args:
        lanes: every key that has a record without outcome.
        bundled: whether records of one key may be taken together, by `take_while`; else one at a time.
    """

    __slots__ = ("_bundled", "_lanes", "_open", "_places", "bytes", "count", "waiting")

    def __init__(self, lanes: Lanes, *, bundled: bool) -> None:
        self._lanes = lanes
        self._bundled = bundled
        # Open lanes by the age of their head. The place of a lane that closes stays in until it comes to the top.
        self._open: list[tuple[float, int, Lane]] = []
        self._places = itertools.count()
        #: Records that may be taken now, and their bytes.
        self.count = 0
        self.bytes = 0
        #: All records in it, those in closed lanes included.
        self.waiting = 0

    def append(self, entry: Entry) -> None:
        key = lane_key(entry)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self)
        lane.entries.append(entry)
        lane.bytes += entry.size
        self.waiting += 1
        if lane.under_way:
            return
        if len(lane.entries) == 1:
            self._open_lane(lane)
        elif self._bundled:
            self.count += 1
            self.bytes += entry.size

    def head(self) -> Entry:
        """The oldest that may be taken; the queue must have one."""
        return self._first_lane().entries[0]

    def pop(self) -> Entry:
        """Take the oldest; its lane closes."""
        lane = self._first_lane()
        heapq.heappop(self._open)
        self._close_lane(lane)
        return self._take_head(lane)

    def take(self, max_records: int, max_bytes: float) -> list[Entry]:
        """Take the oldest ones that go together as records of their own: one of each key."""
        taken: list[Entry] = []
        while self.count and len(taken) < max_records and self.head().size <= max_bytes:
            taken.append(self.pop())
            max_bytes -= taken[-1].size
        return taken

    def take_while(self, fits: Callable[[Entry], bool]) -> list[Entry]:
        """Take the oldest ones that go in one bundle, several of a key if they come so: as long as `fits`."""
        taken: list[Entry] = []
        touched: dict[Lane, None] = {}
        while self.count:
            lane = self._first_lane()
            if not fits(lane.entries[0]):
                break
            touched[lane] = None
            self.count -= 1
            self.bytes -= lane.entries[0].size
            taken.append(self._take_head(lane))
            if lane.entries:
                lane.place = next(self._places)
                heapq.heapreplace(self._open, (lane.entries[0].put_at, lane.place, lane))
            else:
                heapq.heappop(self._open)
        for lane in touched:
            self._close_lane(lane)
        return taken

    def put_back(self, entries: Sequence[Entry]) -> None:
        """Put back what was taken, in its order, before all others of its keys; lanes open that have nothing left."""
        for entry in reversed(entries):
            lane = self._lanes[lane_key(entry)]
            lane.entries.appendleft(entry)
            lane.bytes += entry.size
            lane.under_way -= 1
            self.waiting += 1
            if not lane.under_way:
                self._open_lane(lane)

    def settled(self, entry: Entry) -> None:
        """A record that was taken has its outcome: if it was the last of its lane, the lane opens or ends."""
        key = lane_key(entry)
        lane = self._lanes[key]
        lane.under_way -= 1
        if lane.under_way:
            return
        if lane.entries:
            lane.queue._open_lane(lane)  # noqa: SLF001 - another queue of these lanes
        else:
            del self._lanes[key]

    def adopt(self, lane: Lane) -> None:
        """Take a lane over, in whatever state it is."""
        lane.queue = self
        self.waiting += len(lane.entries)
        if lane.entries and not lane.under_way:
            self._open_lane(lane)

    def clear(self) -> list[Entry]:
        """Take the records of all lanes, whatever their shard."""
        taken = [entry for lane in self._lanes.values() for entry in lane.entries]
        for lane in self._lanes.values():
            lane.under_way += len(lane.entries)
            lane.entries.clear()
            lane.bytes = 0
        self.forget()
        return taken

    def forget(self) -> None:
        """Hold no lane any more."""
        self._open.clear()
        self.count = self.bytes = self.waiting = 0

    def _open_lane(self, lane: Lane) -> None:
        lane.place = next(self._places)
        heapq.heappush(self._open, (lane.entries[0].put_at, lane.place, lane))
        self.count += len(lane.entries) if self._bundled else 1
        self.bytes += lane.bytes if self._bundled else lane.entries[0].size

    def _close_lane(self, lane: Lane) -> None:
        """What is left in it may not be taken."""
        lane.place = None
        if self._bundled:
            self.count -= len(lane.entries)
            self.bytes -= lane.bytes
        else:
            self.count -= 1
            self.bytes -= lane.entries[0].size

    def _take_head(self, lane: Lane) -> Entry:
        entry = lane.entries.popleft()
        lane.bytes -= entry.size
        lane.under_way += 1
        self.waiting -= 1
        return entry

    def _first_lane(self) -> Lane:
        """The open lane with the oldest head."""
        while True:
            _, place, lane = self._open[0]
            if place == lane.place:
                return lane
            heapq.heappop(self._open)

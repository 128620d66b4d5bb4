"""A queue in the order of put."""

from __future__ import annotations

from collections import Counter, deque
from itertools import islice, takewhile
from operator import attrgetter
from typing import TYPE_CHECKING

from truckstream.producer.queueing.outbox import RecordQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.producer.queueing.outbox import Outbox, QueuedRecord

__all__ = ["FifoQueue"]

_put_at: Callable[[QueuedRecord], float] = attrgetter("put_at")
_size: Callable[[QueuedRecord], int] = attrgetter("size")


class FifoQueue(RecordQueue):
    """Records in the order of put.

    Each put appends to a queue, so `append` is the method of the deque itself, which takes 0.03 µs instead of 0.17. The
    bytes are counted later, all at once.
    """

    __slots__ = ("_bytes", "_counted", "_records", "append")

    def __init__(self) -> None:
        self._records: deque[QueuedRecord] = deque()
        self.append = self._records.append
        # The bytes of the oldest records, and their number.
        self._bytes = 0
        self._counted = 0

    @property
    def count(self) -> int:
        return len(self._records)

    @property
    def bytes(self) -> int:
        new = len(self._records) - self._counted
        if new:
            self._bytes += sum([record.size for record in islice(reversed(self._records), new)])
            self._counted += new
        return self._bytes

    @property
    def waiting(self) -> int:
        return len(self._records)

    def head(self) -> QueuedRecord:
        return self._records[0]

    def pop(self) -> QueuedRecord:
        size = self.bytes
        record = self._records.popleft()
        self._set_bytes(size - record.size)
        return record

    def take(self, max_records: int, max_bytes: float) -> list[QueuedRecord]:
        size = self.bytes
        if len(self._records) <= max_records and size <= max_bytes:
            return self._take_all()
        pop = self._records.popleft
        taken = [pop() for _ in range(min(max_records, len(self._records)))]
        taken_size = sum([record.size for record in taken])
        left: list[QueuedRecord] = []
        while taken_size > max_bytes:
            left.append(taken.pop())
            taken_size -= left[-1].size
        self._records.extendleft(left)
        self._set_bytes(size - taken_size)
        return taken

    def take_while(self, fits: Callable[[QueuedRecord], bool], max_records: int) -> list[QueuedRecord]:
        size = self.bytes
        taken = list(takewhile(fits, islice(self._records, max_records)))
        for _ in taken:
            self._records.popleft()
        self._set_bytes(size - sum(map(_size, taken)))
        return taken

    def put_back(self, records: Sequence[QueuedRecord]) -> None:
        """Return records that were taken. The queue stays sorted by age: earlier ones may have been returned before."""
        size = self.bytes
        older: list[QueuedRecord] = []
        while self._records and self._records[0].put_at < records[-1].put_at:
            older.append(self._records.popleft())
        self._records.extendleft(reversed(sorted([*records, *older], key=_put_at) if older else records))
        self._set_bytes(size + sum(map(_size, records)))

    def take_expired(self, put_before: float, limit: int) -> list[QueuedRecord]:
        """Remove up to `limit` records that were put at `put_before` or earlier."""
        expired: list[QueuedRecord] = []
        while len(expired) < limit and self._records and self._records[0].put_at <= put_before:
            expired.append(self.pop())
        return expired

    def on_outcome(self, record: QueuedRecord) -> None:
        """Do nothing: no record waits for another one's outcome."""

    def count_by_outbox(self) -> Counter[Outbox]:
        """Return the number of records of each outbox."""
        return Counter([record.outbox for record in self._records])

    def youngest(self) -> QueuedRecord:
        """Return the youngest record. The queue must have one."""
        return self._records[-1]

    def pop_youngest(self) -> QueuedRecord:
        """Take the youngest record."""
        size = self.bytes
        record = self._records.pop()
        self._set_bytes(size - record.size)
        return record

    def _take_all(self) -> list[QueuedRecord]:
        taken = list(self._records)
        self._records.clear()
        self._set_bytes(0)
        return taken

    def _set_bytes(self, size: int) -> None:
        """Note that the records which are left have `size` bytes in all."""
        self._bytes = size
        self._counted = len(self._records)

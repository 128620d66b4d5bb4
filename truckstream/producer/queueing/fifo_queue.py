"""A queue in the order of put."""

from __future__ import annotations

from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING

from truckstream.producer.queueing.outbox import RecordQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.producer.queueing.outbox import QueuedRecord

__all__ = ["FifoQueue"]

_put_at: Callable[[QueuedRecord], float] = attrgetter("put_at")
_size: Callable[[QueuedRecord], int] = attrgetter("size")


class FifoQueue(RecordQueue):
    """Records in the order of put."""

    __slots__ = ("_records", "bytes", "count")

    def __init__(self) -> None:
        self._records: deque[QueuedRecord] = deque()
        self.count = 0
        self.bytes = 0

    @property
    def waiting(self) -> int:
        return self.count

    def append(self, record: QueuedRecord) -> None:
        self._records.append(record)
        self.count += 1
        self.bytes += record.size

    def head(self) -> QueuedRecord:
        return self._records[0]

    def pop(self) -> QueuedRecord:
        record = self._records.popleft()
        self.count -= 1
        self.bytes -= record.size
        return record

    def take(self, max_records: int, max_bytes: float) -> list[QueuedRecord]:
        if self.count <= max_records and self.bytes <= max_bytes:
            return self.clear()
        pop = self._records.popleft
        taken = [pop() for _ in range(min(max_records, self.count))]
        size = sum(map(_size, taken))
        left: list[QueuedRecord] = []
        while size > max_bytes:
            left.append(taken.pop())
            size -= left[-1].size
        self._records.extendleft(left)
        self.count -= len(taken)
        self.bytes -= size
        return taken

    def take_while(self, fits: Callable[[QueuedRecord], bool]) -> list[QueuedRecord]:
        records, taken = self._records, []
        while records and fits(records[0]):
            taken.append(records.popleft())
        self.count -= len(taken)
        self.bytes -= sum(map(_size, taken))
        return taken

    def put_back(self, records: Sequence[QueuedRecord]) -> None:
        """Return records that were taken. The queue stays sorted by age: earlier ones may have been returned before."""
        if self._records and self._records[0].put_at < records[-1].put_at:
            self._records = deque(sorted([*records, *self._records], key=_put_at))
        else:
            self._records.extendleft(reversed(records))
        self.count += len(records)
        self.bytes += sum(map(_size, records))

    def on_outcome(self, record: QueuedRecord) -> None:
        """Do nothing: no record waits for another one's outcome."""

    def clear(self) -> list[QueuedRecord]:
        taken = list(self._records)
        self._records.clear()
        self.count = self.bytes = 0
        return taken

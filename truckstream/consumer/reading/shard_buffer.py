"""The records of one shard that were fetched and not yet delivered, in their order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["RecordBatch", "ShardBuffer"]


class RecordBatch(NamedTuple):
    """Records of one page."""

    records: list[ShardRecord]
    #: The bytes that they hold of the prefetch budget. Those of a page are divided among its batches.
    size: int
    #: Age of the oldest record that the service still had when it returned these, in milliseconds.
    millis_behind: int
    #: When it returned them, by the clock of the event loop.
    read_at: float = 0.0
    #: False while aggregates of the same page are still to be opened.
    is_last: bool = True


class ShardBuffer:
    """Pages in, batches out. A batch never holds records of two pages: small pages mean that nothing waits."""

    __slots__ = ("_pages", "_records", "_size", "_taken", "millis_behind")

    def __init__(self) -> None:
        self._pages: deque[RecordBatch] = deque()
        #: Number of records of the first page that were delivered.
        self._taken = 0
        self._records = 0
        self._size = 0
        #: That of the newest page; None before the first one.
        self.millis_behind: int | None = None

    def __len__(self) -> int:
        """The number of records that wait."""
        return self._records

    def __repr__(self) -> str:
        return f"<ShardBuffer of {self._records:,} records in {len(self._pages)} pages, {self._size:,} bytes>"

    @property
    def size(self) -> int:
        """The bytes of the records that wait."""
        return self._size

    @property
    def oldest(self) -> RecordBatch | None:
        """The page whose records wait longest."""
        return self._pages[0] if self._pages else None

    def add(self, page: RecordBatch) -> None:
        """Add a page. One without records only sets `millis_behind`."""
        self.millis_behind = page.millis_behind
        if page.records:
            self._pages.append(page)
            self._records += len(page.records)
            self._size += page.size

    def next_batch(self, max_records: int | None = None) -> RecordBatch | None:
        """Return the next page, or the rest of it, with `max_records` at most; None if nothing waits."""
        if not self._pages:
            return None
        page = self._pages[0]
        left = len(page.records) - self._taken
        if max_records is None or left <= max_records:
            batch = page if not self._taken else page._replace(records=page.records[self._taken :])
            self._pages.popleft()
            self._taken = 0
        else:
            size = page.size * max_records // left
            batch = page._replace(records=page.records[self._taken : self._taken + max_records], size=size)
            self._pages[0] = page._replace(size=page.size - size)
            self._taken += max_records
        self._records -= len(batch.records)
        self._size -= batch.size
        return batch

    def clear(self) -> int:
        """Drop all records, and return their bytes."""
        size = self._size
        self._pages.clear()
        self._taken = self._records = self._size = 0
        return size

"""One shard: its records in the order of their arrival, its sequence numbers, quotas and counts.

Records are stored in three columns (data, key, arrival) instead of one object each. The garbage collector does not walk
a list of bytes, and a million records take 24 MB beside their data. The place of a record is its position since the
shard was created. Its sequence number follows from its place, so that no number is stored.

Places count from 1. Place 0 is the shard's own StartingSequenceNumber, which no record has, as in the service.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.local.service.identifiers import sequence_number as sequence
from truckstream.local.service.identifiers.shard_id import id_of
from truckstream.local.service.quotas.shard_quota import QuotaLeft, ReadQuota, WriteQuota

if TYPE_CHECKING:
    from truckstream.local.service.identifiers.hash_key import HashRange

__all__ = ["RECORD_OVERHEAD", "LocalShard", "Record", "ShardCounts"]

#: Bytes of memory that a record takes beside its data and key: two object headers (33 and 49 bytes), and its rows in
#: three columns.
RECORD_OVERHEAD: Final = 128


class Record(msgspec.Struct, frozen=True, gc=False):
    """A stored record. `arrival` is in seconds since the epoch, with millisecond precision."""

    place: int
    sequence_number: str
    data: bytes
    partition_key: str
    arrival: float

    @property
    def size(self) -> int:
        """Bytes that count against the quotas: data and key."""
        return len(self.data) + len(self.partition_key.encode())


class ShardCounts(msgspec.Struct):
    """Counts since the shard was created."""

    records_in: int = 0
    bytes_in: int = 0
    records_throttled: int = 0
    records_out: int = 0
    reads_throttled: int = 0
    #: Dropped before their retention ended (see `memory_cap`).
    records_trimmed: int = 0


class LocalShard:
    """A shard of a stream. `epoch` orders it after its parents (see `sequence_number`)."""

    __slots__ = (
        "_arrivals",
        "_arrived",
        "_bytes_gone",
        "_data",
        "_first",
        "_keys",
        "_number",
        "_time",
        "closed_at",
        "counts",
        "created_at",
        "epoch",
        "hash_range",
        "index",
        "parents",
        "read_quota",
        "shard_id",
        "write_quota",
    )

    def __init__(
        self,
        index: int,
        hash_range: HashRange,
        *,
        epoch: int,
        now: float,
        parents: tuple[str, ...] = (),
        quota_scale: float = 1.0,
    ) -> None:
        self.index = index
        self.shard_id = id_of(index)
        self.hash_range = hash_range
        self.parents = parents
        self.epoch = epoch
        self.created_at = now
        self.closed_at: float | None = None
        self.counts = ShardCounts()
        self.write_quota = WriteQuota(now, quota_scale)
        self.read_quota = ReadQuota(now, quota_scale)
        # The columns, the place of their first row, and the sequence number of the last record without its time.
        self._data: list[bytes] = []
        self._keys: list[str] = []
        self._arrivals: list[float] = []
        self._first = 1
        self._bytes_gone = 0
        self._number = sequence.number(epoch, index, 0)
        # Arrival of the last record, as a time and as the part of a sequence number.
        self._arrived = 0.0
        self._time = 0

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return f"<LocalShard {self.shard_id} {state}, {len(self._data)} records>"

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def first_place(self) -> int:
        """The place of the oldest stored record, or of the next record if none is stored."""
        return self._first

    @property
    def next_place(self) -> int:
        """The place of the next record."""
        return self._first + len(self._data)

    def quota_left(self, now: float) -> QuotaLeft:
        return QuotaLeft(*self.write_quota.refill(now), *self.read_quota.refill(now))

    # --- Writing ---------------------------------------------------------------------------------

    def append(self, data: bytes, key: str, arrival: float) -> str:
        """Store a record and return its sequence number. On the hot path: the caller updates the counts."""
        self._data.append(data)
        self._keys.append(key)
        self._arrivals.append(arrival)
        self._number += sequence.STEP
        if arrival != self._arrived:
            self._arrived, self._time = arrival, sequence.with_time(int(arrival))
        return str(self._number + self._time)

    def close(self, now: float) -> None:
        self.closed_at = now

    # --- Reading ---------------------------------------------------------------------------------

    def read(self, place: int, count: int, max_bytes: int) -> list[Record]:
        """Return up to `count` records of at most `max_bytes` from `place` on; the first may be larger."""
        records = self.look(place, count, max_bytes)
        self.counts.records_out += len(records)
        return records

    def look(self, place: int, count: int, max_bytes: int) -> list[Record]:
        """Return the same records as `read` without counting them as read."""
        start = max(place - self._first, 0)
        stop = min(start + count, len(self._data))
        records: list[Record] = []
        total = 0
        for row in range(start, stop):
            record = self._record(row)
            total += record.size
            if total > max_bytes and records:
                break
            records.append(record)
        return records

    def place_at(self, moment: float) -> int:
        """Return the place of the first record that arrived at `moment` or later."""
        return self._first + bisect_left(self._arrivals, moment)

    def arrival_of(self, place: int) -> float | None:
        """Return when the record at `place` arrived, or None if no record is there."""
        row = place - self._first
        return self._arrivals[row] if 0 <= row < len(self._arrivals) else None

    def trim(self, horizon: float) -> None:
        """Drop the records that arrived before `horizon`."""
        self.drop(bisect_left(self._arrivals, horizon))

    def drop(self, count: int) -> None:
        """Drop the oldest `count` records."""
        if count:
            self._bytes_gone += self._size(0, count)
            del self._data[:count], self._keys[:count], self._arrivals[:count]
            self._first += count

    # --- Memory ----------------------------------------------------------------------------------

    @property
    def bytes_stored(self) -> int:
        """Bytes of the stored data and keys."""
        return self.counts.bytes_in - self._bytes_gone

    @property
    def weight(self) -> int:
        """Approximate memory of the records in bytes."""
        return self.bytes_stored + len(self._data) * RECORD_OVERHEAD

    def run_from(self, row: int) -> tuple[int, int]:
        """Return the end of the run of records that arrived together with that at `row`, and their memory in bytes."""
        end = bisect_right(self._arrivals, self._arrivals[row], lo=row)
        return end, self._size(row, end) + (end - row) * RECORD_OVERHEAD

    def _size(self, start: int, end: int) -> int:
        return sum(map(len, self._data[start:end])) + sum(len(key.encode()) for key in self._keys[start:end])

    def _record(self, row: int) -> Record:
        place = self._first + row
        return Record(place, self.number_at(place), self._data[row], self._keys[row], self._arrivals[row])

    # --- Description in the API ------------------------------------------------------------------

    def number_at(self, place: int) -> str:
        """Return the sequence number of `place`. Without a record there, its time is that of the shard."""
        arrival = self.arrival_of(place)
        return str(sequence.number(self.epoch, self.index, place, self.epoch if arrival is None else int(arrival)))

    @property
    def starting_sequence_number(self) -> str:
        return self.number_at(0)

    @property
    def ending_sequence_number(self) -> str | None:
        """A sequence number after that of the last record, if the shard is closed."""
        return None if self.is_open else self.number_at(self.next_place)

    def describe(self) -> dict[str, object]:
        """Return the API's `Shard`."""
        numbers = {"StartingSequenceNumber": self.starting_sequence_number}
        if (ending := self.ending_sequence_number) is not None:
            numbers["EndingSequenceNumber"] = ending
        shard: dict[str, object] = {
            "ShardId": self.shard_id,
            "HashKeyRange": self.describe_range(),
            "SequenceNumberRange": numbers,
        }
        # A merge has two parents; the second is the request's AdjacentShardToMerge.
        shard.update(zip(("ParentShardId", "AdjacentParentShardId"), self.parents, strict=False))
        return shard

    def describe_range(self) -> dict[str, str]:
        """Return the API's `HashKeyRange`."""
        return {"StartingHashKey": str(self.hash_range.start), "EndingHashKey": str(self.hash_range.end)}

"""Streams, shards and records: the state, and what keeps it consistent.

- Sequence numbers grow by one per record within a shard and have the service's 56 digits: a prefix, the shard's
  creation in seconds, a counter, and the shard's number in the last digits, as kinesalite's readers of the service
  found them. Nobody may read more than order out of them.
- The open shards of a stream always partition the hash keys 0 to 2**128 - 1.
- A closed shard stays readable; its children name it as their parent.
- A record keeps its data as the base64 text that it came as: it leaves as the same text, so nothing is gained by
  decoding it.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Final

import msgspec

from truckstream.local.quota import ReadQuota, WriteQuota

__all__ = ["LAST_HASH_KEY", "Record", "Shard", "Stream"]

LAST_HASH_KEY: Final = 2**128 - 1

#: Keys whose hash is remembered.
REMEMBERED_KEYS: Final = 100_000

_SEQUENCE_BASE: Final = 2**185


class Record(msgspec.Struct, gc=False, frozen=True):
    """One stored record."""

    sequence: int
    #: Seconds since the epoch, to the millisecond.
    arrival: float
    #: Base64, as it came.
    data: str
    key: str
    #: Bytes of data and key.
    size: int


@dataclass(slots=True, eq=False)
class Shard:
    """One shard."""

    number: int
    start: int
    end: int
    created: float
    writes: WriteQuota
    reads: ReadQuota
    parent: str | None = None
    adjacent_parent: str | None = None
    records: list[Record] = field(default_factory=list)
    closed_at: int | None = None
    next_sequence: int = 0
    records_in: int = 0
    bytes_in: int = 0
    throttled: int = 0
    records_out: int = 0

    def __post_init__(self) -> None:
        self.next_sequence = self.first_sequence

    @property
    def shard_id(self) -> str:
        return f"shardId-{self.number:012}"

    @property
    def first_sequence(self) -> int:
        return _SEQUENCE_BASE + (int(self.created) << 120) + (self.number << 4) + 2

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    def append(self, data: str, key: str, size: int, arrival: float) -> int:
        sequence = self.next_sequence = self.next_sequence + (1 << 40)
        self.records.append(Record(sequence, arrival, data, key, size))
        self.records_in += 1
        self.bytes_in += size
        return sequence

    def close(self) -> None:
        self.closed_at = self.next_sequence + 1

    def index_from(self, sequence: int) -> int:
        """The index of the first record that is not before `sequence`."""
        return bisect_left(self.records, sequence, key=lambda record: record.sequence)

    def index_at(self, timestamp: float) -> int:
        return bisect_left(self.records, timestamp, key=lambda record: record.arrival)


@dataclass(slots=True, eq=False)
class Stream:
    """One stream."""

    name: str
    arn: str
    created: float
    shards: list[Shard]
    mode: str = "PROVISIONED"
    retention_hours: int = 24
    max_record_kib: int = 1024
    key_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    _open: list[Shard] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _by_key: dict[str, Shard] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shards_changed()

    def shards_changed(self) -> None:
        self._open = sorted((shard for shard in self.shards if shard.is_open), key=lambda shard: shard.start)
        self._starts = [shard.start for shard in self._open]
        self._by_key.clear()

    @property
    def open_shards(self) -> list[Shard]:
        return self._open

    def shard_of_key(self, key: str) -> Shard:
        shard = self._by_key.get(key)
        if shard is None:
            digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
            if len(self._by_key) > REMEMBERED_KEYS:
                self._by_key.clear()
            shard = self._by_key[key] = self.shard_of_hash(int.from_bytes(digest, "big"))
        return shard

    def shard_of_hash(self, hash_key: int) -> Shard:
        return self._open[bisect_right(self._starts, hash_key) - 1]

    def find(self, shard_id: str) -> Shard | None:
        return next((shard for shard in self.shards if shard.shard_id == shard_id), None)

    def add_shard(
        self, start: int, end: int, now: float, parent: str | None = None, adjacent_parent: str | None = None
    ) -> Shard:
        quotas = WriteQuota(now), ReadQuota(now)
        shard = Shard(len(self.shards), start, end, now, *quotas, parent, adjacent_parent)
        self.shards.append(shard)
        return shard

"""Records, pages and aggregates for the tests of reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from truckstream.kinesis.reading.shard_record import RecordsPage, ShardRecord
from truckstream.kpl import Aggregate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.envelope import Envelope

SHARD = "shardId-000000000000"


def plain(number: int, data: bytes = b"data", key: str = "TRUCK_001") -> ShardRecord:
    return ShardRecord(data, key, str(number), number / 1000, SHARD)


def aggregated(
    number: int, contents: Iterable[tuple[bytes, str, str | None]], kind: type[Aggregate | Envelope] = Aggregate
) -> ShardRecord:
    aggregate = kind()
    for content in contents:
        assert aggregate.add(*content)
    return plain(number, aggregate.encode())


def page(records: list[ShardRecord], *, size: int | None = None, behind: int = 0, following: str = "i") -> RecordsPage:
    size = sum(len(record.data) + 100 for record in records) if size is None else size
    return RecordsPage(records=records, next_iterator=following or None, millis_behind=behind, size=size)


def places(records: Iterable[ShardRecord]) -> list[tuple[int, int | None]]:
    """The sequence and subsequence numbers."""
    return [(int(record.sequence_number), record.subsequence_number) for record in records]

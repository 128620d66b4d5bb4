"""Reads everything that a stream holds, for tests: without iterators, quotas or counting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from truckstream.local.service import Service

__all__ = ["StoredPage", "StoredRecord", "read_stored"]

#: A page takes a fraction of a second, and a small part of the memory for one request.
_PAGE_RECORDS: Final = 10_000
_PAGE_BYTES: Final = 8 * 1024 * 1024


class StoredRecord(msgspec.Struct, frozen=True, gc=False):
    """A stored record. `arrival` is in seconds since the epoch."""

    shard_id: str
    sequence_number: str
    partition_key: str
    data: bytes
    arrival: float


class StoredPage(msgspec.Struct, frozen=True):
    """Some records of one shard, and the start of the next page. `next_shard_id` is empty after the last page."""

    records: list[StoredRecord]
    next_shard_id: str
    next_place: int


def read_stored(service: Service, stream_name: str, shard_id: str, place: int, now: float) -> StoredPage:
    """Return a page of the stream: its shards in the order of their creation, each from its oldest record.

    Args:
        service: the service.
        stream_name: the stream's name.
        shard_id: the page's shard; empty for the first one.
        place: the place of the page's first record in the shard.
        now: seconds since the epoch.

    Raises:
        RefusedError: there is no such stream.
    """
    shards = service.stream(stream_name, now).shards
    shard = shards.get(shard_id) or next((shard for name, shard in shards.items() if name > shard_id), None)
    if shard is None:
        return StoredPage([], "", 0)
    records = shard.look(place, _PAGE_RECORDS, _PAGE_BYTES)
    page = [
        StoredRecord(shard.shard_id, record.sequence_number, record.partition_key, record.data, record.arrival)
        for record in records
    ]
    following = records[-1].place + 1 if records else place
    if records and following < shard.next_place:
        return StoredPage(page, shard.shard_id, following)
    return StoredPage(page, next((name for name in shards if name > shard.shard_id), ""), 0)

"""Find the objects of rejected records, and read them ahead in the order of their arrival."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.data.objects.object_name import ObjectName
from truckstream.data.replay.reading.rejected import BrokenLine, decompress, read_lines
from truckstream.errors import InvalidArgumentError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from datetime import datetime

    from truckstream.data.objects.catalog import Catalog
    from truckstream.data.replay.reading.rejected import Rejected

__all__ = ["RejectedObject", "rejected_objects"]

#: Objects that are read at the same time. An object of 10,000 records has some 10 MB.
_READS_AT_ONCE: Final = 8

_NOT_COMPRESSED: Final = BrokenLine(1, "the object is not compressed as its name says")


class RejectedObject(NamedTuple):
    """An object of rejected records."""

    key: str
    #: Of its first record.
    arrival: datetime
    records: list[Rejected]
    broken: list[BrokenLine]


async def rejected_objects(
    catalog: Catalog, *, keys: Sequence[str], since: datetime | None, until: datetime | None
) -> AsyncIterator[RejectedObject]:
    """Yield the objects of rejected records in the order of their arrival.

    An object that is deleted before it is read is left out.

    Args:
        catalog: the store.
        keys: the objects; all objects of a time if it is empty.
        since: the earliest arrival of an object's first record.
        until: the time before which it arrived.

    Raises:
        InvalidArgumentError: a key is none of the batcher's.
        StoreError: the store cannot be listed or read.
    """
    if keys:
        found = [(_arrival_of(key), key) for key in keys]
    else:
        listed = catalog.objects(catalog.rejected_prefix, since=since, until=until)
        found = [(each.name.arrival, each.key) async for each in listed]
    free = asyncio.Semaphore(_READS_AT_ONCE)

    async def read(arrival: datetime, key: str) -> RejectedObject | None:
        async with free:
            content = await _read(catalog, key)
        return None if content is None else _parse(arrival, key, content)

    for some in _batches(sorted(found)):
        objects = await asyncio.gather(*(read(*each) for each in some))
        for each in sorted(filter(None, objects), key=_order):
            yield each


def _batches(found: Sequence[tuple[datetime, str]]) -> Iterator[Sequence[tuple[datetime, str]]]:
    """Divide objects into batches to read. Those of one second stay together: only their content shows their order."""
    start = 0
    while start < len(found):
        stop = min(start + _READS_AT_ONCE, len(found))
        while stop < len(found) and found[stop][0] == found[stop - 1][0]:
            stop += 1
        yield found[start:stop]
        start = stop


def _parse(arrival: datetime, key: str, content: bytes) -> RejectedObject:
    text = decompress(key, content)
    return RejectedObject(key, arrival, *(([], [_NOT_COMPRESSED]) if text is None else read_lines(text)))


def _order(found: RejectedObject) -> tuple[datetime, float, int]:
    first = found.records[0] if found.records else None
    return found.arrival, first.arrival if first else 0.0, int(first.sequence_number) if first else 0


def _arrival_of(key: str) -> datetime:
    name = ObjectName.parse(key)
    if name is None:
        raise InvalidArgumentError("object", key, "must be the key of an object of rejected records, or of Lambda's")
    return name.arrival


async def _read(catalog: Catalog, key: str) -> bytes | None:
    try:
        return await catalog.read(key)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise

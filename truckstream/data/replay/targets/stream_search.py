"""Read a stream from a time on to its tip."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from truckstream.kinesis.failures import TRANSIENT, FailureKind, RequestFailedError
from truckstream.kinesis.reading.position import Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from truckstream.kinesis.reading.reading_client import ReadingClient
    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["read_since"]

_T = TypeVar("_T")

_SHARDS_AT_ONCE: Final = 16

#: A shard allows five calls a second, for all of its readers together.
_SECONDS_BETWEEN_CALLS: Final = 0.25

_ATTEMPTS: Final = 8


async def read_since(client: ReadingClient, since: float, take: Callable[[ShardRecord], None]) -> None:
    """Pass each record of the stream that arrived from `since` on, in seconds since the epoch, to `take`.

    Reads each shard to the tip that it has at that time. Aggregates are not taken apart.

    Raises:
        ServiceError: the stream cannot be read.
    """
    free = asyncio.Semaphore(_SHARDS_AT_ONCE)

    async def read(shard_id: str) -> None:
        async with free:
            await _read_shard(client, shard_id, since, take)

    try:
        shards = await _retried(client.list_shards)
        tasks = [asyncio.create_task(read(shard.shard_id)) for shard in shards]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
    except RequestFailedError as failure:
        raise failure.to_service_error() from failure


async def _read_shard(client: ReadingClient, shard_id: str, since: float, take: Callable[[ShardRecord], None]) -> None:
    position = Position("AT_TIMESTAMP", timestamp=since)
    iterator: str | None = None
    while True:
        try:
            if iterator is None:
                iterator = await _retried(partial(client.get_shard_iterator, shard_id, position))
            page = await _retried(partial(client.get_records, iterator, shard_id))
        except RequestFailedError as failure:
            if failure.kind is not FailureKind.EXPIRED:
                raise
            iterator = None  # read on from the last record
            continue
        for record in page.records:
            take(record)
            position = Position("AFTER_SEQUENCE_NUMBER", record.sequence_number)
        iterator = page.next_iterator
        if iterator is None or page.millis_behind == 0:
            return
        await asyncio.sleep(_SECONDS_BETWEEN_CALLS)


async def _retried(call: Callable[[], Awaitable[_T]]) -> _T:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await call()
        except RequestFailedError as failure:
            if failure.kind is FailureKind.EXPIRED or failure.kind not in TRANSIENT or attempt == _ATTEMPTS:
                raise
        await asyncio.sleep(_SECONDS_BETWEEN_CALLS * attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")

"""Read a stream from its oldest record on, or from a time on, and compare each of its shards with the objects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from truckstream.data.audit.objects.stored_records import NO_RECORDS
from truckstream.data.audit.shards.groups import assemble
from truckstream.data.audit.stream.stream_comparison import ShardComparison
from truckstream.kinesis.failures import TRANSIENT, FailureKind, RequestFailedError
from truckstream.kinesis.reading.position import Position

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from truckstream.data.audit.objects.inventory import Inventory
    from truckstream.data.audit.shards.groups import StoredGroupObjects
    from truckstream.data.audit.shards.shard_audit import GroupReader
    from truckstream.kinesis.reading.reading_client import ReadingClient
    from truckstream.kinesis.reading.shard_record import RecordsPage

__all__ = ["StreamReading"]

#: Shards that are read at the same time.
_SHARDS_AT_ONCE: Final = 8

#: "Each shard can support up to a maximum total data read rate of 2 MiB per second, and five read transactions per
#: second" (GetRecords), which other readers of the shard use too. Seconds between two calls.
_CALL_SECONDS: Final = 0.25

#: Failures in a row after which the stream counts as unreadable, and the longest wait between two.
_MOST_FAILURES: Final = 10
_LONGEST_WAIT: Final = 5.0


class StreamReading:
    """Compares the shards of one stream.

    Args:
        client: reads the stream.
        inventory: the stored objects.
        reader: reads their contents.
        times: the arrivals of the first and of the last record that must be stored, in seconds since the epoch.
        settled_before: see `ShardComparison`.
        on_records: called with the number of records that were compared so far.
    """

    def __init__(
        self,
        client: ReadingClient,
        inventory: Inventory,
        reader: GroupReader,
        *,
        times: tuple[float | None, float | None],
        settled_before: float,
        on_records: Callable[[int], None],
    ) -> None:
        self._client = client
        self._inventory = inventory
        self._reader = reader
        self._times = times
        self._settled_before = settled_before
        self._on_records = on_records
        self._records = 0

    async def compare(self) -> list[tuple[tuple[str, str], ShardComparison]]:
        """Return the comparison of each shard that the stream still lists, with its stream and shard.

        Raises:
            ServiceError: the stream cannot be read.
        """
        try:
            arn = (await self._client.summary()).arn
            places = [(arn, shard.shard_id) for shard in await self._client.list_shards()]
            return list(zip(places, await self._compare_shards(places), strict=True))
        except RequestFailedError as error:
            raise error.to_service_error() from error

    async def _compare_shards(self, places: Sequence[tuple[str, str]]) -> list[ShardComparison]:
        free = asyncio.Semaphore(_SHARDS_AT_ONCE)

        async def compare(place: tuple[str, str]) -> ShardComparison:
            async with free:
                return await self._compare_shard(place)

        tasks = [asyncio.create_task(compare(place)) for place in places]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _compare_shard(self, place: tuple[str, str]) -> ShardComparison:
        since, until = self._times
        comparison = ShardComparison(place, since, until, self._settled_before)
        groups = self._groups(place)
        upcoming = next(groups, None)
        is_first = True
        async for page in self._pages(place[1], since):
            for record in page.records:
                number = int(record.sequence_number)
                while upcoming is not None and upcoming.first <= number:
                    if not (is_first and upcoming.last < number):  # else the stream has none of its records any more
                        records = sum(await self._reader.read(upcoming), start=NO_RECORDS)
                        comparison.add_group(upcoming, records, is_partial=is_first and upcoming.first < number)
                    upcoming = next(groups, None)
                comparison.add_record(record)
                is_first = False
            self._records += len(page.records)
            self._on_records(self._records)
            if page.records and until is not None and upcoming is None:
                last = page.records[-1]
                if last.arrival >= until and not comparison.covers(int(last.sequence_number)):
                    break
        comparison.finish()
        return comparison

    def _groups(self, place: tuple[str, str]) -> Iterator[StoredGroupObjects]:
        for group, _ in assemble(self._inventory.objects(*place)):
            yield group

    async def _pages(self, shard_id: str, since: float | None) -> AsyncIterator[RecordsPage]:
        """Yield the pages of a shard up to its present end."""
        position = Position("TRIM_HORIZON") if since is None else Position("AT_TIMESTAMP", timestamp=since)
        iterator: str | None = None
        failures = 0
        while True:
            try:
                iterator = iterator or await self._client.get_shard_iterator(shard_id, position)
                page = await self._client.get_records(iterator, shard_id)
            except RequestFailedError as error:
                failures += 1
                if error.kind not in TRANSIENT or failures >= _MOST_FAILURES:
                    raise
                if error.kind is FailureKind.EXPIRED:
                    iterator = None
                await asyncio.sleep(min(_LONGEST_WAIT, _CALL_SECONDS * 2**failures))
                continue
            failures = 0
            yield page
            if page.records:
                position = Position("AFTER_SEQUENCE_NUMBER", sequence_number=page.records[-1].sequence_number)
            iterator = page.next_iterator
            if iterator is None or page.millis_behind == 0:
                return
            await asyncio.sleep(_CALL_SECONDS)

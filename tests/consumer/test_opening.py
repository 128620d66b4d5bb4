"""Pages of envelopes: opened in pieces, within the memory of the consumer, and delivered as the stream has them."""

import asyncio

import pytest

from tests.batcher.support import envelope
from tests.consumer.local_client import STREAM, LocalClient, LocalStream
from tests.consumer.support import on_virtual_time
from truckstream.consumer import Consumer, ConsumerObserver
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.consumer.tables.memory_table import MemoryTable

MIB = 1024 * 1024

both_ways = pytest.mark.parametrize("fan_out", [False, True])


class Watching(ConsumerObserver):
    def __init__(self):
        self.read = []

    def records_read(self, event):
        self.read.append((event.records, event.bytes > 0))


def consumer(stream, table=None, **options):
    application = "lake" if table else None
    return Consumer(LocalClient(stream), application=application, leases=table or MemoryTable(), **options)


def put(stream, *payloads, key="7"):
    records = [{"Data": data, "PartitionKey": key} for data in payloads]
    assert not stream.call("PutRecords", StreamName=STREAM, Records=records)["FailedRecordCount"]


def bombs(count):
    """Envelopes of some 6 KiB that hold 15 MiB."""
    return [envelope(*[bytes(MIB)] * 15) for _ in range(count)]


@both_ways
@on_virtual_time
async def test_pages_of_bombs_take_the_budget_and_one_aggregate_at_most(fan_out):
    stream = LocalStream(shards=4)
    for number in range(12):
        put(stream, *bombs(4), key=f"TRUCK_{number}")
    most = read = 0
    async with consumer(stream, prefetch_bytes=32 * MIB, fan_out=fan_out) as reading:
        await asyncio.sleep(20)
        async for batch in reading:
            most = max(most, reading.stats.prefetched_bytes)
            read += len(batch)
            if read == 12 * 4 * 15:
                break
            await asyncio.sleep(1)
    assert 32 * MIB <= most < (32 + 16) * MIB


@both_ways
@on_virtual_time
async def test_a_response_is_reported_once_with_all_its_user_records(fan_out):
    stream, watching = LocalStream(), Watching()
    numbers = [b"%d" % number for number in range(40)]
    put(stream, *[envelope(*[number.ljust(100_000)] * 5) for number in numbers[:8]], *numbers[8:])
    sizes, found = [], []
    async with consumer(stream, observer=watching, fan_out=fan_out) as reading:
        async for batch in reading:
            sizes.append(len(batch))
            found += [record.data.strip() for record in batch]
            if len(found) == 8 * 5 + 32:
                break
        stats = reading.stats
    assert found == [number for number in numbers[:8] for _ in range(5)] + numbers[8:]
    assert max(sizes) < 72, "the page came in pieces"
    assert sum(records for records, _ in watching.read) == 72
    assert all(has_bytes for records, has_bytes in watching.read if records)
    assert sum(shard.records for shard in stats.shards.values()) == 72


@both_ways
@on_virtual_time
async def test_a_checkpoint_inside_a_page_that_was_opened_in_pieces_is_where_the_next_reader_goes_on(fan_out):
    stream, table = LocalStream(), MemoryTable()
    put(stream, *[envelope(*[b"%d" % (10 * number + index) for index in range(10)]) for number in range(4)])
    put(stream, *bombs(1), b"end")
    async with consumer(stream, table, fan_out=fan_out, checkpoint="manual") as reading:
        async for batch in reading:
            await batch.checkpoint(batch.records[17])
            break
    [lease] = await table.read()
    assert lease.checkpoint == Checkpoint(lease.checkpoint.sequence_number, 7)
    found = []
    async with consumer(stream, table, fan_out=fan_out) as reading:
        async for batch in reading:
            found += [record.data for record in batch]
            if found[-1] == b"end":
                break
    assert found == [b"%d" % number for number in range(18, 40)] + [bytes(MIB)] * 15 + [b"end"]


@on_virtual_time
async def test_the_tip_is_not_reached_while_aggregates_of_the_last_page_are_not_open():
    """The first pieces are before the checkpoint, so that they are empty."""
    stream, table, calls = LocalStream(), MemoryTable(), []
    put(stream, envelope(*[b"x" * 700_000] * 2), envelope(b"y"))

    class Processor:
        async def process(self, records, millis_behind):
            calls.append((len(records), millis_behind))
            if calls[-1] == (1, 0):
                reading.stop()

        def end_soon(self): ...
        async def finish(self, reason): ...
        def abandon(self): ...

    async with consumer(stream, table, checkpoint="manual") as reading:
        async for batch in reading:
            await batch.checkpoint(batch.records[1])
            break
    async with consumer(stream, table) as reading:
        await reading.run_processors(lambda _: Processor())
    assert calls == [(1, 0)]

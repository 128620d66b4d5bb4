"""Shards that wait for the records of other shards, as in a query that aligns them, do not keep those from reading."""

import asyncio
from random import Random

import pytest

from tests.batcher.support import envelope
from tests.consumer.local_client import STREAM, LocalClient, LocalStream
from tests.consumer.support import on_virtual_time
from truckstream.consumer import Consumer
from truckstream.consumer.tables.memory_table import MemoryTable

MIB = 1024 * 1024
SHARDS = 6
BEHIND = "shardId-000000000000"

both_ways = pytest.mark.parametrize("fan_out", [False, True])


class Alignment:
    """Each shard may process its next records when the shard that is behind has processed all of its own."""

    def __init__(self, reading, awaited):
        self.reading = reading
        self.awaited = awaited
        self.caught_up = asyncio.Event()
        self.read = {}
        self.most = 0

    def processor(self, shard):
        return AlignedProcessor(shard, self)


class AlignedProcessor:
    def __init__(self, shard, alignment):
        self.shard = shard
        self.alignment = alignment

    async def process(self, records, _):
        common, shard_id = self.alignment, self.shard.shard_id
        common.read[shard_id] = common.read.get(shard_id, 0) + len(records)
        common.most = max(common.most, common.reading.stats.prefetched_bytes)
        if shard_id != BEHIND:
            with self.shard.blocked_by_others():
                await common.caught_up.wait()
        elif common.read[shard_id] == common.awaited:
            common.caught_up.set()
        if sum(common.read.values()) == SHARDS * common.awaited:
            common.reading.stop()

    def end_soon(self):
        self.alignment.caught_up.set()

    async def finish(self, reason): ...
    def abandon(self): ...


async def put(stream, *requests):
    """Put records into each shard; into the one that is behind when the others are blocked."""
    for number in reversed(range(SHARDS)):
        if number == 0:
            await asyncio.sleep(20)
        for payloads in requests:
            place = {"PartitionKey": "A", "ExplicitHashKey": str(number * 2**128 // SHARDS + 1)}
            entries = [{"Data": data, **place} for data in payloads]
            assert not stream.call("PutRecords", StreamName=STREAM, Records=entries)["FailedRecordCount"]
            await asyncio.sleep(0.5)


async def align(requests, awaited, *, fan_out):
    """Return the most bytes of the budget that were used."""
    stream = LocalStream(SHARDS)
    options = {"prefetch_bytes": MIB, "fan_out": fan_out, "random": Random(7)}
    async with Consumer(LocalClient(stream), leases=MemoryTable(), **options) as reading:
        alignment = Alignment(reading, awaited)
        running = asyncio.create_task(reading.run_processors(alignment.processor))
        await put(stream, *requests)
        await asyncio.wait({running}, timeout=60)
        read = dict(alignment.read)
        await reading.close(1)
        await running
    assert list(read.values()) == [awaited] * SHARDS
    return alignment.most


@both_ways
@on_virtual_time
async def test_a_shard_that_others_wait_for_reads_on_when_they_have_filled_the_budget(fan_out):
    most = await align([[bytes(1_000)] * 300] * 6, 1_800, fan_out=fan_out)
    assert most > MIB
    # An event of fan-out may have 2 MiB of data, as much as each shard has here.
    assert fan_out or most < MIB + SHARDS * MIB, "one page of each shard beyond the budget"


@both_ways
@on_virtual_time
async def test_it_also_opens_envelopes_that_are_larger_than_the_budget(fan_out):
    most = await align([[envelope(*[bytes(200_000)] * 10)]] * 3, 30, fan_out=fan_out)
    assert 4 * MIB < most < MIB + SHARDS * 2 * MIB, "one envelope of each shard beyond the budget"

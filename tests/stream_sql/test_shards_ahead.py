"""Shards that are ahead wait with all bytes that the consumer may read ahead, and the last one still reads."""

import asyncio
import math

from tests.consumer.local_client import EPOCH, STREAM, LocalClient, LocalStream
from tests.consumer.support import on_virtual_time
from tests.stream_sql.support import BASE, line
from truckstream import TruckRecord
from truckstream.consumer import Consumer
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.stream_sql import shard_feed
from truckstream.stream_sql.records.columns import ColumnBuilder
from truckstream.stream_sql.records.decoding import RecordDecoder
from truckstream.stream_sql.shard_feed import FeedCounts, ShardFeed
from truckstream.stream_sql.windowing.open_windows import BufferedWindows
from truckstream.stream_sql.windowing.window_plan import SqlWindowPlan
from truckstream.windows import Watermark

MIB = 1024 * 1024
SHARDS = 5
#: Of each shard: 25 a second of event time, and one that ends the windows before it.
RECORDS = 2_501


class Query:
    """The windows of a query, which are delivered twenty times a second."""

    def __init__(self):
        watermark = Watermark(out_of_orderness=0, max_ahead=math.inf)
        plan, columns = SqlWindowPlan(10_000_000, 10_000_000), ColumnBuilder(TruckRecord, {"truck_id"})
        self.windows = BufferedWindows(plan, watermark, columns, max_bytes=5 * MIB, max_ahead=math.inf)
        self.counts = FeedCounts()
        self.feeds = []
        self.final = {}

    def feed(self, shard):
        self.windows.add_shard(shard.shard_id, shard.start, shard_feed.time.time())
        self.feeds.append(ShardFeed(shard, self.windows, RecordDecoder(TruckRecord, "timestamp"), self.counts))
        return self.feeds[-1]

    async def step_until_all_is_read(self):
        while self.counts.read < SHARDS * RECORDS:
            await asyncio.sleep(0.05)
            for asked in self.windows.step(shard_feed.time.time(), with_changed=False):
                self.final[asked.window // 1_000_000 - BASE] = sum(batch.num_rows for batch in asked.batches)
                self.windows.delivered(asked.window)
            for feed in self.feeds:
                feed.wake()


async def put(stream, number, first, pause):
    """Put records of a hundred seconds from `first` on into a shard."""
    place = {"PartitionKey": "A", "ExplicitHashKey": str(number * 2**128 // SHARDS + 1)}
    for seconds in [*[[first + second + index / 25 for index in range(25)] for second in range(100)], [1_000]]:
        entries = [{"Data": line(second), **place} for second in seconds]
        assert not stream.call("PutRecords", StreamName=STREAM, Records=entries)["FailedRecordCount"]
        await asyncio.sleep(pause)


def test_no_record_is_late_when_the_shards_that_are_ahead_fill_the_prefetch_budget(monkeypatch):
    class VirtualTime:
        @staticmethod
        def time():
            return EPOCH + asyncio.get_running_loop().time()

    monkeypatch.setattr(shard_feed, "time", VirtualTime)
    read_slow_and_fast_shards()


@on_virtual_time
async def read_slow_and_fast_shards():
    stream, query = LocalStream(SHARDS, quota_scale=10), Query()
    for number in range(1, SHARDS):
        await put(stream, number, first=200, pause=0)
    async with Consumer(LocalClient(stream), leases=MemoryTable(), start="TRIM_HORIZON", prefetch_bytes=MIB) as reading:
        running = asyncio.create_task(reading.run_processors(query.feed))
        putting = asyncio.create_task(put(stream, 0, first=0, pause=1))
        await reading.wait_ready()
        async with asyncio.timeout(300):
            await query.step_until_all_is_read()
        await putting
        await reading.close(1)
        await running
    assert query.windows.late == 0
    assert query.final == dict.fromkeys(range(0, 100, 10), 250) | dict.fromkeys(range(200, 300, 10), 1_000)

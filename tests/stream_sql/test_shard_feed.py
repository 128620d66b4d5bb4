"""The feed of a shard takes records while there is memory for them."""

import asyncio

import pytest

from tests.consumer.support import HeldShard
from tests.stream_sql.support import BASE, line, shard_record
from truckstream import TruckRecord
from truckstream.consumer.leases.lease import TRIM_HORIZON, Checkpoint
from truckstream.errors import UsageError
from truckstream.stream_sql.records.columns import ColumnBuilder
from truckstream.stream_sql.records.decoding import RecordDecoder
from truckstream.stream_sql.shard_feed import FeedCounts, ShardFeed
from truckstream.stream_sql.windowing.open_windows import BufferedWindows
from truckstream.stream_sql.windowing.window_plan import SqlWindowPlan
from truckstream.windows import Watermark


@pytest.fixture
def windows():
    """Windows of ten seconds with memory for some ten records of two shards."""
    watermark = Watermark(out_of_orderness=0)
    columns = ColumnBuilder(TruckRecord, {"truck_id"})
    windows = BufferedWindows(SqlWindowPlan(10_000_000, 10_000_000), watermark, columns, max_bytes=13_000)
    for shard in ("shard-1", "shard-2"):
        windows.add_shard(shard, Checkpoint(TRIM_HORIZON), BASE)
    return windows


@pytest.fixture
def feeds(windows):
    counts = FeedCounts()
    decoder = RecordDecoder(TruckRecord, "timestamp")
    return [ShardFeed(HeldShard(shard), windows, decoder, counts) for shard in ("shard-1", "shard-2")]


def records(*seconds):
    return [shard_record(number, line(second)) for number, second in enumerate(seconds)]


def deliver(windows, feeds):
    """Make a step, and look for room again."""
    for asked in windows.step(BASE, with_changed=False):
        windows.delivered(asked.window)
    for feed in feeds:
        feed.wake()


async def begin(processing):
    task = asyncio.create_task(processing)
    await asyncio.sleep(0)
    return task


async def test_a_shard_that_is_ahead_waits_until_a_step_has_made_room(windows, feeds):
    await feeds[1].process(records(1), 0)
    ahead = await begin(feeds[0].process(records(*[n / 2 for n in range(19)], 12), 0))
    windows.step(BASE, with_changed=False)
    behind = await begin(feeds[1].process(records(10), 0))
    assert not ahead.done()
    assert feeds[0].shard.is_blocked, "the other shard must be read on"
    deliver(windows, feeds)
    await asyncio.gather(ahead, behind)
    assert not feeds[0].shard.is_blocked
    assert feeds[0].counts.read == 22


async def test_records_of_a_shard_that_is_ahead_already_are_not_added_while_the_memory_is_full(windows, feeds):
    await feeds[0].process(records(12), 0)
    await feeds[1].process(records(1), 0)
    windows.step(BASE, with_changed=False)
    behind = await begin(feeds[1].process(records(*[n / 2 for n in range(19)]), 0))
    ahead = await begin(feeds[0].process(records(13), 0))
    assert (windows.records, ahead.done()) == (21, False)
    assert feeds[0].shard.is_blocked, "the other shard must be read on"
    windows.add("shard-2", feeds[1].decoder.decode(records(11)), Checkpoint("11"), BASE)
    deliver(windows, feeds)
    await asyncio.gather(ahead, behind)
    assert (windows.records, feeds[0].counts.read) == (3, 22)


async def test_a_shard_that_waits_for_the_delivery_of_windows_is_not_blocked_by_others(windows, feeds):
    """It needs none of their records, which would only take memory."""
    await feeds[1].process(records(12), 0)
    waiting = await begin(feeds[0].process(records(5, *[10 + n / 10 for n in range(10)]), 0))
    assert feeds[0].shard.is_blocked
    windows.step(BASE, with_changed=False)
    feeds[0].wake()
    await asyncio.sleep(0)
    assert (waiting.done(), feeds[0].shard.is_blocked) == (False, False)
    windows.delivered(BASE * 1_000_000)
    feeds[0].wake()
    await waiting


async def test_a_shard_that_waits_ends_when_the_query_is_stopped(feeds):
    await feeds[1].process(records(1), 0)
    ahead = asyncio.create_task(feeds[0].process(records(*[n / 2 for n in range(20)]), 0))
    await asyncio.sleep(0)
    feeds[0].end_soon()
    await ahead


async def test_a_window_that_is_larger_than_the_memory_ends_the_query(windows, feeds):
    await feeds[1].process(records(9), 0)
    ahead = asyncio.create_task(feeds[0].process(records(*[n / 4 for n in range(20)]), 0))
    await asyncio.sleep(0)
    assert windows.step(BASE, with_changed=False) == []
    feeds[0].wake()
    with pytest.raises(UsageError, match="allow more memory"):
        await ahead

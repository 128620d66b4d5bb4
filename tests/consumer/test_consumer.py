"""The Consumer on virtual time, over the local service with its quotas: loops, handlers, checkpoints and closing."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from tests.consumer.local_client import EPOCH, LocalClient, LocalStream, numbers
from tests.consumer.support import on_virtual_time
from truckstream.consumer.consumer import Consumer
from truckstream.consumer.processing.batch import checkpoint_of
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.errors import ConsumerClosedError, InvalidArgumentError, LeaseLostError, ServiceError, UsageError
from truckstream.kinesis.failures import FailureKind, RequestFailedError


def consumer(stream, table=None, **options):
    client = LocalClient(stream, **options.pop("client", {}))
    application = None if table is None else "lake"
    return Consumer(client, application=application, leases=table or MemoryTable(), **options)


async def read(reading, count):
    """The numbers of the first `count` records that a consumer's loop gets."""
    found = []
    async for batch in reading:
        found += numbers(batch)
        if len(found) >= count:
            await batch.checkpoint()
            break
    return found


@on_virtual_time
async def test_every_record_is_read_once_and_those_of_a_shard_in_order():
    stream = LocalStream(shards=4)
    stream.put(2_000)
    by_shard = {}
    async with consumer(stream) as reading:
        async for batch in reading:
            by_shard.setdefault(batch.shard_id, []).extend(each.data for each in batch)
            if sum(map(len, by_shard.values())) == 2_000:
                break
    assert by_shard == stream.stored


@on_virtual_time
async def test_another_consumer_goes_on_at_the_checkpoint():
    stream, table = LocalStream(), MemoryTable()
    stream.put(500)
    async with consumer(stream, table, max_batch_records=100) as first:
        assert await read(first, 200) == list(range(200))
    async with consumer(stream, table) as second:
        assert await read(second, 300) == list(range(200, 500))


@on_virtual_time
async def test_a_batch_that_was_not_finished_comes_again_to_the_next_consumer():
    stream, table = LocalStream(), MemoryTable()
    stream.put(300)
    async with consumer(stream, table, max_batch_records=100) as first:
        loop = aiter(first)
        assert numbers(await anext(loop)) == list(range(100))
        assert numbers(await anext(loop)) == list(range(100, 200))
    async with consumer(stream, table) as second:
        assert await read(second, 200) == list(range(100, 300))


@on_virtual_time
async def test_with_manual_checkpoints_only_those_count():
    stream, table = LocalStream(), MemoryTable()
    stream.put(300)
    async with consumer(stream, table, max_batch_records=100, checkpoint="manual") as first:
        loop = aiter(first)
        await (await anext(loop)).checkpoint()
        await anext(loop)
        await anext(loop)
    async with consumer(stream, table) as second:
        assert await read(second, 200) == list(range(100, 300))


@on_virtual_time
async def test_automatic_checkpoints_are_in_the_table_within_their_interval():
    stream, table = LocalStream(), MemoryTable()
    stream.put(200)
    async with consumer(stream, table, max_batch_records=100, checkpoint_interval=2.0) as reading:
        loop = aiter(reading)
        first = await anext(loop)
        await anext(loop)
        await asyncio.sleep(2.5)
        [lease] = await table.read()
        assert lease.checkpoint.sequence_number == first.records[-1].sequence_number


@on_virtual_time
async def test_latest_delivers_what_is_put_after_ready():
    stream = LocalStream(shards=2)
    stream.put(100)
    async with consumer(stream, start="LATEST") as reading:
        await reading.wait_ready()
        stream.put(50)
        assert sorted(await read(reading, 50)) == list(range(100, 150))


@on_virtual_time
async def test_a_start_at_a_time_delivers_what_came_from_then_on():
    stream = LocalStream()
    stream.put(100)
    await asyncio.sleep(60)
    stream.put(50)
    async with consumer(stream, start=datetime.fromtimestamp(EPOCH + 30, UTC)) as reading:
        assert await read(reading, 50) == list(range(100, 150))


@on_virtual_time
async def test_given_shards_are_read_to_their_ends_without_their_children():
    stream = LocalStream(shards=2)
    stream.put(400)
    stream.split("shardId-000000000000")
    stream.put(400)
    found = []
    async with consumer(stream, shards=["shardId-000000000000"]) as reading:
        async for each in reading.records():
            found.append(each.data)  # noqa: PERF401 - the loop must end by itself
    assert found == stream.stored["shardId-000000000000"]


@on_virtual_time
async def test_a_shard_that_does_not_exist_is_named():
    with pytest.raises(InvalidArgumentError, match=r"shardId-000000000009.*must be shards of the stream, which has 1"):
        async with consumer(LocalStream(), shards=["shardId-000000000009"]):
            pass


@on_virtual_time
async def test_after_a_reshard_the_children_follow_their_parents():
    stream = LocalStream(shards=2)
    stream.put(500)
    stream.merge("shardId-000000000000", "shardId-000000000001")
    stream.put(400)
    await asyncio.sleep(1)
    stream.split("shardId-000000000002")
    stream.put(500)
    seen, by_shard = [], {}
    async with consumer(stream) as reading:
        async for batch in reading:
            if batch.shard_id not in seen:
                seen.append(batch.shard_id)
            by_shard.setdefault(batch.shard_id, []).extend(each.data for each in batch)
            if sum(map(len, by_shard.values())) == stream.total:
                break
    assert by_shard == stream.stored
    assert sorted(seen[:2]) == ["shardId-000000000000", "shardId-000000000001"]
    assert seen[2] == "shardId-000000000002"


class WatchingProcessor:
    """Notes what its shard says of itself, and the end of the shard."""

    def __init__(self, shard, seen):
        self.seen, self.shard = seen, shard
        seen[shard.shard_id] = (shard.hash_range, shard.parent_ids)

    async def process(self, records, _):
        if records:
            self.shard.note(checkpoint_of(records[-1]))

    async def finish(self, reason):
        pass

    def end_soon(self):
        pass

    def abandon(self):
        pass


@on_virtual_time
async def test_a_processor_learns_which_shards_its_own_follows():
    """A parent that expired before the application began is none of them: there is nothing to take over from it."""
    stream, seen = LocalStream(shards=2), {}
    stream.put(100)
    stream.merge("shardId-000000000000", "shardId-000000000001")
    stream.split("shardId-000000000002")
    stream.put(100)
    async with consumer(stream, MemoryTable()) as reading:
        running = asyncio.ensure_future(reading.run_processors(partial(WatchingProcessor, seen=seen)))
        await asyncio.sleep(30)
        reading.stop()
        await running
    half, last = 2**127, 2**128 - 1
    assert seen == {
        "shardId-000000000000": ((0, half - 1), ()),
        "shardId-000000000001": ((half, last), ()),
        "shardId-000000000002": ((0, last), ("shardId-000000000000", "shardId-000000000001")),
        "shardId-000000000003": ((0, half - 1), ("shardId-000000000002",)),
        "shardId-000000000004": ((half, last), ("shardId-000000000002",)),
    }


@on_virtual_time
async def test_a_parent_without_a_lease_is_not_among_those_that_were_read():
    stream, seen, table = LocalStream(), {}, MemoryTable()
    stream.split("shardId-000000000000")
    async with consumer(stream, table, start="LATEST") as reading:  # closed shards get no lease
        running = asyncio.ensure_future(reading.run_processors(partial(WatchingProcessor, seen=seen)))
        await asyncio.sleep(30)
        reading.stop()
        await running
    assert {shard: parents for shard, (_, parents) in seen.items()} == {
        "shardId-000000000001": (),
        "shardId-000000000002": (),
    }


@on_virtual_time
async def test_run_calls_the_handler_until_it_is_stopped():
    stream, table = LocalStream(shards=2), MemoryTable()
    stream.put(800)
    found = []

    async def handle(batch):
        await asyncio.sleep(0.01)
        found.extend(numbers(batch))
        if len(found) == 800:
            reading.stop()

    async with consumer(stream, table, max_batch_records=100) as reading:
        await reading.run(handle)
    assert sorted(found) == list(range(800))
    assert {lease.owner for lease in await table.read()} == {None}
    stream.put(10)
    async with consumer(stream, table) as second:
        assert sorted(await read(second, 10)) == list(range(800, 810))


@on_virtual_time
async def test_run_handles_the_keys_of_a_shard_side_by_side_and_each_in_order():
    stream = LocalStream()
    stream.put(600, keys=10)
    by_key, running, most = {}, 0, 0

    async def handle(batch):
        nonlocal running, most
        running += 1
        most = max(most, running)
        for each in batch:
            by_key.setdefault(each.partition_key, []).append(int(each.data))
            await asyncio.sleep(0.001)
        running -= 1
        if sum(map(len, by_key.values())) == 600:
            reading.stop()

    async with consumer(stream) as reading:
        await reading.run(handle, concurrency_per_shard=4)
    assert most == 4
    assert all(found == sorted(found) and len(found) == 60 for found in by_key.values())


@on_virtual_time
async def test_an_error_of_the_handler_stops_the_consumer_and_its_batch_comes_again():
    stream, table = LocalStream(), MemoryTable()
    stream.put(300)

    async def handle(batch):
        if 150 in numbers(batch):
            raise ValueError("no such truck")

    async with consumer(stream, table, max_batch_records=100) as reading:
        with pytest.raises(ValueError, match="no such truck"):
            await reading.run(handle)
    async with consumer(stream, table) as second:
        assert await read(second, 200) == list(range(100, 300))


@on_virtual_time
async def test_a_handler_that_does_not_return_in_time_is_cancelled_and_not_checkpointed():
    stream, table = LocalStream(), MemoryTable()
    stream.put(100)
    started = asyncio.Event()

    async def handle(_):
        started.set()
        await asyncio.sleep(3_600)

    reading = consumer(stream, table)
    async with reading:
        running = asyncio.create_task(reading.run(handle))
        await started.wait()
        await reading.close(timeout=5)
        await running
    async with consumer(stream, table) as second:
        assert await read(second, 100) == list(range(100))


@on_virtual_time
async def test_a_loop_ends_after_stop_and_its_last_batch_is_checkpointed():
    stream, table = LocalStream(), MemoryTable()
    stream.put(300)
    found = []
    async with consumer(stream, table, max_batch_records=100) as reading:
        async for batch in reading:
            found += numbers(batch)
            reading.stop()
    assert found == list(range(100))
    async with consumer(stream, table) as second:
        assert await read(second, 200) == list(range(100, 300))


@on_virtual_time
async def test_an_application_that_is_slower_than_the_iterators_live_loses_nothing():
    stream = LocalStream()
    found = []
    async with consumer(stream, prefetch_bytes=1024 * 1024) as reading:
        for _ in range(5):
            stream.put(900, size=1_000)
            await asyncio.sleep(1)
        async for batch in reading:
            found += numbers(batch)
            await asyncio.sleep(400)
            if len(found) == 4_500:
                break
    assert found == list(range(4_500))


@on_virtual_time
async def test_what_is_read_ahead_stays_within_its_budget():
    stream = LocalStream(shards=4)
    most = 0
    async with consumer(stream, prefetch_bytes=1024 * 1024) as reading:
        for _ in range(8):
            stream.put(900, size=1_000)
            await asyncio.sleep(1)
            most = max(most, reading.stats.prefetched_bytes)
        assert len(await read(reading, 7_200)) == 7_200
    assert 256 * 1024 < most < 1.6 * 1024 * 1024


@on_virtual_time
async def test_faults_of_a_third_of_the_calls_lose_and_repeat_nothing():
    stream = LocalStream(shards=4)
    by_shard = {}
    faulty = {"faults": 0.3, "rng": random.Random(7)}
    async with consumer(stream, client=faulty) as reading:
        for _ in range(5):
            stream.put(500)
            await asyncio.sleep(1)
        async for batch in reading:
            by_shard.setdefault(batch.shard_id, []).extend(each.data for each in batch)
            if sum(map(len, by_shard.values())) >= 2_500:
                break
    assert by_shard == stream.stored


@on_virtual_time
async def test_an_idle_shard_costs_about_one_call_a_second():
    stream = LocalStream()
    async with consumer(stream) as reading:
        await asyncio.sleep(100)
        calls = [at for at, operation, _ in reading._streams._clients[0].calls if operation == "GetRecords" and at > 40]
    assert len(calls) <= 75


@on_virtual_time
async def test_a_record_is_delivered_within_250_ms_while_records_flow():
    stream, delays = LocalStream(), []
    loop = asyncio.get_running_loop()

    async def write():
        for _ in range(200):
            stream.put(1)
            await asyncio.sleep(0.083)

    async with consumer(stream, max_batch_records=1) as reading:
        writing = asyncio.create_task(write())
        async for batch in reading:
            delays.append(EPOCH + loop.time() - batch.records[0].arrival)
            if len(delays) == 200:
                break
        await writing
    assert max(delays[10:]) < 0.25


@on_virtual_time
async def test_a_stream_without_permission_ends_the_loop_with_the_service_s_error():
    stream = LocalStream()
    reading = consumer(stream)

    async def refuse(*_, **__):
        raise RequestFailedError(FailureKind.PERMANENT, "AccessDeniedException", "not authorized: kinesis:GetRecords")

    reading._streams._clients[0].get_records = refuse
    async with reading:
        with pytest.raises(ServiceError, match="AccessDeniedException: not authorized: kinesis:GetRecords"):
            async for _ in reading:
                pass


@on_virtual_time
async def test_a_consumer_has_either_loops_or_one_run():
    async with consumer(LocalStream()) as reading:
        aiter(reading)
        with pytest.raises(UsageError, match="either loops or one call of run"):
            await reading.run(asyncio.sleep)


@on_virtual_time
async def test_a_handler_is_a_coroutine_function():
    async with consumer(LocalStream()) as reading:
        with pytest.raises(InvalidArgumentError, match=r"handler is .*: must be a coroutine function"):
            await reading.run(print)


@on_virtual_time
async def test_a_consumer_that_is_not_open_says_so():
    reading = consumer(LocalStream())
    with pytest.raises(ConsumerClosedError, match="use it as `async with"):
        aiter(reading)
    async with reading:
        pass
    with pytest.raises(ConsumerClosedError, match="closed"):
        aiter(reading)
    with pytest.raises(ConsumerClosedError, match="only once"):
        await reading.open()
    await reading.close()


@on_virtual_time
async def test_closing_disconnects_and_ends_all_tasks():
    stream = LocalStream(shards=3)
    reading = consumer(stream)
    async with reading:
        await reading.wait_ready()
    assert not reading._streams._clients[0].is_open
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_virtual_time
async def test_statistics_tell_what_is_read_and_how_far_behind_it_is():
    stream = LocalStream(shards=2)
    stream.put(1_000)
    await asyncio.sleep(30)
    async with consumer(stream) as reading:
        assert await read(reading, 1_000)
        stats = reading.stats
    assert {shard.owner for shard in stats.shards.values()} == {reading.worker_id}
    assert sum(shard.records for shard in stats.shards.values()) == 1_000
    assert stats.millis_behind_latest == 0
    assert "2 of 2 shards, 1000 records read, 0 ms behind" in str(stats)


@on_virtual_time
async def test_the_age_grows_while_calls_fail_and_not_while_there_is_nothing_to_read():
    stream = LocalStream()
    stream.put(10)
    client = LocalClient(stream)
    get_records = client.get_records

    processed = []

    async def fail(*_, **__):
        raise RequestFailedError(FailureKind.AMBIGUOUS, "InternalFailure", "try again")

    async def handle(batch):
        processed.extend(batch)

    async with Consumer(client, leases=MemoryTable()) as reading:
        running = asyncio.create_task(reading.run(handle))
        await asyncio.sleep(60)
        assert (len(processed), reading.stats.millis_behind_latest) == (10, 0)
        client.get_records = fail
        await asyncio.sleep(60)
        assert 55_000 < reading.stats.millis_behind_latest < 62_000
        client.get_records = get_records
        await asyncio.sleep(60)
        assert reading.stats.millis_behind_latest == 0
        reading.stop()
        await running


@on_virtual_time
async def test_a_batch_of_a_lost_lease_cannot_be_checkpointed():
    stream, table = LocalStream(), MemoryTable()
    stream.put(100)
    async with consumer(stream, table, lease_duration=10) as reading:
        loop = aiter(reading)
        batch = await anext(loop)
        [lease] = await table.read()
        assert await table.replace(lease, replace(lease, owner="another", counter=lease.counter + 1))
        await asyncio.sleep(5)
        assert not batch.is_held
        with pytest.raises(LeaseLostError):
            await batch.checkpoint()

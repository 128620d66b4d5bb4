"""The Consumer under cancellation, failing parts and applications that break its rules, on virtual time."""

import asyncio
import contextlib
import gc
import warnings
from dataclasses import replace

import pytest

from tests.consumer.local_client import LocalClient, LocalStream, numbers
from tests.consumer.support import on_virtual_time
from truckstream.consumer import Consumer, ConsumerObserver
from truckstream.consumer.tables import MemoryTable
from truckstream.errors import (
    ConsumerClosedError,
    LeaseTableError,
    StreamNotFoundError,
    UsageError,
    WrongEventLoopError,
)
from truckstream.kinesis.failures import FailureKind, RequestFailedError

MIB = 1024 * 1024


class TroubledTable(MemoryTable):
    """A table whose writes take time, and fail while `is_down`."""

    is_down = False
    is_open = False

    async def open(self):
        await asyncio.sleep(0.01)
        self.is_open = True

    async def close(self):
        self.is_open = False
        await asyncio.sleep(0.01)

    async def read(self):
        await self._answer()
        return await super().read()

    async def replace(self, before, after):
        await self._answer()
        return await super().replace(before, after)

    async def _answer(self):
        await asyncio.sleep(0.01)
        if self.is_down:
            raise LeaseTableError("InternalServerError", "the table is down")


def consumer(stream, table=None, **options):
    application = None if table is None else "lake"
    return Consumer(LocalClient(stream), application=application, leases=table or MemoryTable(), **options)


async def read(consumer, count):
    found = []
    async for batch in consumer:
        found += numbers(batch)
        if len(found) >= count:
            await batch.checkpoint()
            break
    return found


async def assert_nothing_is_left(reading, table):
    """All tasks have ended, all is closed, and another worker can have the shards."""
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not reading._streams._clients[0].is_open
    assert not table.is_open
    assert "closed" in repr(reading)


async def wait_steps(steps):
    """Wait until a moment that is different for each number: four turns of the loop each 5 ms."""
    await asyncio.sleep(steps // 4 * 0.005)
    for _ in range(steps % 4):
        await asyncio.sleep(0)


async def cancel_after(task, steps):
    await wait_steps(steps)
    task.cancel()
    await asyncio.wait([task])


# --- Cancellation ---------------------------------------------------------------------------------


@on_virtual_time
async def test_opening_can_be_cancelled_at_each_of_its_steps():
    for step in range(120):
        table = TroubledTable()
        reading = consumer(LocalStream(shards=2), table)
        opening = asyncio.create_task(reading.open())
        await cancel_after(opening, step)
        await reading.close()
        await assert_nothing_is_left(reading, table)
    assert not opening.cancelled()  # all of its steps were tried


@pytest.mark.parametrize("times", [1, 2])
@on_virtual_time
async def test_closing_can_be_cancelled_at_each_of_its_steps(times):
    for step in range(1, 120):
        stream, table = LocalStream(shards=2), TroubledTable()
        stream.put(100)
        reading = consumer(stream, table, max_batch_records=10)
        await reading.open()
        loop = aiter(reading)
        await anext(loop)
        closing = asyncio.create_task(reading.close())
        for _ in range(times):
            await wait_steps(step)
            closing.cancel()
        await asyncio.wait([closing])
        await assert_nothing_is_left(reading, table)
    assert not closing.cancelled()  # all of its steps were tried


@on_virtual_time
async def test_run_can_be_cancelled_at_each_of_its_steps_and_the_records_come_again():
    async def handle(batch):
        await asyncio.sleep(0.05)
        handled.extend(numbers(batch))

    for turn in range(1, 200, 7):
        stream, table, handled = LocalStream(shards=2), TroubledTable(), []
        stream.put(200)
        async with consumer(stream, table, max_batch_records=50) as reading:
            await cancel_after(asyncio.create_task(reading.run(handle)), turn)
        await assert_nothing_is_left(reading, table)
        assert {lease.owner for lease in await table.read()} == {None}
        left = 200 - len(handled)
        async with consumer(stream, table) as second:
            rest = await read(second, left) if left else []
        assert sorted(handled + rest) == list(range(200))


@on_virtual_time
async def test_a_loop_can_be_cancelled_at_each_of_its_steps_and_another_gets_all_records():
    async def loop(reading, found):
        async for batch in reading:
            await asyncio.sleep(0)
            found.append(batch)

    for turn in range(40):
        stream, first, second = LocalStream(shards=2), [], []
        stream.put(200)
        async with consumer(stream, max_batch_records=20) as reading:
            await cancel_after(asyncio.create_task(loop(reading, first)), turn)
            other = asyncio.create_task(loop(reading, second))
            await asyncio.sleep(5)
            other.cancel()
        # The batch that the first loop had when it was cancelled may have been appended, too.
        assert {number for batch in first + second for number in numbers(batch)} == set(range(200))


# --- Handlers that break the rules ----------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
@on_virtual_time
async def test_close_in_a_handler_is_an_error_that_names_stop(concurrency):
    stream = LocalStream()
    stream.put(100)

    async def handle(_):
        await reading.close()

    async with consumer(stream) as reading:
        with pytest.raises((UsageError, ExceptionGroup)) as caught:
            await reading.run(handle, concurrency_per_shard=concurrency)
    error = caught.value.exceptions[0] if concurrency > 1 else caught.value
    assert "call stop()" in str(error)


@on_virtual_time
async def test_a_handler_may_have_another_task_close():
    stream, closing = LocalStream(), []
    stream.put(100)

    async def handle(_):
        if not closing:
            closing.append(asyncio.create_task(reading.close()))

    async with consumer(stream) as reading:
        await reading.run(handle)
        await closing[0]


@on_virtual_time
async def test_close_in_a_loop_s_body_ends_the_loop():
    stream, table = LocalStream(), MemoryTable()
    stream.put(100)
    async with consumer(stream, table, max_batch_records=10) as reading:
        count = 0
        async for _ in reading:
            count += 1
            await reading.close()
    assert count == 1
    async with consumer(stream, table) as second:
        assert await read(second, 100) == list(range(100))


@on_virtual_time
async def test_callers_of_close_may_come_together():
    reading = consumer(LocalStream(shards=3))
    await reading.open()
    await asyncio.gather(*(reading.close() for _ in range(5)))
    await reading.close()


@on_virtual_time
async def test_a_handler_that_lets_a_foreign_cancellation_out_stops_the_consumer():
    stream, table = LocalStream(), MemoryTable()
    stream.put(100)

    async def handle(_):
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner

    async with consumer(stream, table) as reading:
        async with asyncio.timeout(10):
            with pytest.raises(UsageError, match="shardId-000000000000 ended with a CancelledError"):
                await reading.run(handle)
    async with consumer(stream, table) as second:
        assert await read(second, 100) == list(range(100))


@on_virtual_time
async def test_a_handler_that_ignores_cancellation_for_ever_does_not_keep_close_from_returning(caplog):
    stream, table = LocalStream(), TroubledTable()
    stream.put(100)
    is_patient = True

    async def handle(_):
        while is_patient:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3_600)

    async with consumer(stream, table) as reading:
        running = asyncio.create_task(reading.run(handle))
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        await reading.close(timeout=2)
        assert asyncio.get_running_loop().time() < began + 15
    assert {lease.owner for lease in await table.read()} == {None}
    assert "ignores its cancellation" in caplog.text
    is_patient = False
    for task in asyncio.all_tasks() - {asyncio.current_task(), running}:
        task.cancel()
    await running


@on_virtual_time
async def test_a_factory_and_a_finish_that_fail_stop_the_consumer():
    class Failing:
        def __init__(self, fails):
            self.fails = fails

        async def process(self, *_):
            reading.stop()

        def end_soon(self):
            pass

        async def finish(self, _):
            raise ValueError("finish failed")

        def abandon(self):
            pass

    def factory(_):
        raise ValueError("factory failed")

    for make, text in ((factory, "factory failed"), (Failing, "finish failed")):
        stream = LocalStream()
        stream.put(10)
        async with consumer(stream) as reading:
            with pytest.raises(ValueError, match=text):
                await reading.run_processors(make)


@on_virtual_time
async def test_an_observer_that_fails_does_no_harm():
    class Failing(ConsumerObserver):
        def lease_taken(self, _):
            raise ValueError

        records_read = records_processed = lease_released = stats_sampled = lease_taken

    stream = LocalStream()
    stream.put(100)
    async with consumer(stream, observer=Failing()) as reading:
        assert await read(reading, 100) == list(range(100))


# --- The lease table in trouble -------------------------------------------------------------------


@on_virtual_time
async def test_a_checkpoint_that_fails_is_raised_and_the_next_one_covers_it():
    stream, table = LocalStream(), TroubledTable()
    stream.put(100)
    async with consumer(stream, table, max_batch_records=10, checkpoint="manual") as reading:
        loop = aiter(reading)
        batch = await anext(loop)
        table.is_down = True
        with pytest.raises(LeaseTableError):
            await batch.checkpoint()
        table.is_down = False
        await (await anext(loop)).checkpoint()
    async with consumer(stream, table) as second:
        assert await read(second, 80) == list(range(20, 100))


@on_virtual_time
async def test_a_table_that_is_down_while_a_lease_is_handed_over_or_a_shard_ends_stops_nothing():
    stream, table = LocalStream(shards=2), TroubledTable()
    stream.put(200)
    handled = []

    async def handle(batch):
        handled.extend(numbers(batch))

    async with consumer(stream, table) as first, consumer(stream, table) as second:
        both = [asyncio.create_task(each.run(handle)) for each in (first, second)]
        for _ in range(20):
            await asyncio.sleep(3)
            table.is_down = not table.is_down
        table.is_down = False
        stream.split("shardId-000000000000")
        stream.put(200)
        table.is_down = True
        await asyncio.sleep(8)
        table.is_down = False
        await asyncio.sleep(60)
        assert not any(task.done() for task in both), [task.exception() for task in both if task.done()]
        assert set(handled) == set(range(400))
        first.stop()
        second.stop()
        await asyncio.gather(*both)


@on_virtual_time
async def test_a_table_that_is_down_while_the_consumer_closes_fails_neither_run_nor_close():
    stream, table = LocalStream(shards=2), TroubledTable()
    stream.put(100)

    async def handle(_):
        table.is_down = True
        reading.stop()

    async with consumer(stream, table) as reading:
        await reading.run(handle)
    await assert_nothing_is_left(reading, table)


@on_virtual_time
async def test_a_lease_that_is_lost_returns_the_bytes_of_the_batch_in_hand():
    stream, table = LocalStream(), MemoryTable()
    stream.put(900, size=1_000)
    stuck = asyncio.Event()

    async def handle(_):
        stuck.set()
        await asyncio.sleep(3_600)

    async with consumer(stream, table) as reading:
        running = asyncio.create_task(reading.run(handle))
        await stuck.wait()
        [lease] = await table.read()
        assert await table.replace(lease, replace(lease, owner="another", counter=lease.counter + 1))
        await asyncio.sleep(5)
        assert reading.stats.prefetched_bytes == 0
        reading.stop()
        await running


# --- Streams that change --------------------------------------------------------------------------


@on_virtual_time
async def test_a_stream_that_is_deleted_ends_the_loop_and_no_shard_counts_as_read_to_its_end():
    stream, table = LocalStream(shards=2), MemoryTable()
    async with consumer(stream, table) as reading:
        await reading.wait_ready()
        stream.call("DeleteStream", StreamName="trucks")
        deleted_at = asyncio.get_running_loop().time()
        with pytest.raises(StreamNotFoundError):
            async for _ in reading:
                pass
        assert asyncio.get_running_loop().time() < deleted_at + 10
    assert not any(lease.checkpoint.is_ended for lease in await table.read())


class ForgetfulClient(LocalClient):
    """Some calls of one operation do not find the first shard, although it is listed."""

    def __init__(self, stream, operation):
        super().__init__(stream)
        self._forgets = operation
        self.forgotten = 0

    async def _call(self, operation, shard_id, **request):
        if operation == self._forgets and shard_id == "shardId-000000000000" and self.forgotten < 5:
            self.forgotten += 1
            text = "Shard shardId-000000000000 in stream trucks under account 000000000000 does not exist"
            raise RequestFailedError(FailureKind.PERMANENT, "ResourceNotFoundException", text)
        return await super()._call(operation, shard_id, **request)


@pytest.mark.parametrize("operation", ["GetShardIterator", "GetRecords"])
@on_virtual_time
async def test_a_shard_that_is_listed_and_not_found_is_read_all_the_same(operation):
    stream, table = LocalStream(shards=2), MemoryTable()
    stream.put(200)
    client, by_shard = ForgetfulClient(stream, operation), {}
    async with Consumer(client, application="lake", leases=table) as reading, asyncio.timeout(300):
        async for batch in reading:
            by_shard.setdefault(batch.shard_id, []).extend(each.data for each in batch)
            if sum(map(len, by_shard.values())) == 200:
                break
        assert reading.stats.shards["shardId-000000000000"].failed == client.forgotten == 5
    assert by_shard == stream.stored
    assert not any(lease.checkpoint.is_ended for lease in await table.read())


@on_virtual_time
async def test_given_shards_are_listed_once_a_minute():
    stream = LocalStream(shards=4)
    async with consumer(stream, shards=["shardId-000000000001"]) as reading:
        await asyncio.sleep(600)
        listings = [call for call in reading._streams._clients[0].calls if call[1] == "ListShards"]
    assert len(listings) <= 15


@on_virtual_time
async def test_given_shards_that_end_together_end_the_loop():
    stream = LocalStream(shards=2)
    stream.put(100)
    async with consumer(stream, shards=["shardId-000000000000", "shardId-000000000001"]) as reading:
        stream.merge("shardId-000000000000", "shardId-000000000001")
        found = []
        async with asyncio.timeout(60):
            async for batch in reading:
                found += numbers(batch)
    assert sorted(found) == list(range(100))


@on_virtual_time
async def test_a_worker_that_was_away_for_longer_than_retention_reads_what_is_left():
    stream, table = LocalStream(shards=2), MemoryTable()
    stream.put(100)
    async with consumer(stream, table) as first:
        await read(first, 50)
    stream.merge("shardId-000000000000", "shardId-000000000001")
    await asyncio.sleep(3_600)
    stream.split("shardId-000000000002")
    await asyncio.sleep(26 * 3_600)
    stream.put(100)
    async with consumer(stream, table) as second:
        assert sorted(await read(second, 100)) == list(range(100, 200))


# --- Loops, processes and garbage -----------------------------------------------------------------


def test_another_event_loop_is_refused():
    stream, opened = LocalStream(), []

    async def open_one():
        opened.append(consumer(stream))
        await opened[0].open()
        opened.append(aiter(opened[0]))

    async def use_it():
        with pytest.raises(WrongEventLoopError, match="open a consumer on each event loop"):
            aiter(opened[0])
        with pytest.raises(WrongEventLoopError):
            await opened[0].close()
        with pytest.raises(WrongEventLoopError):
            await opened[0].wait_ready()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(open_one())
        asyncio.run(use_it())
        assert "1 of" in str(opened[0].stats) or "0 of" in str(opened[0].stats)  # they need no running loop
        opened.clear()
        gc.collect()
    assert any("was never closed" in str(warning.message) for warning in caught)


@on_virtual_time
async def test_a_consumer_in_a_forked_process_is_refused(monkeypatch):
    async with consumer(LocalStream()) as reading:
        with monkeypatch.context() as forked:
            forked.setattr("os.getpid", lambda: -1)
            with pytest.raises(ConsumerClosedError, match="forked"):
                aiter(reading)


@on_virtual_time
async def test_statistics_are_keyed_by_shard_and_a_worker_without_shards_has_some():
    stream, table = LocalStream(), MemoryTable()
    async with consumer(stream, table) as first:
        await first.wait_ready()
        async with consumer(stream, table) as second:
            await asyncio.sleep(2)
            [(shard_id, shard)] = second.stats.shards.items()
            assert (shard_id, shard.owner, shard.is_own) == ("shardId-000000000000", first.worker_id, False)
            assert str(second.stats) == "0 of 1 shards, 0 records read, 0 ms behind"

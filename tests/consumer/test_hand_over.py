"""Giving leases up through a table that fails, on virtual time.

A release is repeated until the table responds, and its failure is reported.
"""

import asyncio
import re

import pytest

from tests.batcher.support import ARN, ScriptedStore
from tests.consumer.local_client import LocalClient, LocalStream
from tests.consumer.support import on_virtual_time
from truckstream.batcher import Batcher
from truckstream.consumer.consumer import Consumer
from truckstream.consumer.leases.lease_changes import taken
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.consumer.watching.observer import ConsumerObserver
from truckstream.errors import LeaseTableError
from truckstream.worker import Worker

ALWAYS = 1_000_000


class FailingReleases(MemoryTable):
    """Fails the first releases of each lease: before they are written, or after, so that the response is lost."""

    def __init__(self, failures, *, is_written=False):
        super().__init__()
        self.failures = failures
        self.is_written = is_written
        self.attempts = {}
        self.after_loss = lambda _: None

    async def replace(self, before, after):
        await asyncio.sleep(0.01)
        is_release = after.owner is None or (before.checkpoint_owner and not after.checkpoint_owner)
        if not is_release:
            return await super().replace(before, after)
        self.attempts[after.key] = self.attempts.get(after.key, 0) + 1
        if self.attempts[after.key] > self.failures:
            return await super().replace(before, after)
        if self.is_written:
            await super().replace(before, after)
            self.after_loss(after)
        raise LeaseTableError("InternalServerError", "the table does not respond")

    async def owners(self):
        return {lease.owner for lease in await self.read()}


class Events(ConsumerObserver):
    def __init__(self):
        self.names = []

    def lease_released(self, event):
        self.names.append(("released", event.reason))

    def lease_lost(self, _):
        self.names.append("lost")


async def handle(_):
    pass


def consumer(stream, table, **options):
    return Consumer(LocalClient(stream), application="lake", leases=table, **options)


async def run_for_a_while(reading):
    """Process the records, then close within ten seconds; return what `close` returns."""
    async with reading:
        running = asyncio.create_task(reading.run(handle))
        await asyncio.sleep(3)
        is_handed_over = await reading.close(timeout=10)
        await running
    return is_handed_over


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("failures", [0, 1, 2, 5])
@on_virtual_time
async def test_a_release_that_fails_or_whose_response_is_lost_is_repeated(failures, is_written):
    stream, table, events = LocalStream(shards=2), FailingReleases(failures, is_written=is_written), Events()
    stream.put(100)
    assert await run_for_a_while(consumer(stream, table, observer=events)) is True
    assert await table.owners() == {None}
    assert all(lease.checkpoint.sequence_number.isdigit() for lease in await table.read())
    assert events.names == [("released", "close")] * 2


@on_virtual_time
async def test_a_lease_that_another_worker_took_after_a_lost_response_is_handed_over():
    stream, table, events = LocalStream(), FailingReleases(1, is_written=True), Events()
    table.after_loss = lambda lease: table._leases.update({lease.key: taken(lease, "another")})
    assert await run_for_a_while(consumer(stream, table, observer=events)) is True
    assert await table.owners() == {"another"}
    assert events.names == ["lost"]


@on_virtual_time
async def test_a_release_that_never_succeeds_is_reported_when_the_time_is_up(caplog):
    stream, table, events = LocalStream(shards=2), FailingReleases(ALWAYS), Events()
    loop = asyncio.get_running_loop()
    reading = consumer(stream, table, observer=events, worker_id="me")
    assert await run_for_a_while(reading) is False
    assert loop.time() < 3 + 10 + 6
    assert await table.owners() == {"me"}
    assert events.names == ["lost"] * 2
    [text] = [each.getMessage() for each in caplog.records if "not released in time" in each.getMessage()]
    assert {f"shardId-{number:012d}" for number in range(2)} == set(re.findall(r"shardId-\d+", text))


@on_virtual_time
async def test_a_second_close_returns_the_result_of_the_first():
    table = FailingReleases(ALWAYS)
    reading = consumer(LocalStream(), table)
    async with reading:
        await asyncio.sleep(1)
        assert await asyncio.gather(reading.close(timeout=1), reading.close(timeout=1)) == [False, False]
    assert await reading.close() is False


@on_virtual_time
async def test_a_handler_that_did_not_return_in_time_is_reported(caplog):
    stream, table = LocalStream(), MemoryTable()
    stream.put(10)
    async with consumer(stream, table) as reading:
        running = asyncio.create_task(reading.run(sleep_for_an_hour))
        await asyncio.sleep(3)
        assert await reading.close(timeout=5) is False
        await running
    assert {lease.owner for lease in await table.read()} == {None}
    assert "not finished within 5 s: shardId-000000000000" in caplog.text


async def sleep_for_an_hour(_):
    await asyncio.sleep(3_600)


@on_virtual_time
async def test_a_hand_over_to_another_worker_is_completed_by_the_worker_that_releases():
    stream, table, events = LocalStream(shards=2), FailingReleases(3), Events()
    async with consumer(stream, table, observer=events, worker_id="old") as old:
        running = asyncio.create_task(old.run(handle))
        await asyncio.sleep(5)
        async with consumer(stream, table, worker_id="new") as new:
            second = asyncio.create_task(new.run(handle))
            await asyncio.sleep(12)
            assert await table.owners() == {"old", "new"}
            assert events.names == [("released", "hand_over")]
            new.stop()
            await second
        old.stop()
        await running


@pytest.mark.parametrize(("failures", "is_handed_over"), [(0, True), (2, True), (ALWAYS, False)])
@on_virtual_time
async def test_a_worker_reports_whether_its_leases_were_handed_over(failures, is_handed_over):
    stream, table = LocalStream(shards=2), FailingReleases(failures)
    stream.put(100)
    batcher = Batcher(ScriptedStore(), schema=dict, batch_size=40)
    loop = asyncio.get_running_loop()
    async with Worker(ARN, batcher, consumer=consumer(stream, table), grace=10) as worker:
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(3)
        worker.stop()
        assert await running is is_handed_over
        assert loop.time() <= 3 + 10 + 1
    assert (await table.owners() == {None}) is is_handed_over


@on_virtual_time
async def test_a_worker_that_could_not_store_in_time_reports_it():
    """The consumer gives the leases up before the grace time ends, so that only its result tells."""
    stream, table = LocalStream(shards=2), MemoryTable()
    stream.put(100)
    store = ScriptedStore(lambda *_: asyncio.sleep(3_600))
    async with Worker(ARN, Batcher(store, schema=dict, batch_size=40), consumer=consumer(stream, table)) as worker:
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(3)
        worker.stop()
        assert await running is False

"""Failures that users of other consumers of Kinesis have reported or that were measured: none of them happens here.

K stands for github.com/awslabs/amazon-kinesis-client, P for github.com/awslabs/amazon-kinesis-client-python.
"""

import asyncio
import os
import subprocess
import sys

import pytest

from tests.consumer.local_client import LocalClient, LocalStream, numbers
from tests.consumer.support import on_virtual_time
from tests.consumer.worker_group import LEASE_SECONDS, WorkerGroup, with_workers
from truckstream.consumer.consumer import Consumer
from truckstream.consumer.leases.lease import SHARD_END
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.kinesis.failures import FailureKind, RequestFailedError

FIRST, SECOND, THIRD = (f"shardId-{number:012}" for number in range(3))


def consumer(client, table=None, **options):
    application = None if table is None else "lake"
    return Consumer(client, application=application, leases=table or MemoryTable(), **options)


async def read(reading, count):
    """The data of the first `count` records that a consumer's loop gets, by shard in the order of their delivery."""
    found = {}
    async for batch in reading:
        found.setdefault(batch.shard_id, []).extend(each.data for each in batch)
        if sum(map(len, found.values())) >= count:
            await batch.checkpoint()
            break
    return found


# --- Shards that nobody reads -------------------------------------------------------------------------


@on_virtual_time
async def test_a_handler_that_hangs_holds_up_its_own_shard_only():
    """K#185: one processor that blocks, and a worker that reads nothing any more until it is started again."""
    stream, table, found = LocalStream(shards=4), MemoryTable(), []

    async def handle(batch):
        if batch.shard_id == FIRST:
            await asyncio.Event().wait()
        found.extend(each.data for each in batch)

    async with consumer(LocalClient(stream), table) as reading:
        running = asyncio.create_task(reading.run(handle))
        for _ in range(60):
            stream.put(20)
            await asyncio.sleep(5)
        assert {lease.owner for lease in await table.read()} == {reading.worker_id}
        stats = reading.stats
        [stuck] = [shard for key, shard in stats.shards.items() if key.endswith(FIRST)]
        # What waits for the handler can be seen, and for how long.
        assert stuck.buffered == len(stream.stored[FIRST])
        assert 295_000 <= stuck.millis_behind_latest <= 300_000
        assert stats.millis_behind_latest == stuck.millis_behind_latest
        assert all(shard.millis_behind_latest < 5_000 for shard in stats.shards.values() if shard is not stuck)
        await reading.close(timeout=0)
        await running
    others = [each for shard, each in stream.stored.items() if shard != FIRST]
    assert sorted(found) == sorted(data for shard in others for data in shard)
    async with consumer(LocalClient(stream), table) as another:
        assert await read(another, len(stream.stored[FIRST])) == {FIRST: stream.stored[FIRST]}


class SilentClient(LocalClient):
    """Every tenth call gets no response until the client gives up."""

    async def _call(self, operation, shard_id, **request):
        response = await super()._call(operation, shard_id, **request)
        if len(self.calls) % 10 == 9:
            await asyncio.sleep(10)
            raise RequestFailedError(FailureKind.AMBIGUOUS, "TimeoutError", "no response came in time")
        return response


@on_virtual_time
async def test_a_shard_goes_on_after_calls_that_got_no_response():
    """K#463, K#1430: a request without a response, and shards that are not read from then on."""
    stream = LocalStream(shards=4)
    async with consumer(SilentClient(stream)) as reading:
        reads = asyncio.create_task(read(reading, 4_000))
        for _ in range(20):
            stream.put(200)
            await asyncio.sleep(5)
        assert await reads == stream.stored


@with_workers
@pytest.mark.parametrize("dies", ["the old owner", "the new owner"])
async def test_a_shard_is_read_although_a_worker_dies_while_it_is_handed_over(dies):
    """K#1743, K#1765: nobody completes a hand-over, and a worker that does not read the shard renews its lease."""
    group = WorkerGroup(seed=5, shards=4)
    old = group.join()
    await asyncio.sleep(5)
    new = group.join()
    await group.seconds_until(lambda: any(lease.checkpoint_owner for lease in group.table._leases.values()))
    worker = old if dies == "the old owner" else new
    worker.die()
    for _ in range(10):
        group.stream.put(40)
        await asyncio.sleep(1)
    assert await group.seconds_until_all_is_processed() < 2 * LEASE_SECONDS
    await group.leave()
    assert not any(lease.checkpoint_owner for lease in group.table._leases.values())


# --- Slow applications ---------------------------------------------------------------------------------


@on_virtual_time
async def test_a_reader_that_is_busy_for_35_seconds_loses_nothing():
    """async-kinesis 3.0.1 drops the rest of a batch that its queue does not take within 30 s: 350 of 2,000 records."""
    stream = LocalStream()
    stream.put(1_000)
    found = []
    async with consumer(LocalClient(stream), prefetch_bytes=1024 * 1024, max_batch_records=100) as reading:
        async for batch in reading:
            found += numbers(batch)
            if len(found) == 100:
                await asyncio.sleep(35)
                stream.put(1_000)
            if len(found) == 2_000:
                break
    assert found == list(range(2_000))


class FanOutClient(LocalClient):
    """Subscriptions, which the service ends after five minutes, and when an event is not taken within 30 s."""

    ended_early = 0

    async def register_consumer(self, name):
        return f"arn:aws:kinesis:us-east-1:123456789012:stream/trucks/consumer/{name}:1"

    async def subscribe(self, _consumer_arn, shard_id, position):
        loop = asyncio.get_running_loop()
        end = loop.time() + 300
        iterator = await self.get_shard_iterator(shard_id, position)
        while loop.time() < end:
            await asyncio.sleep(0.25)
            page = await self.get_records(iterator, shard_id, limit=50)
            iterator = page.next_iterator
            if not page.records:
                continue
            page.continuation = page.records[-1].sequence_number
            sent_at = loop.time()
            yield page
            if loop.time() > sent_at + 30:
                self.ended_early += 1
                raise RequestFailedError(FailureKind.AMBIGUOUS, "ReadTimeout", "the connection was closed")


@on_virtual_time
async def test_a_slow_application_with_fan_out_loses_and_repeats_nothing():
    """K#653, K#399, K#569: work of over 35 s ends the subscription, with warnings and lost or repeated records."""
    stream = LocalStream()
    client = FanOutClient(stream)
    for _ in range(4):
        stream.put(900, size=1_000)
        await asyncio.sleep(1)
    found = []
    async with consumer(client, MemoryTable(), fan_out=True, prefetch_bytes=1024 * 1024) as reading:
        async for batch in reading:
            found += numbers(batch)
            await asyncio.sleep(45)
            if len(found) == 3_600:
                break
    assert found == list(range(3_600))
    assert client.ended_early > 1


# --- Sharing -------------------------------------------------------------------------------------------


@with_workers
async def test_workers_that_join_get_their_shares_and_nothing_is_processed_twice():
    """K#265: a lease is stolen in the middle of the work, which the new owner repeats."""
    group = WorkerGroup(seed=6, shards=8)
    for _ in range(4):
        group.join()
        for _ in range(20):
            group.stream.put(40)
            await asyncio.sleep(1)
    await group.seconds_until_all_is_processed()
    assert group.shares() == [2, 2, 2, 2]
    assert set(group.deliveries.values()) == {1}
    await group.leave()


@with_workers
async def test_a_worker_that_joins_gets_its_share_within_one_and_a_half_lease_times():
    """async-kinesis 3.0.1: the first worker kept all shards, and the second one had none for 30 s."""
    group = WorkerGroup(seed=1, shards=8)
    group.join()
    await asyncio.sleep(5)
    group.join()
    assert await group.seconds_until(lambda: group.shares() == [4, 4]) <= 1.5 * LEASE_SECONDS
    await group.leave()


@with_workers
async def test_a_worker_that_leaves_gives_its_shards_to_the_others_at_once():
    """K#1452: workers that have stopped are still given leases until their metrics expire."""
    group = WorkerGroup(seed=3, shards=8)
    first = group.join()
    group.join()
    await asyncio.sleep(20)
    await first.leave()
    group.stream.put(800)
    assert await group.seconds_until_all_is_processed() < LEASE_SECONDS / 2
    assert group.shares() == [8]
    await group.leave()


@with_workers
async def test_loads_are_equal_although_closed_shards_have_leases_too():
    """K#1247, K#54: workers count the leases of shards that have ended or cannot begin yet as their work."""
    group = WorkerGroup(seed=7, shards=8)
    for _ in range(4):
        group.join()
    for shard in range(6):
        group.stream.put(100)
        await asyncio.sleep(5)
        group.stream.split(f"shardId-{shard:012}")
    await group.seconds_until(lambda: group.shares() == [3, 3, 4, 4])
    await group.leave()


# --- The lease table ------------------------------------------------------------------------------------


@on_virtual_time
async def test_checkpoints_cost_no_writes_of_their_own_and_reading_the_table_little():
    """K#1406: more reads of the lease table than before, for one shard and one worker.

    The KCL renews a lease every third of its duration too, but writes each checkpoint by itself. That the table costs
    nothing at rest (K#750) shows tests/consumer/tables/test_dynamodb_table.py.
    """
    stream, table = LocalStream(), MemoryTable()
    calls = {"read": 0, "replace": 0}

    class CountedTable:
        names_streams = True

        def __getattr__(self, name):
            if name in calls:
                calls[name] += 1
            return getattr(table, name)

    async with Consumer(LocalClient(stream), application="lake", leases=CountedTable()) as reading:
        reads = asyncio.create_task(read(reading, 200 * 310))
        await asyncio.sleep(10)
        before = dict(calls)
        for _ in range(310):
            stream.put(200)
            await asyncio.sleep(1)
        minutes = 310 / 60
        await reads
    assert (calls["replace"] - before["replace"]) / minutes < 20
    assert (calls["read"] - before["read"]) / minutes < 24


@on_virtual_time
async def test_a_shard_ends_although_its_last_record_was_checkpointed_before():
    """K#1733, K#211: the checkpoint at the last record keeps SHARD_END from being written, and the children wait."""
    stream, table, found = LocalStream(), MemoryTable(), []
    stream.put(100)
    async with consumer(LocalClient(stream), table, checkpoint="manual") as reading:
        async for batch in reading:
            await batch.checkpoint()
            found += numbers(batch)
            if len(found) == 100:
                stream.split(FIRST)
                stream.put(100)
            if len(found) == 200:
                break
        [lease] = [lease for lease in await table.read() if lease.shard_id == FIRST]
        assert lease.checkpoint.sequence_number == SHARD_END
    assert sorted(found) == list(range(200))


# --- Reshards -------------------------------------------------------------------------------------------


@with_workers
async def test_every_shard_is_read_after_a_large_reshard():
    """K#339, K#185: after a reshard from 340 to 435 shards five of the new ones were never read."""
    group = WorkerGroup(seed=8, shards=32)
    for _ in range(3):
        group.join(faults=0.3)
    await asyncio.sleep(10)
    for shard in range(48):  # the last 16 of them split what was only just made
        group.stream.split(f"shardId-{shard:012}")
        group.stream.put(20, keys=2_000)
        await asyncio.sleep(0.25)
    for _ in range(10):
        group.stream.put(400, keys=2_000)
        await asyncio.sleep(1)
    await group.seconds_until_all_is_processed()
    assert len(group.processed) >= 32 + 48  # none of the open shards was without records
    await group.leave()


@on_virtual_time
async def test_after_a_restart_the_child_of_a_merge_waits_for_both_parents():
    """async-kinesis 3.0.1 knows ParentShardId only, and keeps the parents that are done in memory."""
    stream, table, order = LocalStream(shards=2), MemoryTable(), []
    stream.put(400)
    stream.merge(FIRST, SECOND)
    stream.put(400)

    async def note_order(batch):
        order.append(batch.shard_id)
        if batch.shard_id == held_up:
            await asyncio.Event().wait()

    # The parent that async-kinesis does not know is held up until the restart.
    held_up = SECOND
    async with consumer(LocalClient(stream), table, max_batch_records=50) as reading:
        running = asyncio.create_task(reading.run(note_order))
        await asyncio.sleep(60)
        await reading.close(timeout=0)
        await running
    assert set(order) == {FIRST, SECOND}
    held_up, order = None, []
    async with consumer(LocalClient(stream), table, max_batch_records=50) as reading:
        running = asyncio.create_task(reading.run(note_order))
        await asyncio.sleep(60)
        await reading.close()
        await running
    assert set(order) == {SECOND, THIRD}
    assert order == sorted(order), "the child began before its parents had ended"


# --- Others -----------------------------------------------------------------------------------------------


@on_virtual_time
async def test_a_loop_goes_on_after_a_minute_without_records():
    """async-kinesis 3.0.1 ends its iteration after 2 s without records."""
    stream = LocalStream()
    async with consumer(LocalClient(stream)) as reading:
        reads = asyncio.create_task(read(reading, 10))
        await asyncio.sleep(60)
        stream.put(10)
        assert await reads == stream.stored


@with_workers
async def test_a_worker_that_wakes_after_its_lease_was_taken_changes_no_checkpoint():
    """K#108: a worker goes on for minutes after its leases were taken, and its checkpoints fail one after the other."""
    group = WorkerGroup(seed=4, shards=4)
    first, second = group.join(), group.join()
    await asyncio.sleep(15)
    first.freeze()
    for _ in range(30):
        group.stream.put(40)
        await asyncio.sleep(1)
    before = {lease.shard_id: lease.owner for lease in group.table._leases.values()}
    assert set(before.values()) == {second.consumer.worker_id}
    first.thaw()
    for _ in range(30):
        group.stream.put(40)
        await asyncio.sleep(1)
    await group.seconds_until_all_is_processed()
    assert group.shares() == [2, 2]
    await group.leave()


PROGRAM = """
import asyncio, pathlib
from truckstream import Consumer
from truckstream.local import LocalKinesis

async def main():
    async with LocalKinesis() as kinesis:
        await kinesis.call("PutRecord", StreamName=kinesis.stream_name, Data=b"report", PartitionKey="TRUCK_001")
        async with Consumer(kinesis.stream_name, endpoint_url=kinesis.endpoint_url, region_name="us-east-1") as reading:
            async for record in reading.records():
                children = [path.read_text() for path in pathlib.Path("/proc/self/task").glob("*/children")]
                print(record.data, "".join(children).split())
                break

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for child processes in /proc")
@pytest.mark.usefixtures("fake_credentials")
def test_a_consumer_needs_python_alone():
    """P#99, P#252, P#302: the KCL needs Java and jars, which its installation fetches from Maven, or fails to."""
    environment = os.environ | {"PATH": "/nonexistent", "JAVA_HOME": ""}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.stdout, done.returncode) == ("b'report' []\n", 0), done.stderr

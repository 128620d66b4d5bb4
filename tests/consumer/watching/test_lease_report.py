"""The leases of an application as an operator sees them, while nobody or somebody reads."""

import asyncio

import pytest

from tests.consumer.local_client import LocalClient, LocalStream
from tests.consumer.support import on_virtual_time
from truckstream.consumer import Consumer
from truckstream.consumer.tables import MemoryTable, SqliteTable
from truckstream.consumer.watching.lease_report import read_lease_report
from truckstream.errors import LeaseTableError


async def report(stream, table):
    return await read_lease_report("lake", table, LocalClient(stream))


async def read_all(stream, table, count, **options):
    """Read so many records, and leave."""
    async with Consumer(LocalClient(stream), application="lake", leases=table, **options) as consumer:
        seen = 0
        async for batch in consumer:
            seen += len(batch)
            await batch.checkpoint()
            if seen >= count:
                return


@on_virtual_time
async def test_each_shard_has_its_owner_and_its_lag():
    stream, table = LocalStream(shards=2), MemoryTable()
    stream.put(400)
    async with Consumer(LocalClient(stream), application="lake", leases=table, worker_id="one") as consumer:
        await consumer.wait_ready()
        found = await report(stream, table)
        assert [lease.owner for lease in found.leases] == ["one", "one"]
        assert found.healthy
        assert {lease.checkpoint for lease in found.leases} == {"TRIM_HORIZON"}


@on_virtual_time
async def test_what_nobody_reads_is_a_problem_and_its_lag_grows():
    stream, table = LocalStream(), MemoryTable()
    stream.put(100)
    await read_all(stream, table, 100)
    [lease] = (await report(stream, table)).leases
    assert (lease.owner, lease.millis_behind_latest) == (None, 0)
    stream.put(100)
    await asyncio.sleep(60)
    found = await report(stream, table)
    assert 59_000 < found.leases[0].millis_behind_latest < 61_000
    assert found.problems == ("nobody reads shardId-000000000000: start a worker",)


@on_virtual_time
async def test_shards_that_are_read_to_their_ends_are_counted():
    stream, table = LocalStream(), MemoryTable()
    stream.put(100)
    stream.split("shardId-000000000000")
    stream.put(100)
    await read_all(stream, table, 200)
    found = await report(stream, table)
    assert found.ended == 1
    assert [lease.shard_id for lease in found.leases] == ["shardId-000000000001", "shardId-000000000002"]


@on_virtual_time
async def test_a_stream_that_the_application_has_not_read_is_a_problem():
    found = await report(LocalStream(), MemoryTable())
    assert found.problems == ("no shard has a lease: no worker of this application has read this stream",)


async def test_a_table_that_does_not_exist_is_not_created(tmp_path):
    table = SqliteTable(tmp_path / "lake.sqlite", create=False)
    with pytest.raises(LeaseTableError, match=r"there is no .*lake\.sqlite: a consumer creates it"):
        await table.open()
    await table.close()
    assert list(tmp_path.iterdir()) == []

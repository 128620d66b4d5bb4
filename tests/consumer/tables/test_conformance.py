"""What every lease table does: the same tests for memory, a file and DynamoDB."""

import asyncio
from dataclasses import replace

import pytest

from truckstream.consumer.leases.lease import Checkpoint, Lease, PendingCheckpoint
from truckstream.consumer.leases.lease_changes import asked_for, ended, released, renewed, taken

LEASE = Lease(key="shardId-000000000007", shard_id="shardId-000000000007", checkpoint=Checkpoint("TRIM_HORIZON"))
FULL = Lease(
    key="111122223333:trucks:1700000000:shardId-000000000002",
    shard_id="shardId-000000000002",
    stream="111122223333:trucks:1700000000",
    owner="worker-1",
    counter=2**40,
    checkpoint=Checkpoint("49" + "0" * 54, 17),
    pending=PendingCheckpoint(Checkpoint("50" + "0" * 54, 3), b"\x00note\xff"),
    owner_switches=4,
    parent_ids=("shardId-000000000000", "shardId-000000000001"),
    child_ids=("shardId-000000000003", "shardId-000000000004"),
    hash_range=(2**127, 2**128 - 1),
    checkpoint_owner="worker-0",
)


async def test_a_new_table_is_empty(table):
    assert await table.read() == []


@pytest.mark.parametrize("lease", [LEASE, FULL])
async def test_a_lease_is_read_as_it_was_created(table, lease):
    assert await table.create(lease)
    assert await table.read() == [lease]


async def test_creating_a_lease_leaves_an_existing_one_alone(table):
    await table.create(LEASE)
    assert not await table.create(replace(LEASE, owner="late"))
    assert await table.read() == [LEASE]


@pytest.mark.parametrize("lease", [LEASE, FULL])
async def test_a_lease_is_replaced_with_all_its_fields(table, lease):
    before = Lease(key=lease.key, shard_id=lease.shard_id, stream=lease.stream, checkpoint=Checkpoint("LATEST"))
    await table.create(before)
    assert await table.replace(before, lease)
    assert await table.read() == [lease]
    assert await table.replace(lease, replace(before, counter=lease.counter + 1))
    assert await table.read() == [replace(before, counter=lease.counter + 1)]


@pytest.mark.parametrize(
    "change",
    [
        renewed,
        lambda lease: taken(lease, "other"),
        released,
        lambda lease: asked_for(lease, "other"),
    ],
    ids=["renewed", "taken", "released", "asked for"],
)
async def test_a_write_is_refused_after_any_other_write(table, change):
    lease = replace(LEASE, owner="me", counter=5)
    await table.create(lease)
    other = change(lease)
    assert await table.replace(lease, other)
    assert not await table.replace(lease, renewed(lease, Checkpoint("100")))
    assert await table.read() == [other]


async def test_a_repeated_write_succeeds(table):
    await table.create(LEASE)
    after = taken(LEASE, "me")
    assert await table.replace(LEASE, after)
    assert await table.replace(LEASE, after)
    assert await table.read() == [after]


async def test_a_repeated_write_is_recognised_whatever_the_order_of_ids(table):
    lease = replace(LEASE, owner="me", parent_ids=("shardId-000000000002", "shardId-000000000001"))
    await table.create(lease)
    after = ended(lease, ["shardId-000000000009", "shardId-000000000008"])
    assert await table.replace(lease, after)
    assert await table.replace(lease, after)


async def test_a_write_to_a_lease_that_is_gone_is_refused(table):
    assert not await table.replace(LEASE, taken(LEASE, "me"))
    assert await table.read() == []


async def test_a_lease_is_deleted_only_with_its_counter(table):
    await table.create(LEASE)
    renewal = renewed(LEASE)
    await table.replace(LEASE, renewal)
    assert not await table.delete(LEASE)
    assert await table.read() == [renewal]
    assert await table.delete(renewal)
    assert await table.read() == []


async def test_a_repeated_deletion_succeeds(table):
    await table.create(LEASE)
    assert await table.delete(LEASE)
    assert await table.delete(LEASE)


async def test_a_table_stays_when_its_user_closes(another):
    first = await another()
    await first.create(FULL)
    await first.close()
    await first.close()
    assert await (await another()).read() == [FULL]


@pytest.mark.parametrize("rounds", [10])
async def test_one_of_24_clients_wins_a_race(another, rounds):
    clients = [await another() for _ in range(24)]
    await clients[0].create(LEASE)
    for number in range(rounds):
        [before] = await clients[0].read()
        writes = [client.replace(before, taken(before, f"{number}-{each}")) for each, client in enumerate(clients)]
        won = await asyncio.gather(*writes)
        [after] = await clients[0].read()
        assert sum(won) == 1
        assert after.owner == f"{number}-{won.index(True)}"
        assert after.counter == before.counter + 1


async def test_one_of_24_clients_creates_a_lease(another):
    clients = [await another() for _ in range(24)]
    created = await asyncio.gather(
        *(client.create(replace(LEASE, owner=str(number))) for number, client in enumerate(clients))
    )
    [lease] = await clients[0].read()
    assert sum(created) == 1
    assert lease.owner == str(created.index(True))


async def test_every_lease_of_a_large_table_is_read(table):
    """DynamoDB returns a megabyte a page."""
    state = bytes(30_000)
    leases = [
        replace(
            FULL,
            key=f"shard-{number}",
            shard_id=f"shard-{number}",
            stream=None,
            pending=PendingCheckpoint(Checkpoint("1"), state),
        )
        for number in range(50)
    ]
    await asyncio.gather(*map(table.create, leases))
    assert sorted(await table.read(), key=lambda lease: lease.key) == sorted(leases, key=lambda lease: lease.key)

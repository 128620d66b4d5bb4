"""The next owner of a lease finishes what was announced, with the same cuts."""

import asyncio

import pytest

from tests.batcher.support import ScriptedStore, number
from tests.virtual_time import run
from tests.worker.support import (
    ModelLease,
    group_sizes,
    make_storer,
    many,
    places,
    stored_numbers,
)
from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
from truckstream.errors import UsageError
from truckstream.worker.cutting.announced_groups import encode_counts


def test_a_successor_finishes_announced_groups_with_the_same_cuts():
    """The predecessor was killed after its announcement. The successor's own limits would cut elsewhere."""

    async def main():
        lease = ModelLease(pending=PendingCheckpoint(Checkpoint(number(4)), encode_counts([3, 2])))
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(2), 0)
        await asyncio.sleep(100)
        assert store.objects == {}  # it waits for all announced records
        await storer.process(many(8, 2), 0)
        await asyncio.sleep(1)
        assert group_sizes(store) == [3, 2, 4]
        assert places(lease.writes) == [("save", 4), ("announce", 8), ("save", 8)]
        storer.abandon()

    run(main())


def test_a_successor_that_must_hand_over_too_early_leaves_the_announcement():
    async def main():
        announced = PendingCheckpoint(Checkpoint(number(4)), encode_counts([3, 2]))
        lease = ModelLease(pending=announced)
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(4), 0)
        await storer.finish("hand_over")
        assert (lease.writes, lease.pending, store.objects) == ([], announced, {})

    run(main())


def test_records_that_retention_deleted_do_not_stop_the_shard(caplog):
    async def main():
        lease = ModelLease(pending=PendingCheckpoint(Checkpoint(number(4)), encode_counts([3, 2])))
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(3, 2), 0)  # 0 and 1 are gone
        await asyncio.sleep(1)
        assert group_sizes(store) == [1, 2]
        assert lease.checkpoint == Checkpoint(number(4))
        storer.abandon()

    run(main())
    assert "no longer has 2 records" in caplog.text


def test_announced_records_that_are_all_gone_do_not_stop_the_shard(caplog):
    async def main():
        lease = ModelLease(pending=PendingCheckpoint(Checkpoint(number(4)), encode_counts([3, 2])))
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(4, 10), 0)
        await asyncio.sleep(1)
        assert stored_numbers(store) == [10, 11, 12, 13]
        storer.abandon()

    run(main())
    assert "no longer has 5 records" in caplog.text


def test_an_announcement_that_the_checkpoint_has_reached_is_complete(caplog):
    """A checkpoint may be written with a renewal, which leaves the announcement."""

    async def main():
        done = PendingCheckpoint(Checkpoint(number(4)), encode_counts([3, 2]))
        lease = ModelLease(checkpoint=Checkpoint(number(4)), pending=done)
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(4, 5), 0)
        await asyncio.sleep(1)
        assert stored_numbers(store) == [5, 6, 7, 8]
        storer.abandon()

    run(main())
    assert caplog.text == ""


def test_an_announcement_of_another_program_is_ignored_with_a_warning(caplog):
    async def main():
        lease = ModelLease(pending=PendingCheckpoint(Checkpoint(number(4)), b"\xac\xed java"))
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(4), 0)
        await asyncio.sleep(1)
        assert group_sizes(store) == [4]
        storer.abandon()

    run(main())
    assert "another program announced" in caplog.text


def test_an_announcement_of_a_later_version_is_refused():
    lease = ModelLease(pending=PendingCheckpoint(Checkpoint(number(4)), b"truckstream.worker/2 x"))
    with pytest.raises(UsageError, match="run the version that wrote it"):
        run(_make(lease))


async def _make(lease):
    make_storer(ScriptedStore(), lease.assign())


def test_a_checkpoint_that_was_moved_back_stores_all_records(caplog):
    async def main():
        lease = ModelLease(pending=PendingCheckpoint(Checkpoint(number(4)), encode_counts([2])))
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(8), 0)
        await asyncio.sleep(1)
        assert stored_numbers(store) == list(range(8))
        storer.abandon()

    run(main())
    assert "checkpoint was moved back" in caplog.text

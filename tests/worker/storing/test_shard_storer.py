"""A shard's storer announces, creates and saves, in this order, whatever fails."""

import asyncio
import json

import pytest
from obstore.exceptions import GenericError

from tests.batcher.support import ScriptedStore, aggregate, number, numbers, record, truck
from tests.virtual_time import run
from tests.worker.support import ModelLease, aggregated, make_storer, many, places, stored
from truckstream.batcher import Batcher
from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
from truckstream.errors import LeaseLostError, LeaseTableError, UsageError
from truckstream.kpl import decode
from truckstream.record import TruckRecord
from truckstream.worker.cutting.announced_groups import encode_counts
from truckstream.worker.cutting.group_cutter import CutLimits


def stored_numbers(store):
    return sorted(line["n"] for line in store.lines("sensor_data"))


def group_sizes(store):
    """Return the records of each object, in the order of the stream."""
    bodies = [[json.loads(line)["n"] for line in body.splitlines()] for body, _ in store.objects.values()]
    return [len(body) for body in sorted(bodies)]


def test_it_announces_before_it_creates_and_saves_afterwards():
    async def main():
        lease, events = ModelLease(), []
        lease.script = events.append
        store = ScriptedStore(lambda verb, _: events.append(verb))
        storer = make_storer(store, lease.assign())
        await storer.process(many(4), 0)
        await asyncio.sleep(1)
        assert events == ["announce", "put", "save"]
        assert places(lease.writes) == [("announce", 3), ("save", 3)]
        storer.abandon()

    run(main())


def test_groups_that_are_ready_together_are_one_wave():
    async def main():
        lease = ModelLease()
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(13), 0)
        await asyncio.sleep(1)
        assert group_sizes(store) == [4, 4, 4]
        assert [each for each in lease.writes if isinstance(each, PendingCheckpoint)] == [
            PendingCheckpoint(Checkpoint(number(11)), b"truckstream.worker/1 4,4,4")
        ]
        storer.abandon()

    run(main())


def test_a_short_group_is_stored_when_its_first_record_has_waited():
    async def main():
        lease = ModelLease()
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(2), 0)
        await asyncio.sleep(30)
        await storer.process(many(1, 2), 0)
        await asyncio.sleep(29.9)
        assert store.objects == {}
        await asyncio.sleep(0.2)
        assert stored_numbers(store) == [0, 1, 2]
        assert lease.checkpoint == Checkpoint(number(2))
        storer.abandon()

    run(main())


@pytest.mark.parametrize("reason", ["hand_over", "close", "shard_end"])
def test_finish_stores_what_was_collected(reason):
    async def main():
        lease = ModelLease()
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(6), 0)
        storer.end_soon()
        await asyncio.sleep(1)
        await storer.finish(reason)
        assert stored_numbers(store) == list(range(6))
        assert lease.checkpoint == Checkpoint(number(5))
        assert lease.pending is None

    run(main())


def test_finish_without_records_writes_nothing():
    async def main():
        lease = ModelLease()
        await make_storer(ScriptedStore(), lease.assign()).finish("close")
        assert lease.writes == []

    run(main())


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


def test_a_lost_lease_stops_it_before_anything_is_created():
    async def main():
        lease = ModelLease()
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        lease.assign()
        await storer.process(many(4), 0)
        await asyncio.sleep(1)
        with pytest.raises(LeaseLostError):
            await storer.process([], 0)
        with pytest.raises(LeaseLostError):
            await storer.finish("close")
        assert store.objects == {}

    run(main())


def test_a_shard_is_held_while_the_store_fails_and_goes_on_afterwards(caplog):
    """Nothing is dropped, nothing runs ahead, and `process` waits when enough records are held."""

    async def main():
        loop = asyncio.get_running_loop()
        lease = ModelLease()
        is_down = True
        store = ScriptedStore(lambda verb, _: GenericError("down") if is_down and verb == "put" else None)
        storer = make_storer(store, lease.assign())

        async def read():
            for start in range(0, 400, 40):
                await storer.process(many(40, start), 0)

        reading = asyncio.create_task(read())
        await asyncio.sleep(3600)
        assert not reading.done()
        assert storer.status.records_held <= 3 * 64 + 40
        assert "down" in storer.status.last_error
        assert storer.status.wave_since < 1
        assert [verb for verb, _ in places(lease.writes)] == ["announce"]
        is_down = False
        back = loop.time()
        await reading
        await storer.finish("close")
        assert loop.time() - back < 31
        assert stored_numbers(store) == list(range(400))
        assert lease.checkpoint == Checkpoint(number(399))
        assert (storer.status.records_held, storer.status.last_error, storer.status.wave_since) == (0, None, None)
        assert storer.status.records_stored == 400

    run(main())
    assert f"is held: 4 records from {number(0)} are not stored, next attempt in" in caplog.text
    assert 60 <= caplog.text.count("is held") <= 121  # an hour, at most one line in 30 s


def test_it_makes_few_attempts_in_a_long_outage():
    async def main():
        store = ScriptedStore(lambda verb, _: GenericError("down") if verb == "put" else None)
        storer = make_storer(store, ModelLease().assign())
        await storer.process(many(4), 0)
        await asyncio.sleep(3600)
        assert 120 <= len(store.puts()) <= 260
        storer.abandon()

    run(main())


def test_a_lease_table_that_fails_holds_the_shard(caplog):
    async def main():
        lease = ModelLease()
        failures = [LeaseTableError("ThrottlingException", "slow down"), "lost"] * 2
        lease.script = lambda _: failures.pop() if failures else None
        store = ScriptedStore()
        storer = make_storer(store, lease.assign())
        await storer.process(many(4), 0)
        await asyncio.sleep(10)
        assert places(lease.writes)[-1] == ("save", 3)
        assert stored_numbers(store) == [0, 1, 2, 3]
        storer.abandon()

    run(main())
    assert "its lease cannot be written" in caplog.text


def test_end_soon_lets_a_full_storer_return():
    async def main():
        store = ScriptedStore(lambda verb, _: GenericError("down") if verb == "put" else None)
        lease = ModelLease()
        storer = make_storer(store, lease.assign())
        reading = asyncio.create_task(storer.process(many(200), 0))
        await asyncio.sleep(60)
        assert not reading.done()
        storer.end_soon()
        await reading
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(storer.finish("hand_over"), 25)
        assert lease.checkpoint == Checkpoint("TRIM_HORIZON")  # but the announcement stays
        assert lease.pending is not None

    run(main())


def test_a_shard_at_full_speed_is_stored_without_waiting():
    """A reader gets 2 MiB/s of a shard at most. Here a PUT takes 0.2 s, and a write to the lease table 20 ms."""

    async def main():
        loop = asyncio.get_running_loop()
        lease = ModelLease(script=lambda _: asyncio.sleep(0.02))
        store = ScriptedStore(lambda *_: asyncio.sleep(0.2))
        storer = make_storer(store, lease.assign(), limits=CutLimits(), schema=None)
        waited = 0.0
        for start in range(0, 42_000, 840):  # five pages a second, 4,200 records of 499 bytes
            before = loop.time()
            await storer.process([stored(n, b"x" * 499) for n in range(start, start + 840)], 0)
            waited += loop.time() - before
            await asyncio.sleep(0.2)
        held = storer.status.records_held
        await storer.finish("close")
        assert waited == 0
        assert held < 3 * 4_200
        assert len(store.objects) == 60
        assert len(lease.writes) < 15

    run(main())


def test_cancelling_and_abandoning_leave_no_task():
    async def main():
        storer = make_storer(ScriptedStore(), ModelLease().assign())
        storer.abandon()
        await storer.process(many(2), 0)
        storer.abandon()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_a_defect_ends_the_task_and_is_raised():
    async def main():
        lease = ModelLease()
        lease.script = lambda _: ZeroDivisionError("defect")
        storer = make_storer(ScriptedStore(), lease.assign())
        await storer.process(many(4), 0)
        await asyncio.sleep(1)
        with pytest.raises(ZeroDivisionError):
            await storer.process([], 0)

    run(main())


def test_objects_are_those_of_the_function():
    """The same records, delivered by Lambda, make the same keys, bytes and metadata."""
    data = [truck(n) if n % 7 else b"broken %d" % n for n in range(20)]
    bundle = aggregate(truck(100), b"no truck", truck(101))
    event = [record(each, n) for n, each in enumerate(data)] + [record(bundle, 20)]
    users = [stored(20, user.data, at) for at, user in enumerate(decode(bundle))]
    for user, each in zip(decode(bundle), users, strict=True):
        each.partition_key, each.explicit_hash_key = user.partition_key, user.explicit_hash_key
    records = [*(stored(n, each) for n, each in enumerate(data)), *users]

    async def main():
        ours, theirs = ScriptedStore(), ScriptedStore()
        options = {"batch_size": 10, "layout": "hive", "compression": "gzip", "add_stream_fields": True}
        await Batcher(theirs, **options).process(event)
        storer = make_storer(ours, ModelLease().assign(), limits=CutLimits(10), schema=TruckRecord, **options)
        await storer.process(records, 0)
        await storer.finish("shard_end")
        assert ours.objects == theirs.objects
        assert len(ours.objects) == 6

    asyncio.run(main())  # gzip runs in threads


def test_an_object_of_the_function_that_ends_earlier_is_adopted():
    """A group that Lambda cut short holds its records; the rest of our group is stored beside it."""

    async def main():
        store = ScriptedStore()
        await Batcher(store, schema=dict).process(numbers(2))
        lease = ModelLease()
        storer = make_storer(store, lease.assign())
        await storer.process(many(4), 0)
        await asyncio.sleep(10)
        assert group_sizes(store) == [2, 2]
        assert lease.checkpoint == Checkpoint(number(3))
        assert (storer.status.objects_found, storer.status.objects_created) == (1, 1)
        storer.abandon()

    run(main())


def test_an_object_that_goes_on_after_our_group_never_stops_the_shard():
    async def main():
        store = ScriptedStore()
        await Batcher(store, schema=dict).process(numbers(2))
        await Batcher(store, schema=dict, batch_size=700).process(numbers(6, 2))
        lease = ModelLease()
        storer = make_storer(store, lease.assign())
        await storer.process(many(8), 0)
        await asyncio.sleep(100)
        assert lease.checkpoint == Checkpoint(number(7))
        assert set(stored_numbers(store)) == set(range(8))
        storer.abandon()

    run(main())


def test_a_long_aggregate_makes_groups_of_its_own():
    async def main():
        lease = ModelLease()
        store = ScriptedStore()
        storer = make_storer(store, lease.assign(), limits=CutLimits(700, 10**9))
        await storer.process([*many(3), *aggregated(3, 20_002), *many(2, 4)], 0)
        await storer.finish("shard_end")
        assert sorted(group_sizes(store)) == [2, 2, 3, 20_000]
        assert lease.checkpoint == Checkpoint(number(5))

    run(main())

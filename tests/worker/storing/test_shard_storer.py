"""A shard's storer announces, creates and saves, in this order, whatever fails."""

import asyncio

import pytest
from obstore.exceptions import GenericError

from tests.batcher.support import ScriptedStore, number
from tests.virtual_time import run
from tests.worker.support import (
    ModelLease,
    group_sizes,
    make_storer,
    many,
    places,
    stored,
    stored_numbers,
)
from truckstream.consumer.leases.lease import Checkpoint, PendingCheckpoint
from truckstream.errors import LeaseLostError, LeaseTableError
from truckstream.worker.cutting.group_cutter import CutLimits


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
        assert storer.status.millis_behind_at(loop.time()) > 3_590_000
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
        assert storer.status.millis_behind_at(loop.time()) == 0

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

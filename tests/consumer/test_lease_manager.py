"""Lease managers that share a table, on virtual time."""

import asyncio
import random
from collections import Counter

import pytest

from tests.consumer.faulty_table import FaultyTable
from tests.consumer.freezing_loop import FreezingLoop
from tests.consumer.simulation.stream import SimulatedStream
from truckstream.consumer.leases.lease import LATEST, SHARD_END, Checkpoint, PendingCheckpoint
from truckstream.consumer.leases.lease_changes import asked_for
from truckstream.consumer.leases.options import LeaseOptions
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.consumer.upkeep.lease_manager import LeaseManager
from truckstream.errors import LeaseLostError, LeaseTableError

#: The duration of a lease, in seconds.
DURATION = 10.0


class Worker:
    """A manager, and a reader that finishes at once when another worker wants a lease."""

    def __init__(self, world, name, **options):
        self.world = world
        self.name = name
        self.table = FaultyTable(world.table, world.rng)
        self.manager = LeaseManager(
            self.table, name, LeaseOptions(**options), world.stream.list_shards, self, world.rng
        )
        self.held = {}
        self.began_at = {}
        self.heard = []
        self.finishes = True

    def began(self, tenure):
        self.heard.append(("began", tenure.shard_id))
        self.held[tenure.shard_id] = tenure
        self.began_at[tenure.shard_id] = asyncio.get_running_loop().time()

    def wanted(self, tenure):
        self.heard.append(("wanted", tenure.shard_id))
        if self.finishes:
            self.world.tasks.add(asyncio.create_task(self.finish(tenure)))

    async def finish(self, tenure):
        await self.manager.release(tenure)
        del self.held[tenure.shard_id]

    def lost(self, tenure):
        self.heard.append(("lost", tenure.shard_id))
        del self.held[tenure.shard_id]


class World:
    def __init__(self, loop, shards):
        self.loop = loop
        self.table = MemoryTable()
        self.stream = SimulatedStream(shards)
        self.rng = random.Random(1)
        self.tasks = set()

    async def start(self, name, **options):
        worker = Worker(self, name, **options)
        await self.loop.in_worker(name, worker.manager.start())
        return worker

    async def lease(self, number=0):
        leases = {lease.key: lease for lease in await self.table.read()}
        return leases[shard_id(number)]


def shard_id(number):
    return f"shardId-{number:012d}"


@pytest.fixture
def run():
    """Return a callable that runs a story on a stream of `shards` shards, on virtual time."""

    def run(story, shards=1):
        loop = FreezingLoop()

        async def main():
            try:
                await story(World(loop, shards))
            finally:
                loop.bury()

        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(main())

    return run


def test_a_worker_alone_reads_all_shards_at_once(run):
    async def story(world):
        worker = await world.start("a")
        await asyncio.sleep(2)
        assert len(worker.held) == 32
        assert worker.held[shard_id(31)].start == Checkpoint("TRIM_HORIZON")
        assert worker.held[shard_id(0)].hash_range == (0, 2**123 - 1)

    run(story, 32)


def test_workers_that_start_together_share_the_shards(run):
    async def story(world):
        workers = await asyncio.gather(*(world.start(f"w{number}") for number in range(8)))
        await asyncio.sleep(2 * DURATION)
        assert [len(worker.held) for worker in workers] == [4] * 8

    run(story, 32)


def test_a_worker_that_joins_has_its_share_within_one_and_a_half_leases(run):
    async def story(world):
        others = [await world.start(f"w{number}") for number in range(7)]
        await asyncio.sleep(6 * DURATION)
        assert sorted(len(worker.held) for worker in others) == [4, 4, 4, 5, 5, 5, 5]
        newcomer = await world.start("new")
        most = 0
        for _ in range(150):
            await asyncio.sleep(DURATION / 100)
            most = max(most, sum(lease.checkpoint_owner is not None for lease in await world.table.read()))
        assert len(newcomer.held) == 4
        assert most == 1  # 5 % of 32 leases

    run(story, 32)


def test_a_killed_workers_leases_are_read_again_within_one_and_a_half_leases(run):
    async def story(world):
        workers = [await world.start(f"w{number}") for number in range(8)]
        await asyncio.sleep(6 * DURATION)
        victims = set(workers[0].held)
        killed_at = world.loop.time()
        world.loop.kill("w0")
        await asyncio.sleep(1.5 * DURATION)
        taken_at = [max(worker.began_at.get(shard, 0) for worker in workers[1:]) for shard in victims]
        assert len(victims) == 4
        assert all(killed_at + DURATION / 2 < at for at in taken_at)

    run(story, 32)


def test_nothing_moves_in_balance(run):
    async def story(world):
        workers = [await world.start(f"w{number}") for number in range(5)]
        await asyncio.sleep(10 * DURATION)
        before = [list(worker.heard) for worker in workers]
        await asyncio.sleep(60 * DURATION)
        assert [worker.heard for worker in workers] == before

    run(story, 17)


def test_a_stable_worker_reads_and_writes_no_more_than_it_must(run):
    async def story(world):
        workers = [await world.start(f"w{number}") for number in range(8)]
        await asyncio.sleep(10 * DURATION)
        before = Counter({"reads": sum(w.table.reads for w in workers), "writes": sum(w.table.writes for w in workers)})
        await asyncio.sleep(60)
        reads = sum(w.table.reads for w in workers) - before["reads"]
        writes = sum(w.table.writes for w in workers) - before["writes"]
        assert reads / 8 <= 60 / (DURATION / 3 * 0.9) + 2  # a minute and worker, with one listing of the shards
        assert writes / 32 <= 60 / (DURATION / 3) + 0.5  # a minute and shard

    run(story, 32)


def test_a_hand_over_begins_where_the_previous_owner_saved(run):
    async def story(world):
        first = await world.start("a")
        await asyncio.sleep(1)
        for tenure in first.held.values():
            first.manager.note(tenure, Checkpoint("123", 4))
        second = await world.start("b")
        await asyncio.sleep(DURATION)
        assert len(first.held) == len(second.held) == 1
        [tenure] = second.held.values()
        assert tenure.start == Checkpoint("123", 4)
        assert (await world.lease(int(tenure.shard_id[-1]))).owner_switches == 1

    run(story, 2)


def test_a_worker_that_does_not_finish_in_time_loses_the_lease_before_another_takes_it(run):
    async def story(world):
        first = await world.start("a", hand_over_timeout=30)
        await asyncio.sleep(1)
        first.finishes = False
        second = await world.start("b", hand_over_timeout=30)
        await asyncio.sleep(29)
        [(_, wanted)] = [each for each in first.heard if each[0] == "wanted"]
        assert first.held[wanted].is_held
        await asyncio.sleep(3)
        assert ("lost", wanted) in first.heard
        assert wanted not in second.held
        await asyncio.sleep(DURATION + 1)
        assert wanted in second.held
        assert world.loop.time() < 45

    run(story, 2)


def test_a_paused_worker_stops_delivering_when_it_wakes_and_its_late_checkpoint_is_refused(run):
    async def story(world):
        first = await world.start("a")
        await asyncio.sleep(1)
        [tenure] = first.held.values()
        await first.manager.save(tenure, Checkpoint("10"))
        world.loop.freeze("a")
        second = await world.start("b")
        await asyncio.sleep(1.5 * DURATION)
        assert second.held[shard_id(0)].start == Checkpoint("10")
        await second.manager.save(second.held[shard_id(0)], Checkpoint("20"))
        assert first.heard == [("began", shard_id(0))]
        assert not tenure.is_held  # by its own clock, before any of its timers has run
        world.loop.wake("a")
        with pytest.raises(LeaseLostError, match=shard_id(0)):
            await first.manager.save(tenure, Checkpoint("15"))
        assert first.heard == [("began", shard_id(0)), ("lost", shard_id(0))]
        assert (await world.lease()).checkpoint == Checkpoint("20")

    run(story)


def test_a_stalled_save_is_refused_by_the_table(run):
    """The worker's clock was right when it sent the checkpoint; the request hung."""

    async def story(world):
        first = await world.start("a")
        await asyncio.sleep(1)
        [tenure] = first.held.values()
        first.table.delay = 200.0
        save = asyncio.create_task(first.manager.save(tenure, Checkpoint("15")))
        second = await world.start("b")
        await asyncio.sleep(2 * DURATION)
        await second.manager.save(second.held[shard_id(0)], Checkpoint("20"))
        with pytest.raises(LeaseLostError):
            await save
        assert (await world.lease()).checkpoint == Checkpoint("20")

    run(story)


def test_a_worker_that_cannot_renew_gives_its_leases_up_in_time_and_takes_them_again(run):
    async def story(world):
        worker = await world.start("a")
        await asyncio.sleep(1)
        worker.table.is_down = True
        with pytest.raises(LeaseTableError):
            await worker.manager.save(worker.held[shard_id(0)], Checkpoint("5"))
        await asyncio.sleep(DURATION + 0.1)
        assert worker.heard == [("began", shard_id(0)), ("lost", shard_id(0))]
        worker.table.is_down = False
        await asyncio.sleep(DURATION)
        assert worker.held[shard_id(0)].is_held

    run(story)


def test_renewals_go_on_while_the_application_holds_the_lease_for_long(run):
    async def story(world):
        worker = await world.start("a")
        await asyncio.sleep(100 * DURATION)
        assert worker.heard == [("began", shard_id(0))]
        assert worker.held[shard_id(0)].is_held

    run(story)


def test_a_noted_checkpoint_is_written_within_its_interval(run):
    async def story(world):
        worker = await world.start("a", checkpoint_interval=2)
        await asyncio.sleep(1)
        worker.manager.note(worker.held[shard_id(0)], Checkpoint("7"))
        await asyncio.sleep(2.2)
        assert (await world.lease()).checkpoint == Checkpoint("7")

    run(story)


def test_an_older_note_never_replaces_a_saved_checkpoint(run):
    async def story(world):
        worker = await world.start("a")
        await asyncio.sleep(1)
        tenure = worker.held[shard_id(0)]
        worker.manager.note(tenure, Checkpoint("7"))
        worker.table.lost = 1.0
        with pytest.raises(LeaseTableError):
            await worker.manager.save(tenure, Checkpoint("9"))
        worker.table.lost = 0.0
        await asyncio.sleep(DURATION / 2)
        assert (await world.lease()).checkpoint == Checkpoint("9")

    run(story)


def test_an_announced_checkpoint_is_found_by_the_successor_until_one_is_saved(run):
    async def story(world):
        first = await world.start("a")
        await asyncio.sleep(1)
        tenure = first.held[shard_id(0)]
        first.manager.note(tenure, Checkpoint("9"))
        pending = PendingCheckpoint(Checkpoint("20"), b"700")
        await first.manager.announce(tenure, pending)
        first.manager.note(tenure, Checkpoint("11"))
        await asyncio.sleep(DURATION)
        world.loop.kill("a")
        second = await world.start("b")
        await asyncio.sleep(1.5 * DURATION)
        assert second.held[shard_id(0)].start == Checkpoint("11")
        assert second.held[shard_id(0)].pending == pending
        await second.manager.save(second.held[shard_id(0)], Checkpoint("20"))
        assert (await world.lease()).pending is None

    run(story)


def test_the_child_of_a_merge_waits_for_both_parents_even_after_a_restart(run):
    async def story(world):
        first = await world.start("a")
        await asyncio.sleep(1)
        left, right = world.stream.open_shards
        world.stream.merge(left, right, world.loop.time())
        await first.manager.end_shard(first.held.pop(left.shard_id), world.stream.children(left.shard_id))
        await first.manager.save(first.held[right.shard_id], Checkpoint("6"))
        await first.manager.stop(30.0)
        second = await world.start("b")
        await asyncio.sleep(5 * DURATION)
        assert list(second.held) == [right.shard_id]
        await second.manager.end_shard(second.held.pop(right.shard_id), world.stream.children(right.shard_id))
        await asyncio.sleep(1)
        assert list(second.held) == [shard_id(2)]
        assert (await world.lease(0)).checkpoint == Checkpoint(SHARD_END)
        assert (await world.lease(0)).child_ids == (shard_id(2),)

    run(story, 2)


def test_the_leases_of_the_children_are_in_the_table_when_the_end_of_their_parent_is_written(run, monkeypatch):
    """A worker that dies in between leaves no part of the hash range without a lease."""

    async def story(world):
        worker = await world.start("a")
        await asyncio.sleep(1)
        world.stream.split(world.stream.open_shards[0], world.loop.time())
        replace, keys_at_end = world.table.replace, []

        async def watched(before, after):
            if after.checkpoint.is_ended:
                keys_at_end.append({lease.key for lease in await world.table.read()})
            return await replace(before, after)

        monkeypatch.setattr(world.table, "replace", watched)
        await worker.manager.end_shard(worker.held.pop(shard_id(0)), world.stream.children(shard_id(0)))
        assert keys_at_end == [{shard_id(0), shard_id(1), shard_id(2)}]

    run(story)


def test_a_parent_that_nobody_has_listed_yet_is_read_before_its_child(run):
    """One shard is split, and a half is merged with its neighbour, before anybody lists the shards."""

    async def story(world):
        worker = await world.start("a")
        await asyncio.sleep(1)
        left, right = world.stream.open_shards
        world.stream.split(left, world.loop.time())  # 2 and 3
        world.stream.merge(world.stream.shards[shard_id(3)].shard, right, world.loop.time())  # 4
        await worker.manager.end_shard(worker.held.pop(shard_id(1)), world.stream.children(shard_id(1)))
        await asyncio.sleep(DURATION)
        assert list(worker.held) == [shard_id(0)]
        await worker.manager.end_shard(worker.held.pop(shard_id(0)), world.stream.children(shard_id(0)))
        await asyncio.sleep(1)
        assert sorted(worker.held) == [shard_id(2), shard_id(3)]

    run(story, 2)


def test_leases_of_ended_shards_are_deleted_when_their_children_have_begun(run):
    async def story(world):
        worker = await world.start("a", shard_interval=20)
        await asyncio.sleep(1)
        world.stream.split(world.stream.open_shards[0], world.loop.time())
        await worker.manager.end_shard(worker.held.pop(shard_id(0)), world.stream.children(shard_id(0)))
        await asyncio.sleep(60)
        assert len(await world.table.read()) == 3
        for tenure in worker.held.values():
            await worker.manager.save(tenure, Checkpoint("40"))
        await asyncio.sleep(60)
        assert sorted(lease.key for lease in await world.table.read()) == [shard_id(1), shard_id(2)]

    run(story)


def test_a_forgotten_shard_is_found_through_the_hole_that_it_leaves(run):
    async def story(world):
        worker = await world.start("a", shard_interval=10_000)
        await asyncio.sleep(1)
        await world.table.delete(await world.lease(1))
        await asyncio.sleep(2 * DURATION)
        assert worker.heard.count(("began", shard_id(1))) == 2

    run(story, 3)


def test_a_worker_that_stops_leaves_its_leases_to_the_others_at_once(run):
    async def story(world):
        workers = [await world.start(f"w{number}") for number in range(2)]
        await asyncio.sleep(6 * DURATION)
        for tenure in workers[0].held.values():
            workers[0].manager.note(tenure, Checkpoint("30"))
        await workers[0].manager.stop(30.0)
        await asyncio.sleep(DURATION / 2)
        assert len(workers[1].held) == 4
        assert Counter(tenure.start for tenure in workers[1].held.values())[Checkpoint("30")] == 2

    run(story, 4)


def test_a_stop_withdraws_requests(run):
    async def story(world):
        first = await world.start("a")
        await asyncio.sleep(1)
        first.finishes = False
        second = await world.start("b")
        await asyncio.sleep(2)
        assert any(lease.owner == "b" for lease in await world.table.read())
        await second.manager.stop(30.0)
        assert all(lease.owner == "a" for lease in await world.table.read())

    run(story, 2)


def test_a_worker_takes_no_more_than_max_leases(run):
    async def story(world):
        worker = await world.start("a", max_leases=3)
        await asyncio.sleep(5 * DURATION)
        assert len(worker.held) == 3
        assert len(worker.manager.leases) == 10

    run(story, 10)


def test_a_worker_that_restarts_with_its_name_has_its_leases_at_once(run):
    async def story(world):
        await world.start("a")
        await asyncio.sleep(DURATION)
        world.loop.kill("a")
        again = Worker(world, "a")
        await world.loop.in_worker("another process", again.manager.start())
        await asyncio.sleep(1)
        assert len(again.held) == 2

    run(story, 2)


def test_a_request_of_a_kcl_leader_is_seen_by_the_renewal_it_refuses(run):
    """The KCL's leader names the new owner without a change of the counter."""

    async def story(world):
        worker = await world.start("a")
        await asyncio.sleep(1)
        lease = await world.lease()
        assert await world.table.replace(lease, asked_for(lease, "java"))
        await worker.manager.save(worker.held[shard_id(0)], Checkpoint("8"))
        await asyncio.sleep(DURATION / 2)
        assert ("wanted", shard_id(0)) in worker.heard
        lease = await world.lease()
        assert (lease.owner, lease.checkpoint_owner, lease.checkpoint) == ("java", None, Checkpoint("8"))

    run(story)


def test_with_latest_a_new_application_begins_at_the_tip_and_its_later_shards_at_their_start(run):
    async def story(world):
        world.stream.split(world.stream.open_shards[0], 0.0)
        worker = await world.start("a", start=LATEST)
        await asyncio.sleep(1)
        assert {name: tenure.start[0] for name, tenure in worker.held.items()} == {
            shard_id(1): LATEST,
            shard_id(2): LATEST,
        }
        world.stream.split(world.stream.open_shards[0], world.loop.time())
        await worker.manager.end_shard(worker.held.pop(shard_id(1)), world.stream.children(shard_id(1)))
        await asyncio.sleep(1)
        assert worker.held[shard_id(3)].start == Checkpoint("TRIM_HORIZON")

    run(story)


def test_a_table_that_cannot_be_reached_fails_the_start(run):
    async def story(world):
        worker = Worker(world, "a")
        worker.table.is_down = True
        with pytest.raises(LeaseTableError):
            await worker.manager.start()
        await worker.manager.stop(30.0)

    run(story)


def test_requests_beyond_the_limit_are_declined(run):
    """Two workers asked for different leases before the holder looked."""

    async def story(world):
        worker = await world.start("a")
        await asyncio.sleep(1)
        for number, other in enumerate(("b", "c")):
            lease = await world.lease(number)
            assert await world.table.replace(lease, asked_for(lease, other))
        await asyncio.sleep(DURATION / 2)
        owners = {lease.owner for lease in await world.table.read()}
        assert [word for word, _ in worker.heard].count("wanted") <= 1
        assert "a" in owners
        assert {"b", "c"} - owners

    run(story, 3)


def test_a_failure_of_the_listing_leaves_the_leases_alone(run, caplog):
    async def story(world):
        worker = await world.start("a", shard_interval=5)
        await asyncio.sleep(1)
        listed = 0

        async def list_shards():
            nonlocal listed
            listed += 1
            raise OSError("no route to host")

        worker.manager._shards._list_shards = list_shards
        await asyncio.sleep(60)
        assert listed > 5
        assert worker.heard == [("began", shard_id(0))]

    run(story)
    assert "the shards cannot be listed: no route to host" in caplog.text


def test_an_error_of_the_listener_leaves_the_leases_alone(run, caplog):
    def began(tenure):
        raise ValueError(f"cannot read {tenure.shard_id}")

    async def story(world):
        worker = await world.start("a")
        worker.began = began
        await asyncio.sleep(5 * DURATION)
        assert {lease.owner for lease in await world.table.read()} == {"a"}

    run(story, 2)
    assert f"ValueError: cannot read {shard_id(1)}" in caplog.text


def test_a_worker_that_starts_late_lists_nothing_that_exists_again(run):
    async def story(world):
        await world.start("a")
        before = await world.table.read()
        second = await world.start("b")
        assert second.table.writes == 0
        assert [lease.key for lease in await world.table.read()] == [lease.key for lease in before]

    run(story, 4)

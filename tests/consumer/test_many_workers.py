"""Several workers of one application on virtual time: sharing, rebalancing, and histories of everything at once.

A failed history names its seed: `pytest tests/consumer/test_many_workers.py --consumer-seeds 7` plays it again, and
`--consumer-histories 10000` plays more of them.
"""

import asyncio

import pytest

from tests.consumer.worker_group import LEASE_SECONDS, WorkerGroup, with_workers
from truckstream.consumer.leases.lease_view import LeaseView
from truckstream.errors import LeaseTableError


@with_workers
async def test_the_shards_of_a_worker_that_died_are_read_again_within_one_and_a_half_lease_times():
    group = WorkerGroup(seed=2, shards=8)
    first = group.join()
    group.join()
    await asyncio.sleep(20)
    first.die()
    group.stream.put(800)
    assert await group.seconds_until_all_is_processed() <= 1.5 * LEASE_SECONDS
    await group.leave()


@pytest.mark.parametrize("outage", [5, 15])
@with_workers
async def test_a_table_that_cannot_be_reached_when_a_hand_over_ends_stops_no_worker(outage, monkeypatch):
    group = WorkerGroup(seed=9, shards=4)
    old = group.join()
    await asyncio.sleep(5)
    replace, failures = group.table.replace, []

    async def refuse_releases(before, after):
        if before.checkpoint_owner == old.consumer.worker_id and after.checkpoint_owner is None:
            failures.append(after)
            raise LeaseTableError("ThrottlingException", "the table cannot be reached")
        return await replace(before, after)

    monkeypatch.setattr(group.table, "replace", refuse_releases)
    group.join()
    for _ in range(outage):
        group.stream.put(40)
        await asyncio.sleep(1)
    assert failures
    monkeypatch.undo()
    await group.seconds_until_all_is_processed()
    await group.seconds_until(lambda: group.shares() == [2, 2])
    await group.leave()


#: Histories that the plain suite plays. The others are slow.
FEW = 12

STEPS = ["join", "leave", "die", "freeze", "thaw", "split", "merge", "nothing", "nothing", "nothing"]


def pytest_generate_tests(metafunc):
    if "seed" in metafunc.fixturenames:
        option = metafunc.config.option
        if option.consumer_seeds:
            seeds = [int(seed) for seed in option.consumer_seeds.split(",")]
        else:
            rest = range(FEW, option.consumer_histories)
            seeds = [*range(FEW), *(pytest.param(seed, marks=pytest.mark.slow) for seed in rest)]
        metafunc.parametrize("seed", seeds)


@with_workers
async def test_whatever_the_workers_do_each_record_is_processed_in_order_and_none_after_its_checkpoint(seed):
    await play(seed)


def outcome_of(seed):
    """Play a history; return the text of its failure, and everything that happened until then."""
    outcome = []

    @with_workers
    async def history():
        trace, failure = [], None
        try:
            await play(seed, trace)
        except AssertionError as error:
            failure = str(error)
        outcome.extend((failure, list(trace)))  # without the end of the workers, which are buried in no order

    history()
    return outcome


def test_a_history_is_played_again_exactly():
    failure, trace = outcome_of(5)
    assert failure is None
    assert len(trace) > 300
    assert outcome_of(5) == [failure, trace]


def test_a_history_that_fails_fails_again_at_the_same_step(monkeypatch):
    monkeypatch.setattr(LeaseView, "_is_active", lambda _, lease: not lease.checkpoint.is_ended)
    failure, trace = outcome_of(0)
    assert "began before the end of" in failure, "children do not wait for their parents"
    assert outcome_of(0) == [failure, trace]


async def play(seed, trace=None):
    group = WorkerGroup(seed, shards=4, trace=trace)
    rng = group.rng
    faults = rng.choice([0.0, 0.1, 0.3])
    group.join(faults=faults)
    for _ in range(30):
        group.stream.put(rng.choice([0, 20, 200]))
        await take_step(group, rng.choice(STEPS), faults)
        await asyncio.sleep(rng.choice([0.5, 3.0, 12.0]))
    for worker in group.in_state("frozen"):
        worker.thaw()
    await group.seconds_until_all_is_processed()
    await group.leave()


async def take_step(group, step, faults):
    active, frozen = group.in_state("active"), group.in_state("frozen")
    if step == "join" and len(active) < 5:
        group.join(faults=faults)
    elif step == "leave" and len(active) > 1:
        await group.rng.choice(active).leave()
    elif step in ("die", "freeze") and len(active) > 1:
        getattr(group.rng.choice(active), step)()
    elif step == "thaw" and frozen:
        frozen[0].thaw()
    elif step in ("split", "merge"):
        reshard(group, step)


def reshard(group, step):
    shards = [each for each in group.stream._shards() if "EndingSequenceNumber" not in each["SequenceNumberRange"]]
    if step == "split" and len(shards) < 8:
        group.stream.split(group.rng.choice(shards)["ShardId"])
    elif step == "merge" and len(shards) > 2:
        at = group.rng.randrange(len(shards) - 1)
        ordered = sorted(shards, key=lambda each: int(each["HashKeyRange"]["StartingHashKey"]))
        group.stream.merge(ordered[at]["ShardId"], ordered[at + 1]["ShardId"])

"""After a reshard, the records of closed shards move to open ones: some at a time, and in their order."""

import pytest

from tests.producer.routing.support import LEFT, RIGHT, make_record, make_router
from tests.producer.support import even_shards
from truckstream.producer.queueing.bundle import Bundle
from truckstream.producer.routing.relocation import Relocation


def reshard(router, shards, relocation=None):
    """Set the shards of `router`, and return a relocation of the records whose shards are gone."""
    relocation = relocation or Relocation(router)
    relocation.add(router.set_shards(shards, 0.0))
    return relocation


def halves(router):
    """The outboxes of the two halves of the hash keys."""
    return [router.route("TRUCK_001", hash_key).outbox for hash_key in (LEFT, RIGHT)]


def times_in(outbox):
    """Empty an outbox, and return when its records were put."""
    returned = [parcel.put_at for parcel in outbox.take_youngest(1_000)][::-1]
    return returned + [record.put_at for record in outbox.entry.take_while(lambda _: True, 1_000)]


@pytest.fixture
def router():
    router = make_router()
    router.set_shards(even_shards(1), 0.0)
    return router


def test_without_a_reshard_nothing_is_moved(router):
    make_record(router)
    assert Relocation(router).step(5) == 5


def test_each_record_moves_to_the_shard_of_its_keys(router):
    records = [make_record(router, at, "TRUCK_001", (LEFT, RIGHT)[at % 2]) for at in range(6)]
    relocation = reshard(router, even_shards(2, first=1))
    assert relocation.step(10) == 4
    left, right = halves(router)
    assert all(record.outbox is (left, right)[index % 2] for index, record in enumerate(records))
    assert (times_in(left), times_in(right)) == ([0, 2, 4], [1, 3, 5])
    assert relocation.step(10) == 10, "nothing is left"


def test_a_step_moves_as_many_records_as_its_limit(router):
    """The event loop runs between two steps: a larger step would delay everything else in the process."""
    for at in range(6):
        make_record(router, at, hash_key=LEFT)
    relocation = reshard(router, even_shards(2, first=1))
    left, _ = halves(router)
    for moved in (2, 4):
        assert relocation.step(2) == 0
        assert left.entry.count == moved
        assert relocation.outboxes, "records may be left"
    assert relocation.step(3) == 1
    assert not relocation.outboxes
    assert times_in(left) == [0, 1, 2, 3, 4, 5]


def test_a_limit_of_one_moves_one(router):
    make_record(router)
    relocation = reshard(router, even_shards(2, first=1))
    assert relocation.step(1) == 0
    assert sum(outbox.entry.count for outbox in halves(router)) == 1


def test_records_put_since_the_reshard_stay_behind_the_older_ones(router):
    for at in (1, 2):
        make_record(router, at, hash_key=LEFT)
    relocation = reshard(router, even_shards(2, first=1))
    make_record(router, 3, hash_key=LEFT)
    relocation.step(1)
    make_record(router, 4, hash_key=LEFT)
    relocation.step(10)
    assert times_in(halves(router)[0]) == [1, 2, 3, 4]


@pytest.fixture
def merged():
    """The outbox of a merged shard, and the relocation of six records that were put to its two parents."""
    router = make_router()
    router.set_shards(even_shards(2), 0.0)
    for at in range(6):
        make_record(router, at, hash_key=(LEFT, RIGHT)[at in {1, 2, 5}])
    relocation = reshard(router, even_shards(1, first=2))
    return halves(router)[0], relocation


def test_records_of_merged_shards_stand_in_the_order_of_put(merged):
    outbox, relocation = merged
    assert relocation.step(10) == 4
    assert times_in(outbox) == [0, 1, 2, 3, 4, 5]


def test_the_youngest_record_moves_first(merged):
    """Each step goes in front of the last one, and no record has to be sorted in."""
    outbox, relocation = merged
    for at in (5, 4, 3, 2, 1, 0):
        relocation.step(1)
        assert outbox.entry.head().put_at == at
    assert times_in(outbox) == [0, 1, 2, 3, 4, 5]


def test_of_records_with_one_age_those_of_the_earlier_closed_shard_go_first(router):
    """A second reshard comes before the first one is done: the later shard's records were put later."""
    first = make_record(router, 1.0)
    relocation = reshard(router, even_shards(1, first=1))
    second = make_record(router, 1.0)
    reshard(router, even_shards(1, first=2), relocation)
    relocation.step(10)
    [outbox, _] = halves(router)
    assert outbox.entry.take(9, 1e9) == [first, second]


# --- Parcels that wait for another attempt --------------------------------------------------------


def test_parcels_that_wait_for_another_attempt_move_too(router):
    for at in range(3):
        record = make_record(router, at, hash_key=LEFT, queued=False)
        record.outbox.return_parcel(record)
    relocation = reshard(router, even_shards(2, first=1))
    left, right = halves(router)
    for moved in (1, 2, 3):
        assert relocation.step(1) == 0
        assert (left.waiting, right.waiting) == (moved, 0)
    assert relocation.step(1) == 1
    left.close()
    assert times_in(left) == [0, 1, 2]


def test_a_bundle_is_taken_apart_and_counts_as_many_records():
    router = make_router(aggregate=True)
    router.set_shards(even_shards(1), 0.0)
    for at, hash_key in enumerate((LEFT, RIGHT, LEFT)):
        make_record(router, at, hash_key=hash_key)
    [outbox, _] = halves(router)
    outbox.return_parcel(Bundle.pack(outbox, 50_000, 9))
    relocation = reshard(router, even_shards(2, first=1))
    assert relocation.step(10) == 7
    left, right = halves(router)
    assert (times_in(left), times_in(right)) == ([0, 2], [1])


def test_parcels_that_come_back_to_a_shard_that_was_closed_earlier_move_as_well(router):
    """They were in flight during the reshard."""
    records = [make_record(router, at, hash_key=RIGHT, queued=False) for at in (1, 2)]
    relocation = reshard(router, even_shards(2, first=1))
    relocation.step(10)
    closed = records[0].outbox
    for record in reversed(records):
        closed.return_parcel(record)
    relocation.add_returned(closed)
    assert list(relocation.outboxes) == [closed]
    assert relocation.step(10) == 8
    _, right = halves(router)
    assert all(record.outbox is right for record in records)
    right.close()
    assert times_in(right) == [1, 2]


# --- With ordered keys ----------------------------------------------------------------------------


@pytest.fixture
def ordered():
    router = make_router(ordered=True)
    router.set_shards(even_shards(1), 0.0)
    return router


def test_the_records_of_a_key_move_together(ordered):
    records = [make_record(ordered, at, f"TRUCK_{at % 2}", (LEFT, RIGHT)[at % 2]) for at in range(4)]
    relocation = reshard(ordered, even_shards(2, first=1))
    assert relocation.step(3) == 0, "a key counts one, and so does each of its records"
    assert sorted(outbox.queue.waiting for outbox in halves(ordered)) == [0, 2]
    assert relocation.step(3) == 0
    assert relocation.step(3) == 3
    left, right = halves(ordered)
    assert (left.queue.waiting, right.queue.waiting) == (2, 2)
    assert [record.outbox for record in records] == [left, right, left, right]


def test_a_key_without_an_explicit_hash_key_moves_too(ordered):
    record = make_record(ordered, 1.0)
    reshard(ordered, even_shards(2, first=1)).step(10)
    assert record.outbox is ordered.route("TRUCK_001", None).outbox
    assert record.outbox.queue.pop() is record


def test_looking_at_a_key_is_part_of_a_step_even_if_it_does_not_move(ordered):
    """A stream may have 100,000 keys, most of them of shards that stay."""
    ordered.set_shards(even_shards(2, first=1), 0.0)
    for number in range(4):
        make_record(ordered, number, f"TRUCK_{number}", LEFT)
    relocation = Relocation(ordered)
    left, right = even_shards(2, first=1)
    closed = ordered.set_shards([left], 0.0)
    relocation.add(closed)
    assert relocation.step(3) == 0
    assert relocation.step(3) == 2
    assert ordered.route("TRUCK_0", LEFT).outbox.queue.waiting == 4
    assert right.shard_id not in ordered.shard_ids


def test_a_key_whose_records_have_their_outcome_meanwhile_is_passed_over(ordered):
    record = make_record(ordered)
    closed = record.outbox
    closed.queue.pop()
    relocation = reshard(ordered, even_shards(2, first=1))
    closed.queue.on_outcome(record)
    assert relocation.step(10) == 9

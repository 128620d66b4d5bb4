"""Bundles that a shard with an unknown range has stored."""

import math
from types import SimpleNamespace

import pytest

from tests.producer.routing.support import LEFT, RIGHT, make_record, make_router
from tests.producer.support import even_shards
from truckstream.kinesis.responses import RecordResponse
from truckstream.producer.queueing.bundle import Bundle
from truckstream.producer.queueing.outbox import count_records
from truckstream.producer.routing.unproven_bundles import UnprovenBundles

CHILD_1, CHILD_2 = (shard.shard_id for shard in even_shards(2, first=1))
BOTH = (LEFT, RIGHT)


@pytest.fixture
def router():
    router = make_router(aggregate=True)
    router.set_shards(even_shards(1), 0.0)
    return router


@pytest.fixture
def outbox(router):
    return router.route("TRUCK_001", None).outbox


@pytest.fixture
def pack(router, outbox):
    """A function that makes a bundle of records with explicit hash keys, by default of two keys."""

    def make(put_at=0.0, hash_keys=BOTH):
        for hash_key in hash_keys:
            make_record(router, put_at, hash_key=hash_key)
        return Bundle.pack(outbox, 50_000, len(hash_keys))

    return make


@pytest.fixture
def unproven():
    return UnprovenBundles(120.0)


def hold(unproven, bundle, shard_id, now=0.0, sent_at=0.0):
    return unproven.hold(
        SimpleNamespace(sent_at=sent_at), [bundle], [RecordResponse(shard_id=shard_id, sequence_number="1")], now
    )


def bundles(stored):
    return [each.bundle for each in stored]


# --- Which bundles are held -----------------------------------------------------------------------


def test_only_bundles_of_several_keys_that_another_shard_stored_are_held(unproven, outbox, pack):
    """The KCL discards those whole if one key lies outside of the shard. All others are certainly read."""
    parcels = [pack(), pack(hash_keys=(LEFT, LEFT)), pack(), pack()]
    responses = [
        RecordResponse(shard_id=name, sequence_number="1") for name in (CHILD_1, CHILD_1, outbox.shard_id, CHILD_2)
    ]
    others = unproven.hold(SimpleNamespace(sent_at=7.0), parcels, responses, 8.0)
    assert others == (parcels[1:3], responses[1:3])
    assert set(unproven.shard_ids) == {CHILD_1, CHILD_2}
    assert [(each.bundle, each.response, each.sent_at) for each in unproven.take(100)] == [
        (parcels[0], responses[0], 7.0),
        (parcels[3], responses[3], 7.0),
    ]


def test_a_missing_response_is_a_defect_and_drops_no_bundle(unproven, pack):
    with pytest.raises(ValueError, match="shorter"):
        unproven.hold(SimpleNamespace(sent_at=0.0), [pack(), pack()], [RecordResponse(shard_id=CHILD_1)], 0.0)


def test_records_that_are_held_count_as_waiting(unproven, outbox, pack):
    for bundle in (pack(), pack(hash_keys=(*BOTH, *BOTH))):
        hold(unproven, bundle, CHILD_1)
    assert outbox.backing_off == 2 + 4
    unproven.take(1)
    unproven.take(1)
    assert outbox.backing_off == 0


# --- How long they wait ---------------------------------------------------------------------------


def test_a_bundle_waits_five_seconds_for_the_map(unproven, pack):
    assert unproven.next_at == math.inf
    hold(unproven, bundle := pack(put_at=9.0), CHILD_1, now=10.0)
    assert unproven.next_at == 15.0
    assert unproven.take_due(unproven.next_at - 0.1, 100) == []
    assert bundles(unproven.take_due(unproven.next_at, 100)) == [bundle]
    assert unproven.next_at == math.inf
    assert set(unproven.shard_ids) == set()


def test_half_of_the_time_that_is_left_remains_for_sending_it_again(unproven, pack):
    hold(unproven, pack(put_at=0.0), CHILD_1, now=114.0)
    assert unproven.next_at == 117.0


def test_the_bundle_that_waits_least_is_due_first(unproven, pack):
    hold(unproven, late := pack(put_at=100.0), CHILD_1, now=114.0)
    hold(unproven, early := pack(put_at=0.0), CHILD_1, now=114.0)
    hold(unproven, other := pack(put_at=1.0), CHILD_2, now=114.0)
    assert unproven.next_at == 117.0
    assert bundles(unproven.take_due(117.0, 100)) == [early]
    assert unproven.next_at == 117.5
    assert bundles(unproven.take_due(200.0, 100)) == [late, other]


# --- Steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["take_due", "take_judged", "take"])
@pytest.mark.parametrize(("limit", "counts"), [(1, [2] * 6), (2, [2] * 6), (3, [4, 4, 4]), (5, [6, 6]), (99, [12])])
def test_they_are_removed_in_steps_of_about_the_limit(unproven, pack, outbox, method, limit, counts):
    """A step that handled all of them at once would hold up the event loop."""
    for shard_id in (CHILD_1, CHILD_2):
        for _ in range(3):
            hold(unproven, pack(), shard_id)
    shards = {shard.shard_id: shard for shard in even_shards(2, first=1)}

    def step():
        if method == "take_due":
            return unproven.take_due(5.0, limit)
        if method == "take":
            return unproven.take(limit)
        readable, discarded = unproven.take_judged(shards, limit)
        return readable + discarded

    taken = []
    while step_taken := step():
        taken.append(sum(count_records(each.bundle) for each in step_taken))
        assert outbox.backing_off == 12 - sum(taken)
    assert taken == counts


def test_the_last_ones_are_taken_first(unproven, pack):
    """Each step goes before the last one in the queues, so that the records end in the order of put."""
    made = [pack(put_at=float(at)) for at in range(3)]
    for bundle in made:
        hold(unproven, bundle, CHILD_1, now=114.0)
    assert [bundles(unproven.take(1)) for _ in made] == [[bundle] for bundle in reversed(made)]


# --- The map is there -----------------------------------------------------------------------------


def test_a_bundle_is_readable_if_all_of_its_keys_lie_in_the_shard(unproven, pack):
    """After a merge they all do, and after a split few do."""
    inside, divided = pack(hash_keys=(LEFT, "1")), pack(hash_keys=(LEFT, RIGHT))
    outside, unknown = pack(hash_keys=(RIGHT, str(2**127 + 1))), pack()
    for bundle in (inside, divided, outside):
        hold(unproven, bundle, CHILD_1)
    hold(unproven, unknown, "a shard that no map has yet")
    shards = {shard.shard_id: shard for shard in even_shards(2, first=1)}
    readable, discarded = unproven.take_judged(shards, 100)
    assert bundles(readable) == [inside]
    assert set(bundles(discarded)) == {divided, outside}
    assert bundles(unproven.take(100)) == [unknown]


def test_keys_without_an_explicit_hash_key_are_judged_by_their_md5(unproven, router, outbox):
    for key in ("TRUCK_001", "TRUCK_004"):  # both MD5s lie in the second half
        make_record(router, key=key)
    hold(unproven, bundle := Bundle.pack(outbox, 50_000, 2), CHILD_2)
    readable, discarded = unproven.take_judged({shard.shard_id: shard for shard in even_shards(2, first=1)}, 100)
    assert (bundles(readable), discarded) == ([bundle], [])

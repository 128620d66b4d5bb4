"""The outbox of a key, before and after a reshard."""

from collections import Counter

import pytest

from tests.producer.routing.support import LEFT, RIGHT, make_record, make_router
from tests.producer.support import even_shards
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.limits import MIB
from truckstream.kinesis.shard_map import Shard
from truckstream.producer.queueing.buffer_budget import RECORD_OVERHEAD_BYTES
from truckstream.producer.queueing.bundle import Bundle
from truckstream.producer.routing.router import Resharded

FIRST, SECOND = even_shards(2)


@pytest.fixture
def router():
    router = make_router()
    router.set_shards([FIRST, SECOND], 0.0)
    return router


def test_a_record_goes_to_the_shard_of_its_keys(router):
    assert router.route("TRUCK_001", None).outbox.shard_id == SECOND.shard_id  # its MD5 begins with d1
    assert router.route("TRUCK_001", LEFT).outbox.shard_id == FIRST.shard_id
    assert router.route("TRUCK_001", RIGHT).outbox.shard_id == SECOND.shard_id
    assert router.shard_ids == (FIRST.shard_id, SECOND.shard_id)


def test_a_route_has_everything_that_the_keys_decide(router):
    routed = router.route("é", None)
    assert (routed.key_size, routed.overhead) == (2, RECORD_OVERHEAD_BYTES)
    assert b"PartitionKey" in routed.tail
    assert b"ExplicitHashKey" not in routed.tail
    routed = router.route("é", "5")
    assert (routed.key_size, routed.overhead) == (2, RECORD_OVERHEAD_BYTES)
    assert b'"ExplicitHashKey":"5"' in routed.tail
    assert router.route("é" * 200, None).overhead > RECORD_OVERHEAD_BYTES
    assert router.route("é" * 200, "5").overhead > RECORD_OVERHEAD_BYTES


@pytest.mark.parametrize(("key", "hash_key"), [("", None), ("", "5"), ("TRUCK_001", "-5")])
def test_invalid_keys_have_no_route(router, key, hash_key):
    with pytest.raises(InvalidArgumentError):
        router.route(key, hash_key)


def test_a_key_is_hashed_once(router):
    assert router.table["TRUCK_001"] is router.table["TRUCK_001"]


def test_before_the_shards_are_known_all_keys_share_an_outbox():
    router = make_router()
    outbox = router.route("TRUCK_001", None).outbox
    assert outbox.shard_id is None
    assert router.route("TRUCK_002", RIGHT).outbox is outbox
    assert router.outboxes == [outbox]
    assert router.shard_ids == ()


def test_a_key_in_a_gap_of_the_map_has_no_shard(router):
    """The service is not done with a reshard: a parent is closed, and a child is not listed yet."""
    router.set_shards([FIRST], 0.0)
    assert router.route("TRUCK_001", RIGHT).outbox is router.table.unrouted


# --- The memory of routes -------------------------------------------------------------------------


def remembered_before_forgetting(router, length=10):
    """Route new keys until they are forgotten. Return the most that were remembered."""
    most = 0
    for number in range(1_000_000):
        router.route(f"{number:0{length}}", None)
        if len(router.table) < most:
            return most
        most = len(router.table)
    raise AssertionError("all keys are remembered")


def test_remembered_keys_take_a_tenth_of_the_buffer_at_most():
    """All that the producer keeps is inside of its budget, however many keys there are."""
    router = make_router(buffer_bytes=MIB)
    many = remembered_before_forgetting(router)
    assert 0.1 * MIB / 350 < many < 0.1 * MIB / 250, "each takes about 300 bytes"
    assert remembered_before_forgetting(router) == pytest.approx(many, abs=1), "they are counted anew"
    assert remembered_before_forgetting(router, length=250) < many / 1.5, "long keys take more"


def test_a_large_buffer_does_not_remember_more_keys():
    """Forgetting them takes 5 ms for 16 MiB, in which the event loop does nothing else."""
    assert make_router(buffer_bytes=150 * MIB).table._max_bytes == pytest.approx(15 * MIB, abs=1)
    assert make_router(buffer_bytes=1_000 * MIB).table._max_bytes == 16 * MIB


# --- A reshard ------------------------------------------------------------------------------------


def test_the_same_shards_change_nothing(router):
    routed = router.table["TRUCK_001"]
    assert router.set_shards([SECOND, FIRST], 1.0) is None
    assert router.table["TRUCK_001"] is routed


def test_a_split_closes_the_outbox_of_the_parent_and_keeps_the_others(router):
    kept, parent = (router.route("TRUCK_001", hash_key).outbox for hash_key in (LEFT, RIGHT))
    unrouted = router.table.unrouted
    middle = 2**127 + 2**126
    children = [Shard("child-1", 2**127, middle - 1), Shard("child-2", middle, 2**128 - 1)]
    closed_parent = Shard(SECOND.shard_id, SECOND.starting_hash_key, SECOND.ending_hash_key, is_open=False)
    assert router.set_shards([FIRST, closed_parent, *children], 1.0) == Resharded([unrouted, parent], [])
    assert (kept.is_closed, parent.is_closed, unrouted.is_closed) == (False, True, True)
    assert router.route("TRUCK_001", LEFT).outbox is kept
    assert router.route("TRUCK_001", RIGHT).outbox.shard_id == "child-1"
    assert router.route("TRUCK_001", None).outbox.shard_id == "child-2"
    assert router.shard_ids == (FIRST.shard_id, "child-1", "child-2")
    assert [outbox.shard_id for outbox in router.outboxes] == [FIRST.shard_id, "child-1", "child-2", None]
    assert set(router.listed) == {FIRST.shard_id, SECOND.shard_id, "child-1", "child-2"}
    assert router.listed[SECOND.shard_id] is closed_parent
    assert not any(outbox.is_closed for outbox in router.outboxes)


def test_a_record_is_routed_again_by_both_of_its_keys(router):
    record = make_record(router, hash_key=LEFT, queued=False)
    router.set_shards(even_shards(2, first=7), 0.0)
    assert router.reroute(record) is record.outbox is router.route("TRUCK_001", LEFT).outbox


def test_parcels_are_queued_for_the_shards_that_are_open_now():
    router = make_router(aggregate=True)
    router.set_shards(even_shards(1), 0.0)
    for at, hash_key in enumerate((LEFT, RIGHT, LEFT, RIGHT, LEFT)):
        make_record(router, at, hash_key=hash_key)
    old = router.route("TRUCK_001", LEFT).outbox
    bundle, single = Bundle.pack(old, 50_000, 4), Bundle.pack(old, 50_000, 1)
    router.set_shards(even_shards(2, first=1), 0.0)
    bundle.members[2].failure = object()  # it expired in flight
    router.requeue([bundle, single])
    left, right = (router.route("TRUCK_001", hash_key).outbox for hash_key in (LEFT, RIGHT))
    assert [record.put_at for record in right.queue.take(9, 1e9)] == [1, 3]
    assert [record.put_at for record in left.queue.take(9, 1e9)] == [0]
    left.close()
    assert left.take_youngest(9) == [single]
    assert single.outbox is single.members[0].outbox is left


def test_records_of_bundles_that_come_back_out_of_order_stand_in_that_of_put():
    router = make_router(aggregate=True)
    router.set_shards(even_shards(1), 0.0)
    for at in range(4):
        make_record(router, at)
    outbox = router.route("TRUCK_001", None).outbox
    first, second = Bundle.pack(outbox, 50_000, 2), Bundle.pack(outbox, 50_000, 2)
    router.requeue([second, first])
    assert [record.put_at for record in outbox.queue.take(9, 1e9)] == [0, 1, 2, 3]


# --- Pacing ---------------------------------------------------------------------------------------


def rate_after_pressure(outbox):
    """The pace of an outbox that was full for two seconds."""
    pacer = outbox.pacer
    for step in range(200):
        now = step / 100
        count = pacer.records_allowed(now)
        pacer.take(count, count, now)
    return pacer.rate_at(2.0)


def test_a_provisioned_shard_is_written_at_its_documented_quota(router):
    assert rate_after_pressure(router.route("TRUCK_001", LEFT).outbox) == 1_000


def test_what_a_shard_takes_is_learnt_where_it_is_not_documented(router):
    """The shards of an on-demand stream take more; and a stream whose shards cannot be listed has several."""
    assert rate_after_pressure(make_router().table.unrouted) > 2_000
    assert rate_after_pressure(router.table.unrouted) > 2_000
    router.on_demand = True
    router.set_shards(even_shards(2, first=1), 0.0)
    assert rate_after_pressure(router.route("TRUCK_001", LEFT).outbox) > 2_000


def test_without_pacing_no_outbox_has_a_pacer():
    router = make_router(pacing=False)
    router.set_shards(even_shards(2), 0.0)
    assert [outbox.pacer for outbox in router.outboxes] == [None] * 3


@pytest.mark.parametrize("aggregate", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_the_options_decide_how_an_outbox_queues_and_sends(aggregate, ordered):
    router = make_router(aggregate=aggregate, ordered=ordered, pacing=False)
    router.set_shards(even_shards(1), 0.0)
    for at in (1.0, 2.0):
        make_record(router, at, held=True)
    [outbox, _] = router.outboxes
    parcels = outbox.take(10, 10, MIB, MIB, 5.0)
    assert [parcel.members is None for parcel in parcels] == ([False] if aggregate else [True] * (1 if ordered else 2))
    assert bool(router.lanes) is ordered
    assert (outbox.entry is outbox.queue) is (aggregate or ordered)


@pytest.mark.parametrize(
    ("options", "exclusive"),
    [
        *(({}, 10), ({"max_in_flight": 2}, 2), ({"max_in_flight": 1_000}, 64), ({"aggregate": True}, 10)),
        *(({"pacing": False}, 0), ({"ordered": True}, 0)),
    ],
    ids=str,
)
def test_shards_are_divided_among_groups_that_send_one_request_at_a_time(options, exclusive):
    """Without pacing one shard may take more than one request can carry, and with ordered keys lanes keep the order."""
    router = make_router(**options)
    router.set_shards(even_shards(128), 0.0)
    *outboxes, unrouted = router.outboxes
    assert sum(group.exclusive for group in router.groups) == exclusive
    assert not unrouted.group.exclusive, "its traffic may be that of many shards"
    sizes = Counter(id(outbox.group.front) for outbox in outboxes)
    assert len(sizes) == max(1, exclusive)
    assert max(sizes.values()) - min(sizes.values()) <= 1

"""Several records in one Kinesis record: which ones, how large, and how they are taken apart."""

import pytest

from tests.producer.routing.support import LEFT, RIGHT, make_record, make_router
from tests.producer.support import even_shards, user_records
from truckstream.kinesis.limits import MIB
from truckstream.producer.queueing.bundle import Bundle, is_mixed

#: The size of a bundle of two records of the key "TRUCK_001".
TWO_RECORDS = 20 + 11 + 2 * 16 + 9


def make_outbox(**options):
    """The router and the only outbox of a stream with one shard, which sends bundles."""
    router = make_router(aggregate=True, pacing=False, **options)
    router.set_shards(even_shards(1), 0.0)
    return router, router.route("TRUCK_001", None).outbox


@pytest.fixture
def plain():
    return make_outbox()


def put(router, *times, key="TRUCK_001", hash_key=None):
    return [make_record(router, at, key, hash_key) for at in times]


def take(outbox, *, parcels=500, records=500, size=10 * MIB, largest=MIB):
    return list(outbox.take(parcels, records, size, largest, 0.0))


def times(bundles):
    return [[member.put_at for member in bundle.members] for bundle in bundles]


def service_size(bundle):
    """The bytes that the service counts: the data and the partition key."""
    return len(bundle.data) + len(bundle.members[0].partition_key)


# --- One bundle -----------------------------------------------------------------------------------


def test_a_bundle_holds_its_records_in_order_and_knows_its_size(plain):
    router, outbox = plain
    put(router, 3.0, 4.0, 5.0)
    [bundle] = take(outbox)
    assert user_records(bundle) == [("TRUCK_001", None, b"0123456789")] * 3
    assert (bundle.outbox, bundle.put_at, bundle.attempts) == (outbox, 3.0, 0)
    assert bundle.size == service_size(bundle)
    assert b'"PartitionKey":"TRUCK_001"' in bundle.tail
    assert repr(bundle) == f"<Bundle of 3 records, {bundle.size} bytes>"


def test_a_bundle_goes_where_its_first_record_goes(plain):
    router, outbox = plain
    put(router, 1.0, key="a", hash_key=RIGHT)
    put(router, 2.0, key="b", hash_key=LEFT)
    [bundle] = take(outbox)
    assert user_records(bundle) == [("a", RIGHT, b"0123456789"), ("b", LEFT, b"0123456789")]
    assert RIGHT.encode() in bundle.tail


def test_a_single_record_is_not_wrapped(plain):
    """Readers that do not know the format still read it, as with the KPL."""
    router, outbox = plain
    [record] = put(router, 1.0)
    [bundle] = take(outbox)
    assert (bundle.data, bundle.tail, bundle.size) == (b"0123456789", record.tail, record.size)


def test_a_bundle_has_the_age_of_its_oldest_record(plain):
    router, outbox = plain
    put(router, 5.0, 3.0)
    assert Bundle.pack(outbox, 50_000, 9).put_at == 3.0


def test_only_a_bundle_of_several_keys_is_mixed(plain):
    """A reshard may divide it."""
    router, outbox = plain
    [single] = put(router, 1.0)
    assert not is_mixed(single)
    put(router, 2.0)
    [bundle] = take(outbox)
    assert not is_mixed(bundle)
    put(router, 3.0)
    put(router, 4.0, hash_key=LEFT)
    [bundle] = take(outbox)
    assert is_mixed(bundle)


# --- How many records go together -----------------------------------------------------------------


@pytest.mark.parametrize("limit", ["aggregate_bytes", "largest", "size"])
def test_a_bundle_is_as_large_as_it_may_be_and_no_larger(limit):
    """With the size of three records, three go together; with one byte less, two."""
    router, outbox = make_outbox()
    put(router, *range(3))
    [three] = take(outbox)
    for room, counts in ((three.size, [3, 3]), (three.size - 1, [2, 2, 2])):
        router, outbox = make_outbox(**({limit: room} if limit == "aggregate_bytes" else {}))
        put(router, *range(6))
        options = {} if limit == "aggregate_bytes" else {limit: room}
        taken = [bundle for _ in range(3) for bundle in take(outbox, **options)]
        assert [len(bundle.members) for bundle in taken] == counts
        assert all(bundle.size <= room for bundle in taken)


def test_a_request_takes_no_more_bundles_records_or_bytes_than_it_has_room_for():
    router, outbox = make_outbox(aggregate_bytes=TWO_RECORDS)
    put(router, *range(8))
    assert times(take(outbox, parcels=2)) == [[0, 1], [2, 3]]
    assert times(take(outbox, records=3)) == [[4, 5], [6]]
    assert times(take(outbox, size=18)) == []
    assert times(take(outbox, size=19)) == [[7]]


def test_bundles_that_come_back_count_with_all_of_their_records():
    router, outbox = make_outbox(aggregate_bytes=TWO_RECORDS)
    put(router, *range(6))

    def again(records):
        for bundle in take(outbox, parcels=2):
            outbox.return_parcel(bundle)
        return times(take(outbox, records=records))

    for records, expected in ((1, [[0, 1]]), (2, [[2, 3]]), (1, [[4, 5]])):
        assert again(records) == expected
    put(router, *range(6))
    assert again(3) == [[0, 1], [2, 3]]
    put(router, *range(6, 9))
    [bundle] = take(outbox, parcels=1)
    outbox.return_parcel(bundle)
    assert times(take(outbox, records=3)) == [[4, 5], [6]]


@pytest.fixture
def paced():
    """A router, and an outbox that has the bytes of two bundles of two records left."""
    router = make_router(aggregate=True, aggregate_bytes=TWO_RECORDS)
    router.set_shards(even_shards(1), 0.0)
    outbox = router.route("TRUCK_001", None).outbox
    outbox.pacer.take(0, 512 * 1024 - 2 * TWO_RECORDS, 0.0)
    return router, outbox


@pytest.mark.parametrize("is_doubted", [False, True])
def test_bundles_keep_within_the_pace_in_bytes(paced, is_doubted):
    router, outbox = paced
    outbox.is_doubted = is_doubted
    put(router, *range(9))
    assert times(take(outbox)) == [[0, 1], [2, 3]]
    assert take(outbox) == []
    assert outbox.waiting == 5


@pytest.mark.parametrize("is_doubted", [False, True])
def test_a_bundle_is_filled_as_far_as_the_pace_in_bytes_allows(paced, is_doubted):
    router, outbox = paced
    outbox.is_doubted = is_doubted
    outbox.pacer.take(0, 40, 0.0)
    put(router, *range(9))
    assert times(take(outbox)) == [[0, 1], [2]]


def test_with_pacing_too_no_bundle_is_larger_than_the_streams_largest_record():
    router = make_router(aggregate=True)
    router.set_shards(even_shards(1), 0.0)
    put(router, *range(4))
    assert times(take(router.route("TRUCK_001", None).outbox, largest=TWO_RECORDS)) == [[0, 1], [2, 3]]


def test_bundles_are_filled_within_the_rest_of_a_request():
    router, outbox = make_outbox(aggregate_bytes=TWO_RECORDS)
    put(router, *range(6))
    taken = take(outbox, size=2 * TWO_RECORDS + 19)
    assert [len(bundle.members) for bundle in taken] == [2, 2, 1]


def test_a_record_that_was_rejected_in_a_bundle_goes_alone(plain):
    router, outbox = plain
    records = put(router, 1.0, 2.0, 3.0, 4.0)
    records[1].goes_alone = True
    assert times(take(outbox)) == [[1.0], [2.0], [3.0, 4.0]]
    records = put(router, 1.0, 2.0)
    records[0].goes_alone = True
    assert times(take(outbox)) == [[1.0], [2.0]]


def test_the_number_of_bundles_that_may_go_is_estimated_by_their_bytes():
    router, outbox = make_outbox(aggregate_bytes=100)
    assert outbox._ready() == 0
    put(router, 1.0)
    assert outbox._ready() == 1
    put(router, *[2.0] * 10)
    assert outbox._ready() == 1 + 11 * 19 // 100
    outbox.return_parcel(take(outbox, parcels=1, records=1)[0])
    assert outbox._ready() == 1 + 1 + 10 * 19 // 100
    outbox.is_doubted = True
    assert outbox._ready() == 1 + 10, "in doubt, each may need one of its own"


# --- In doubt -------------------------------------------------------------------------------------


def put_keys(router, *keys):
    for at, key in enumerate(keys):
        put(router, float(at), key=key)


@pytest.fixture
def doubted(plain):
    router, outbox = plain
    outbox.is_doubted = True
    return router, outbox


def test_in_doubt_a_bundle_has_records_of_one_key(doubted):
    router, outbox = doubted
    put_keys(router, "a", "b", "a", "c", "b", "a")
    taken = take(outbox)
    assert times(taken) == [[0, 2, 5], [1, 4], [3]]
    assert not any(map(is_mixed, taken))
    assert {bundle.outbox for bundle in taken} == {outbox}
    assert all(bundle.size == service_size(bundle) for bundle in taken)


def test_in_doubt_too_the_limits_are_kept(doubted):
    router, outbox = doubted
    put_keys(router, "a", "b", "a", "c")
    assert times(take(outbox, parcels=2)) == [[0, 2], [1]]
    assert times(take(outbox, size=10)) == []
    assert times(take(outbox, size=11)) == [[3]]
    put_keys(router, "a", "a", "b")
    assert times(take(outbox, records=1)) == [[0]]
    assert times(take(outbox, size=21)) == [[1]], "a second record would not leave room"


def test_in_doubt_too_records_keep_their_explicit_hash_key(doubted):
    """Without it they would go to the shard of their partition key."""
    router, outbox = doubted
    put(router, 1.0, 2.0, hash_key=LEFT)
    [bundle] = take(outbox)
    assert user_records(bundle) == [("TRUCK_001", LEFT, b"0123456789")] * 2
    assert b'"ExplicitHashKey":"0"' in bundle.tail


def test_a_bundle_of_one_key_fills_a_request_to_the_last_byte(doubted):
    router, outbox = doubted
    put_keys(router, *"aaaaa")
    [five] = take(outbox)
    put_keys(router, *"aaaaa")
    assert times(take(outbox, size=five.size)) == [[0, 1, 2, 3, 4]]
    put_keys(router, *"aaaaa")
    assert times(take(outbox, size=five.size - 1)) == [[0, 1, 2, 3], [4]]


@pytest.mark.parametrize(("ordered", "expected"), [(False, [[0, 1, 2], [3]]), (True, [[0, 1, 2]])])
def test_of_a_key_whose_bundle_is_full_one_more_goes_unless_its_order_is_kept(ordered, expected):
    router, outbox = make_outbox()
    put_keys(router, "a", "a", "a")
    [three] = take(outbox)
    router, outbox = make_outbox(ordered=ordered, aggregate_bytes=three.size)
    outbox.is_doubted = True
    put_keys(router, "a", "a", "a", "a")
    assert times(take(outbox)) == expected
    assert outbox.waiting == 4 - sum(map(len, expected))


def test_in_doubt_too_a_record_that_was_rejected_goes_alone(doubted):
    router, outbox = doubted
    for rejected in (0, 1):
        records = put(router, 1.0, 2.0)
        records[rejected].goes_alone = True
        assert times(take(outbox)) == [[1.0], [2.0]]


def test_a_request_with_bundles_of_keys_keeps_within_its_bytes(doubted):
    router, outbox = doubted
    put_keys(router, *"abcabc")
    pairs = take(outbox)
    put_keys(router, *"abcabc")
    room = sum(bundle.size for bundle in pairs)
    assert times(take(outbox, size=room - 1)) == [[0, 3], [1, 4], [2], [5]]
    put_keys(router, *"abcabc")
    assert times(take(outbox, size=room)) == [[0, 3], [1, 4], [2, 5]]


def test_a_bundle_that_waits_is_taken_apart_when_its_turn_comes(plain):
    router, outbox = plain
    put_keys(router, "a", "b", "a")
    [bundle] = take(outbox)
    put(router, 9.0, key="c")
    outbox.return_parcel(bundle)
    outbox.is_doubted = True
    assert times(take(outbox)) == [[0, 2], [1], [9]]


def test_a_bundle_waits_behind_the_records_of_an_older_one(plain):
    """Only one is taken apart at a time, however many there are."""
    router, outbox = plain
    put_keys(router, "a", "b")
    [older] = take(outbox)
    put(router, 5.0, key="a")
    put(router, 6.0, key="b")
    [younger] = take(outbox)
    for bundle in (younger, older):
        outbox.return_parcel(bundle)
    outbox.is_doubted = True
    assert times(take(outbox)) == [[0], [1]]
    assert outbox.waiting == 2
    assert times(take(outbox)) == [[5], [6]]


def test_of_bundles_with_one_age_one_is_taken_apart_too(plain):
    router, outbox = plain
    bundles = []
    for _ in range(3):
        put(router, 1.0, key="a")
        put(router, 1.0, key="b")
        bundles += take(outbox)
    for bundle in bundles:
        outbox.return_parcel(bundle)
    outbox.is_doubted = True
    outbox.lingers_until(0)
    assert outbox.queue.count == 2


def test_a_bundle_of_one_key_is_sent_again_as_it_is(doubted):
    router, outbox = doubted
    put_keys(router, "a", "a")
    [bundle] = take(outbox)
    outbox.return_parcel(bundle)
    assert take(outbox) == [bundle]


def test_in_doubt_nothing_follows_a_bundle_that_has_more_records_than_are_left(doubted):
    router, outbox = doubted
    put_keys(router, "a", "a", "a")
    [bundle] = take(outbox)
    put_keys(router, "b")
    outbox.return_parcel(bundle)
    assert take(outbox, records=1) == [bundle]
    assert times(take(outbox)) == [[0]]

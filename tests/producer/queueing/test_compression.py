"""Bundles that are envelopes: how large they are, when they are not used, and how they keep the limits."""

from itertools import islice
from random import Random

import pytest

from tests.producer.routing.support import LEFT, make_record, make_router
from tests.producer.support import even_shards, user_records
from truckstream import kpl
from truckstream.envelope import is_envelope
from truckstream.fleet import Fleet
from truckstream.kinesis.limits import MIB

#: Data that compress to nearly nothing, and data that do not compress.
SPACES = b" " * 100
NOISE = Random(1).randbytes(1 << 20)


def make_outbox(*, pacing=False, **options):
    router = make_router(aggregate=True, compression="zstd", pacing=pacing, **options)
    router.set_shards(even_shards(1), 0.0)
    return router, router.route("TRUCK_001", None).outbox


@pytest.fixture
def plain():
    return make_outbox()


def put(router, *datas, key="TRUCK_001", hash_key=None):
    return [make_record(router, float(at), key, hash_key, data) for at, data in enumerate(datas)]


def put_reports(router, count, trucks=5_000):
    reports = islice(Fleet(trucks=trucks, rate=trucks, seed=1), count)
    return [make_record(router, float(at), report.truck_id, None, report.data) for at, report in enumerate(reports)]


def take(outbox, *, parcels=500, records=2_000, size=10 * MIB, largest=MIB):
    return list(outbox.take(parcels, records, size, largest, 0.0))


def counts(bundles):
    return [len(bundle.members) for bundle in bundles]


def noise(count, size=400):
    return [NOISE[number * size : (number + 1) * size] for number in range(count)]


# --- One envelope ---------------------------------------------------------------------------------


def test_records_go_compressed_in_their_order(plain):
    router, outbox = plain
    put(router, *[b"%d" % number + SPACES for number in range(3)], hash_key=LEFT)
    [bundle] = take(outbox)
    assert is_envelope(bundle.data)
    assert user_records(bundle) == [("TRUCK_001", LEFT, b"%d" % number + SPACES) for number in range(3)]
    assert bundle.size == len(bundle.data) + len("TRUCK_001")
    assert bundle.tail == bundle.members[0].tail
    assert (bundle.put_at, bundle.attempts, bundle.packing_cost) == (0.0, 0, 3)


def test_every_attempt_sends_the_same_bytes_which_are_kept(plain):
    router, outbox = plain
    put(router, SPACES, SPACES)
    [bundle] = take(outbox)
    assert bundle.data is bundle.data
    assert bundle.held_bytes == len(bundle.data)


def test_a_single_record_is_not_wrapped(plain):
    router, outbox = plain
    [record] = put(router, SPACES)
    [bundle] = take(outbox)
    assert (bundle.data, bundle.tail, bundle.size, bundle.held_bytes) == (SPACES, record.tail, record.size, 0)


def test_a_record_that_was_rejected_in_an_envelope_goes_alone(plain):
    router, outbox = plain
    for rejected, expected in ((1, [1, 1, 2]), (0, [1, 3])):
        put(router, *[SPACES] * 4)[rejected].goes_alone = True
        assert counts(take(outbox)) == expected


# --- Data that do not compress --------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [False, True])
def test_an_envelope_that_is_not_smaller_is_sent_as_an_aggregate(ordered):
    router, outbox = make_outbox(ordered=ordered)
    put(router, *noise(5))
    [bundle] = take(outbox)
    assert kpl.is_aggregate(bundle.data)
    assert [data for _, _, data in user_records(bundle)] == noise(5)
    assert bundle.held_bytes == 0
    assert outbox.waiting == 0


def test_data_that_do_not_compress_keep_the_limits_of_aggregates(plain):
    router, outbox = plain
    put(router, *noise(600))
    bundles = take(outbox)
    assert sum(counts(bundles)) == 600
    assert all(kpl.is_aggregate(bundle.data) for bundle in bundles)
    assert all(bundle.size <= 51_200 for bundle in bundles)
    assert counts(bundles)[1:-1] == [125] * (len(bundles) - 2), "the aggregates are full"


def test_data_that_begin_to_compress_are_compressed_soon(plain):
    router, outbox = plain
    put(router, *noise(200), *[SPACES] * 3_000)
    bundles = take(outbox, records=4_000)
    assert any(kpl.is_aggregate(bundle.data) for bundle in bundles)
    assert is_envelope(bundles[-1].data)
    assert outbox.ratio < 0.2


# --- How many records go together -----------------------------------------------------------------


def test_envelopes_are_filled_up_to_aggregate_bytes_once_the_ratio_is_known(plain):
    router, outbox = plain
    put_reports(router, 6_000)
    first, *full, _ = take(outbox, records=6_000)
    assert first.size < 51_200
    assert len(full) == 6
    assert all(49_500 < bundle.size <= 51_200 for bundle in full)


def test_no_envelope_is_larger_than_the_streams_largest_record(plain):
    router, outbox = plain
    data = [*noise(30, 2_000), *[SPACES] * 100, *noise(30, 2_000)]
    for largest in (4_000, 9_000, 30_000):
        put(router, *data)
        bundles = take(outbox, largest=largest)
        assert sum(counts(bundles)) == len(data)
        assert all(bundle.size <= largest for bundle in bundles)


@pytest.mark.parametrize("limit", ["largest", "size"])
def test_a_limit_is_kept_whatever_the_ratio_was_before(limit):
    """The data compress by two percent only, so that each envelope is close to its limit."""
    router, outbox = make_outbox()
    put(router, *[each + b" " * 20 for each in noise(60)])
    while outbox.waiting:
        outbox.ratio = 0.01
        for bundle in take(outbox, parcels=1, **{limit: 9_000}):
            assert bundle.size <= 9_000
            assert is_envelope(bundle.data) or outbox.waiting < 5
            assert len(bundle.members) > 15 or outbox.waiting < 5


def test_a_small_envelope_does_not_spoil_the_ratio(plain):
    router, outbox = plain
    put_reports(router, 1_000)
    take(outbox)
    ratio = outbox.ratio
    put_reports(router, 3)
    [bundle] = take(outbox)
    assert bundle.size > 0.2 * sum(record.size for record in bundle.members)
    assert outbox.ratio == ratio


def test_a_request_takes_no_more_envelopes_records_or_bytes_than_it_has_room_for():
    router, outbox = make_outbox(aggregate_bytes=200)
    put_reports(router, 60)
    assert len(take(outbox, parcels=2)) == 2
    assert sum(counts(take(outbox, records=3))) == 3
    assert take(outbox, size=300) == []
    bundles = take(outbox, size=5_000)
    assert sum(bundle.size for bundle in bundles) <= 5_000


def test_large_records_count_as_many(plain):
    """Otherwise a request of 2,000 large records would be compressed for 100 ms."""
    router, outbox = plain
    put(router, *[b" " * 51_200] * 40)
    [bundle] = take(outbox, records=1_000)
    assert len(bundle.members) == 20
    assert bundle.packing_cost == 1_000
    outbox.is_doubted = True
    assert sum(counts(take(outbox, records=500))) == 9


def test_a_record_that_is_larger_than_all_of_that_goes_too(plain):
    router, outbox = plain
    for is_doubted in (False, True):
        outbox.is_doubted = is_doubted
        put(router, b" " * 600_000, b" " * 600_000)
        assert counts(take(outbox, records=1)) == [1]
        assert counts(take(outbox, records=1)) == [1]


# --- Pacing ---------------------------------------------------------------------------------------


def test_envelopes_keep_within_the_pace_in_compressed_bytes():
    router, outbox = make_outbox(pacing=True)
    put_reports(router, 200)
    take(outbox)  # the ratio is known now
    outbox.pacer.take(0, outbox.pacer.bytes_allowed(0.0) - 10_000, 0.0)
    put_reports(router, 2_000)
    bundles = take(outbox)
    size = sum(bundle.size for bundle in bundles)
    assert 9_000 < size < 10_700
    assert sum(counts(bundles)) > 140
    assert outbox.pacer.bytes_allowed(0.0) == pytest.approx(10_000 - size)


def test_what_may_go_is_estimated_compressed(plain):
    router, outbox = plain
    put_reports(router, 600)
    assert outbox._ready_bytes() == outbox.queue.bytes
    assert outbox._ready() == 1 + outbox.queue.bytes // 51_200
    take(outbox)
    assert outbox.ratio == pytest.approx(0.11, abs=0.02)
    put_reports(router, 1_000)
    assert 50_000 < outbox._ready_bytes() < 75_000
    assert outbox._ready() == 2
    [bundle, *_] = take(outbox)
    outbox.return_parcel(bundle)
    assert outbox._ready_bytes() == bundle.size + int(outbox.queue.bytes * outbox.ratio)


# --- In doubt -------------------------------------------------------------------------------------


def test_in_doubt_an_envelope_has_records_of_one_key(plain):
    router, outbox = plain
    outbox.is_doubted = True
    for _ in range(3):
        put(router, SPACES, key="a")
        put(router, SPACES, key="b")
    put(router, SPACES, key="c")
    bundles = take(outbox)
    assert [{key for key, _, _ in user_records(bundle)} for bundle in bundles] == [{"a"}, {"b"}, {"c"}]
    assert counts(bundles) == [3, 3, 1]
    assert [is_envelope(bundle.data) for bundle in bundles] == [True, True, False]
    assert all(bundle.size == len(bundle.data) + 1 for bundle in bundles)


def test_in_doubt_too_data_that_do_not_compress_go_as_an_aggregate(plain):
    router, outbox = plain
    outbox.is_doubted = True
    put(router, *noise(3))
    [bundle] = take(outbox)
    assert kpl.is_aggregate(bundle.data)

"""The outbox of one shard: what may be sent when, and in which order. The router's options are those of support.py."""

import math

import pytest

from tests.producer.routing.support import make_record, make_router
from tests.producer.support import even_shards
from truckstream.kinesis.limits import MIB
from truckstream.kinesis.responses import RecordResponse
from truckstream.producer.queueing.outbox import Failure, QueuedRecord


def make_outbox(**options):
    """The router and the only outbox of a stream with one shard."""
    router = make_router(**options)
    router.set_shards(even_shards(1), 0.0)
    return router, router.route("TRUCK_001", None).outbox


@pytest.fixture
def unpaced():
    return make_outbox(pacing=False)


def put(router, *times):
    """Records of 19 bytes each."""
    return [make_record(router, at, held=True) for at in times]


def back(router, *times):
    """Records whose backoff is over."""
    records = [make_record(router, at, queued=False) for at in times]
    for record in records:
        record.outbox.return_parcel(record)
    return records


def take(outbox, now=0.0, *, parcels=500, records=500, size=10 * MIB):
    return list(outbox.take(parcels, records, size, MIB, now))


# --- When a request is due ------------------------------------------------------------------------


def test_without_records_nothing_is_due(unpaced):
    _, outbox = unpaced
    assert outbox.lingers_until(0) == math.inf
    assert outbox.first_size() == 0
    assert outbox.expires_at() == math.inf


def test_the_oldest_record_lingers_for_company(unpaced):
    router, outbox = unpaced
    put(router, 5.0, 5.05)
    assert outbox.lingers_until(-1) == 5.1


def test_a_record_that_was_flushed_does_not_linger(unpaced):
    router, outbox = unpaced
    [record] = put(router, 5.0)
    record.epoch = 3
    assert [outbox.lingers_until(epoch) for epoch in (2, 3, 4)] == [5.1, -math.inf, -math.inf]


def test_a_record_whose_backoff_is_over_does_not_linger(unpaced):
    router, outbox = unpaced
    put(router, 5.0)
    back(router, 3.0)
    assert outbox.lingers_until(-1) == -math.inf
    assert outbox.paced_at(5.0) == 5.0


def test_the_pace_holds_a_request_up_until_a_step_of_the_backlog_may_go():
    router, outbox = make_outbox()
    outbox.pacer.take(500, 0, 0.0)
    put(router, *[0.0] * 1_000)
    assert outbox.paced_at(0.0) == pytest.approx(0.1), "a step of the backlog"
    outbox.pacer.take(200, 0, 0.0)
    assert outbox.paced_at(0.0) == pytest.approx(0.3)
    assert take(outbox, 0.0) == []


def test_the_pace_in_bytes_counts_what_comes_back_too():
    router, outbox = make_outbox()
    outbox.pacer.take(0, 512 * 1024, 0.0)
    [record] = back(router, 1.0)
    record.size = 104_858
    put(router, 2.0)
    assert outbox.paced_at(0.0) == pytest.approx(0.1, rel=1e-4)
    assert outbox.paced_at(2.0) == 2.0


# --- What is taken --------------------------------------------------------------------------------


def test_records_that_come_back_go_before_the_queue_the_oldest_first(unpaced):
    router, outbox = unpaced
    put(router, 5.0, 6.0)
    back(router, 3.0, 1.0, 2.0)
    assert [record.put_at for record in take(outbox)] == [1.0, 2.0, 3.0, 5.0, 6.0]
    assert outbox.waiting == outbox.queue.bytes == outbox.first_size() == 0


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        *(({"parcels": parcels}, count) for parcels, count in [(0, 0), (1, 1), (2, 2), (3, 3)]),
        *(({"size": size}, count) for size, count in [(18, 0), (19, 1), (57, 3), (75, 3), (76, 4)]),
    ],
)
def test_a_request_takes_no_more_records_or_bytes_than_it_has_room_for(unpaced, limits, count):
    router, outbox = unpaced
    back(router, 1.0, 2.0)
    put(router, 3.0, 4.0)
    assert [record.put_at for record in take(outbox, **limits)] == [1.0, 2.0, 3.0, 4.0][:count]
    assert outbox.waiting == 4 - count


def test_a_record_that_does_not_fit_is_not_overtaken(unpaced):
    """Among records that come back, and by those of the queue."""
    router, outbox = unpaced
    [large] = back(router, 1.0)
    large.size = 100
    put(router, 2.0)
    assert take(outbox, size=99) == []
    assert [record.put_at for record in take(outbox, size=119)] == [1.0, 2.0]


def test_the_pace_is_charged_for_what_is_taken():
    router, outbox = make_outbox()
    put(router, *[0.0] * 600)
    assert len(take(outbox, parcels=200)) == 200
    assert outbox.pacer.records_allowed(0.0) == 300
    assert outbox.pacer.bytes_allowed(0.0) == 512 * 1024 - 200 * 19
    assert len(take(outbox)) == 300
    assert take(outbox) == []


def test_the_pace_in_bytes_is_kept():
    """Of 150-kB records three fit into half a second of the quota; the fourth waits."""
    router, outbox = make_outbox()
    for record in put(router, 1.0, 2.0, 3.0, 4.0):
        record.size = 150_000
    assert len(take(outbox)) == 3
    assert take(outbox) == []


def test_records_that_come_back_keep_the_pace_in_bytes_too():
    router, outbox = make_outbox()
    for record in back(router, 1.0, 2.0, 3.0, 4.0):
        record.size = 150_000
    assert [record.put_at for record in take(outbox)] == [1.0, 2.0, 3.0]
    assert take(outbox) == []


def test_nothing_is_taken_from_an_empty_outbox(unpaced):
    _, outbox = unpaced
    assert take(outbox) == []


def test_a_record_of_more_than_half_a_second_of_bytes_is_taken_alone():
    router, outbox = make_outbox()
    for record in put(router, 1.0, 2.0):
        record.size = 800_000
    assert [record.put_at for record in take(outbox)] == [1.0]


# --- Deadlines ------------------------------------------------------------------------------------


def test_the_oldest_record_expires_first_wherever_it_waits(unpaced):
    router, outbox = unpaced
    put(router, 2.0)
    assert outbox.expires_at() == 122.0
    back(router, 1.0)
    assert outbox.expires_at() == 121.0
    take(outbox, parcels=1)
    back(router, 3.0)
    assert outbox.expires_at() == 122.0


def test_expired_records_are_removed_in_steps(unpaced):
    router, outbox = unpaced
    back(router, 1.0, 3.0)
    put(router, 2.0, 2.5, 4.0, 9.0)
    assert [record.put_at for record in outbox.take_expired(120.9, 9)] == []
    assert [record.put_at for record in outbox.take_expired(121.0, 1)] == [1.0]
    assert [record.put_at for record in outbox.take_expired(124.0, 3)] == [3.0, 2.0, 2.5]
    assert [record.put_at for record in outbox.take_expired(124.0, 9)] == [4.0]
    assert outbox.waiting == 1


# --- A closed shard -------------------------------------------------------------------------------


def test_the_youngest_records_leave_a_closed_outbox_first(unpaced):
    router, outbox = unpaced
    back(router, 3.0, 1.0, 2.0)
    outbox.close()
    assert outbox.is_closed
    assert [record.put_at for record in outbox.take_youngest(2)] == [3.0, 2.0]
    assert outbox.waiting == 1
    assert [record.put_at for record in outbox.take_youngest(2)] == [1.0]
    assert outbox.take_youngest(2) == []


# --- What a user sees -----------------------------------------------------------------------------


def test_the_statistics_count_records_where_they_are(unpaced):
    router, outbox = unpaced
    put(router, 1.0, 2.0)
    back(router, 3.0)
    outbox.backing_off, outbox.throttled = 5, 8
    stats = outbox.stats(9.0, in_front=4, in_flight=6, acked=7)
    assert (stats.buffered, stats.in_flight, stats.acked, stats.throttled) == (2 + 1 + 5 + 4, 6, 7, 8)
    assert stats.records_per_second is None
    assert repr(outbox) == "<Outbox shardId-000000000000: 8 waiting>"
    _, paced = make_outbox()
    assert paced.stats(0.0, in_front=0, in_flight=0, acked=0).records_per_second == 1_000


def test_the_error_of_a_record_is_made_once():
    made = []
    record = QueuedRecord(b"", b"", "TRUCK_001", None, 9, 9, None)
    assert (record.settled, record.error) == (False, None)
    assert repr(record) == "<QueuedRecord of 9 bytes for 'TRUCK_001': pending, 0 attempts>"
    record.failure = Failure(lambda failed: made.append(failed) or ValueError("too late"))
    assert record.settled
    assert record.error is record.error
    assert made == [record]
    assert repr(record) == "<QueuedRecord of 9 bytes for 'TRUCK_001': ValueError('too late'), 0 attempts>"
    record.failure = record._error = None
    record.response, record.attempts = RecordResponse(sequence_number="1"), 2
    assert record.settled
    assert repr(record) == "<QueuedRecord of 9 bytes for 'TRUCK_001': acknowledged, 2 attempts>"

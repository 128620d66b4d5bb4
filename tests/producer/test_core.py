"""The producer's core: requests by count, bytes and linger, and the outcome of each record. No event loop."""

from itertools import pairwise

import pytest

from tests.producer.support import Service, even_shards, next_request, put, throttled
from truckstream.errors import (
    DeliveryError,
    DeliveryTimeoutError,
    DeliveryUnknownError,
    InvalidArgumentError,
    ProducerClosedError,
    RecordTooLargeError,
    ServiceError,
    StreamNotFoundError,
)
from truckstream.kinesis.client import RecordResponse
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.producer.queueing.buffer_budget import largest_size
from truckstream.producer.queueing.outbox import QueuedRecord


def failure(kind, code="SomeException", message="the service's message"):
    return RequestFailedError(kind, code, message)


# --- Requests -------------------------------------------------------------------------------------


def test_a_lone_record_lingers_for_company_then_goes(make_core):
    core = make_core()
    put(core, b"a", now=10.0)
    assert core.requests_due(10.0) == []
    assert core.next_wakeup(10.0) == pytest.approx(10.1)
    [request] = core.requests_due(10.1)
    assert [record.data for record in request.parcels] == [b"a"]
    assert core.next_wakeup(10.1) == pytest.approx(131.0)  # the deadline of the request, and its grace


def test_records_put_while_one_lingers_go_with_it_in_order(make_core):
    core = make_core()
    for index, now in enumerate((0.0, 0.05, 0.09)):
        put(core, b"%d" % index, now)
    [request] = core.requests_due(0.1)
    assert [record.data for record in request.parcels] == [b"0", b"1", b"2"]


def test_500_records_do_not_linger(make_core):
    core = make_core()
    for _ in range(499):
        put(core, b"x", now=0.0)
    assert core.requests_due(0.0) == []
    put(core, b"x", now=0.0)
    [request] = core.requests_due(0.0)
    assert len(request.parcels) == 500


def test_a_request_never_carries_more_than_500_records_or_10_mib(make_core):
    core = make_core(pacing=False, buffer_bytes=512 << 20)
    for _ in range(1_001):
        put(core, b"x", now=0.0)
    assert [len(request.parcels) for request in core.requests_due(0.1)] == [500, 500, 1]
    for _ in range(25):
        put(core, bytes(1_000_000), now=1.0)
    sizes = [sum(record.size for record in request.parcels) for request in core.requests_due(1.1)]
    assert max(sizes) <= 10 * 1024 * 1024
    assert [size // 1_000_000 for size in sizes] == [10, 10, 5]


def test_bodies_in_flight_take_a_small_share_of_the_buffers_size(make_core):
    core = make_core(pacing=False, buffer_bytes=64 << 20, max_batch_bytes=2_000_000)
    for _ in range(25):
        put(core, bytes(1_000_000), now=0.0)
    first, *others = core.requests_due(0.1)
    assert [len(request.parcels) for request in (first, *others)] == [1] * 7  # 7 MB are over a tenth of 64 MiB
    assert core.next_wakeup(0.1) is None or core.next_wakeup(0.1) > 1.0
    core.on_responses(first, Service(even_shards(1)).respond(first), 0.2)
    assert len(core.requests_due(0.2)) == 1


def test_bytes_that_fill_a_request_do_not_linger(make_core):
    core = make_core(pacing=False, max_batch_bytes=1_000)
    put(core, bytes(600), now=0.0)
    assert core.requests_due(0.0) == []
    put(core, bytes(600), now=0.0)
    assert [len(request.parcels) for request in core.requests_due(0.0)] == [1]


def test_flush_ends_the_linger_of_the_records_put_so_far(make_core):
    core = make_core()
    put(core, b"a", now=0.0)
    epoch = core.flush()
    [request] = core.requests_due(0.0)
    assert not core.is_flushed(epoch)
    put(core, b"b", now=0.0)
    assert core.requests_due(0.0) == []
    core.on_responses(request, Service(even_shards(1)).respond(request), 0.01)
    assert core.is_flushed(epoch)


def test_a_flush_waits_for_the_records_put_before_it_and_for_no_others(make_core):
    core = make_core()
    requests, epochs = [], []
    for now in range(3):
        put(core, b"x", now)
        epochs.append(core.flush())
        requests += core.requests_due(now)
    for request, flushed in zip(reversed(requests), ([], [], [0, 1, 2]), strict=True):
        core.on_responses(request, Service(even_shards(1)).respond(request), 3.0)
        assert [index for index, epoch in enumerate(epochs) if core.is_flushed(epoch)] == flushed
    assert core.is_flushed(core.flush())


def test_no_more_requests_are_in_flight_than_allowed(make_core):
    core = make_core(pacing=False, max_in_flight=2)
    for _ in range(1_500):
        put(core, b"x", now=0.0)
    first, second = core.requests_due(0.0)
    assert core.requests_due(0.0) == []
    assert core.next_wakeup(0.0) == pytest.approx(120.0)  # only the deadline: a response must come first
    core.on_responses(first, Service(even_shards(1)).respond(first), 0.5)
    assert [len(request.parcels) for request in core.requests_due(0.5)] == [500]
    assert "500 records" in repr(second)


# --- Pacing ---------------------------------------------------------------------------------------


def test_a_backlog_goes_in_steps_at_the_shards_rate(make_core):
    """500 records at once from the burst, then 100 every tenth of a second."""
    core, service = make_core(), Service(even_shards(1))
    for _ in range(2_000):
        put(core, b"x", now=0.0)
    sent, now = [], 0.0
    while now <= 1.0:
        for request in core.requests_due(now):
            sent.append((round(now, 3), len(request.parcels)))
            core.on_responses(request, service.respond(request), now)
        now = core.next_wakeup(now)
    assert sent[0] == (0.0, 500)
    assert sent[1:11] == [(round(0.1 * step, 3), 100) for step in range(1, 11)]


def test_a_slow_shard_does_not_hold_up_the_others(make_core):
    core, service = make_core(shards=2), Service(even_shards(2))
    for _ in range(3_000):
        put(core, b"slow", now=0.0, explicit_hash_key="0")
    for request in core.requests_due(0.0):
        core.on_responses(request, service.respond(request), 0.0)
    put(core, b"other", now=0.0, explicit_hash_key=str(2**128 - 1))
    sent = [record.data for request in core.requests_due(0.1) for record in request.parcels]
    assert b"other" in sent


def test_a_record_larger_than_half_a_second_of_bytes_still_goes(make_core):
    core = make_core(buffer_bytes=512 << 20)
    core.max_record_bytes = 10 << 20
    put(core, bytes(9 << 20), now=0.0)
    put(core, b"behind it", now=0.0)
    [request] = core.requests_due(0.1)
    assert len(request.parcels) == 1
    core.on_responses(request, Service(even_shards(1)).respond(request), 0.1)
    now, _ = next_request(core, 0.1)
    assert now == pytest.approx(0.1 + 8.5, rel=0.05), "its debt is paid"


def test_without_pacing_a_backlog_goes_at_once(make_core):
    core = make_core(pacing=False)
    for _ in range(2_000):
        put(core, b"x", now=0.0)
    assert [len(request.parcels) for request in core.requests_due(0.0)] == [500] * 4


# --- Outcomes -------------------------------------------------------------------------------------


def test_only_the_records_that_failed_are_sent_again(make_core):
    core, service = make_core(), Service(even_shards(1))
    records = [put(core, b"%d" % index, now=0.0) for index in range(3)]
    [request] = core.requests_due(0.1)
    core.on_responses(request, [service.store(records[0]), throttled(), service.store(records[2])], 0.11)
    assert [record.settled for record in records] == [True, False, True]
    wakeup, again = next_request(core, 0.11)
    assert 0.11 <= wakeup <= 0.21
    assert again.parcels == [records[1]]
    core.on_responses(again, service.respond(again), wakeup)
    assert (records[1].attempts, records[1].maybe_duplicate) == (2, False)
    assert service.stored == [b"0", b"2", b"1"]
    assert core.stats(wakeup).throttled == 1
    assert core.budget.used_bytes == 0


def test_an_empty_error_code_means_success(make_core):
    """Servers that are not Kinesis write one, also beside records that they reject."""
    core = make_core()
    stored, rejected = put(core, b"a", 0.0), put(core, b"b", 0.0)
    _, request = next_request(core, 0.1)
    response = RecordResponse(shard_id="shardId-000000000000", sequence_number="1", error_code="")
    core.on_responses(request, [response, throttled()], 0.1)
    assert (stored.response, rejected.response) == (response, None)


def test_a_record_that_failed_inside_the_service_may_be_stored(make_core):
    """Its neighbour that was throttled is not."""
    core, service = make_core(), Service(even_shards(1))
    records = [put(core, b"%d" % index, now=0.0) for index in range(2)]
    [request] = core.requests_due(0.1)
    core.on_responses(
        request, [RecordResponse(error_code="InternalFailure", error_message="Internal"), throttled()], 0.2
    )
    _, again = next_request(core, 0.2)
    core.on_responses(again, service.respond(again), 0.5)
    assert [record.maybe_duplicate for record in records] == [True, False]


def test_a_request_without_a_response_makes_its_records_maybe_duplicates(make_core):
    core, service = make_core(), Service(even_shards(1))
    record = put(core, b"a", now=0.0)
    [request] = core.requests_due(0.1)
    core.on_failure(request, failure(FailureKind.AMBIGUOUS), 0.2)
    _, again = next_request(core, 0.2)
    core.on_responses(again, service.respond(again), 0.5)
    assert record.maybe_duplicate
    assert core.stats(0.5).maybe_duplicates == 1


@pytest.mark.parametrize(
    "kind", [FailureKind.THROTTLED, FailureKind.NOT_SENT, FailureKind.CREDENTIALS, FailureKind.CLOCK_SKEW]
)
def test_a_clean_failure_is_retried_and_leaves_no_doubt(make_core, kind):
    core, service = make_core(), Service(even_shards(1))
    record = put(core, b"a", now=0.0)
    [request] = core.requests_due(0.1)
    core.on_failure(request, failure(kind), 0.2)
    _, again = next_request(core, 0.2)
    core.on_responses(again, service.respond(again), 0.5)
    assert (record.settled, record.maybe_duplicate, record.attempts) == (True, False, 2)


def test_a_permanent_failure_fails_its_records_with_the_services_message(make_core):
    core = make_core()
    record = put(core, b"a", now=0.0)
    [request] = core.requests_due(0.1)
    core.on_failure(request, failure(FailureKind.PERMANENT, "ResourceNotFoundException", "Stream s not found"), 0.2)
    assert isinstance(record.error, StreamNotFoundError)
    assert "Stream s not found" in str(record.error)
    assert core.take_settled() == [record]
    assert core.budget.used_bytes == 0


def test_a_permanent_failure_after_an_ambiguous_one_may_be_stored(make_core):
    core = make_core()
    record = put(core, b"a", now=0.0)
    [request] = core.requests_due(0.1)
    core.on_failure(request, failure(FailureKind.AMBIGUOUS), 0.2)
    _, again = next_request(core, 0.2)
    core.on_failure(again, failure(FailureKind.PERMANENT), 0.5)
    assert isinstance(record.error, DeliveryError)
    assert record.error.may_be_stored
    assert isinstance(record.error.__cause__, ServiceError)


def test_a_rejected_request_is_halved_until_only_the_poison_record_fails(make_core):
    core, service = make_core(), Service(even_shards(1))
    records = [put(core, b"poison" if index == 3 else b"good", now=0.0) for index in range(7)]
    due, requests = core.requests_due(0.1), 0
    while due:
        request = due.pop()
        requests += 1
        if any(record.data == b"poison" for record in request.parcels):
            core.on_failure(request, failure(FailureKind.POISONED, "ValidationException", "1 error detected"), 0.2)
        else:
            core.on_responses(request, service.respond(request), 0.2)
        due += core.requests_due(0.2)
    assert [record.error is not None for record in records] == [index == 3 for index in range(7)]
    assert service.stored == [b"good"] * 6
    assert requests == 7  # 7, then 3 and 4, 1 and 2 … : twice the halvings, not one request a record


def test_a_response_of_the_wrong_length_is_ambiguous(make_core):
    core = make_core()
    record = put(core, b"a", now=0.0)
    [request] = core.requests_due(0.1)
    core.on_responses(request, [], 0.2)
    assert not record.settled
    assert record.maybe_duplicate


def test_a_record_is_given_up_at_its_deadline(make_core):
    core = make_core(delivery_timeout=5.0)
    record = put(core, b"a", now=0.0)
    now = 0.0
    while not record.settled:
        now = core.next_wakeup(now)
        for request in core.requests_due(now):
            core.on_failure(request, failure(FailureKind.NOT_SENT), now)
    assert isinstance(record.error, DeliveryTimeoutError)
    assert now == pytest.approx(5.0)
    assert not record.error.may_be_stored
    assert record.attempts > 5
    assert core.budget.used_bytes == 0


def test_a_response_after_abort_changes_nothing(make_core):
    core = make_core()
    record = put(core, b"a", now=0.0)
    [request] = core.requests_due(0.1)
    core.abort()
    assert isinstance(record.error, DeliveryUnknownError)
    core.on_responses(request, Service(even_shards(1)).respond(request), 0.2)
    assert record.response is None


def test_abort_settles_every_record_and_marks_those_that_may_be_stored(make_core):
    core = make_core(max_in_flight=1, pacing=False)
    retrying = put(core, b"retrying", now=0.0)
    [request] = core.requests_due(0.1)
    core.on_failure(request, failure(FailureKind.AMBIGUOUS), 0.1)
    in_flight = put(core, b"in flight", now=0.1)
    core.flush()
    core.requests_due(0.1)
    queued = put(core, b"queued", now=0.1)
    core.abort()
    assert [record.error.may_be_stored for record in (retrying, in_flight, queued)] == [True, True, False]
    assert isinstance(queued.error, ProducerClosedError)
    assert core.budget.used_bytes == 0
    assert core.stats(0.2).buffered == core.stats(0.2).in_flight == 0


# --- Shards ---------------------------------------------------------------------------------------


def test_a_response_from_an_unknown_shard_causes_one_listing(make_core):
    core, service = make_core(), Service(even_shards(2, first=1))
    put(core, b"a", now=0.0)
    [request] = core.requests_due(0.1)
    core.on_responses(request, service.respond(request), 5.0)
    assert core.next_wakeup(5.0) == 5.0
    assert core.start_listing(5.0)
    assert not core.start_listing(5.0)
    core.on_shards(even_shards(2, first=1), 5.1)
    assert sorted(core.stats(5.1).shards) == ["shardId-000000000001", "shardId-000000000002"]
    assert core.requests_due(5.1) == []
    assert core.next_wakeup(5.1) is None


def test_the_shards_are_listed_with_growing_pauses_while_that_changes_nothing(make_core):
    core, service = make_core(), Service(even_shards(1, first=9))
    asked, now = [], 0.0
    while now < 100.0:
        put(core, b"a", now)
        now += 0.2
        for request in core.requests_due(now):
            core.on_responses(request, service.respond(request), now)
        if core.start_listing(now):
            asked.append(now)
            core.on_shards(even_shards(1), now)
    assert 5 <= len(asked) <= 9
    assert max(later - earlier for earlier, later in pairwise(asked)) > 25


def test_records_that_wait_for_a_split_shard_go_to_its_children(make_core):
    core = make_core()
    keys = [f"TRUCK_{index:03}" for index in range(40)]
    for key in keys:
        put(core, key.encode(), 0.0, key)
    [request] = core.requests_due(0.1)
    core.on_responses(request, [throttled()] * 40, 0.1)
    for key in keys:
        put(core, key.encode(), 0.1, key)
    core.on_shards(even_shards(2, first=1), 0.15)
    stats = core.stats(0.15)
    assert (stats.buffered, sorted(stats.shards)) == (80, ["shardId-000000000001", "shardId-000000000002"])
    service, now = Service(even_shards(2, first=1)), 0.15
    while core.budget.used_bytes:
        now = core.next_wakeup(now)
        for due in core.requests_due(now):
            core.on_responses(due, service.respond(due), now)
    assert sorted(service.stored) == sorted([key.encode() for key in keys] * 2)
    assert not core.start_listing(now)


def test_a_half_of_a_rejected_request_is_taken_apart_when_its_shards_are_gone(make_core):
    core = make_core(aggregate=True, aggregate_bytes=400)
    for index in range(40):
        put(core, bytes(50), 0.0, f"TRUCK_{index}")
    now, request = next_request(core, 0.0)
    core.on_failure(request, failure(FailureKind.POISONED), now)
    core.on_shards(even_shards(4, first=1), now)
    parcels = [parcel for due in core.requests_due(now) for parcel in due.parcels]
    assert sum(len(parcel.members) for parcel in parcels) == 40
    for parcel in parcels:
        assert {core.route(record.partition_key, None).outbox for record in parcel.members} == {parcel.outbox}


def test_a_half_of_a_rejected_request_is_given_up_at_its_deadline(make_core):
    core = make_core(delivery_timeout=10.0, max_in_flight=1)
    records = [put(core, b"x", 0.0) for _ in range(4)]
    _, request = next_request(core, 0.1)
    core.on_failure(request, failure(FailureKind.POISONED), 9.0)
    [request] = core.requests_due(9.0)
    core.on_failure(request, failure(FailureKind.POISONED), 10.0)
    assert core.requests_due(10.0) == []
    assert all(isinstance(record.error, DeliveryTimeoutError) for record in records)


def test_without_a_map_the_stream_is_paced_as_one_shard_until_more_is_known(make_core):
    core = make_core()
    core.on_shards([], 0.0)
    for _ in range(1_500):
        put(core, b"x", now=0.0)
    assert sum(len(request.parcels) for request in core.requests_due(0.1)) == 500
    assert core.next_wakeup(0.1) == pytest.approx(0.2)


def test_without_a_map_an_aggregate_is_of_one_key(make_core):
    """Two keys may belong to different shards, and the KCL drops records of an aggregate that belong to another one."""
    core = make_core(aggregate=True)
    core.on_shards([], 0.0)
    for index in range(12):
        put(core, b"x", 0.0, f"TRUCK_{index % 4}")
    _, request = next_request(core, 0.0)
    assert [len(parcel.members) for parcel in request.parcels] == [3, 3, 3, 3]


def test_without_a_map_records_of_a_rejected_aggregate_go_alone(make_core):
    core = make_core(aggregate=True)
    core.on_shards([], 0.0)
    for data in (b"good", b"poison"):
        put(core, data, 0.0)
    now, request = next_request(core, 0.0)
    core.on_failure(request, failure(FailureKind.POISONED, "ValidationException"), now)
    put(core, b"later", now)
    [request] = core.requests_due(now)
    assert [parcel.data for parcel in request.parcels] == [b"good", b"poison", b"later"]


def test_without_a_map_a_request_has_500_aggregates_at_most(make_core):
    core = make_core(aggregate=True, pacing=False)
    core.on_shards([], 0.0)
    for index in range(1_200):
        put(core, b"x", 0.0, f"TRUCK_{index}")
    assert [len(request.parcels) for request in (*core.requests_due(0.1), *core.requests_due(0.1))] == [500, 500, 200]


def test_without_permission_the_shards_are_listed_less_and_less_often(make_core):
    core, service, asked, now = make_core(), Service(even_shards(1)), [], 0.0
    core.on_shards([], 0.0)
    while now < 100.0:
        put(core, b"x", now)
        now += 0.2
        for request in core.requests_due(now):
            core.on_responses(request, service.respond(request), now)
        if core.start_listing(now):
            asked.append(now)
            core.on_shards_failure(now)
    assert len(asked) <= 7


@pytest.mark.parametrize("aggregate", [False, True])
def test_a_record_that_waited_for_room_while_the_first_map_came_goes_by_the_map(make_core, aggregate):
    core = make_core(ordered=True, aggregate=aggregate)
    core.on_shards([], 0.0)
    first = make_record(core, 10)
    assert core.budget.reserve(first.cost)
    core.on_shards(even_shards(1), 0.0)
    core.put(first, 0.0)
    second = put(core, b"second", 0.0)
    assert first.outbox is second.outbox
    assert core.stats(0.0).shards["shardId-000000000000"].buffered == 2


# --- Bundles that come back -----------------------------------------------------------------------


def test_records_of_bundles_that_come_back_are_sorted_by_age(make_core):
    core = make_core(aggregate=True)
    queue = core.route("TRUCK_001", None).outbox.queue
    older, younger = put(core, b"older", 0.0), put(core, b"younger", 5.0)
    for bundle in ([queue.pop()], [queue.pop()]):
        queue.put_back(bundle)
    assert [queue.pop(), queue.pop()] == [older, younger]


def test_a_key_with_a_constant_backlog_takes_no_more_memory(make_core):
    core = make_core(ordered=True, aggregate=True, aggregate_bytes=200, pacing=False)
    service = Service(even_shards(1))
    outbox = core.route("TRUCK_001", None).outbox
    for _ in range(1_000):
        put(core, b"x", 0.0)
    while requests := core.requests_due(1.0):
        for request in requests:
            core.on_responses(request, service.respond(request), 1.0)
        assert len(outbox.queue._open) <= 2
    assert len(service.stored) == 1_000


# --- Invalid records ------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "k" * 257, None, b"bytes", "\ud800"])
def test_a_bad_partition_key_is_rejected(make_core, key):
    with pytest.raises(InvalidArgumentError, match="partition_key is"):
        put(make_core(), b"a", 0.0, key)


def test_a_key_is_counted_in_characters_and_weighs_its_bytes(make_core):
    assert put(make_core(), b"a", 0.0, "é" * 256).size == 1 + 512


@pytest.mark.parametrize("hash_key", ["-1", "01", "", "1.0", str(2**128), "\u0661", 5])
def test_a_bad_explicit_hash_key_is_rejected(make_core, hash_key):
    with pytest.raises(InvalidArgumentError, match="explicit_hash_key is"):
        put(make_core(), b"a", 0.0, explicit_hash_key=hash_key)


def test_a_record_over_the_streams_limit_names_both_numbers(make_core):
    core = make_core()
    put(core, bytes(2**20 - 9), 0.0)
    with pytest.raises(RecordTooLargeError) as caught:
        put(core, bytes(2**20 - 8), 0.0)
    assert (caught.value.size, caught.value.limit) == (2**20 + 1, 2**20)


def test_a_record_that_can_never_fit_the_buffer_is_rejected_at_once(make_core):
    core = make_core(buffer_bytes=1_000)
    with pytest.raises(RecordTooLargeError, match="the buffer's room is 500 bytes"):
        put(core, bytes(largest_size(1_000) - 8), 0.0)
    assert put(core, bytes(largest_size(1_000) - 9), 0.0)
    assert core.budget.free_bytes == 0
    assert not core.budget.reserve(1)


def make_record(core, size, key="TRUCK_001"):
    outbox, key_size, overhead, tail = core.route(key, None)
    return QueuedRecord(bytes(size - key_size), tail, key, None, size, size + overhead, outbox)


def test_reserved_room_is_enough_whatever_keys_came_since(make_core):
    """Keeping their order takes room, too, so the free room may become negative."""
    core = make_core(ordered=True, buffer_bytes=3_000)
    first = make_record(core, 1_500, key="first")
    assert core.budget.reserve(first.cost)
    second = put(core, b"", 0.0, key="second")
    assert core.budget.free_bytes < 0
    core.put(first, 0.0)
    _, request = next_request(core, 0.0)
    assert {record.data for record in request.parcels} == {first.data, second.data}


def test_a_record_whose_shard_closed_while_it_waited_for_room_goes_to_the_open_one(make_core):
    core = make_core()
    record = make_record(core, 10)
    closed = record.outbox
    assert core.budget.reserve(record.cost)
    core.on_shards(even_shards(2, first=1), 0.0)
    core.put(record, 0.0)
    assert (record.outbox.is_closed, closed.is_closed, closed.waiting) == (False, True, 0)

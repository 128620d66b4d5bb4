"""Aggregates and reshards: every acknowledged record is in an aggregate that the KCL does not discard.

The KCL discards an aggregate whole if one of its records lies outside the shard that it reads. After a split, the
producer's map is out of date until it is listed again.
"""

import math
from itertools import pairwise
from random import Random

import pytest

from tests.producer.support import Service, even_shards, next_request, put, throttled
from truckstream.errors import DeliveryError
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.kinesis.shard_map import Shard
from truckstream.producer.routing.shard_doubts import ShardDoubts
from truckstream.producer.routing.unproven_bundles import UNPROVEN_SECONDS

KEYS = [f"TRUCK_{index:03}" for index in range(40)]


def put_round(core, now, keys=KEYS):
    """Put a record of each key, in turn."""
    return [put(core, f"{key} at {now}".encode(), now, key) for key in keys]


def assert_kcl_reads_all(service, records):
    acknowledged = {record.data for record in records if record.response is not None}
    assert acknowledged == {record.data for record in records}
    assert acknowledged <= {data for _, _, data in service.read_as_kcl()}


class History:
    """What happened in `run`: the requests that were sent, and the times of the listings."""

    def __init__(self):
        self.requests, self.listed_at, self.ended_at = [], [], math.inf

    @property
    def sizes(self):
        """The number of records in each Kinesis record that was sent."""
        return [len(parcel.members) for request in self.requests for parcel in request.parcels]


def run(core, service, now, *, until=math.inf, listing=None):
    """Respond at once to all requests and listings until the time `until`, or until every record has its outcome.

    A listing returns the shards of `listing`, by default those of the service; if it is empty, listings fail.
    """
    history = History()
    while now is not None and now < until and core.budget.used_bytes:
        history.ended_at = now
        for request in core.requests_due(now):
            history.requests.append(request)
            core.on_responses(request, service.respond(request), now)
        if core.start_listing(now):
            history.listed_at.append(now)
            shards = service.shards.shards if listing is None else listing
            if shards:
                core.on_shards(shards, now)
            else:
                core.on_shards_failure(now)
        now = core.next_wakeup(now)
    return history


def test_an_aggregate_in_flight_during_a_split_is_sent_again_for_the_children(make_core):
    core, service = make_core(aggregate=True), Service(even_shards(1))
    records = put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    service.shards.__init__(even_shards(2, first=1))
    core.on_responses(request, service.respond(request), now)
    assert core.take_settled() == []
    run(core, service, now)
    assert_kcl_reads_all(service, records)
    assert all(record.maybe_duplicate for record in records)
    assert len(service.log) == 3


def test_an_aggregate_stored_in_a_merged_shard_is_acknowledged_once_the_map_is_there(make_core):
    core, service = make_core(shards=2, aggregate=True), Service(even_shards(2))
    records = put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    service.shards.__init__(even_shards(1, first=2))
    core.on_responses(request, service.respond(request), now)
    assert core.take_settled() == []
    assert core.start_listing(now)
    core.on_shards(even_shards(1, first=2), now + 0.1)
    assert len(core.take_settled()) == len(records)
    assert not any(record.maybe_duplicate for record in records)
    assert len(service.log) == 2
    assert {record.response.shard_id for record in records} == {"shardId-000000000002"}


def test_an_aggregate_of_one_key_is_acknowledged_by_whichever_shard(make_core):
    core, service = make_core(aggregate=True), Service(even_shards(2, first=1))
    records = [put(core, b"%d" % number, 0.0) for number in range(3)]
    now, request = next_request(core, 0.0)
    core.on_responses(request, service.respond(request), now)
    assert core.take_settled() == records
    assert len(service.log) == 1


def split_under_load(make_core, **options):
    """A core that has just learnt that its only shard is split, but not the children, and the service."""
    core, service = make_core(aggregate=True, **options), Service(even_shards(1))
    put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    service.shards.__init__(even_shards(2, first=1))
    core.on_responses(request, service.respond(request), now)
    assert core.start_listing(now)
    return core, service, now


def test_between_a_split_and_the_new_map_an_aggregate_is_of_one_key(make_core):
    core, service, now = split_under_load(make_core)
    put_round(core, now, ["a", "b", "c"] * 3)
    history = run(core, service, now, until=now + 1.0)
    assert history.sizes == [3, 3, 3]
    assert len(core.take_settled()) == 9


@pytest.mark.parametrize("ordered", [False, True])
def test_aggregates_of_one_key_keep_within_their_size_and_that_of_a_request(make_core, ordered):
    core, service, now = split_under_load(make_core, aggregate_bytes=1_000, max_batch_bytes=5_000, ordered=ordered)
    dice = Random(1)
    for number in range(300):
        put(core, b"%d:" % number + bytes(dice.randrange(400)), now, f"key-{dice.randrange(9)}")
    history = run(core, service, now, until=now + 4.0)
    assert sum(history.sizes) == 300
    assert max(history.sizes) > 3
    assert history.requests[0].size > 4_000
    for request in history.requests:
        assert request.size <= 5_000
        for parcel in request.parcels:
            assert parcel.size == len(parcel.data) + len(parcel.members[0].partition_key) <= 1_000
            assert len({record.partition_key for record in parcel.members}) == 1


def test_a_key_whose_aggregate_is_full_waits_for_its_outcome_to_keep_its_order(make_core):
    core, service, now = split_under_load(make_core, aggregate_bytes=1_000, ordered=True)
    for _ in range(9):
        put(core, bytes(300), now, "one key")
    history = run(core, service, now, until=now + 4.0)
    assert history.sizes == [3, 3, 3]
    assert [len(request.parcels) for request in history.requests] == [1, 1, 1]


def test_a_backlog_of_single_records_is_paced_in_steps_while_the_shard_is_in_doubt(make_core):
    core, service, now = split_under_load(make_core)
    put_round(core, now, [f"key-{number}" for number in range(2_000)])
    history = run(core, service, now, until=now + 1.0)
    assert sum(history.sizes) > 1_000
    assert len(history.requests) <= 12
    assert max(len(request.parcels) for request in history.requests) <= 500


def test_aggregates_of_one_key_keep_within_the_pace_in_bytes(make_core):
    core, service, now = split_under_load(make_core)
    for number in range(3_000):
        put(core, bytes(1_000), now, f"key-{number % 9}")
    requests = run(core, service, now, until=now + 1.0).requests
    assert max(request.size for request in requests) <= 2**19
    assert 2**20 < sum(request.size for request in requests) <= 1.5 * 2**20 + 2_000


def test_an_aggregate_that_waits_for_a_retry_is_taken_apart_when_its_shard_comes_into_doubt(make_core):
    core, service = make_core(aggregate=True, aggregate_bytes=400), Service(even_shards(2, first=1))
    records = put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    responses = [service.store(request.parcels[0]), *(throttled() for _ in request.parcels[1:])]
    core.on_responses(request, responses, now)
    core.start_listing(now)
    assert {*run(core, service, now, until=now + 4.0).sizes} == {1}
    core.on_shards(service.shards.shards, now + 4.0)
    run(core, service, now + 4.0)
    assert_kcl_reads_all(service, records)


def test_records_of_aggregates_that_wait_in_halves_go_on_in_the_order_of_put_after_a_merge(make_core):
    core = make_core(shards=2, aggregate=True)
    records = [put(core, b"x", 5.0 + number / 1_000, key) for number, key in enumerate(KEYS)]
    now, request = next_request(core, 5.1)
    core.on_failure(request, RequestFailedError(FailureKind.POISONED, "ValidationException", ""), now)
    core.on_shards(even_shards(1, first=2), now)
    _, request = next_request(core, now)
    assert [parcel.members for parcel in request.parcels] == [records]


def test_an_aggregate_whose_backoff_is_over_is_taken_apart_when_its_shard_comes_into_doubt(make_core):
    core, service = make_core(aggregate=True, max_in_flight=1), Service(even_shards(2, first=1))
    put_round(core, 5.0)
    now, rejected = next_request(core, 5.0)
    core.on_responses(rejected, [throttled()] * len(rejected.parcels), now)
    put_round(core, now)
    core.flush()
    [stored] = core.requests_due(now)
    assert core.requests_due(now + 3.0) == []  # the backoff is over, and a request is in flight
    core.on_responses(stored, service.respond(stored), now + 3.0)
    assert {*run(core, service, now + 3.0, until=now + 4.0, listing=[]).sizes} == {1}


def test_a_half_of_a_rejected_request_is_taken_apart_when_its_shard_comes_into_doubt(make_core):
    core, service = make_core(aggregate=True, aggregate_bytes=400), Service(even_shards(2, first=1))
    put_round(core, 5.0)
    now, rejected = next_request(core, 5.0)
    assert len(rejected.parcels) > 2
    put_round(core, 6.0)
    now, stored = next_request(core, 6.0)
    core.on_failure(rejected, RequestFailedError(FailureKind.POISONED, "ValidationException", ""), now)
    core.on_responses(stored, service.respond(stored), now)
    parcels = [parcel for request in core.requests_due(now) for parcel in request.parcels]
    assert {len(parcel.members) for parcel in parcels} == {1}


def test_without_a_map_an_aggregate_in_doubt_is_sent_again_key_by_key(make_core):
    core, service = make_core(aggregate=True), Service(even_shards(2, first=1))
    records = put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    core.on_responses(request, service.respond(request), now)
    history = run(core, service, now, listing=[])
    assert history.sizes == [1] * len(records)
    assert history.ended_at == now + UNPROVEN_SECONDS
    assert_kcl_reads_all(service, records)


def test_an_aggregate_in_doubt_is_sent_again_before_its_deadline(make_core):
    core, service = make_core(aggregate=True, delivery_timeout=4.0), Service(even_shards(2, first=1))
    records = put_round(core, 5.0)
    _, request = next_request(core, 5.0)
    core.on_responses(request, service.respond(request), 5.5)
    assert run(core, service, 5.5, listing=even_shards(1)).ended_at < 9.0
    assert_kcl_reads_all(service, records)


def test_an_aggregate_in_doubt_fails_at_its_deadline_and_may_be_stored(make_core):
    core, service = make_core(aggregate=True, delivery_timeout=4.0), Service(even_shards(2, first=1))
    records = put_round(core, 5.0)
    _, request = next_request(core, 5.0)
    core.on_responses(request, service.respond(request), 9.5)
    assert core.requests_due(9.5) == []
    assert all(isinstance(record.error, DeliveryError) and record.error.may_be_stored for record in records)


def test_aborting_fails_the_aggregates_in_doubt_and_they_may_be_stored(make_core):
    core, service = make_core(aggregate=True), Service(even_shards(2, first=1))
    records = put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    core.on_responses(request, service.respond(request), now)
    assert core.stats(now).buffered == core.stats(now).shards["shardId-000000000000"].buffered == len(records)
    core.abort()
    assert all(isinstance(record.error, DeliveryError) and record.error.may_be_stored for record in records)
    assert core.budget.used_bytes == core.stats(now).buffered == 0


def test_the_range_of_a_shard_that_was_closed_since_is_in_the_map_too(make_core):
    """The response names a child that was split as well before the shards were listed."""
    core, service = make_core(shards=2, aggregate=True), Service(even_shards(1, first=2))
    records = put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    core.on_responses(request, service.respond(request), now)
    [merged] = even_shards(1, first=2)
    closed = type(merged)(merged.shard_id, merged.starting_hash_key, merged.ending_hash_key, is_open=False)
    core.on_shards([closed, *even_shards(2, first=3)], now)
    assert len(core.take_settled()) == len(records)
    assert not any(record.maybe_duplicate for record in records)


def test_a_map_that_comes_before_the_response_settles_an_aggregate_without_another_listing(make_core):
    core, service = make_core(aggregate=True), Service(even_shards(1))
    records = put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    service.shards.__init__(even_shards(2, first=1))
    core.on_shards(service.shards.shards, now)
    core.on_responses(request, service.respond(request), now)
    history = run(core, service, now)
    assert (history.ended_at, history.listed_at) == (now, [])
    assert not core.start_listing(now + 100.0)
    assert_kcl_reads_all(service, records)


def test_a_shard_that_even_a_later_map_does_not_have_causes_another_listing(make_core):
    core, service = make_core(), Service(even_shards(2, first=9))
    put(core, b"x", 5.0)
    now, request = next_request(core, 5.0)
    core.on_shards(even_shards(2, first=1), now)
    core.on_responses(request, service.respond(request), now)
    assert core.start_listing(now + 1.0)


def test_the_shards_are_listed_again_for_an_aggregate_whose_shard_an_old_listing_does_not_have(make_core):
    core, service = make_core(shards=2, aggregate=True), Service(even_shards(1, first=2))
    records = put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    core.on_responses(request, service.respond(request), now)
    core.start_listing(now)
    core.on_shards(even_shards(2), now)
    run(core, service, now)
    assert not any(record.maybe_duplicate for record in records)
    assert len(service.log) == 2


def test_a_map_that_is_older_than_the_split_does_not_end_the_doubt(make_core):
    core, service, now = split_under_load(make_core)
    core.on_shards(even_shards(1), now)
    records = put_round(core, now)
    history = run(core, service, now, until=now + 1.0, listing=even_shards(1))
    assert {*history.sizes} == {1}
    history = run(core, service, now + 1.0)
    assert history.ended_at <= now + 2.0
    assert_kcl_reads_all(service, records)


def test_a_doubt_ends_when_the_shard_is_listed_and_then_stores_a_later_request(make_core):
    core, wrong, right = make_core(aggregate=True), Service(even_shards(1, first=9)), Service(even_shards(1))
    put_round(core, 5.0)
    now, request = next_request(core, 5.0)
    core.on_responses(request, wrong.respond(request), now)
    sizes = []
    for now in (10.0, 20.0, 30.0):
        put_round(core, now)
        sizes.append({*run(core, right, now + 0.1).sizes})
    # The first bundle's records are sent again with those put at 10.0, and only then the shards are listed.
    assert sizes == [{2}, {1}, {40}]


def test_while_the_listings_fail_for_20_seconds_after_a_split_nothing_is_lost_and_little_waits(make_core):
    core, service, now = make_core(aggregate=True), Service(even_shards(1)), 5.0
    records, most_buffered = [], 0
    while now < 40.0:
        if now > 6.0 and len(service.shards.shards) == 1:
            service.shards.__init__(even_shards(2, first=1))
        records += put_round(core, now)
        now += 0.05
        run(core, service, now, until=now + 0.05, listing=[] if 6.0 < now < 26.0 else None)
        most_buffered = max(most_buffered, core.stats(now).buffered)
        now += 0.05
    run(core, service, now)
    assert core.stats(now).shards.keys() == {"shardId-000000000001", "shardId-000000000002"}
    assert_kcl_reads_all(service, records)
    assert len(service.stored) - len(records) <= 3 * len(KEYS)
    assert most_buffered <= 5 * len(KEYS)


def test_the_map_is_listed_at_once_after_a_split_however_often_it_was_listed_in_vain(make_core):
    core, [low, high], now = make_core(shards=2), even_shards(2), 1.0
    service = Service([Shard("wrong", low.starting_hash_key, low.ending_hash_key), high])
    vain = []
    while now < 100.0:
        put_round(core, now)
        vain += run(core, service, now, until=now + 0.2, listing=[low, high]).listed_at
        now += 0.2
    service.shards.__init__([low, *even_shards(4, first=2)[2:]])
    put_round(core, now)
    [listed_at] = run(core, service, now, until=now + 0.2).listed_at
    assert vain[-1] < now - 1.0
    assert listed_at == pytest.approx(now + 0.1)


def test_a_service_that_always_misreports_costs_few_listings_and_no_duplicates(make_core):
    """Only the aggregates in flight before the first response are sent again."""
    core, service = make_core(aggregate=True), Service(even_shards(1, first=9))
    records, listed_at, now = [], [], 1.0
    while now < 100.0:
        records += put_round(core, now)
        listed_at += run(core, service, now, until=now + 0.2, listing=even_shards(1)).listed_at
        now += 0.2
    assert 5 <= len(listed_at) <= 9
    assert max(later - earlier for earlier, later in pairwise(listed_at)) > 25
    assert len(service.stored) - len(records) == len(KEYS)


def test_only_a_request_that_was_sent_after_the_listing_ends_a_doubt(make_core):
    outbox, doubts = make_core().route("TRUCK_001", None).outbox, ShardDoubts()
    assert doubts.begin(outbox)
    doubts.on_stored(outbox, sent_at=9.0)
    doubts.on_listing(5.0)
    assert not doubts.begin(outbox)
    doubts.on_listing(6.0)
    doubts.on_stored(outbox, sent_at=5.0)
    assert outbox.is_doubted
    doubts.on_stored(outbox, sent_at=5.1)
    assert not outbox.is_doubted
    assert not doubts


def test_a_closed_shard_is_not_in_doubt_any_more(make_core):
    outbox, doubts = make_core().route("TRUCK_001", None).outbox, ShardDoubts()
    doubts.begin(outbox)
    outbox.is_closed = True
    doubts.on_listing(5.0)
    assert not doubts

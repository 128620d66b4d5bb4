"""Whatever happens to all records of a full buffer at once is done in steps, between which the event loop runs.

The tests count records a call or a turn of the loop, because a time would depend on the machine.
"""

import asyncio
import contextlib
from collections import Counter

import pytest

from tests import virtual_time
from tests.producer.shell import KEY, Client, on_virtual_time, request_error
from tests.producer.support import Service, even_shards, put, throttled
from truckstream.errors import (
    DeliveryErrorGroup,
    DeliveryTimeoutError,
    DeliveryUnknownError,
    ProducerClosedError,
    ServiceError,
)
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.producer import Producer, ProducerObserver
from truckstream.producer import core as core_module
from truckstream.producer.buffer_waiters import MAX_WOKEN
from truckstream.producer.core import RECORDS_BUNDLED_PER_CALL, RECORDS_PACKED_PER_CALL, RECORDS_PER_CALL, ProducerCore
from truckstream.producer.outcomes.delivery import Delivery
from truckstream.producer.queueing.fifo_queue import FifoQueue
from truckstream.producer.queueing.keyed_queue import KeyedQueue
from truckstream.producer.routing.router import Router
from truckstream.producer.routing.unproven_bundles import UNPROVEN_SECONDS

#: Some steps' worth of records.
MANY = 5 * RECORDS_PER_CALL + 1

#: The most records of a request without bundles. A step may take one request more than its share.
REQUEST = 500

#: The records of one bundle, likewise.
BUNDLE = RECORDS_BUNDLED_PER_CALL

each_kind = pytest.mark.parametrize(
    "options", [{}, {"ordered": True}, {"aggregate": True}, {"ordered": True, "aggregate": True}], ids=str
)


def fill(core, count=MANY, now=0.0, keys=100):
    return [put(core, b"%d" % index, now, f"TRUCK_{index % keys:03}") for index in range(count)]


def settled_by(core, step):
    """Call `step` until it returns False. Return the records settled by each call."""
    counts = []
    while True:
        before = core.stats(0.0).failed
        more = step()
        counts.append(core.stats(0.0).failed - before)
        if not more:
            return counts


# --- The end of a producer --------------------------------------------------------------------------


@each_kind
def test_a_call_of_abort_gives_up_a_step_of_records(make_core, options):
    """In requests, between attempts, returned for another attempt, and never sent."""
    core: ProducerCore = make_core(2, pacing=False, max_in_flight=4, **options)
    records = fill(core, keys=MANY)
    requests = [request for _ in range(4) for request in core.requests_due(0.2)][:4]
    core.on_responses(requests[0], [throttled() for _ in requests[0].parcels], 0.3)
    if len(requests) > 1:
        core.on_failure(requests[1], RequestFailedError(FailureKind.NOT_SENT, "ConnectError", ""), 0.3)
    counts = settled_by(core, core.abort)
    assert sum(counts) == MANY
    assert max(counts) <= RECORDS_PER_CALL + BUNDLE
    assert len(counts) > 3
    assert all(record.settled for record in records)
    assert core.budget.used_bytes == 0


def test_records_in_flight_are_unknown_in_whichever_step_they_are_given_up(make_core):
    core = make_core(pacing=False)
    records = fill(core)
    sent = [record for request in core.requests_due(0.2) for record in request.parcels]
    while core.abort():
        pass
    assert {type(record.error) for record in sent} == {DeliveryUnknownError}
    assert Counter(type(record.error) for record in records)[ProducerClosedError] == MANY - len(sent)


def test_a_response_between_two_steps_still_counts(make_core):
    core, service = make_core(pacing=False), Service(even_shards(1))
    fill(core)
    requests = core.requests_due(0.2)
    core.abort()
    late = [request for request in requests if not request.parcels[0].settled]
    for request in late:
        core.on_responses(request, service.respond(request), 0.3)
    while core.abort():
        pass
    assert late
    assert core.stats(0.3).acked == len(service.stored) == sum(request.records for request in late)
    assert core.stats(0.3).failed == MANY - len(service.stored)


# --- Deadlines and failures -------------------------------------------------------------------------


@each_kind
def test_records_expire_in_steps_and_are_not_sent_meanwhile(make_core, options):
    core: ProducerCore = make_core(pacing=False, linger=5.0, delivery_timeout=10.0, **options)
    records = fill(core)
    counts = []
    while core.stats(11.0).failed < MANY:
        before = core.stats(11.0).failed
        assert core.requests_due(11.0) == []
        counts.append(core.stats(11.0).failed - before)
        assert core.next_wakeup(11.0) == (11.0 if core.stats(11.0).failed < MANY else None) or counts[-1] == 0
    assert max(counts) <= RECORDS_PER_CALL
    assert {type(record.error) for record in records} == {DeliveryTimeoutError}


def test_an_error_is_made_when_somebody_looks_at_it(make_core):
    core = make_core(delivery_timeout=10.0)
    one, two, *_ = fill(core, 10)
    core.requests_due(11.0)
    assert (one.settled, one._error, two._error) == (True, None, None)
    assert isinstance(one.error, DeliveryTimeoutError)
    assert one.error is one.error
    assert one.error is not two.error


def test_each_record_of_a_rejected_request_has_an_error_of_its_own(make_core):
    core = make_core()
    fill(core, 10)
    [request] = core.requests_due(0.2)
    core.on_failure(request, RequestFailedError(FailureKind.PERMANENT, "AccessDeniedException", "no"), 0.3)
    errors = [record.error for record in core.take_settled()]
    assert {type(error) for error in errors} == {ServiceError}
    assert len({id(error) for error in errors}) == 10


@pytest.mark.parametrize(
    ("options", "most"), [({}, RECORDS_PACKED_PER_CALL), ({"aggregate": True}, RECORDS_BUNDLED_PER_CALL)], ids=str
)
def test_a_call_packs_a_limited_number_of_records(make_core, options, most):
    """All small records of a full buffer would fit into one request of bundles."""
    core: ProducerCore = make_core(20, pacing=False, max_in_flight=100, **options)
    service = Service(even_shards(20))
    fill(core, keys=1_000)
    counts = []
    while sum(counts) < MANY:
        requests = core.requests_due(0.2)
        assert all(request.records <= most for request in requests)
        counts.append(sum(request.records for request in requests))
        for request in requests:
            core.on_responses(request, service.respond(request), 0.2)
    assert max(counts) < 2 * most


def test_a_call_holds_back_a_limited_number_of_records(make_core):
    """Those of shards without credit move to queues of their own, and no request counts them."""
    core: ProducerCore = make_core(20, max_in_flight=1_000, max_batch_records=2)
    for outbox in core._router.outboxes[1:]:
        outbox.pacer.take(1_000, 0, 0.0)
    fill(core, 10_000, keys=1_000)
    left = 10_000
    while left > 1_000:
        core.requests_due(0.2)
        before, left = left, sum(group.front.count for group in core._router.groups)
        assert 0 < before - left < 2 * RECORDS_PACKED_PER_CALL


def test_outcomes_are_handed_out_in_steps(make_core):
    core = make_core()
    records = fill(core)
    while core.abort():
        pass
    handed = []
    while core.has_settled:
        handed.append(core.take_settled())
    assert max(map(len, handed)) == RECORDS_PER_CALL
    assert [record for step in handed for record in step] == records


# --- Reshards ---------------------------------------------------------------------------------------


@pytest.fixture
def routed(monkeypatch):
    """The records routed again so far."""
    seen = []
    reroute = Router.reroute
    monkeypatch.setattr(Router, "reroute", lambda self, record: seen.append(record) or reroute(self, record))
    return seen


def test_a_reshard_moves_records_in_steps_and_sends_none_before_all_are_moved(make_core, routed):
    core = make_core(pacing=False)
    fill(core)
    core.on_shards(even_shards(3, first=1), 0.0)
    counts, requests = [len(routed)], []
    while not requests:
        assert core.next_wakeup(0.2) == 0.2
        requests = core.requests_due(0.2)
        counts.append(len(routed) - sum(counts))
    assert max(counts) <= RECORDS_PER_CALL
    assert sum(counts) == MANY


def buffered_in(core, shards):
    stats = core.stats(0.2).shards
    return sum(stats[shard.shard_id].buffered for shard in shards)


@pytest.mark.parametrize("aggregate", [False, True])
def test_lanes_move_in_steps_too(make_core, aggregate):
    core = make_core(pacing=False, ordered=True, aggregate=aggregate)
    fill(core, keys=MANY)
    core.on_shards(even_shards(2, first=1), 0.0)
    moved = [buffered_in(core, even_shards(2, first=1))]
    while core.requests_due(0.2) == []:
        moved.append(buffered_in(core, even_shards(2, first=1)))
    steps = [after - before for before, after in zip([0, *moved], moved, strict=False)]
    assert max(steps) <= RECORDS_PER_CALL
    assert len(steps) >= 5


@each_kind
@pytest.mark.parametrize("backing_off", [False, True])
def test_records_of_a_key_stay_in_order_through_a_reshard_in_steps(monkeypatch, make_core, options, backing_off):
    """Also those put between two steps, and through a second reshard before the first one is done."""
    monkeypatch.setattr(core_module, "RECORDS_PER_CALL", 7)
    core: ProducerCore = make_core(2, pacing=False, linger=0.0, max_in_flight=1, **options)
    now, number = 0.0, 0

    def put_some(count):
        nonlocal number
        for _ in range(count):
            put(core, b"%d" % number, now, f"TRUCK_{number % 10:03}")
            number += 1

    put_some(100)
    if backing_off:
        [request] = core.requests_due(now)
        core.on_failure(request, RequestFailedError(FailureKind.NOT_SENT, "ConnectError", ""), now)
    shards = even_shards(3, first=10)
    core.on_shards(shards, now)
    sent = []
    for step in range(8):
        now += 0.001
        put_some(3)
        sent += core.requests_due(now)
        if step == 4:
            shards = even_shards(1, first=20)
            core.on_shards(shards, now)
    service = Service(shards)
    while core.budget.used_bytes:
        for request in [*sent, *core.requests_due(now)]:
            core.on_responses(request, service.respond(request), now)
        sent.clear()
        now = core.next_wakeup(now) or now
    assert len(service.stored) == number
    for key in range(10):
        numbers = [int(data) for data in service.stored if int(data) % 10 == key]
        assert numbers == sorted(numbers) or (backing_off and not options.get("ordered"))


@each_kind
def test_abort_finds_the_records_that_were_not_moved_yet(monkeypatch, make_core, options):
    monkeypatch.setattr(core_module, "RECORDS_PER_CALL", 7)
    core: ProducerCore = make_core(2, pacing=False, linger=0.0, max_in_flight=1, **options)
    records = fill(core, 100, keys=20)
    [request] = core.requests_due(0.0)
    core.on_failure(request, RequestFailedError(FailureKind.NOT_SENT, "ConnectError", ""), 0.0)
    records += fill(core, 100, 0.1, keys=20)
    core.on_shards(even_shards(3, first=10), 0.1)
    records += fill(core, 20, 0.2, keys=20)
    assert core.requests_due(0.2) == []
    assert core.stats(0.2).buffered == 220
    assert sum(shard.buffered for shard in core.stats(0.2).shards.values()) in {220, 120}  # the rest backs off
    while core.abort():
        pass
    assert all(record.settled for record in records)
    assert core.budget.used_bytes == 0


# --- Bundles that a reshard divides -----------------------------------------------------------------

#: The records of a bundle of 300 bytes, at most.
SMALL_BUNDLE = 20


@pytest.fixture
def stored_by(make_core):
    """A function that returns a core whose bundles were all stored by shards that it does not know, and the records."""

    def store(service, *, shards=1, **options):
        core = make_core(shards, pacing=False, aggregate=True, aggregate_bytes=300, max_in_flight=100, **options)
        records = fill(core, keys=MANY)
        requests = []
        while sum(request.records for request in requests) < MANY:
            requests += core.requests_due(0.2)
        for request in requests:
            core.on_responses(request, service.respond(request), 0.3)
        assert core.stats(0.3).acked <= shards  # the last bundle of a shard may have one record
        return core, records

    return store


@pytest.fixture
def put_back(monkeypatch):
    """The records that returned to a queue so far."""
    seen = []
    for queue in (FifoQueue, KeyedQueue):
        put_back = queue.put_back
        monkeypatch.setattr(
            queue, "put_back", lambda self, records, usual=put_back: seen.extend(records) or usual(self, records)
        )
    return seen


def send_all(core, service, now, requests):
    while core.budget.used_bytes:
        for request in [*requests, *core.requests_due(now)]:
            core.on_responses(request, service.respond(request), now)
        requests = []
        if core.start_listing(now):
            core.on_shards(service.shards.shards, now)
        now = core.next_wakeup(now) or now


def steps_of(count, core, now):
    """Call `requests_due` until it returns requests. Return them, and by how much `count()` grew at each call."""
    counts = [count()]
    while not (requests := core.requests_due(now)):
        assert core.next_wakeup(now) == now
        counts.append(count() - sum(counts))
    return requests, counts


@pytest.mark.parametrize("ordered", [False, True])
def test_bundles_that_a_split_divides_are_sent_again_in_steps(stored_by, ordered):
    service = Service(even_shards(2, first=1))
    core, records = stored_by(service, ordered=ordered)
    core.on_shards(service.shards.shards, 0.4)
    _, counts = steps_of(lambda: sum(record.maybe_duplicate for record in records), core, 0.4)
    assert max(counts) <= RECORDS_PER_CALL + SMALL_BUNDLE
    assert sum(counts) >= MANY - 1


def test_the_records_of_divided_bundles_are_routed_again_in_steps(stored_by, routed):
    service = Service(even_shards(2, first=1))
    core, records = stored_by(service)
    core.on_shards(service.shards.shards, 0.4)
    requests, counts = steps_of(lambda: len(routed), core, 0.4)
    assert max(counts) <= RECORDS_PER_CALL + SMALL_BUNDLE
    send_all(core, service, 0.5, requests)
    assert {data for _, _, data in service.read_as_kcl()} == {record.data for record in records}


def test_bundles_in_a_merged_shard_are_acknowledged_in_steps(stored_by):
    service = Service(even_shards(1, first=2))
    core, records = stored_by(service, shards=2)
    counts = [core.stats(0.4).acked]
    core.on_shards(service.shards.shards, 0.4)
    counts.append(core.stats(0.4).acked - sum(counts))
    while core.budget.used_bytes:
        assert core.next_wakeup(0.4) == 0.4
        assert core.requests_due(0.4) == []
        counts.append(core.stats(0.4).acked - sum(counts))
    assert max(counts) <= RECORDS_PER_CALL + SMALL_BUNDLE
    assert not any(record.maybe_duplicate for record in records)


@pytest.mark.parametrize("ordered", [False, True])
def test_without_a_map_bundles_in_doubt_are_sent_again_and_taken_apart_in_steps(stored_by, put_back, ordered):
    service = Service(even_shards(2, first=1))
    core, records = stored_by(service, ordered=ordered)
    now = 0.3 + UNPROVEN_SECONDS
    _, counts = steps_of(lambda: sum(record.maybe_duplicate for record in records), core, now)
    assert max(counts) <= RECORDS_PER_CALL + SMALL_BUNDLE
    assert sum(counts) >= MANY - 1 - RECORDS_PER_CALL
    assert 0 < len(put_back) <= BUNDLE + SMALL_BUNDLE


def test_bundles_that_wait_when_their_shard_comes_into_doubt_are_taken_apart_when_their_turn_comes(make_core, put_back):
    core: ProducerCore = make_core(pacing=False, aggregate=True, aggregate_bytes=300, max_in_flight=1)
    service = Service(even_shards(2, first=1))
    records = fill(core, keys=MANY)
    [first] = core.requests_due(0.2)
    core.on_responses(first, [throttled() for _ in first.parcels], 0.2)
    [second] = core.requests_due(0.2)
    assert core.requests_due(5.0) == []  # the backoff is over, and the second request is in flight
    core.on_responses(second, service.respond(second), 5.0)
    assert put_back == []
    [third] = core.requests_due(5.0)
    assert all(len(parcel.members) == 1 for parcel in third.parcels)
    assert len(put_back) <= 2 * SMALL_BUNDLE  # that one, and the next
    send_all(core, service, 5.0, [third])
    assert {data for _, _, data in service.read_as_kcl()} == {record.data for record in records}


def test_abort_finds_the_bundles_in_doubt_in_steps(stored_by):
    core, records = stored_by(Service(even_shards(2, first=1)))
    counts = settled_by(core, core.abort)
    assert max(counts) <= RECORDS_PER_CALL + SMALL_BUNDLE
    assert sum(counts) >= MANY - 1
    assert all(record.settled and (record.response or record.error.may_be_stored) for record in records)


# --- The shell --------------------------------------------------------------------------------------


def failed_in_each_turn(producer):
    """Start counting the records that fail in each turn of the loop. Return the counts, and the task that counts."""
    counts = []

    async def count():
        before = 0
        while True:
            await asyncio.sleep(0)
            now = producer.stats.failed
            counts.append(now - before)
            before = now

    return counts, asyncio.create_task(count())


async def full_producer(**options):
    client = Client()
    client.latency = 1_000.0
    producer = Producer(client, **{"linger": 0.0, "pacing": False} | options)
    await producer.open()
    return producer, [producer.try_put(b"%d" % index, f"TRUCK_{index % 100:03}") for index in range(MANY)]


async def first_step(producer):
    """Wait until some records were given up."""
    while producer.stats.failed == 0:  # noqa: ASYNC110 - the turn of the loop matters here
        await asyncio.sleep(0)


@each_kind
@on_virtual_time
async def test_closing_gives_up_a_step_of_records_in_each_turn_and_returns_after_the_last(options):
    producer, deliveries = await full_producer(**options)
    counts, counting = failed_in_each_turn(producer)
    stats = await producer.close(timeout=0)
    counting.cancel()
    assert (stats.failed, stats.buffered_bytes) == (MANY, 0)
    assert all(delivery.done() for delivery in deliveries)
    assert max(counts) <= RECORDS_PER_CALL + BUNDLE
    assert sum(count > 0 for count in counts) >= 3


@on_virtual_time
async def test_a_close_that_is_cancelled_between_two_steps_still_gives_every_outcome():
    producer, deliveries = await full_producer()
    closing = asyncio.create_task(producer.close())
    await asyncio.sleep(0.5)
    closing.cancel()
    await first_step(producer)
    assert producer.stats.failed < MANY
    closing.cancel()
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert all(delivery.done() for delivery in deliveries)
    with pytest.raises(DeliveryErrorGroup) as caught:
        producer._raise_failures()
    assert caught.value.total == MANY


@on_virtual_time
async def test_a_second_close_waits_for_the_steps_of_the_first():
    producer, deliveries = await full_producer()
    first = asyncio.create_task(producer.close(timeout=0))
    await first_step(producer)
    await producer.close(timeout=0)
    assert all(delivery.done() for delivery in deliveries)
    assert (await first).failed == MANY


@on_virtual_time
async def test_a_flush_ends_after_the_last_failure_was_handed_out():
    client = Client()
    client.script = [request_error("AccessDeniedException")] * MANY
    async with Producer(client, linger=0.0, pacing=False, max_in_flight=100) as producer:
        for index in range(MANY):
            producer.try_put(b"%d" % index, KEY)
        with pytest.raises(DeliveryErrorGroup) as caught:
            await producer.flush()
        assert caught.value.total == MANY


@on_virtual_time
async def test_callers_are_woken_in_steps():
    producer, deliveries = await full_producer()
    turns = []

    async def wait_for(delivery):
        with pytest.raises((DeliveryUnknownError, ProducerClosedError)):
            await delivery
        turns.append(turn)

    turn = 0

    async def count_turns():
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    waiting = [asyncio.create_task(wait_for(delivery)) for delivery in deliveries]
    await asyncio.sleep(0.1)
    counting = asyncio.create_task(count_turns())
    await producer.close(timeout=0)
    await asyncio.gather(*waiting)
    counting.cancel()
    assert max(Counter(turns).values()) <= RECORDS_PER_CALL


@pytest.mark.parametrize("how", ["granted", "rejected"])
def test_waiting_puts_are_woken_in_steps(how):
    """By room for all of them, and by closing."""
    puts = 5 * MAX_WOKEN
    turn, turns = 0, []

    async def count_turns():
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async def put_one(producer):
        with contextlib.suppress(ProducerClosedError):
            await producer.put(b"", KEY)
        turns.append(turn)

    async def respond(client, records, responding):
        await responding.wait()
        return [client.service.store(record) for record in records]

    async def main():
        client, responding = Client(), asyncio.Event()
        client.latency = None
        client.script = [lambda records: respond(client, records, responding)] * puts
        producer = Producer(client, linger=0.0, pacing=False, buffer_bytes=1 << 20)
        await producer.open()
        producer.try_put(bytes((1 << 20) - 600), KEY)  # as many bytes as all the others
        await asyncio.sleep(1.0)
        tasks = [asyncio.create_task(put_one(producer)) for _ in range(puts)]
        await asyncio.sleep(1.0)
        assert turns == []
        counting = asyncio.create_task(count_turns())
        if how == "rejected":
            await producer.close(timeout=0)
        responding.set()
        await asyncio.gather(*tasks)
        counting.cancel()
        await producer.close()
        assert len(turns) == puts
        assert max(Counter(turns).values()) <= MAX_WOKEN

    virtual_time.run(main())


@on_virtual_time
async def test_an_observer_gets_an_event_for_each_step_of_a_close():
    events = []

    class Watcher(ProducerObserver):
        def records_failed(self, event):
            events.append(event.records)

    producer, _ = await full_producer(observer=Watcher())
    await producer.close(timeout=0)
    assert sum(events) == MANY
    assert max(events) <= RECORDS_PER_CALL + REQUEST


@on_virtual_time
async def test_keeping_the_failures_that_nobody_awaited_takes_the_same_work_for_each(monkeypatch):
    looks = []
    monkeypatch.setattr(
        Delivery,
        "has_unawaited_failure",
        property(lambda self: looks.append(1) or (self.failure is not None and not self._awaited)),
    )
    producer, deliveries = await full_producer()
    await producer.close(timeout=0)
    assert len(looks) <= 2 * MANY
    assert sum(delivery._error is not None for delivery in deliveries) <= 101

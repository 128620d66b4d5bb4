"""The events of an observer, on virtual time: whole requests, in order. No observer can harm the producer."""

import asyncio
import contextlib
import itertools
import logging

import pytest

from tests.producer.shell import KEY, Client, on_virtual_time, request_error
from tests.producer.support import even_shards, failed_inside, throttled
from truckstream.errors import DeliveryErrorGroup, DeliveryTimeoutError, InvalidArgumentError, ServiceError
from truckstream.kinesis.failures import FailureKind
from truckstream.producer import Producer, ProducerObserver, producer
from truckstream.producer.watching.notifier import HOOKS

SHARD = "shardId-000000000000"


class Recorder(ProducerObserver):
    """Keeps every event but the samples."""

    def __init__(self):
        self.events = []
        self.samples = []

    def stats_sampled(self, event):
        self.samples.append(event)

    def of(self, kind):
        return [event for event in self.events if type(event).__name__ == kind]

    @property
    def kinds(self):
        return [type(event).__name__ for event in self.events]


for _hook in set(HOOKS.values()) - {"stats_sampled"}:
    setattr(Recorder, _hook, lambda self, event: self.events.append(event))


@on_virtual_time
async def test_a_request_is_reported_when_it_is_sent_and_acknowledged():
    watcher = Recorder()
    client = Client(shards=2)
    client.stream_name = "trucks"
    async with Producer(client, observer=watcher) as producer:
        deliveries = await producer.put_many((b"data", f"TRUCK_{index}") for index in range(100))
        await producer.flush()
    assert watcher.kinds == ["MapRefreshed", "BatchSent", "RecordsAcknowledged"]
    listed, sent, acknowledged = watcher.events
    assert listed.opened == listed.shards == (SHARD, "shardId-000000000001")
    assert {event.stream for event in watcher.events} == {"trucks"}
    assert (sent.records, sent.kinesis_records, sent.repeated, sent.requests_in_flight) == (100, 100, 0, 1)
    assert sent.bytes == acknowledged.bytes == sum(delivery.size for delivery in deliveries)
    assert sent.shards == acknowledged.shards
    assert sum(sent.shards.values()) == 100
    assert set(acknowledged.deliveries) == set(deliveries)
    assert acknowledged.maybe_duplicates == 0
    assert acknowledged.seconds == pytest.approx(client.latency)
    assert acknowledged.oldest_seconds >= acknowledged.seconds


@on_virtual_time
async def test_a_hook_is_called_for_a_request_and_not_for_a_record():
    watcher = Recorder()
    client = Client()
    async with Producer(client, observer=watcher, pacing=False) as producer:
        await producer.put_many([(b"x", KEY)] * 5_000)
    assert len(client.requests) == 10
    assert watcher.kinds.count("BatchSent") == watcher.kinds.count("RecordsAcknowledged") == 10


@on_virtual_time
async def test_a_record_is_reported_before_its_callers_wake():
    watcher = Recorder()
    async with Producer(Client(), observer=watcher) as producer:
        await (await producer.put(b"a", KEY))
        assert watcher.kinds[-1] == "RecordsAcknowledged"


@on_virtual_time
async def test_throttles_and_their_retries_are_reported_by_shard_and_code():
    watcher = Recorder()
    client = Client()
    client.script = [lambda records: [throttled(), failed_inside(), *map(client.service.store, records[2:])]]
    async with Producer(client, observer=watcher) as producer:
        await producer.put_many([(b"x", KEY)] * 10)
    [throttling], [retrying] = watcher.of("RecordsThrottled"), watcher.of("RecordsRetried")
    assert (throttling.records, throttling.shards) == (1, {SHARD: 1})
    assert (retrying.records, retrying.shards) == (2, {SHARD: 2})
    assert retrying.codes == {"ProvisionedThroughputExceededException": 1, "InternalFailure": 1}
    again, acknowledged = watcher.of("BatchSent")[1], watcher.of("RecordsAcknowledged")
    assert (again.records, again.repeated) == (2, 2)
    assert [(event.records, event.maybe_duplicates) for event in acknowledged] == [(8, 0), (2, 1)]


@on_virtual_time
async def test_a_request_without_a_response_is_reported_and_its_records_are_retried():
    watcher = Recorder()
    client = Client()
    client.script = [request_error("ReadTimeout", FailureKind.AMBIGUOUS)]
    async with Producer(client, observer=watcher) as producer:
        await producer.put_many([(b"x", KEY)] * 3)
    assert watcher.kinds[1:4] == ["BatchSent", "BatchFailed", "RecordsRetried"]
    [failure] = watcher.of("BatchFailed")
    assert (failure.kind, failure.code, failure.message) == ("ambiguous", "ReadTimeout", "the service's message")
    assert (failure.records, failure.shards, failure.seconds) == (3, {SHARD: 3}, pytest.approx(client.latency))
    assert watcher.of("RecordsRetried")[0].codes == {"ReadTimeout": 3}
    assert watcher.of("RecordsAcknowledged")[0].maybe_duplicates == 3


@on_virtual_time
async def test_an_aggregate_that_a_split_divides_is_reported_as_retried():
    watcher, client = Recorder(), Client()
    async with Producer(client, observer=watcher, aggregate=True) as producer:
        client.listed = even_shards(2, first=1)
        client.service.shards.__init__(client.listed)
        deliveries = await producer.put_many([(b"x", f"TRUCK_{number}") for number in range(10)])
    [retried] = watcher.of("RecordsRetried")
    assert (retried.records, retried.shards, retried.codes) == (10, {SHARD: 10}, {"StoredInOtherShard": 1})
    assert sum(event.maybe_duplicates for event in watcher.of("RecordsAcknowledged")) == 10
    assert all(delivery.result().maybe_duplicate for delivery in deliveries)


@pytest.mark.parametrize("options", [{}, {"aggregate": True}])
@on_virtual_time
async def test_records_sent_again_in_halves_are_reported_as_retried(options):
    watcher = Recorder()
    client = Client()
    client.script = [request_error("ValidationException", FailureKind.POISONED)]
    async with Producer(client, observer=watcher, **options) as producer:
        await producer.put_many([(b"x", KEY)] * 3)
    assert watcher.kinds[1:4] == ["BatchSent", "BatchFailed", "RecordsRetried"]
    [retried] = watcher.of("RecordsRetried")
    assert (retried.records, retried.shards) == (3, {SHARD: 3})


@on_virtual_time
async def test_records_that_are_given_up_are_reported_together_with_the_reason():
    watcher = Recorder()
    client = Client()
    client.script = [request_error("AccessDeniedException")]
    async with Producer(client, observer=watcher) as producer:
        deliveries = await producer.put_many([(b"x", KEY)] * 300)
        with pytest.raises(ServiceError):
            await deliveries[0]
        [failed] = watcher.of("RecordsFailed")
        assert (failed.records, failed.shards) == (300, {SHARD: 300})
        assert failed.codes == {"AccessDeniedException": 300}
        assert list(failed.deliveries) == deliveries
        for delivery in deliveries:
            with pytest.raises(ServiceError):
                delivery.result()


@on_virtual_time
async def test_records_past_their_deadline_are_reported_as_timed_out():
    watcher = Recorder()
    client = Client()
    client.script = [request_error("ConnectError", FailureKind.NOT_SENT)] * 100
    async with Producer(client, observer=watcher, delivery_timeout=3.0) as producer:
        delivery = await producer.put(b"x", KEY)
        with pytest.raises(DeliveryTimeoutError):
            await delivery
    assert watcher.of("RecordsFailed")[0].codes == {"DeliveryTimeoutError": 1}


@on_virtual_time
async def test_records_that_a_close_gives_up_are_reported():
    watcher = Recorder()
    client = Client()
    client.latency = 1_000.0
    producer = Producer(client, observer=watcher, max_in_flight=1)
    await producer.open()
    await producer.put(b"a", KEY)
    await asyncio.sleep(0.2)
    await producer.put(b"b", KEY)
    await producer.close(timeout=1.0)
    assert [event.codes for event in watcher.of("RecordsFailed")] == [
        {"DeliveryUnknownError": 1, "ProducerClosedError": 1}
    ]
    assert watcher.samples[-1].is_last


@on_virtual_time
async def test_a_reshard_is_reported_with_the_shards_that_opened_and_closed():
    watcher = Recorder()
    client = Client()
    async with Producer(client, observer=watcher) as producer:
        client.service.shards.__init__(even_shards(2, first=1))
        client.listed = even_shards(2, first=1)
        await (await producer.put(b"a", KEY))
        await asyncio.sleep(1.0)
    first, second = watcher.of("MapRefreshed")
    assert first.closed == ()
    assert (second.opened, second.closed) == (("shardId-000000000001", "shardId-000000000002"), (SHARD,))


@on_virtual_time
async def test_with_aggregation_records_are_the_callers_and_kinesis_records_the_services():
    watcher = Recorder()
    client = Client()
    client.script = [lambda records: [throttled() for _ in records]]
    async with Producer(client, observer=watcher, aggregate=True) as producer:
        await producer.put_many([(b"x" * 100, KEY)] * 50)
    sent, throttling, retrying, again, acknowledged = watcher.events[1:]
    assert (sent.records, sent.kinesis_records, sent.shards) == (50, 1, {SHARD: 50})
    assert throttling.records == 1
    assert (retrying.records, retrying.codes) == (50, {"ProvisionedThroughputExceededException": 1})
    assert (again.records, again.repeated) == (50, 1)
    assert acknowledged.records == 50


@on_virtual_time
async def test_statistics_are_sampled_each_second_and_at_the_end():
    watcher = Recorder()
    client = Client()
    async with Producer(client, observer=watcher, linger=5.0) as first, Producer(Client(), observer=watcher):
        await first.put(b"a", KEY)
        await asyncio.sleep(2.5)
    by_producer = {event.producer: [] for event in watcher.samples}
    for event in watcher.samples:
        by_producer[event.producer].append((event.stats.buffered, event.is_last))
    samples, _ = by_producer.values()
    assert samples == [(0, False), (1, False), (1, False), (0, True)]


@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"aggregate": True}, {"aggregate": True, "ordered": True}])
@on_virtual_time
async def test_the_counts_of_the_events_are_those_of_the_statistics(options):
    """The sums of an observer's events agree with `stats`, also after throttles, failures and timeouts."""
    watcher = Recorder()
    client = Client(shards=3)
    faults = itertools.cycle(
        [
            None,
            lambda records: [throttled() if index % 3 else client.service.store(r) for index, r in enumerate(records)],
            request_error("ReadTimeout", FailureKind.AMBIGUOUS),
            request_error("Slow down", FailureKind.THROTTLED),
            request_error("AccessDeniedException"),
        ]
    )
    client.script = [next(faults) for _ in range(40)]
    async with Producer(client, observer=watcher, aggregate_bytes=400, **options) as producer:
        for start in range(0, 3_000, 100):
            await producer.put_many((b"x", f"TRUCK_{index}") for index in range(start, start + 100))
            await asyncio.sleep(0.2)
        with contextlib.suppress(DeliveryErrorGroup):
            await producer.flush()
        stats = producer.stats
    total = {kind: sum(event.records for event in watcher.of(kind)) for kind in set(watcher.kinds) - {"MapRefreshed"}}
    assert stats.acked + stats.failed == 3_000
    assert total["RecordsAcknowledged"] == stats.acked
    assert total["RecordsFailed"] == stats.failed > 0
    assert total["RecordsThrottled"] == stats.throttled > 0
    assert sum(event.kinesis_records for event in watcher.of("BatchSent")) == stats.sent
    assert len(watcher.of("BatchSent")) == stats.requests
    assert sum(event.repeated for event in watcher.of("BatchSent")) == stats.retried
    assert sum(event.bytes for event in watcher.of("RecordsAcknowledged")) == stats.acked_bytes
    for event in watcher.events:
        if type(event).__name__ != "MapRefreshed":
            assert sum(event.shards.values()) == event.records


class Raising(ProducerObserver):
    """Every hook of it raises."""

    def __init__(self):
        self.calls = 0

    def _raise(self, _event):
        self.calls += 1
        raise ZeroDivisionError("an observer's own mistake")


for _hook in HOOKS.values():
    setattr(Raising, _hook, Raising._raise)


@on_virtual_time
async def test_an_observer_that_raises_does_no_harm_and_is_logged_once(caplog):
    watcher = Raising()
    client = Client()
    client.script = [
        lambda records: [throttled() for _ in records],
        request_error("ReadTimeout", FailureKind.AMBIGUOUS),
    ]
    async with Producer(client, observer=watcher) as producer:
        deliveries = await producer.put_many([(b"x", KEY)] * 10)
    assert all(delivery.result() for delivery in deliveries)
    assert watcher.calls >= 8
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert (record.name, record.exc_info[0]) == ("truckstream.producer", ZeroDivisionError)


@on_virtual_time
async def test_a_hook_may_use_the_producer():
    class Feeding(ProducerObserver):
        def records_acknowledged(self, event):
            if self.producer.stats.put < 5:
                self.producer.try_put(b"%d" % self.producer.stats.put, event.deliveries[0].partition_key)

    client, watcher = Client(), Feeding()
    async with Producer(client, observer=watcher) as watcher.producer:
        await watcher.producer.put(b"0", KEY)
        await asyncio.sleep(10.0)
    assert client.service.stored == [b"0", b"1", b"2", b"3", b"4"]


def test_an_observer_must_be_one():
    with pytest.raises(InvalidArgumentError, match=r"observer is .*must be a ProducerObserver"):
        Producer(Client(), observer=print)


def test_hooks_are_not_awaited_and_say_so():
    class Waiting(ProducerObserver):
        async def batch_sent(self, event):
            pass

    with pytest.raises(InvalidArgumentError, match="no hook is awaited"):
        Producer(Client(), observer=Waiting())


def test_every_hook_has_an_event_and_every_event_a_hook():
    hooks = {name for name in vars(ProducerObserver) if not name.startswith("_")}
    assert set(HOOKS.values()) == hooks


@pytest.mark.parametrize(
    ("stream", "name"),
    [("trucks", "trucks"), ("arn:aws:kinesis:us-east-1:123456789012:stream/trucks", "trucks"), (Client(), "unknown")],
)
def test_events_name_the_stream(stream, name):
    assert producer._name_of(stream) == name

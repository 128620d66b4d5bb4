"""Every wait for a producer ends, whatever its client does: deliveries, flush and close, on virtual time."""

import asyncio
import gc
import logging

import pytest

from tests import virtual_time
from tests.producer.shell import KEY, Client, on_virtual_time, request_error
from tests.producer.support import even_shards
from truckstream.errors import DeliveryError, DeliveryTimeoutError, ServiceError
from truckstream.kinesis.attempt import current_attempt
from truckstream.kinesis.failures import FailureKind
from truckstream.producer import Producer


def now():
    return asyncio.get_running_loop().time()


class HangingClient(Client):
    """Its requests hang for ever in one stage of their way."""

    def __init__(self, *stages):
        super().__init__()
        self.stages = stages

    async def put_records(self, records):
        self.requests.append([record.data for record in records])
        for stage in self.stages:
            getattr(current_attempt.get(), stage)()
        await asyncio.Event().wait()


class StubbornClient(Client):
    """Its requests end neither by themselves nor when they are cancelled."""

    def __init__(self):
        super().__init__()
        self.released = asyncio.Event()

    async def put_records(self, _records):
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                continue
        return []


@pytest.mark.parametrize(
    ("stages", "may_be_stored", "stage"),
    [
        ((), True, "before its client returned"),
        (("prepare",), False, "it waited for credentials, a proxy or a connection"),
        (("prepare", "begin"), False, "before its last byte was sent"),
        (("prepare", "begin", "finish"), True, "before its response was complete"),
    ],
)
@on_virtual_time
async def test_an_await_ends_with_the_delivery_timeout_and_the_error_is_true(stages, may_be_stored, stage):
    async with Producer(HangingClient(*stages), delivery_timeout=20.0) as producer:
        delivery = await producer.put(b"a", KEY)
        with pytest.raises(DeliveryTimeoutError) as caught:
            await delivery
        assert now() == 20.0
    assert now() == 20.0
    assert caught.value.may_be_stored is may_be_stored
    assert isinstance(caught.value.__cause__, ServiceError)
    assert stage in str(caught.value)
    assert caught.value.attempts_by_kind == {"ambiguous" if may_be_stored else "not sent": 1}


@on_virtual_time
async def test_each_record_of_a_request_that_hangs_ends_with_its_own_deadline():
    async with Producer(HangingClient(), delivery_timeout=20.0, linger=5.0) as producer:
        ended = []

        async def wait(delivery):
            with pytest.raises(DeliveryTimeoutError):
                await delivery
            ended.append(now())

        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(wait(await producer.put(b"a", KEY)))
                await asyncio.sleep(1.0)
        assert ended == [20.0, 21.0, 22.0, 23.0]
        stats = producer.stats
        assert (stats.failed, stats.buffered, stats.in_flight, stats.requests_in_flight) == (4, 0, 0, 0)


@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"aggregate": True}], ids=str)
@on_virtual_time
async def test_flush_and_close_end_while_every_request_hangs(options):
    producer = Producer(HangingClient(), delivery_timeout=20.0, **options)
    await producer.open()
    deliveries = await producer.put_many((b"x", f"TRUCK_{number % 50}") for number in range(20_000))
    results = await asyncio.gather(producer.flush(), return_exceptions=True)
    assert results[0].total == 20_000
    stats = await producer.close()
    assert now() == pytest.approx(20.0, abs=0.1)
    assert all(delivery.done() for delivery in deliveries)
    assert (stats.failed, stats.buffered_bytes, stats.in_flight) == (20_000, 0, 0)


@on_virtual_time
async def test_a_client_that_ignores_its_cancellation_keeps_nobody_waiting(caplog):
    client = StubbornClient()
    producer = Producer(client, delivery_timeout=20.0)
    await producer.open()
    delivery = await producer.put(b"a", KEY)
    with pytest.raises(DeliveryTimeoutError):
        await delivery
    assert now() == 21.0
    await producer.close()
    assert now() == 26.0
    assert "1 calls have not ended 5.0 s after they were cancelled" in caplog.text
    client.released.set()
    await asyncio.sleep(0.1)


@on_virtual_time
async def test_connections_that_do_not_close_keep_nobody_waiting(caplog):
    client = Client()
    client.close = asyncio.Event().wait
    async with Producer(client) as producer:
        await (await producer.put(b"a", KEY))
        before = now()
    assert now() == before + 5.0
    assert "the connections were not closed within 5.0 s" in caplog.text


@on_virtual_time
async def test_a_listing_that_hangs_is_repeated():
    client = Client()
    async with Producer(client, linger=0.0) as producer:
        client.service.shards.__init__(even_shards(2, first=1))
        calls = []

        async def list_shards():
            calls.append(now())
            if len(calls) == 1:
                await asyncio.Event().wait()
            return even_shards(2, first=1)

        client.list_shards = list_shards
        await (await producer.put(b"a", KEY))
        await asyncio.sleep(60.0)
        assert producer.shard_of(KEY) == "shardId-000000000002"
    assert len(calls) == 2


@pytest.mark.parametrize("options", [{}, {"aggregate": True}], ids=str)
@on_virtual_time
async def test_a_permanent_failure_reaches_every_caller_at_once(options):
    """5,000 records are five seconds of a shard's quota, which a rejected request does not use."""
    client = Client()
    client.script = [request_error("AccessDeniedException")] * 100
    async with Producer(client, **options) as producer:
        deliveries = await producer.put_many([(bytes(500), KEY)] * 5_000)
        outcomes = await asyncio.gather(*deliveries, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {ServiceError}
        assert now() < 0.5


@on_virtual_time
async def test_closing_while_credentials_hang_reports_the_records_as_not_stored():
    producer = Producer(HangingClient("prepare"))
    await producer.open()
    delivery = await producer.put(b"a", KEY)
    await asyncio.sleep(1.0)
    await producer.close(timeout=0)
    with pytest.raises(DeliveryError, match="closed before attempt 1 at this record was sent") as caught:
        delivery.result()
    assert not caught.value.may_be_stored


@on_virtual_time
async def test_a_request_that_is_cancelled_before_it_was_sent_is_no_possible_duplicate():
    client = HangingClient("prepare")
    async with Producer(client, linger=0.0) as producer:
        delivery = await producer.put(b"a", KEY)
        await asyncio.sleep(1.0)
        client.put_records = Client.put_records.__get__(client)
        [task] = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
        ack = await delivery
        assert (ack.attempts, ack.maybe_duplicate) == (2, False)


def test_a_producer_that_is_collected_with_undelivered_records_logs_their_number(caplog):
    async def forget():
        client = Client()
        client.latency = 1_000.0
        producer = Producer(client, linger=0.0, max_in_flight=1)
        await producer.open()
        await producer.put_many([(b"x", KEY)] * 700)
        await asyncio.sleep(0.1)

    with pytest.warns(ResourceWarning, match="never closed"):  # noqa: PT031 - the collector warns
        virtual_time.run(forget())
        gc.collect()
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "a producer was garbage-collected with 700 undelivered records: close it" in errors


def test_a_producer_that_is_collected_without_records_logs_no_error(caplog):
    async def forget():
        async with Producer(Client()) as producer:
            await producer.put(b"x", KEY)

    virtual_time.run(forget())
    gc.collect()
    assert not [record for record in caplog.records if record.levelno == logging.ERROR]


@on_virtual_time
async def test_a_record_that_timed_out_after_failures_names_the_last_one():
    client = Client()
    client.script = [request_error("ServiceUnavailable", FailureKind.AMBIGUOUS)] * 1_000
    async with Producer(client, delivery_timeout=20.0) as producer:
        delivery = await producer.put(b"a", KEY)
        with pytest.raises(DeliveryTimeoutError, match="the last failure was ServiceUnavailable") as caught:
            await delivery
    assert caught.value.__cause__.code == "ServiceUnavailable"
    assert caught.value.attempts_by_kind == {"ambiguous": caught.value.attempts}
    assert caught.value.may_be_stored


@pytest.mark.parametrize("options", [{}, {"ordered": True}], ids=str)
@on_virtual_time
async def test_under_a_lasting_overload_each_record_that_is_sent_gets_its_response(options):
    """The oldest records go first, and all of them are about to expire: none goes too late for its response."""
    client = Client()
    client.latency = 0.05
    producer = Producer(client, delivery_timeout=2.0, **options)
    await producer.open()
    deliveries = []
    for _ in range(100):
        deliveries += [producer.try_put(b"x", f"TRUCK_{number}") for number in range(150)]
        await asyncio.sleep(0.1)
    acked = sum(delivery.response is not None for delivery in deliveries)
    failed = [delivery.error for delivery in deliveries if delivery.error]
    assert acked >= 9_500
    assert failed
    assert not any(error.may_be_stored for error in failed)
    await producer.close(timeout=0)

"""The producer's shell on virtual time, over a client of plain Python."""

import asyncio
import contextlib
import gc
import logging

import pytest

from tests import virtual_time
from tests.producer.shell import KEY, Client, on_virtual_time, request_error
from tests.producer.support import even_shards, throttled
from truckstream.errors import (
    BufferFullError,
    DeliveryErrorGroup,
    DeliveryTimeoutError,
    DeliveryUnknownError,
    InvalidArgumentError,
    ProducerClosedError,
    ServiceError,
    StreamNotFoundError,
)
from truckstream.kinesis.failures import FailureKind
from truckstream.producer import Producer
from truckstream.producer.queueing.buffer_budget import cost_of


@on_virtual_time
async def test_a_delivery_returns_shard_sequence_number_and_attempts():
    async with Producer(Client()) as producer:
        delivery = await producer.put(b"data", KEY)
        assert not delivery.done()
        ack = await delivery
        assert (ack.shard_id, ack.sequence_number, ack.attempts, ack.maybe_duplicate) == (
            "shardId-000000000000",
            "1",
            1,
            False,
        )
        assert await delivery == ack == delivery.result()


@on_virtual_time
async def test_the_explicit_hash_key_may_be_the_third_argument():
    last = str(2**128 - 1)
    async with Producer(Client(shards=2)) as producer:
        deliveries = [await producer.put(b"x", KEY, "0"), producer.try_put(b"x", KEY, last)]
        acks = await asyncio.gather(*deliveries)
    assert [each.explicit_hash_key for each in deliveries] == ["0", last]
    assert [ack.shard_id for ack in acks] == ["shardId-000000000000", "shardId-000000000001"]


@on_virtual_time
async def test_leaving_the_context_delivers_everything_without_lingering():
    client = Client()
    async with Producer(client, linger=50.0) as producer:
        deliveries = await producer.put_many((b"%d" % index, KEY) for index in range(1_200))
    assert all(delivery.result() for delivery in deliveries)
    assert client.service.stored == [b"%d" % index for index in range(1_200)]
    assert client.closed
    assert asyncio.get_running_loop().time() < 1.5


@on_virtual_time
async def test_leaving_under_throttling_acknowledges_every_record():
    client = Client()
    client.script = [lambda records: [throttled() for _ in records]] * 20
    async with Producer(client) as producer:
        deliveries = await producer.put_many([(b"x", KEY)] * 10)
    assert [delivery.result().maybe_duplicate for delivery in deliveries] == [False] * 10


@on_virtual_time
async def test_put_waits_for_room_first_come_first_served():
    cost = cost_of(1 + len(KEY))
    client = Client()
    async with Producer(client, buffer_bytes=2 * cost, linger=0.0) as producer:
        finished = []

        async def put(name):
            await producer.put(name, KEY)
            finished.append(name)

        async with asyncio.TaskGroup() as group:
            for name in (b"a", b"b", b"c", b"d", b"e"):
                group.create_task(put(name))
        assert finished == [b"a", b"b", b"c", b"d", b"e"]
        await producer.flush()
        assert producer.stats.buffered_bytes == 0
    assert client.service.stored == [b"a", b"b", b"c", b"d", b"e"]


@on_virtual_time
async def test_a_cancelled_put_was_not_accepted_and_gives_its_place_to_the_next():
    cost = cost_of(1 + len(KEY))
    client = Client()
    async with Producer(client, buffer_bytes=cost) as producer:
        await producer.put(b"a", KEY)
        cancelled = asyncio.create_task(producer.put(b"b", KEY))
        waiting = asyncio.create_task(producer.put(b"c", KEY))
        await asyncio.sleep(0)
        cancelled.cancel()
        await (await waiting)
        assert cancelled.cancelled()
        assert producer.stats.buffered_bytes == 0
    assert client.service.stored == [b"a", b"c"]


@on_virtual_time
async def test_a_put_cancelled_in_the_turn_that_grants_it_room_gives_the_room_back():
    cost = cost_of(1 + len(KEY))
    async with Producer(Client(), buffer_bytes=cost) as producer:
        first = await producer.put(b"a", KEY)
        waiting = asyncio.create_task(producer.put(b"b", KEY))
        await first  # its outcome granted the room in this same turn
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert producer.stats.buffered_bytes == 0
        assert producer.try_put(b"c", KEY)


@on_virtual_time
async def test_try_put_raises_when_full_and_does_not_overtake():
    cost = cost_of(1 + len(KEY))
    async with Producer(Client(), buffer_bytes=2 * cost) as producer:
        producer.try_put(b"a", KEY)
        large = asyncio.create_task(producer.put(b"b" * 300, KEY))
        await asyncio.sleep(0)
        with pytest.raises(BufferFullError) as caught:
            producer.try_put(b"c", KEY)
        assert caught.value.retryable
        await large


@on_virtual_time
async def test_try_put_never_reports_negative_room():
    """With an order to keep, two keys may take more than was left for the second one's record."""
    async with Producer(Client(), ordered=True, buffer_bytes=2_100) as producer:
        producer.try_put(b"", "a")
        producer.try_put(b"", "b")
        with pytest.raises(BufferFullError, match="and 0 are free"):
            producer.try_put(b"", "c")


@on_virtual_time
async def test_put_lets_the_loop_run_now_and_then():
    """A loop of puts with room for all of them must not keep the sender from sending."""
    client = Client()
    async with Producer(client, linger=0.0) as producer:
        for _ in range(2_000):
            await producer.put(b"x", KEY)
        assert client.requests


@on_virtual_time
async def test_failures_that_nobody_awaited_are_raised_by_flush():
    client = Client()
    client.script = [request_error("AccessDeniedException")]
    async with Producer(client) as producer:
        awaited = await producer.put(b"a", KEY)
        ignored = await producer.put(b"b", KEY)
        with pytest.raises(ServiceError, match="AccessDeniedException: the service's message"):
            await awaited
        with pytest.raises(DeliveryErrorGroup) as caught:
            await producer.flush()
        assert (caught.value.total, caught.value.exceptions) == (1, (ignored.error,))
        await producer.flush()


@on_virtual_time
async def test_failures_that_nobody_awaited_are_raised_on_leaving_and_counted():
    client = Client()
    client.script = [request_error("AccessDeniedException")]
    with pytest.raises(DeliveryErrorGroup, match="250 records were not delivered") as caught:
        async with Producer(client) as producer:
            await producer.put_many([(b"x", KEY)] * 250)
    assert (caught.value.total, len(caught.value.exceptions)) == (250, 100)


@on_virtual_time
async def test_failures_that_were_awaited_make_room_for_others():
    """A program that awaits each record gets no error at the end, however many failed."""
    client = Client()
    client.script = [request_error("AccessDeniedException")] * 300
    async with Producer(client, linger=0.0) as producer:
        for _ in range(299):
            delivery = await producer.put(b"x", KEY)
            with pytest.raises(ServiceError):
                await delivery
        await producer.put(b"x", KEY)
        with pytest.raises(DeliveryErrorGroup) as caught:
            await producer.flush()
        assert caught.value.total == 1


@on_virtual_time
@pytest.mark.parametrize("awaited", [slice(0, 100), slice(100, 250), slice(0, 249), slice(0, 250)])
async def test_failures_that_are_awaited_after_all_are_not_raised_again(awaited):
    """Whether their deliveries are kept or only counted."""
    client = Client()
    client.script = [request_error("AccessDeniedException")]
    async with Producer(client, linger=0.0) as producer:
        deliveries = await producer.put_many([(b"x", KEY)] * 250)
        await asyncio.sleep(1.0)
        noticed = await asyncio.gather(*deliveries[awaited], return_exceptions=True)
        left = 250 - len(noticed)
        with pytest.raises(DeliveryErrorGroup) if left else contextlib.nullcontext() as caught:
            await producer.flush()
        assert not left or caught.value.total == left
        await asyncio.gather(*deliveries, return_exceptions=True)
        await producer.flush()


@on_virtual_time
async def test_an_error_in_the_body_is_not_hidden_by_failed_records():
    client = Client()
    client.script = [request_error("AccessDeniedException")]

    async def body():
        async with Producer(client) as producer:
            await producer.put(b"x", KEY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        await body()
    assert "1 records were not delivered" in caught.value.__notes__[0]


@on_virtual_time
async def test_close_with_a_timeout_resolves_every_delivery():
    client = Client()
    client.latency = 1_000.0
    producer = Producer(client, max_in_flight=1)
    await producer.open()
    in_flight = await producer.put(b"a", KEY)
    await asyncio.sleep(0.2)
    queued = await producer.put(b"b", KEY)
    stats = await producer.close(timeout=1.0)
    with pytest.raises(DeliveryUnknownError) as caught:
        await in_flight
    assert caught.value.may_be_stored
    with pytest.raises(ProducerClosedError):
        await queued
    assert (stats.failed, stats.buffered, stats.in_flight) == (2, 0, 0)
    assert client.closed
    assert asyncio.get_running_loop().time() == pytest.approx(1.2)


@on_virtual_time
async def test_a_second_close_waits_for_the_first():
    client = Client()
    client.latency = 5.0
    producer = Producer(client)
    await producer.open()
    delivery = await producer.put(b"a", KEY)
    closing = asyncio.create_task(producer.close())
    await asyncio.sleep(1.0)
    await producer.close()
    assert delivery.result()
    assert client.closed
    assert (await closing).acked == 1
    await producer.close()


@on_virtual_time
async def test_cancelling_close_gives_up_the_rest_at_once():
    client = Client()
    client.latency = 1_000.0
    producer = Producer(client)
    await producer.open()
    delivery = await producer.put(b"a", KEY)
    closing = asyncio.create_task(producer.close())
    await asyncio.sleep(1.0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert delivery.done()
    assert client.closed


@on_virtual_time
async def test_cancelling_the_body_drains_before_it_leaves():
    client = Client()

    async def body():
        async with Producer(client, linger=10.0) as producer:
            await producer.put(b"a", KEY)
            await asyncio.sleep(1_000)

    task = asyncio.create_task(body())
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert client.service.stored == [b"a"]


@on_virtual_time
async def test_a_put_that_waits_for_room_raises_when_the_producer_closes():
    cost = cost_of(1 + len(KEY))
    producer = Producer(Client(), buffer_bytes=cost)
    await producer.open()
    await producer.put(b"a", KEY)
    waiting = asyncio.create_task(producer.put(b"b", KEY))
    await asyncio.sleep(0)
    await producer.close()
    with pytest.raises(ProducerClosedError):
        await waiting


@on_virtual_time
async def test_cancelling_the_wait_for_a_delivery_leaves_the_record_alone():
    async with Producer(Client()) as producer:
        delivery = await producer.put(b"a", KEY)
        waiting = asyncio.ensure_future(delivery)
        await asyncio.sleep(0)
        waiting.cancel()
        assert await delivery
        assert waiting.cancelled()


@on_virtual_time
async def test_a_failure_is_raised_by_flush_if_its_callers_stopped_waiting():
    client = Client()
    client.latency = 5.0
    client.script = [request_error("AccessDeniedException")]
    async with Producer(client, linger=0.0) as producer:
        given_up, awaited = await producer.put_many([(b"a", KEY), (b"b", KEY)])
        waiting = asyncio.gather(awaited, return_exceptions=True)
        for delivery in (given_up, awaited):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(delivery, 1.0)
        assert given_up.waiters == []
        with pytest.raises(DeliveryErrorGroup) as caught:
            await producer.flush()
        assert caught.value.exceptions == (given_up.error,)
        assert await waiting == [awaited.error]


@on_virtual_time
async def test_an_outage_of_a_minute_loses_nothing_within_the_budget():
    client = Client()
    budget = 100 * 1024

    async def outage():
        client.put_records, working = _unreachable, client.put_records
        await asyncio.sleep(60)
        client.put_records = working

    async with Producer(client, buffer_bytes=budget) as producer:
        failing = asyncio.create_task(outage())
        await asyncio.sleep(0)
        deliveries = []
        for index in range(1_000):
            deliveries.append(await producer.put(b"%d" % index, KEY))
            assert producer.stats.buffered_bytes <= budget
        await failing
    assert sorted(client.service.stored, key=int) == [b"%d" % index for index in range(1_000)]
    assert not any(delivery.result().maybe_duplicate for delivery in deliveries)


async def _unreachable(_records):
    await asyncio.sleep(0.01)
    raise request_error("EndpointConnectionError", FailureKind.NOT_SENT)


@on_virtual_time
async def test_an_outage_longer_than_the_delivery_timeout_fails_the_records():
    client = Client()
    client.put_records = _unreachable
    async with Producer(client, delivery_timeout=30.0) as producer:
        delivery = await producer.put(b"a", KEY)
        with pytest.raises(DeliveryTimeoutError, match="within 30 s"):
            await delivery
    assert asyncio.get_running_loop().time() == pytest.approx(30.0, abs=1.0)


@on_virtual_time
async def test_a_defect_in_the_client_is_logged_and_its_records_are_sent_again():
    client = Client()
    client.script = [TypeError("a defect")]
    logging.disable(logging.CRITICAL)
    try:
        async with Producer(client) as producer:
            delivery = await producer.put(b"a", KEY)
            assert (await delivery).maybe_duplicate
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("result", [None, 5, [None], ["stored"], [{}]])
@on_virtual_time
async def test_a_client_that_returns_nonsense_is_logged_and_the_records_go_again(result, caplog):
    client = Client()
    working = client.put_records

    async def put_records(_records):
        client.put_records = working
        return result

    client.put_records = put_records
    async with Producer(client, linger=0.0) as producer:
        ack = await asyncio.wait_for(await producer.put(b"a", KEY), 100.0)
    assert (ack.attempts, ack.maybe_duplicate) == (2, True)
    assert "failed unexpectedly" in caplog.text


@on_virtual_time
async def test_a_reshard_is_noticed_and_its_shards_are_used():
    client = Client()
    async with Producer(client) as producer:
        client.service.shards.__init__(even_shards(2, first=1))
        client.listed = even_shards(2, first=1)
        await (await producer.put(b"a", KEY))
        await asyncio.sleep(1.0)
        assert set(producer.stats.shards) == {"shardId-000000000001", "shardId-000000000002"}
        assert producer.shard_of(KEY) == "shardId-000000000002"


@on_virtual_time
async def test_a_stream_that_does_not_exist_raises_at_once():
    client = Client()
    client.listed = client.limit = request_error("ResourceNotFoundException")
    with pytest.raises(StreamNotFoundError):
        await Producer(client).open()
    assert client.closed


@on_virtual_time
async def test_without_permission_to_list_shards_records_go_unpaced():
    client = Client()
    client.listed = client.limit = request_error("AccessDeniedException")
    logging.disable(logging.WARNING)
    try:
        async with Producer(client) as producer:
            await producer.put_many([(b"x", KEY)] * 1_500)
            assert producer.shard_of(KEY) is None
        assert sum(len(request) for request in client.requests) == 1_500
    finally:
        logging.disable(logging.NOTSET)


@on_virtual_time
async def test_the_streams_own_record_limit_is_kept():
    client = Client()
    client.limit = 2 << 20
    async with Producer(client) as producer:
        await producer.put(bytes(2**20 + 1), KEY)
        with pytest.raises(InvalidArgumentError, match="data is 7: must be bytes"):
            await producer.put(7, KEY)


@on_virtual_time
async def test_bytearrays_and_memoryviews_are_copied():
    client = Client()
    async with Producer(client) as producer:
        data = bytearray(b"before")
        await producer.put(data, KEY)
        data[:] = b"after!"
        await producer.put(memoryview(b"view"), KEY)
    assert client.service.stored == [b"before", b"view"]


@on_virtual_time
async def test_a_producer_is_used_between_open_and_close():
    producer = Producer(Client())
    with pytest.raises(ProducerClosedError, match="not open"):
        await producer.put(b"a", KEY)
    async with producer:
        pass
    for call in (producer.put(b"a", KEY), producer.flush(), producer.open()):
        with pytest.raises(ProducerClosedError):
            await call
    await producer.close()


def test_an_unclosed_producer_warns():
    async def forget():
        await Producer(Client()).open()

    def forget_and_collect():
        virtual_time.run(forget())
        gc.collect()

    with pytest.warns(ResourceWarning, match="never closed"):
        forget_and_collect()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("buffer_bytes", 0),
        ("linger", -1),
        ("delivery_timeout", 0),
        ("max_in_flight", 0),
        ("max_batch_records", 501),
        ("max_batch_bytes", 11 << 20),
    ],
)
def test_options_out_of_range_are_rejected(option, value):
    with pytest.raises(InvalidArgumentError, match=f"{option} is {value}"):
        Producer(Client(), **{option: value})


@on_virtual_time
async def test_repr_has_state_and_counts():
    async with Producer(Client()) as producer:
        await producer.put(b"a", KEY)
        assert repr(producer) == "<Producer open: 1 shards, 1 buffered, 0 in flight, 0 acked, 0 throttled, 0 failed>"


@on_virtual_time
async def test_the_garbage_collector_need_not_look_at_records():
    async with Producer(Client()) as producer:
        deliveries = [await producer.put(b"data", KEY) for _ in range(3)]
        await producer.flush()
        assert not any(map(gc.is_tracked, deliveries))

"""A `Delivery` is used as asyncio's own futures are."""

import asyncio
import contextvars
from contextlib import suppress

import pytest

from truckstream.errors import DeliveryTimeoutError
from truckstream.local import Fault, LocalKinesis
from truckstream.producer import Ack, Delivery, Producer

pytestmark = pytest.mark.usefixtures("fake_credentials")


@pytest.fixture
async def kinesis():
    async with LocalKinesis() as kinesis:
        yield kinesis


@pytest.fixture
async def producer(kinesis):
    network = {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}
    async with Producer(
        kinesis.stream_name, linger=0.02, delivery_timeout=1.0, open_timeout=30.0, **network
    ) as producer:
        yield producer


async def put(producer, count=1):
    return [await producer.put(b"%d" % number, "TRUCK_001") for number in range(count)]


@pytest.fixture
async def failing(kinesis, producer):
    """A delivery that fails at its deadline."""
    await kinesis.inject(Fault("error-before", operations=["PutRecords"]))
    [delivery] = await put(producer)
    yield delivery
    with suppress(DeliveryTimeoutError):
        await delivery


async def test_wait_takes_deliveries(producer):
    deliveries = await put(producer, 3)
    done, pending = await asyncio.wait(deliveries, timeout=30)
    assert (done, pending) == (set(deliveries), set())
    assert all(isinstance(delivery.result(), Ack) for delivery in done)


async def test_wait_returns_pending_deliveries_after_its_timeout_and_leaves_nothing_behind(failing):
    done, pending = await asyncio.wait([failing], timeout=0)
    assert (done, pending, failing.waiters) == (set(), {failing}, [])


async def test_wait_ends_at_the_first_exception(failing):
    done, _ = await asyncio.wait([failing], return_when=asyncio.FIRST_EXCEPTION)
    assert done == {failing}
    assert isinstance(failing.exception(), DeliveryTimeoutError)


async def test_as_completed_gather_shield_and_wait_for_take_deliveries(producer):
    first, second = await put(producer, 2)
    assert isinstance(await asyncio.shield(first), Ack)
    assert await asyncio.wait_for(first, 30) == await first
    assert await asyncio.gather(first, second) == [await first, await second]
    acks = [await each for each in asyncio.as_completed([first, second])]
    assert {ack.sequence_number for ack in acks} == {first.result().sequence_number, second.result().sequence_number}


async def test_a_wait_that_ends_too_early_does_not_end_the_delivery(producer):
    [delivery] = await put(producer)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(delivery, 0)
    assert isinstance(await delivery, Ack)


async def test_a_callback_is_called_once_in_its_context(producer):
    name, calls = contextvars.ContextVar("name"), []
    [delivery] = await put(producer)
    name.set("at the call")
    delivery.add_done_callback(lambda done: calls.append((done, done.done(), name.get())))
    name.set("later")
    await delivery
    delivery.add_done_callback(lambda done: calls.append((done, name.get())))  # it is done already
    assert len(calls) <= 1  # it never runs within the call
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert calls == [(delivery, True, "at the call"), (delivery, "later")]


async def test_a_removed_callback_is_not_called(producer):
    calls = []
    [delivery] = await put(producer)
    for _ in range(2):
        delivery.add_done_callback(calls.append)
    assert (delivery.remove_done_callback(calls.append), delivery.remove_done_callback(print)) == (2, 0)
    await delivery
    await asyncio.sleep(0)
    assert calls == []


async def test_a_failure_that_a_callback_looks_at_is_not_reported_again(producer, failing):
    errors = []
    failing.add_done_callback(lambda delivery: errors.append(delivery.exception()))
    await producer.flush()  # which would raise it
    assert [type(error).__name__ for error in errors] == ["DeliveryTimeoutError"]


async def test_exception_is_that_which_awaiting_raises(failing):
    with pytest.raises(asyncio.InvalidStateError):
        failing.exception()
    with pytest.raises(DeliveryTimeoutError) as raised:
        await failing
    assert failing.exception() is raised.value


async def test_an_accepted_record_cannot_be_cancelled(producer):
    [delivery] = await put(producer)
    assert (delivery.cancel(), delivery.cancelled()) == (False, False)
    assert isinstance(await delivery, Ack)
    assert delivery.exception() is None


async def test_dir_shows_the_public_attributes_only(producer):
    [delivery] = await put(producer)
    assert all(hasattr(delivery, name) for name in dir(delivery))
    assert {"data", "done", "partition_key", "result"} <= set(dir(delivery))
    assert not [name for name in dir(delivery) if name.startswith("_")]
    assert "outbox" not in dir(delivery)
    assert isinstance(delivery, Delivery)

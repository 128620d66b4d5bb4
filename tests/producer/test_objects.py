"""A producer of objects: with a serializer and a key, and by `put_many` from every kind of source."""

import asyncio
import inspect

import pytest

from tests.producer.shell import KEY, Client, on_virtual_time
from truckstream.errors import InvalidArgumentError
from truckstream.producer import Producer
from truckstream.producer.arguments.keywords import ProducerKeywords
from truckstream.producer.queueing.buffer_budget import cost_of

REPORTS = [{"truck_id": f"TRUCK_{number}", "n": number} for number in range(3)]
LINES = [b'{"truck_id":"TRUCK_%d","n":%d}' % (number, number) for number in range(3)]


@on_virtual_time
async def test_an_object_is_put_by_itself():
    client = Client()
    async with Producer(client, serializer="json", key="truck_id") as producer:
        deliveries = [await producer.put(REPORTS[0]), producer.try_put(REPORTS[1]), await producer.put(REPORTS[2], KEY)]
    assert client.service.stored == LINES
    assert [each.partition_key for each in deliveries] == ["TRUCK_0", "TRUCK_1", KEY]
    assert [each.data for each in deliveries] == LINES


@on_virtual_time
async def test_text_is_stored_as_utf8():
    client = Client()
    async with Producer(client) as producer:
        await producer.put("café", KEY)
        await producer.put_many([("tea", KEY)])
    assert client.service.stored == [b"caf\xc3\xa9", b"tea"]


@on_virtual_time
async def test_an_object_that_is_rejected_leaves_the_others_alone():
    client = Client()
    async with Producer(client, serializer="json", key="truck_id") as producer:
        with pytest.raises(InvalidArgumentError, match=r"data is .*: the serializer raised TypeError"):
            await producer.put_many([REPORTS[0], {"truck_id": KEY, "n": object()}, REPORTS[2]])
        for bad, match in (({}, "must have the field"), ({"truck_id": ""}, "partition_key is ''")):
            with pytest.raises(InvalidArgumentError, match=match):
                producer.try_put(bad)
        await producer.put(REPORTS[1])
        assert (producer.stats.put, producer.stats.buffered) == (2, 2)
    assert client.service.stored == LINES[:2]


async def slowly(records):
    for each in records:
        await asyncio.sleep(1)
        yield each


@pytest.mark.parametrize("source", [iter, slowly])
@on_virtual_time
async def test_put_many_takes_objects_from_every_source(source):
    client = Client()
    async with Producer(client, serializer="json", key="truck_id") as producer:
        deliveries = await producer.put_many(source(REPORTS))
    assert client.service.stored == LINES
    assert [each.partition_key for each in deliveries] == ["TRUCK_0", "TRUCK_1", "TRUCK_2"]


@on_virtual_time
async def test_put_many_takes_pairs_from_an_asynchronous_source():
    client = Client()
    async with Producer(client, serializer="json") as producer:
        await producer.put_many(slowly((report, KEY) for report in REPORTS))
        with pytest.raises(InvalidArgumentError, match=r"records\[1\] is no pair"):
            await producer.put_many(slowly([(REPORTS[0], KEY), 5]))
    assert client.service.stored == [*LINES, LINES[0]]


@pytest.mark.parametrize("is_async", [False, True])
@on_virtual_time
async def test_put_many_reads_its_source_no_faster_than_there_is_room(is_async):
    """An endless source would otherwise fill the memory."""
    read = []

    def endless():
        while True:
            read.append(b"x")
            yield b"x", KEY

    client = Client()
    client.latency = 1.0
    room = 10 * cost_of(len(b"x" + KEY.encode()))
    async with Producer(client, linger=0, buffer_bytes=room, max_in_flight=1) as producer:
        source = at_once(endless()) if is_async else endless()
        task = asyncio.create_task(producer.put_many(source))
        await asyncio.sleep(0.5)
        assert len(read) == 11  # ten fill the buffer, and one waits for room
        await asyncio.sleep(1)
        assert 11 < len(read) <= 21
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        put = producer.stats.put
    assert len(read) - 1 == put == len(client.service.stored)


async def at_once(records):
    for each in records:
        yield each


@on_virtual_time
async def test_an_error_of_the_source_leaves_the_records_before_it():
    async def failing():
        yield b"x", KEY
        raise ZeroDivisionError

    client = Client()
    async with Producer(client) as producer:
        with pytest.raises(ZeroDivisionError):
            await producer.put_many(failing())
    assert client.service.stored == [b"x"]


def test_the_keywords_of_type_checkers_are_those_of_the_producer():
    signature = inspect.signature(Producer.__init__).parameters.values()
    keywords = {each.name: each.annotation for each in signature if each.kind is each.KEYWORD_ONLY}
    del keywords["serializer"], keywords["key"]
    hints = {name: hint.__forward_arg__ for name, hint in ProducerKeywords.__annotations__.items()}
    assert hints == keywords

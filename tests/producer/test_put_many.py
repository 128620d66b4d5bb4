"""`put_many` takes the plain records of a list or tuple in bulk, and must treat each as `put` does."""

import asyncio
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from tests import virtual_time
from tests.producer.shell import KEY, Client, on_virtual_time
from truckstream.errors import InvalidArgumentError, RecordTooLargeError
from truckstream.producer import Producer
from truckstream.producer.queueing.buffer_budget import cost_of

#: The stream's limit on a record, and a buffer that holds a dozen small records.
LIMIT = 1_000
BUFFER_BYTES = 7_000


class Pair(NamedTuple):
    """A pair that is no plain tuple."""

    data: bytes
    partition_key: str


class Text(str):
    """A text that is no plain str."""

    __slots__ = ()


keys = st.sampled_from([KEY, "TRUCK_002", "ü" * 200, Text("TRUCK_003")])
plain = st.tuples(st.sampled_from([b"a", b"bc", b"d" * 400, "text"]), keys)
others = st.one_of(
    st.builds(Pair, st.just(b"e"), keys),
    st.tuples(st.sampled_from([Text("text"), bytearray(b"array"), memoryview(b"view")]), keys),
    plain.map(list),
)
bad = st.sampled_from(
    [
        None,
        5,
        b"no pair",
        "ab",
        (b"f", KEY, "more"),
        (b"f", ""),
        (b"f", 7),
        ("\ud800", KEY),
        ({}, KEY),
        (b"f" * LIMIT, KEY),
    ]
)
lists_of_records = st.builds(
    lambda parts, end: [*(record for part in parts for record in part), *end],
    st.lists(st.one_of(st.lists(plain, max_size=30), st.lists(others, max_size=2)), max_size=6),
    st.lists(bad, max_size=1),
)


async def put_all(records, options):
    """Return what callers and the service see of a `put_many`."""
    client = Client(shards=4)
    client.limit = LIMIT
    async with Producer(client, buffer_bytes=BUFFER_BYTES, **options) as producer:
        await producer.put(b"first", KEY)
        try:
            deliveries = await producer.put_many(records)
        except (InvalidArgumentError, RecordTooLargeError) as error:
            deliveries, error_text = [], str(error)
        else:
            error_text = ""
        accepted = producer.stats.put
        await producer.flush()
        assert producer.stats.buffered == 0
        assert producer._core.budget.used_bytes == 0
    made = [(each.data, each.partition_key, each.size, each.attempts) for each in deliveries]
    return made, error_text, accepted, client.service.stored, asyncio.get_running_loop().time()


@given(
    records=lists_of_records,
    as_tuple=st.booleans(),
    options=st.sampled_from([{}, {"pacing": False}, {"aggregate": True}, {"ordered": True}]),
)
@example(records=[(b"x", KEY)] * 1_200, as_tuple=False, options={})
@example(records=[(b"x" * 900, KEY)] * 20, as_tuple=True, options={"aggregate": True})
def test_a_list_gives_the_same_as_an_iterator(records, as_tuple, options):
    in_bulk = virtual_time.run(put_all(tuple(records) if as_tuple else records, options))
    assert in_bulk == virtual_time.run(put_all(iter(records), options))


@on_virtual_time
async def test_a_list_waits_for_room_and_for_its_turn():
    """Others that wait for room come first, and no record of the list overtakes them."""
    client = Client()
    room = cost_of(1 + len(KEY))
    async with Producer(client, buffer_bytes=10 * room, linger=0) as producer:
        first = await producer.put_many([(b"%d" % number, KEY) for number in range(10)])
        waiting = asyncio.create_task(producer.put(b"w", KEY))
        await asyncio.sleep(0)
        last = await producer.put_many([(b"x", KEY), (b"y", KEY)])
        await asyncio.gather(*first, *last, await waiting)
    assert client.service.stored == [b"%d" % number for number in range(10)] + [b"w", b"x", b"y"]


@on_virtual_time
async def test_a_long_list_lets_the_loop_run():
    """Requests are sent while it is put, 500 records in each turn."""
    client = Client()
    async with Producer(client, pacing=False) as producer:
        await producer.put_many([(b"x", KEY)] * 3_000)
        assert len(client.requests) >= 4


@on_virtual_time
async def test_a_list_goes_on_beside_many_other_puts():
    """Each turn already has more records than one may put."""
    client = Client()
    async with Producer(client, pacing=False) as producer:

        async def put_others():
            for _ in range(10):
                for _ in range(700):
                    producer.try_put(b"o", KEY)
                await asyncio.sleep(0)

        others = asyncio.create_task(put_others())
        await producer.put_many([(b"x", KEY)] * 3_000)
        await others
        assert producer.stats.put == 10_000


@on_virtual_time
async def test_a_list_goes_on_behind_more_puts_than_a_turn_has():
    """Each put looks at the turn once, so many tasks pass its end together."""
    client = Client()
    async with Producer(client, pacing=False) as producer:
        puts = [producer.put(b"o", KEY) for _ in range(1_200)]
        await asyncio.gather(*puts, producer.put_many([(b"x", KEY)] * 5))
        assert producer.stats.put == 1_205


@on_virtual_time
async def test_a_list_may_change_while_it_is_put():
    """Records that are appended meanwhile are put, too, as with an iterator."""
    client = Client()
    records = [(b"x", KEY)] * 1_000
    async with Producer(client) as producer:
        putting = asyncio.create_task(producer.put_many(records))
        await asyncio.sleep(0)
        records.append((b"last", KEY))
        assert len(await putting) == 1_001
    assert client.service.stored[-1] == b"last"

"""Invalid input raises at once, names field, value and rule, and leaves the producer unchanged."""

import asyncio
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests import virtual_time
from tests.producer.shell import KEY, Client, on_virtual_time
from tests.producer.support import even_shards
from truckstream.envelope.wire_format import MAGIC as ENVELOPE_MAGIC
from truckstream.errors import ConfigurationError, InvalidArgumentError, RecordTooLargeError, UsageError
from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.limits import MAX_BYTES_PER_REQUEST
from truckstream.kpl import MAGIC as AGGREGATE_MAGIC
from truckstream.producer import Producer
from truckstream.producer.producer import PUTS_PER_TURN
from truckstream.producer.queueing.buffer_budget import cost_of, largest_size

MIB = 1 << 20
NO_BYTES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.lists(st.integers(0, 255)), st.just(object())
)
NO_TEXT = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.lists(st.text()), st.sets(st.integers())
)
SURROGATES = st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3)
LONG = st.integers(257, 1_000).map(lambda length: "é" * length)
#: Strings that spell no number of 128 bits as the service wants it.
NO_HASH_KEY = st.one_of(
    NO_TEXT.filter(lambda value: value is not None),
    st.sampled_from(
        ["", "-1", "+1", " 1", "1 ", "01", "00", "0x10", "1e3", "1.0", "1_000", "²", "\u0661", "x", "None"]
    ),
    st.integers(2**128).map(str),
    st.integers(max_value=-1).map(str),
)


class Fixture:
    """A producer that is open for one example, and must be as new after it."""

    def __init__(self, **options):
        self.client = Client()
        self.options = options

    def rejects(self, error, match, data=b"x", key=KEY, hash_key=None):
        async def main():
            async with Producer(self.client, **self.options) as producer:
                for use in (producer.put, producer.try_put):
                    with pytest.raises(error, match=match) as caught:
                        await use(data, key, explicit_hash_key=hash_key)
                assert isinstance(caught.value, ValueError)
                assert not caught.value.retryable
                assert (producer.stats.put, producer.stats.buffered_bytes) == (0, 0)
                assert await (await producer.put(b"good", KEY))
            return caught.value

        raised = virtual_time.run(main())
        assert self.client.service.stored == [b"good"]
        return raised


@given(NO_BYTES)
def test_data_that_is_not_bytes_is_rejected(data):
    raised = Fixture().rejects(InvalidArgumentError, "data is .*must be bytes", data=data)
    assert raised.argument == "data"
    assert raised.value is data


@given(NO_TEXT)
def test_a_partition_key_that_is_not_text_is_rejected(key):
    raised = Fixture().rejects(InvalidArgumentError, "partition_key is .*must be a str", key=key)
    assert raised.argument == "partition_key"


@given(st.one_of(st.just(""), LONG))
def test_a_partition_key_without_or_with_too_many_characters_is_rejected(key):
    raised = Fixture().rejects(InvalidArgumentError, f"1 to 256 characters, and has {len(key)}", key=key)
    assert (raised.argument, raised.value) == ("partition_key", key)


@given(SURROGATES)
def test_a_partition_key_that_utf8_cannot_hold_is_rejected(key):
    Fixture().rejects(InvalidArgumentError, "must be text that UTF-8 can encode", key=key)


@given(NO_HASH_KEY)
def test_an_explicit_hash_key_that_is_not_a_number_of_128_bits_is_rejected(hash_key):
    raised = Fixture().rejects(InvalidArgumentError, "explicit_hash_key is .*must be the decimal", hash_key=hash_key)
    assert raised.argument == "explicit_hash_key"


@pytest.mark.parametrize("aggregate", [False, True])
@pytest.mark.parametrize(
    ("options", "limit", "whose"),
    [
        ({}, MIB, "the stream's limit"),
        ({"max_batch_bytes": 5_000}, 5_000, "the limit of a request"),
        ({"buffer_bytes": 10_000}, largest_size(10_000), "the buffer's room"),
    ],
)
def test_a_record_that_can_never_be_sent_is_rejected_with_its_size_and_the_limit(aggregate, options, limit, whose):
    fixture = Fixture(aggregate=aggregate, **options)
    raised = fixture.rejects(RecordTooLargeError, whose, data=bytes(limit - len(KEY) + 1))
    assert (raised.size, raised.limit) == (limit + 1, limit)


@pytest.mark.parametrize("aggregate", [False, True])
@pytest.mark.parametrize(
    ("options", "limit"),
    [({}, MIB), ({"max_batch_bytes": 5_000}, 5_000), ({"buffer_bytes": 10_000}, largest_size(10_000))],
)
@on_virtual_time
async def test_the_largest_record_is_sent(aggregate, options, limit):
    client = Client()
    data = bytes(limit - len(KEY))
    async with Producer(client, aggregate=aggregate, **options) as producer:
        assert await (await producer.put(data, KEY))
    assert client.service.stored == [data]


@given(st.integers(401, 100 * MIB))
def test_the_largest_record_for_a_room_fits_and_the_next_does_not(room):
    largest = largest_size(room)
    assert cost_of(largest) <= room or largest == 0
    assert cost_of(largest + 1) > room


@given(
    data=st.one_of(st.binary(max_size=300), st.binary(max_size=30).map(bytearray), st.binary().map(memoryview)),
    key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256),
    hash_key=st.none() | st.integers(0, 2**128 - 1).map(str),
    aggregate=st.booleans(),
)
@example(data=ENVELOPE_MAGIC, key="0", hash_key=None, aggregate=False)
@example(data=AGGREGATE_MAGIC, key="0", hash_key=None, aggregate=False)
def test_whatever_keeps_the_rules_arrives_as_it_was(data, key, hash_key, aggregate):
    async def main():
        async with Producer(client, aggregate=aggregate) as producer:
            deliveries = [await producer.put(data, key, explicit_hash_key=hash_key) for _ in range(3)]
            assert {delivery.partition_key for delivery in deliveries} == {key}

    client = Client(shards=3)
    virtual_time.run(main())
    assert client.service.stored == [bytes(data)] * 3
    for shard, at, records in client.service.log:
        assert {record[0] for record in records} == {key}
        assert shard.starting_hash_key <= at <= shard.ending_hash_key


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (None, "records is None: must be an iterable"),
        (5, "records is 5: must be an iterable"),
        ([b"data"], "must be pairs of data and partition key, or the producer needs key=: records[0] is no pair"),
        ([(b"a", KEY), (b"b", KEY, "extra")], "records[1] is no pair"),
        ([(b"a", KEY), None], "records[1] is no pair"),
        ([(b"a", KEY), ({}, KEY)], "data is {}: must be bytes or text"),
        (["ab"], "records is 'ab': must be pairs"),
        ([(b"a", KEY), (b"b", "")], "partition_key is ''"),
    ],
)
@on_virtual_time
async def test_put_many_names_the_record_that_is_rejected_and_keeps_those_before_it(records, message):
    client = Client()
    async with Producer(client) as producer:
        with pytest.raises(InvalidArgumentError) as caught:
            await producer.put_many(records)
        assert message in str(caught.value)
    has_good_one = isinstance(records, list) and records[0] == (b"a", KEY)
    assert client.service.stored == [b"a"] * has_good_one


@on_virtual_time
async def test_an_exception_from_the_iterable_of_put_many_is_raised():
    def records():
        yield b"a", KEY
        raise LookupError("the caller's own")

    client = Client()
    async with Producer(client) as producer:
        with pytest.raises(LookupError, match="own"):
            await producer.put_many(records())
    assert client.service.stored == [b"a"]


NUMBERS = ("linger", "delivery_timeout", "request_timeout")
WHOLE = ("buffer_bytes", "max_in_flight", "max_batch_records", "max_batch_bytes", "aggregate_bytes")
FLAGS = ("pacing", "ordered", "aggregate")


@given(option=st.sampled_from(NUMBERS), value=st.sampled_from([-1, -0.1, float("nan"), "1", None, True, [1], 1j]))
def test_a_time_of_another_type_or_range_is_rejected(option, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{option} is .*must be a number, at least") as caught:
        Producer(Client(), **{option: value})
    assert caught.value.argument == option


@given(
    option=st.sampled_from(WHOLE),
    value=st.sampled_from([0, -1, 1.5, 100.0, float("inf"), float("nan"), "1", None, True, b"1"]),
)
def test_a_size_of_another_type_or_range_is_rejected(option, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{option} is .*must be a whole number"):
        Producer(Client(), **{option: value})


@pytest.mark.parametrize(("option", "limit"), [("max_batch_records", 500), ("max_batch_bytes", MAX_BYTES_PER_REQUEST)])
def test_a_request_over_the_services_limit_is_rejected(option, limit):
    Producer(Client(), **{option: limit})
    with pytest.raises(InvalidArgumentError, match=f"from 1 to {limit}"):
        Producer(Client(), **{option: limit + 1})


@pytest.mark.parametrize("linger", [10.0, 11, float("inf")])
def test_a_linger_that_no_record_survives_is_rejected(linger):
    Producer(Client(), linger=9.9, delivery_timeout=10.0)
    with pytest.raises(InvalidArgumentError, match=r"^linger is .*must be less than delivery_timeout \(10\)"):
        Producer(Client(), linger=linger, delivery_timeout=10.0)


@given(option=st.sampled_from(FLAGS), value=st.sampled_from([0, 1, "no", None, []]))
def test_a_flag_of_another_type_or_range_is_rejected(option, value):
    with pytest.raises(InvalidArgumentError, match=rf"^{option} is .*must be True or False"):
        Producer(Client(), **{option: value})


@given(st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.text())))
def test_a_stream_of_another_type_or_range_is_rejected(stream):
    with pytest.raises(InvalidArgumentError, match=r"stream is .*must be a stream's name or ARN"):
        Producer(stream)


@given(st.text(max_size=200).filter(lambda name: not set(name) <= set(string.ascii_letters + string.digits + "_.-")))
def test_a_malformed_name_is_rejected(stream):
    with pytest.raises(ConfigurationError, match="which is not a stream's name"):
        Producer(stream)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"region_name": 5}, "region_name is 5: must be a str"),
        ({"endpoint_url": b"http://x"}, "endpoint_url is b'http://x': must be a str"),
        ({"session": "default"}, "session is 'default': must be an aiobotocore session"),
    ],
)
def test_a_part_of_the_address_of_another_type_is_rejected(options, message):
    with pytest.raises(InvalidArgumentError) as caught:
        KinesisClient("trucks", **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoint_url": "localhost:4567"}, "Invalid endpoint: localhost:4567. Check"),
        ({"region_name": "no region!"}, "'no region!' doesn't match a supported format. Check"),
    ],
)
async def test_an_address_that_aiobotocore_rejects_raises_on_opening(fake_credentials, options, message):
    del fake_credentials
    producer = Producer("trucks", **{"region_name": "us-east-1"} | options)
    with pytest.raises(ConfigurationError) as caught:
        await producer.open()
    assert message in str(caught.value)


async def test_a_missing_profile_raises_on_opening(fake_credentials, monkeypatch):
    del fake_credentials
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(ConfigurationError, match=r"profile \(nobody\) could not be found"):
        await Producer("trucks", region_name="us-east-1").open()


@on_virtual_time
async def test_a_put_that_yields_to_a_close_is_rejected():
    """A loop of puts lets the event loop run now and then; the producer may be closed in that turn."""
    producer = Producer(Client())
    await producer.open()

    async def put_for_ever():
        while True:
            await producer.put(b"x", KEY)

    putting = asyncio.create_task(put_for_ever())
    await asyncio.sleep(0)
    await producer.close(timeout=0)
    with pytest.raises(UsageError, match="closed"):
        await putting
    assert producer.stats.put == producer.stats.failed == PUTS_PER_TURN
    assert producer.stats.buffered_bytes == 0


@on_virtual_time
async def test_keys_of_all_kinds_go_to_the_shard_of_the_map():
    client = Client(shards=8)
    async with Producer(client) as producer:
        for index in range(200):
            key = "".join(chr(1 + index * 7 + place) for place in range(1 + index % 5))
            assert (await (await producer.put(b"x", key))).shard_id == producer.shard_of(key)
    assert {shard.shard_id for shard in even_shards(8)} == {shard.shard_id for shard, _, _ in client.service.log}


class OddText(str):
    """A str whose methods an encoder or a dict must not call."""

    __slots__ = ()

    def encode(self, *_):
        return b"another key"

    def __len__(self):
        return 5

    def __hash__(self):
        return 1

    def __eq__(self, other):
        return True


@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"aggregate": True}, {"aggregate": True, "ordered": True}])
@on_virtual_time
async def test_a_key_of_a_subclass_of_str_is_its_text(options):
    client = Client(4)
    async with Producer(client, **options) as producer:
        for key in (OddText("TRUCK_001"), "TRUCK_001", OddText("TRUCK_002"), "TRUCK_002"):
            delivery = await producer.put(b"data", key)
            assert type(delivery.partition_key) is str
            assert (await delivery).shard_id == producer.shard_of(key) == producer.shard_of(str.__str__(key))
        assert (await producer.put(b"data", "TRUCK_001", explicit_hash_key=OddText("0"))).explicit_hash_key == "0"
    assert producer.stats.acked == 5

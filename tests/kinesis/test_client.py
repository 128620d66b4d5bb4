"""The client against moto, an independent implementation of the service; names of streams."""

import asyncio

import pytest
from aiobotocore.session import get_session

from tests.kinesis.support import Record
from truckstream.errors import ConfigurationError
from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.failures import FailureKind, RequestFailedError
from truckstream.producer import Producer

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"


pytestmark = pytest.mark.usefixtures("fake_credentials")


@pytest.fixture
async def stream(moto_url):
    """A stream of three shards on moto, as (name, endpoint)."""
    async with get_session().create_client("kinesis", region_name="us-east-1", endpoint_url=moto_url) as client:
        await client.create_stream(StreamName="trucks", ShardCount=3)
        yield "trucks", moto_url
        await client.delete_stream(StreamName="trucks")


async def test_records_are_put_and_their_shards_returned(stream):
    client = KinesisClient(stream[0], region_name="us-east-1", endpoint_url=stream[1])
    await client.open()
    shards = await client.list_shards()
    assert [shard.is_open for shard in shards] == [True] * 3
    assert (shards[0].starting_hash_key, shards[-1].ending_hash_key) == (0, 2**128 - 1)
    responses = await client.put_records(
        [Record(b"a"), Record(b"b", explicit_hash_key=str(2**128 - 2))]
    )  # moto has no shard for the last key
    assert [response.error_code for response in responses] == [None, None]
    assert responses[1].shard_id == shards[-1].shard_id
    assert (await client.summary()).max_record_bytes == 1 << 20
    await client.close()
    await client.close()


async def test_an_arn_names_the_stream_and_the_region(stream):
    client = KinesisClient(ARN, endpoint_url=stream[1])
    await client.open()
    assert len(await client.list_shards()) == 3
    await client.close()


async def test_the_producer_fills_a_stream_on_moto(stream):
    """Moto has no quotas, so only the producer's pacing applies. Keys must reach the shards that the map predicts."""
    async with Producer(stream[0], region_name="us-east-1", endpoint_url=stream[1]) as producer:
        predicted = {f"TRUCK_{number:03}": producer.shard_of(f"TRUCK_{number:03}") for number in range(30)}
        deliveries = [await producer.put(b"%d" % number, f"TRUCK_{number % 30:03}") for number in range(900)]
    acks = [delivery.result() for delivery in deliveries]
    assert [ack.shard_id for ack in acks] == [predicted[delivery.partition_key] for delivery in deliveries]
    assert producer.stats.acked == 900
    assert producer.stats.failed == 0


async def test_a_record_that_moto_rejects_fails_alone(stream):
    async with Producer(stream[0], region_name="us-east-1", endpoint_url=stream[1]) as producer:
        producer._core.max_record_bytes = 10 << 20  # as if the stream's limit were unknown and larger
        sizes = [10, 10, (1 << 20) + 1, 10]
        deliveries = [await producer.put(bytes(size), "TRUCK_001") for size in sizes]
        outcomes = await asyncio.gather(*deliveries, return_exceptions=True)
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, False, True, False]
    assert not outcomes[2].may_be_stored


async def test_a_missing_stream_is_a_permanent_failure(moto_url):
    client = KinesisClient("nowhere", region_name="us-east-1", endpoint_url=moto_url)
    await client.open()
    with pytest.raises(RequestFailedError) as caught:
        await client.put_records([Record(b"a")])
    assert (caught.value.kind, caught.value.code) == (FailureKind.PERMANENT, "ResourceNotFoundException")
    await client.close()


@pytest.mark.parametrize("stream", ["", "my stream", "s" * 129, "arn:aws:s3:::bucket"])
def test_a_malformed_stream_name_is_rejected(stream):
    with pytest.raises(ConfigurationError, match="not a stream's name"):
        KinesisClient(stream)


async def test_the_error_for_a_missing_region_explains_how_to_set_it(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="Pass region_name=, or set"):
        await KinesisClient("trucks").open()

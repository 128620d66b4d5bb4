"""The most common calls through aiobotocore, the asyncio client of botocore, against the same servers."""

import asyncio

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.contract.support import CLIENT_OPTIONS, CREDENTIALS

SHARD = "shardId-000000000000"


@pytest.fixture
async def aio(server):
    keys = {name: CREDENTIALS[name] for name in ("aws_access_key_id", "aws_secret_access_key", "region_name")}
    options = {name: value for name, value in CLIENT_OPTIONS.items() if name != "parameter_validation"}
    async with get_session().create_client(
        "kinesis", endpoint_url=server.endpoint_url, config=AioConfig(**options), **keys
    ) as client:
        yield client


async def test_a_record_that_was_put_is_read(aio, stream):
    """PutRecord, GetShardIterator and GetRecords through the asyncio client."""
    name = stream()
    stored = await aio.put_record(StreamName=name, Data=b"hello", PartitionKey="k")
    position = await aio.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")
    response = await aio.get_records(ShardIterator=position["ShardIterator"])
    assert [record["Data"] for record in response["Records"]] == [b"hello"]
    assert response["Records"][0]["SequenceNumber"] == stored["SequenceNumber"]


async def test_requests_can_run_concurrently(aio, stream):
    """With ten PutRecords requests of 50 records in flight, every record has its response."""
    name = stream(2)
    records = [{"Data": b"x" * 100, "PartitionKey": f"truck-{number}"} for number in range(50)]
    responses = await asyncio.gather(*(aio.put_records(StreamName=name, Records=records) for _ in range(10)))
    assert [response["FailedRecordCount"] for response in responses] == [0] * 10
    assert [len(response["Records"]) for response in responses] == [50] * 10


async def test_streams_are_created_described_and_deleted(aio, stream):
    """The client's waiters notice that a stream exists, and that it no longer exists."""
    name = stream.new_name()
    await aio.create_stream(StreamName=name, ShardCount=1)
    waiting = {"Delay": 0.05, "MaxAttempts": 100}
    await aio.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig=waiting)
    response = await aio.describe_stream_summary(StreamName=name)
    assert response["StreamDescriptionSummary"]["OpenShardCount"] == 1
    await aio.delete_stream(StreamName=name)
    await aio.get_waiter("stream_not_exists").wait(StreamName=name, WaiterConfig=waiting)


async def test_shards_are_paginated(aio, stream):
    """The next page is requested by NextToken alone: botocore's own paginator repeats the name, which is rejected."""
    page = await aio.list_shards(StreamName=stream(4), MaxResults=3)
    found = [len(page["Shards"])]
    while token := page.get("NextToken"):
        page = await aio.list_shards(NextToken=token, MaxResults=3)
        found.append(len(page["Shards"]))
    assert found == [3, 1]


async def test_errors_have_their_exception_classes(aio):
    """An error's __type is the name of the exception's shape."""
    with pytest.raises(aio.exceptions.ResourceNotFoundException):
        await aio.put_record(StreamName="unknown-stream", Data=b"x", PartitionKey="k")

"""Tests of a pipeline of your own, on the local Kinesis and an S3 that fails when it is told to.

    pip install '.[local-s3]' pytest
    pytest examples/test_pipeline.py

The fixtures come with truckstream. `kinesis` is a stream with the real quotas, `event_source` feeds a Lambda handler
from it as the event source mapping does, and `s3_store` is a bucket.
"""

import json

import pytest

from truckstream import Batcher, Producer
from truckstream.local.s3 import S3Fault


@pytest.fixture
def function(s3_store, event_source):
    """Your function: here, records of any fields go into objects of 50."""
    batcher = Batcher(s3_store.url, endpoint_url=s3_store.endpoint_url, schema=dict, batch_size=50)

    async def handler(event, context):
        return (await batcher.process(event["Records"])).batch_item_failures()

    return event_source(handler, batch_size=100)


@pytest.fixture
def put(kinesis):
    """Put numbered records, and wait until each is acknowledged."""

    async def put(count):
        async with Producer(kinesis.stream_name) as producer:
            for number in range(count):
                await producer.put(json.dumps({"number": number}).encode(), f"truck-{number % 7}")

    return lambda count: kinesis.run(put(count))


def stored_numbers(s3_store):
    """Read back what lies in the bucket."""
    objects = s3_store.objects("sensor_data").values()
    return sorted(json.loads(line)["number"] for content in objects for line in content.splitlines())


def test_every_record_is_stored_once(put, function, s3_store):
    put(200)
    function.drain()
    assert stored_numbers(s3_store) == list(range(200))


@pytest.mark.parametrize("kind", ["slow-down", "internal-error", "reset-before", "reset-after"])
def test_every_record_is_stored_once_although_s3_fails(kind, put, function, s3_store):
    s3_store.set_faults(S3Fault(kind, rate=0.5, count=4))
    put(200)
    function.drain()
    assert s3_store.hits[kind] >= 1
    assert stored_numbers(s3_store) == list(range(200))


def test_a_record_that_is_no_object_is_rejected_with_its_reason(kinesis, function, s3_store):
    kinesis.call("PutRecord", StreamName=kinesis.stream_name, Data=b"[1, 2]", PartitionKey="k")
    function.drain()
    [rejected] = s3_store.objects("rejected").values()
    assert json.loads(rejected)["reason"] == "wrong_type"
    assert stored_numbers(s3_store) == []

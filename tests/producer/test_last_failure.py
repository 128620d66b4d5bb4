"""`Producer.last_failure`: why records wait, or opening is tried again."""

import asyncio

import pytest

from truckstream.local import Fault, LocalKinesis
from truckstream.producer import Producer

pytestmark = pytest.mark.usefixtures("fake_credentials")


def producer_of(kinesis, **options):
    return Producer(kinesis.stream_name, region_name="us-east-1", endpoint_url=kinesis.endpoint_url, **options)


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


async def test_it_is_the_failure_of_a_request_until_the_service_responds():
    async with LocalKinesis() as kinesis, producer_of(kinesis) as producer:
        assert producer.last_failure is None
        await kinesis.inject(Fault("error-before", operations=["PutRecords"], count=1))
        delivery = await producer.put(b"{}", "TRUCK_001")
        await until(lambda: producer.last_failure)
        assert producer.last_failure.code == "InternalFailure"
        await delivery
        assert producer.last_failure is None


async def test_it_is_the_failure_of_opening_while_that_is_tried_again():
    async with LocalKinesis() as kinesis:
        await kinesis.inject(Fault("error-before", operations=["ListShards"], until=1.0))
        producer = producer_of(kinesis)
        opening = asyncio.create_task(producer.open())
        await until(lambda: producer.last_failure)
        assert producer.last_failure.code == "InternalFailure"
        await opening
        assert producer.last_failure is None
        await producer.close()

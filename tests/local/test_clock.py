"""The virtual clock: a test moves the time, so that an hour of a stream takes seconds and is reproducible."""

import pytest

from truckstream.errors import InvalidArgumentError
from truckstream.local import LocalKinesis, RefusedError, VirtualClock, make_service


def an_hour():
    """Put 60 records a second for 3,600 seconds to a shard with a quota of 40, without a socket."""
    clock = VirtualClock()
    service = make_service("s", now=clock(), quota_scale=0.04)
    records = [{"Data": b"x", "PartitionKey": f"k{number}"} for number in range(60)]
    responses = []
    for _ in range(3_600):
        responses.append(service.call("PutRecords", {"StreamName": "s", "Records": records}, clock()))
        clock.advance(1.0)
    return responses, service.shard_stats("s", clock())


def test_a_virtual_hour_stores_the_quota_of_an_hour_each_time():
    responses, stats = an_hour()
    assert {response["FailedRecordCount"] for response in responses} == {20}
    assert stats["shardId-000000000000"].records_in == 40 * 3_600
    assert (responses, stats) == an_hour()


async def test_iterators_expire_and_retention_trims_by_the_clock():
    clock = VirtualClock()
    async with LocalKinesis("s", clock=clock) as kinesis:
        await kinesis.call("PutRecord", StreamName="s", Data=b"x", PartitionKey="k")
        start = {"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
        iterator = (await kinesis.call("GetShardIterator", **start))["ShardIterator"]
        clock.advance(301)
        with pytest.raises(RefusedError, match="ExpiredIteratorException"):
            await kinesis.call("GetRecords", ShardIterator=iterator)
        assert len([record async for record in kinesis.stored()]) == 1
        clock.advance(24 * 3_600)
        assert [record async for record in kinesis.stored()] == []


def test_a_clock_only_moves_forward():
    clock = VirtualClock(start=10.0)
    clock.advance(0.5)
    assert (clock(), repr(clock)) == (10.5, "<VirtualClock 10.500>")
    with pytest.raises(InvalidArgumentError, match="seconds is -1: must be at least 0"):
        clock.advance(-1)


def test_a_service_without_a_socket_rejects_an_invalid_stream():
    with pytest.raises(RefusedError, match="ValidationException"):
        make_service("no spaces", now=0.0)

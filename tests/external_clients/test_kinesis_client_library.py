"""The Kinesis Client Library for Java: leases in moto's DynamoDB, subscriptions, a shard and its children.

It also judges the aggregates of the producer while the stream is resharded: the library discards an aggregate with a
record that does not belong to the shard, without an error.
"""

import asyncio
import json
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.external_clients import kcl_worker as client_library
from truckstream import Producer
from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.limits import MAX_HASH_KEY

PARENT, LOW, HIGH = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002"


@pytest.fixture(scope="module")
def worker(server, moto_url, kinesis, tmp_path_factory):
    """A worker on a stream whose shard has a record and was split, with one record in each child."""
    stream = server.new_name()
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    kinesis.put_record(StreamName=stream, PartitionKey="k", Data=b"before")
    kinesis.split_shard(StreamName=stream, ShardToSplit=PARENT, NewStartingHashKey=str(2**127))
    for key, data in (("0", b"low"), (str(2**127), b"high")):
        kinesis.put_record(StreamName=stream, PartitionKey="k", ExplicitHashKey=key, Data=data)
    with client_library.working(server, moto_url, stream, tmp_path_factory.mktemp("kcl")) as started:
        yield started


def test_it_reads_a_shard_to_its_end_and_then_its_children(worker):
    worker.wait_for("before", "low", "high")
    facts = worker.facts()
    assert [(what, value) for shard_id, what, value in facts if shard_id == PARENT] == [
        ("begins", ""),
        ("record", "before"),
        ("ends", ""),
    ]
    for child, data in ((LOW, "low"), (HIGH, "high")):
        assert (
            facts.index((PARENT, "ends", ""))
            < facts.index((child, "begins", ""))
            < facts.index((child, "record", data))
        )


def test_records_put_while_it_reads_are_pushed_to_it(worker, kinesis, server):
    worker.wait_for("before", "low", "high")
    later = [f"later-{number}" for number in range(200)]
    records = [{"Data": data.encode(), "PartitionKey": data} for data in later]
    assert kinesis.put_records(StreamName=worker.stream, Records=records)["FailedRecordCount"] == 0
    worker.wait_for(*later)
    taken = [value for _, what, value in worker.facts() if what == "record"]
    assert sorted(taken) == sorted({*taken})
    stats = f"{server.endpoint_url}/_truckstream/stats?stream={worker.stream}"
    with build_opener(ProxyHandler({})).open(stats) as page:
        assert json.load(page)["operations"]["SubscribeToShard"] >= 3  # each in CBOR over HTTP/2


class LateMapClient(KinesisClient):
    """A client whose listings take a second, so that the producer's map is out of date for so long."""

    async def list_shards(self):
        await asyncio.sleep(1)
        return await super().list_shards()


def reshard(kinesis, stream, number):
    """Split the stream's only open shard, or merge its two."""
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    first, *others = [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
    if others:
        kinesis.merge_shards(
            StreamName=stream, ShardToMerge=first["ShardId"], AdjacentShardToMerge=others[0]["ShardId"]
        )
    else:
        middle = str(MAX_HASH_KEY // (2 + number))
        kinesis.split_shard(StreamName=stream, ShardToSplit=first["ShardId"], NewStartingHashKey=middle)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream)


async def put_while_resharding(kinesis, server, stream):
    """Put aggregated records of 40 keys while the stream is split and merged; return the data and the deliveries."""
    client = LateMapClient(stream, region_name=server.region_name, endpoint_url=server.endpoint_url)
    deliveries = {}
    async with Producer(client, aggregate=True, ordered=True, linger=0.05) as producer:
        for number in range(4):
            resharded = asyncio.create_task(asyncio.to_thread(reshard, kinesis, stream, number))
            for turn in range(40):
                for key in range(40):
                    data = f"{key}-{number:02}-{turn:02}"
                    deliveries[data] = await producer.put(data.encode(), f"TRUCK_{key:03}")
                await asyncio.sleep(0.05)
            await resharded
    return {data: delivery.result() for data, delivery in deliveries.items()}


@pytest.mark.usefixtures("fake_credentials")
def test_it_reads_every_acknowledged_record_of_aggregates_that_were_put_while_the_stream_was_resharded(
    server, moto_url, kinesis, tmp_path
):
    stream = server.new_name()
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    with client_library.working(server, moto_url, stream, tmp_path) as reader:
        acks = asyncio.run(put_while_resharding(kinesis, server, stream))
        reader.wait_for(*acks)
    assert len({ack.shard_id for ack in acks.values()}) >= 5
    assert len({ack.sequence_number for ack in acks.values()}) < len(acks) / 2
    read = [value for _, what, value in reader.facts() if what == "record"]
    for key in range(40):
        firsts = [*dict.fromkeys(data for data in read if data.startswith(f"{key}-"))]
        assert firsts == sorted(firsts)

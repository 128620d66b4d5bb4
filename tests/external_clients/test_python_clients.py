"""Other Python producers and consumers, each in its own virtual environment and process."""

from collections import Counter

import pytest

from tests.external_clients.installation import or_skipped, python_with
from tests.external_clients.python_clients import AIOKPL, ASYNC_KINESIS

#: The first bytes of a record in the KPL's aggregated format.
KPL_MAGIC = b"\xf3\x89\x9a\xc2"


@pytest.fixture
def stream(kinesis, server):
    """The name of a two-shard stream."""
    name = server.new_name()
    kinesis.create_stream(StreamName=name, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    yield name
    kinesis.delete_stream(StreamName=name)


def stored(kinesis, stream):
    """Return every record of the stream: (shard, sequence number) -> data."""
    found = {}
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        place = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**place)["ShardIterator"]
        for record in kinesis.get_records(ShardIterator=iterator)["Records"]:
            found[shard["ShardId"], record["SequenceNumber"]] = record["Data"]
    return found


def test_async_kinesis_reads_back_what_it_wrote(server, stream):
    """Its producer puts 1,500 records into two shards, and its consumer reads them."""
    with or_skipped("async-kinesis"):
        python = python_with(*ASYNC_KINESIS)
    answer = server.run(python, server.program("async_kinesis_both.py"), stream, server.endpoint_url, 1500)
    assert answer.json == list(range(1500))


def test_aiokpl_receives_the_place_of_each_record(server, kinesis, stream):
    with or_skipped("aiokpl"):
        python = python_with(*AIOKPL)
    answer = server.run(python, server.program("aiokpl_producer.py"), stream, server.endpoint_url, 1000, "single")
    found = stored(kinesis, stream)
    assert [int(found[shard_id, number]) for shard_id, number in answer.json] == list(range(1000))


def test_aiokpl_aggregates_for_the_shard_that_it_predicts(server, kinesis, stream):
    """It maps keys to shards by ListShards: with a wrong hash range, an aggregate would go to the other shard."""
    with or_skipped("aiokpl"):
        python = python_with(*AIOKPL)
    answer = server.run(python, server.program("aiokpl_producer.py"), stream, server.endpoint_url, 1000, "aggregated")
    found = stored(kinesis, stream)
    taken_by = Counter(tuple(place) for place in answer.json)
    assert taken_by.keys() == found.keys()
    assert {place for place in taken_by if found[place].startswith(KPL_MAGIC)} == {
        place for place, records in taken_by.items() if records > 1
    }
    assert len({shard_id for shard_id, _ in taken_by}) == 2
    assert max(taken_by.values()) > 100

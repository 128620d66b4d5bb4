"""The cap on the memory of stored records, and streams of 10,000 shards. Times are seconds after the start."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local.support import T0, Api
from truckstream.errors import InvalidArgumentError
from truckstream.local import LocalKinesis
from truckstream.local.kinesis_stats import read_stats
from truckstream.local.service.state.memory_cap import RECORD_OVERHEAD, MemoryCap

QUICK = settings(max_examples=60)
MIB = 2**20
SHARD = "shardId-000000000000"


def capped(records, shards=1):
    """Return an Api with a cap of `records` records of 1 kB, which may be exceeded by a sixteenth."""
    return Api(shards, limited=False, max_bytes=records * (1_000 + RECORD_OVERHEAD))


def stats_of(api, stream="s"):
    return read_stats(api.service, stream, T0, {})


def test_the_oldest_records_are_trimmed_first_and_counted():
    api = capped(100)
    for second in range(30):
        api.put(second, 10, size=1_000)
    stats = stats_of(api)
    left = api.read(30)["Records"]
    assert 100 <= len(left) <= 110
    assert stats.records_trimmed == 300 - len(left)
    assert stats.shards[SHARD].bytes_stored == len(left) * 1_000
    assert left[0]["ApproximateArrivalTimestamp"] == T0 + 30 - len(left) // 10


def test_records_of_all_streams_are_trimmed():
    api = capped(100)
    api(0, "CreateStream", StreamName="t", ShardCount=1)
    for second in range(10):
        api.put(second, 10, size=1_000)
    for second in range(10, 20):
        api(second, "PutRecord", StreamName="t", Data=bytes(9_999), PartitionKey="k")
    trimmed = stats_of(api).records_trimmed
    assert trimmed >= 80
    assert stats_of(api, "t").records_trimmed == 0


def test_the_deletion_of_a_stream_frees_memory():
    api = capped(100)
    api(0, "CreateStream", StreamName="t", ShardCount=1)
    api(1, "PutRecord", StreamName="t", Data=bytes(80_000), PartitionKey="k")
    api(2, "DeleteStream", StreamName="t")
    for second in range(3, 11):
        api.put(second, 10, size=1_000)
    assert stats_of(api).records_trimmed == 0


def test_a_reader_at_a_trimmed_record_continues_with_the_oldest_one():
    api = capped(100)
    api.put(0, 10, size=1_000)
    first = api.read(0)["Records"][0]["SequenceNumber"]
    iterator = api.iterator(0)
    for second in range(1, 30):
        api.put(second, 10, size=1_000)
    oldest = api.read(30)["Records"][0]["SequenceNumber"]
    assert int(oldest) > int(first)
    assert api(30, "GetRecords", ShardIterator=iterator)["Records"][0]["SequenceNumber"] == oldest
    at_first = api.read(30, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=first)
    assert at_first["Records"][0]["SequenceNumber"] == oldest


def test_expired_records_are_not_counted_as_trimmed():
    api = Api()
    api.put(0, 10, size=1_000)
    api.read(86_402)
    stats = stats_of(api)
    assert (stats.shards[SHARD].bytes_stored, stats.records_trimmed) == (0, 0)


@QUICK
@given(
    writes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(1, 5_000)), max_size=60),
    cap=st.integers(5_000, 60_000),
)
def test_no_record_is_trimmed_before_an_older_one(writes, cap):
    api = Api(4, limited=False, max_bytes=cap)
    now, written = 0.0, []
    for pause, shard, size in writes:
        now += pause
        response = api(
            *(now, "PutRecord"), StreamName="s", Data=bytes(size), PartitionKey="k", ExplicitHashKey=str(shard * 2**126)
        )
        written.append((T0 + now, response["SequenceNumber"]))
    left = {record["SequenceNumber"] for shard in range(4) for record in api.read(now, shard=shard)["Records"]}
    trimmed = [arrival for arrival, number in written if number not in left]
    kept = [arrival for arrival, number in written if number in left]
    assert max(trimmed, default=0) <= min(kept, default=float("inf"))
    shards = api.stream(now).shards.values()
    assert sum(shard.weight for shard in shards) <= cap * 17 / 16 + 5_000 + RECORD_OVERHEAD
    assert sum(shard.counts.records_trimmed for shard in shards) == len(trimmed)


@pytest.mark.slow
def test_the_weight_of_a_record_is_close_to_its_memory():
    """The overhead in the weight covers the memory that Python needs for a record, and not much more."""
    api = Api(limited=False)
    api.put(0)
    tracemalloc.start()
    try:
        for number in range(20_000):
            api(0, "PutRecord", StreamName="s", Data=bytes(100), PartitionKey=f"TRUCK_{number}")
        api.stream().known_routes.clear()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    weight = next(iter(api.stream().shards.values())).weight
    assert 0.8 < weight / taken < 1.5


def test_the_cap_is_checked_only_after_a_sixteenth_of_it_was_written():
    memory = MemoryCap(16_000)
    assert [memory.is_due(900 - RECORD_OVERHEAD, 1) for _ in range(2)] == [False, True]


@pytest.mark.parametrize("max_bytes", [0, -1, 16 * MIB - 1])
def test_a_cap_must_have_room_for_a_request(max_bytes):
    with pytest.raises(InvalidArgumentError, match="max_bytes"):
        LocalKinesis(max_bytes=max_bytes)


async def test_the_cap_applies_in_a_child_process():
    async with LocalKinesis(own_process=True, quotas=False, max_bytes=16 * MIB) as kinesis:
        records = [{"Data": "A" * 4 * 12_000, "PartitionKey": "k"}] * 200  # 7.2 MB
        for _ in range(4):
            await kinesis.call("PutRecords", StreamName=kinesis.stream_name, Records=records)
        assert (await kinesis.stats()).records_trimmed >= 300


# --- 10,000 shards --------------------------------------------------------------------------------


def test_a_stream_of_10000_shards_is_written_listed_and_described():
    tracemalloc.start()
    try:
        api = Api(shards=10_000)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 10_000 * 4_000, "more than 4 kB a shard"
    hash_keys = [number * (2**128 // 10_000) for number in range(10_000)]
    for first in range(0, 10_000, 500):
        entries = [
            {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(key)} for key in hash_keys[first : first + 500]
        ]
        assert api(1, "PutRecords", StreamName="s", Records=entries)["FailedRecordCount"] == 0
    page = api(2, "ListShards", StreamName="s")
    shards, pages = list(page["Shards"]), 1
    while "NextToken" in page:
        page = api(2, "ListShards", NextToken=page["NextToken"])
        shards, pages = shards + page["Shards"], pages + 1
    assert (pages, len(shards), len({shard["ShardId"] for shard in shards})) == (10, 10_000, 10_000)
    assert sum(stats.records_in for stats in stats_of(api).shards.values()) == 10_000
    summary = api(2, "DescribeStreamSummary", StreamName="s")["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == 10_000
    assert [record["Data"] for record in api.read(2, shard=9_999)["Records"]] == [b"x"]


def test_a_stream_of_10000_shards_is_halved_and_doubled():
    api = Api(shards=10_000, limited=False)
    for count in (5_000, 10_000):
        api(1, "UpdateShardCount", StreamName="s", TargetShardCount=count, ScalingType="UNIFORM_SCALING")
        assert len(api.stream(1).open_shards) == count

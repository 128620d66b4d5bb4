"""GetShardIterator and GetRecords."""

import datetime as dt
import time

import pytest

from tests.contract.support import (
    arn_of,
    iterator,
    put,
    read,
    rejected_with,
    split,
    wait_active,
    wait_gone,
)

SHARD = "shardId-000000000000"
LOW, HIGH = "shardId-000000000001", "shardId-000000000002"
MIB = 1024 * 1024


def three_records(kinesis, name):
    return [put(kinesis, name, data)["SequenceNumber"] for data in (b"1", b"2", b"3")]


def test_trim_horizon_starts_at_the_oldest_record(kinesis, stream):
    """TRIM_HORIZON: start at the last untrimmed record in the shard, which is the oldest data record."""
    name = stream()
    three_records(kinesis, name)
    assert read(kinesis, name, SHARD, "TRIM_HORIZON") == [b"1", b"2", b"3"]


def test_latest_starts_after_the_newest_record(kinesis, stream):
    """LATEST: start just after the most recent record in the shard."""
    name = stream()
    three_records(kinesis, name)
    position = iterator(kinesis, name, SHARD, "LATEST")
    put(kinesis, name, b"4")
    assert [record["Data"] for record in kinesis.get_records(ShardIterator=position)["Records"]] == [b"4"]


def test_at_sequence_number_starts_with_this_record(kinesis, stream):
    """AT_SEQUENCE_NUMBER: start from the position denoted by a specific sequence number."""
    name = stream()
    _, second, _ = three_records(kinesis, name)
    assert read(kinesis, name, SHARD, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == [b"2", b"3"]


def test_after_sequence_number_starts_with_the_next_record(kinesis, stream):
    """AFTER_SEQUENCE_NUMBER: start right after the position denoted by a specific sequence number."""
    name = stream()
    _, second, _ = three_records(kinesis, name)
    assert read(kinesis, name, SHARD, "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=second) == [b"3"]


def test_the_starting_sequence_number_of_a_shard_is_a_position(kinesis, stream):
    """A starting sequence number that DescribeStream returned is a valid position."""
    name = stream()
    three_records(kinesis, name)
    shard = kinesis.describe_stream(StreamName=name)["StreamDescription"]["Shards"][0]
    start = shard["SequenceNumberRange"]["StartingSequenceNumber"]
    assert read(kinesis, name, SHARD, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=start) == [b"1", b"2", b"3"]


def test_at_timestamp_starts_with_the_next_record(kinesis, stream):
    """AT_TIMESTAMP: if no record has this exact time stamp, the iterator is for the next (later) record."""
    name = stream()
    put(kinesis, name, b"1")
    time.sleep(0.1)
    between = dt.datetime.now(dt.UTC)
    time.sleep(0.1)
    put(kinesis, name, b"2")
    assert read(kinesis, name, SHARD, "AT_TIMESTAMP", Timestamp=between) == [b"2"]


def test_a_timestamp_before_the_trim_horizon_is_the_trim_horizon(kinesis, stream):
    """If the time stamp is older than the current trim horizon, the iterator is for the oldest untrimmed record."""
    name = stream()
    three_records(kinesis, name)
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert read(kinesis, name, SHARD, "AT_TIMESTAMP", Timestamp=long_ago) == [b"1", b"2", b"3"]


def test_get_shard_iterator_accepts_an_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    put(kinesis, name, b"1")
    arn = arn_of(kinesis, name)
    position = kinesis.get_shard_iterator(StreamARN=arn, ShardId=SHARD, ShardIteratorType="TRIM_HORIZON")
    response = kinesis.get_records(StreamARN=arn, ShardIterator=position["ShardIterator"])
    assert [record["Data"] for record in response["Records"]] == [b"1"]


def test_get_shard_iterator_needs_a_valid_type(kinesis, stream):
    """ShardIteratorType is an enumeration."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="AT_NOON")


def test_get_shard_iterator_needs_a_type(kinesis, stream):
    """ShardIteratorType is required."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.get_shard_iterator(StreamName=name, ShardId=SHARD)


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
def test_an_iterator_by_sequence_number_needs_one(kinesis, stream, kind):
    """The position is provided in the value StartingSequenceNumber."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType=kind)


def test_an_iterator_by_time_needs_a_timestamp(kinesis, stream):
    """The position is provided in the value Timestamp."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="AT_TIMESTAMP")


def test_a_starting_sequence_number_is_a_number(kinesis, stream):
    r"""SequenceNumber has the pattern 0|([1-9]\d{0,128})."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.get_shard_iterator(
            StreamName=name, ShardId=SHARD, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber="first"
        )


def test_a_starting_sequence_number_must_come_from_the_service(kinesis, stream):
    """InvalidArgumentException: a sequence number that the service did not assign is not a position in the shard."""
    name = stream()
    with rejected_with("InvalidArgumentException"):
        kinesis.get_shard_iterator(
            StreamName=name, ShardId=SHARD, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber="123"
        )


def test_a_shard_id_has_a_pattern(kinesis, stream):
    """ShardId has 1 to 128 characters of [a-zA-Z0-9_.-]."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.get_shard_iterator(StreamName=name, ShardId="no shard", ShardIteratorType="LATEST")


def test_an_unknown_shard_is_not_found(kinesis, stream):
    """ResourceNotFoundException: the requested resource could not be found."""
    name = stream()
    with rejected_with("ResourceNotFoundException"):
        kinesis.get_shard_iterator(StreamName=name, ShardId="shardId-000000000009", ShardIteratorType="LATEST")


def test_an_iterator_of_a_closed_shard_is_valid(kinesis, stream):
    """If the shard is closed, GetShardIterator returns a valid iterator for the last sequence number of the shard."""
    name = stream()
    put(kinesis, name, b"1")
    split(kinesis, name, SHARD)
    response = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD, "LATEST"))
    assert response["Records"] == []


def test_a_dry_run_of_get_shard_iterator_returns_no_iterator(kinesis, stream):
    """DryRun checks if the request will succeed: DryRunOperationException, rejected because DryRun was specified."""
    name = stream()
    with rejected_with("DryRunOperationException"):
        kinesis.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="LATEST", DryRun=True)


def test_a_record_is_read_with_all_its_members(kinesis, stream):
    """A record has its sequence number, arrival time, data and partition key."""
    name = stream()
    stored = put(kinesis, name, b"data", "truck-7")
    [record] = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD))["Records"]
    assert record["Data"] == b"data"
    assert record["PartitionKey"] == "truck-7"
    assert record["SequenceNumber"] == stored["SequenceNumber"]
    age = dt.datetime.now(dt.UTC) - record["ApproximateArrivalTimestamp"]
    assert dt.timedelta(seconds=-1) < age < dt.timedelta(minutes=1)


def test_an_empty_shard_returns_no_records_and_a_next_iterator(kinesis, stream):
    """If there are no records available, GetRecords returns an empty list and the iterator for the next call."""
    name = stream()
    response = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD))
    assert response["Records"] == []
    assert kinesis.get_records(ShardIterator=response["NextShardIterator"])["Records"] == []


def test_the_next_iterator_continues_after_the_last_record(kinesis, stream):
    """Specify the shard iterator returned in NextShardIterator in subsequent calls to GetRecords."""
    name = stream()
    three_records(kinesis, name)
    first = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD), Limit=2)
    assert [record["Data"] for record in first["Records"]] == [b"1", b"2"]
    rest = kinesis.get_records(ShardIterator=first["NextShardIterator"])
    assert [record["Data"] for record in rest["Records"]] == [b"3"]


def test_an_iterator_may_be_used_twice(kinesis, stream):
    """A shard iterator specifies a position and expires after 5 minutes: reading does not use it up."""
    name = stream()
    three_records(kinesis, name)
    position = iterator(kinesis, name, SHARD)
    responses = [kinesis.get_records(ShardIterator=position)["Records"] for _ in range(2)]
    assert [[record["Data"] for record in records] for records in responses] == [[b"1", b"2", b"3"]] * 2


def test_a_reader_at_the_tip_is_not_behind(kinesis, stream):
    """MillisBehindLatest of zero: record processing is caught up, there are no new records at this moment."""
    name = stream()
    three_records(kinesis, name)
    assert kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD))["MillisBehindLatest"] == 0


def test_a_reader_before_the_tip_is_behind(kinesis, stream):
    """MillisBehindLatest: the number of milliseconds the response is from the tip of the stream."""
    name = stream()
    put(kinesis, name, b"1")
    time.sleep(0.1)
    put(kinesis, name, b"2")
    time.sleep(0.1)
    behind = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD), Limit=1)["MillisBehindLatest"]
    assert 0 < behind < 60_000


@pytest.mark.parametrize("limit", [0, 10_001])
def test_get_records_has_a_range_of_limits(kinesis, stream, limit):
    """GetRecordsInputLimit is from 1 to 10,000; the reference names InvalidArgumentException for a larger value."""
    name = stream()
    position = iterator(kinesis, name, SHARD)
    with rejected_with("ValidationException", "InvalidArgumentException"):
        kinesis.get_records(ShardIterator=position, Limit=limit)


def test_get_records_returns_at_most_10_mib(kinesis, stream):
    """The maximum size of data that GetRecords can return is 10 MiB."""
    name = stream()
    for _ in range(3):
        kinesis.put_records(
            StreamName=name, Records=[{"Data": b"x" * (MIB - 1), "PartitionKey": str(number)} for number in range(4)]
        )
    response = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD))
    assert 1 <= sum(len(record["Data"]) for record in response["Records"]) // MIB <= 10
    assert kinesis.get_records(ShardIterator=response["NextShardIterator"])["Records"]


@pytest.mark.parametrize("position", ["made-up", "AAAAAAAAAAF" + "A" * 200], ids=["short", "long"])
def test_an_invalid_iterator_is_rejected(kinesis, position):
    """InvalidArgumentException: a specified parameter is not valid."""
    with rejected_with("InvalidArgumentException"):
        kinesis.get_records(ShardIterator=position)


@pytest.mark.parametrize("length", [0, 513])
def test_an_iterator_has_a_range_of_lengths(kinesis, length):
    """ShardIterator has 1 to 512 characters."""
    with rejected_with("ValidationException"):
        kinesis.get_records(ShardIterator="A" * length)


def test_get_records_needs_an_iterator(kinesis):
    """ShardIterator is required."""
    with rejected_with("ValidationException"):
        kinesis.get_records()


def test_an_iterator_of_a_deleted_stream_is_rejected(kinesis, stream):
    """An application that operates on a deleted stream receives ResourceNotFoundException."""
    name = stream()
    position = iterator(kinesis, name, SHARD)
    kinesis.delete_stream(StreamName=name)
    wait_gone(kinesis, name)
    with rejected_with("ResourceNotFoundException"):
        kinesis.get_records(ShardIterator=position)


def test_a_dry_run_of_get_records_returns_no_records(kinesis, stream):
    """DryRun checks if the request will succeed: DryRunOperationException, rejected because DryRun was specified."""
    name = stream()
    position = iterator(kinesis, name, SHARD)
    with rejected_with("DryRunOperationException"):
        kinesis.get_records(ShardIterator=position, DryRun=True)


def test_a_closed_shard_stays_readable(kinesis, stream):
    """Records that were in the parent before the split remain there."""
    name = stream()
    three_records(kinesis, name)
    split(kinesis, name, SHARD)
    put(kinesis, name, b"4")
    assert read(kinesis, name, SHARD) == [b"1", b"2", b"3"]


def test_the_end_of_a_closed_shard_has_no_next_iterator(kinesis, stream):
    """If the shard has been closed, GetRecords returns null in NextShardIterator."""
    name = stream()
    three_records(kinesis, name)
    position = iterator(kinesis, name, SHARD)
    split(kinesis, name, SHARD)
    for _ in range(5):
        position = kinesis.get_records(ShardIterator=position).get("NextShardIterator")
        if position is None:
            break
    assert position is None


def test_the_end_of_a_split_shard_names_its_children(kinesis, stream):
    """ChildShards: the current shard's child shards, in the response only when the end of the shard is reached."""
    name = stream()
    three_records(kinesis, name)
    split(kinesis, name, SHARD)
    first = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD), Limit=1)
    assert "ChildShards" not in first
    response = first
    for _ in range(5):
        response = kinesis.get_records(ShardIterator=response["NextShardIterator"])
        if response.get("NextShardIterator") is None:
            break
    assert response["ChildShards"] == [
        {
            "ShardId": LOW,
            "ParentShards": [SHARD],
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**127 - 1)},
        },
        {
            "ShardId": HIGH,
            "ParentShards": [SHARD],
            "HashKeyRange": {"StartingHashKey": str(2**127), "EndingHashKey": str(2**128 - 1)},
        },
    ]


def test_the_end_of_a_merged_shard_names_its_child(kinesis, stream):
    """ParentShards: the child of a merge has two parents."""
    name = stream(2)
    kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge=LOW)
    wait_active(kinesis, name)
    response = kinesis.get_records(ShardIterator=iterator(kinesis, name, SHARD))
    [child] = response["ChildShards"]
    assert child["ShardId"] == HIGH
    assert set(child["ParentShards"]) == {SHARD, LOW}

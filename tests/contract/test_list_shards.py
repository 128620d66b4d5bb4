"""ListShards, its pages and its six filters."""

import datetime as dt
import time

import pytest

from tests.contract.support import arn_of, is_open, rejected_with, shard_ids, shards_of, split, summary

PARENT, LOW, HIGH = "shardId-000000000000", "shardId-000000000001", "shardId-000000000002"


def filtered(kinesis, name, kind, **options):
    response = kinesis.list_shards(StreamName=name, ShardFilter={"Type": kind, **options})
    return [shard["ShardId"] for shard in response["Shards"]]


def now():
    return dt.datetime.now(dt.UTC)


def times_around_a_split(kinesis, name):
    """Split the only shard, and return a time a tenth of a second before the split, and one as long after it."""
    time.sleep(0.1)
    before = now()
    time.sleep(0.1)
    split(kinesis, name, PARENT)
    time.sleep(0.1)
    return before, now()


def test_shards_have_ranges_of_sequence_numbers(kinesis, stream):
    """Each shard has a starting sequence number; only a closed shard has an ending one."""
    name = stream(2)
    shards = shards_of(kinesis, name)
    assert [shard["ShardId"] for shard in shards] == ["shardId-000000000000", "shardId-000000000001"]
    assert all(shard["SequenceNumberRange"]["StartingSequenceNumber"].isdecimal() for shard in shards)
    assert all(is_open(shard) for shard in shards)


def test_list_shards_accepts_an_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    assert len(kinesis.list_shards(StreamARN=arn_of(kinesis, name))["Shards"]) == 1


def test_list_shards_has_pages(kinesis, stream):
    """When there are more shards than MaxResults, the response contains a NextToken for the next set."""
    name = stream(4)
    first = kinesis.list_shards(StreamName=name, MaxResults=3)
    assert len(first["Shards"]) == 3
    rest = kinesis.list_shards(NextToken=first["NextToken"])
    assert [shard["ShardId"] for shard in rest["Shards"]] == ["shardId-000000000003"]
    assert "NextToken" not in rest


def test_a_page_by_token_may_have_a_next_token(kinesis, stream):
    """With a MaxResults below the number of remaining shards, the response contains a new NextToken."""
    name = stream(4)
    first = kinesis.list_shards(StreamName=name, MaxResults=1)
    second = kinesis.list_shards(NextToken=first["NextToken"], MaxResults=2)
    assert [shard["ShardId"] for shard in second["Shards"]] == ["shardId-000000000001", "shardId-000000000002"]
    assert "NextToken" in second


def test_a_token_excludes_a_stream_name(kinesis, stream):
    """You cannot specify StreamName if you specify the NextToken parameter."""
    name = stream(2)
    token = kinesis.list_shards(StreamName=name, MaxResults=1)["NextToken"]
    with rejected_with("InvalidArgumentException"):
        kinesis.list_shards(StreamName=name, NextToken=token)


def test_a_token_excludes_a_start_shard(kinesis, stream):
    """You cannot specify ExclusiveStartShardId if you specify NextToken."""
    name = stream(2)
    token = kinesis.list_shards(StreamName=name, MaxResults=1)["NextToken"]
    with rejected_with("InvalidArgumentException"):
        kinesis.list_shards(NextToken=token, ExclusiveStartShardId="shardId-000000000000")


def test_an_invalid_token_is_rejected(kinesis):
    """InvalidArgumentException: a specified parameter is not valid."""
    with rejected_with("InvalidArgumentException"):
        kinesis.list_shards(NextToken="bm90IGEgdG9rZW4=")


@pytest.mark.parametrize("limit", [0, 10_001])
def test_list_shards_has_a_range_of_max_results(kinesis, stream, limit):
    """ListShardsInputLimit is from 1 to 10,000."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.list_shards(StreamName=name, MaxResults=limit)


def test_list_shards_starts_after_a_shard(kinesis, stream):
    """ExclusiveStartShardId: the list starts with the shard whose ID immediately follows it."""
    name = stream(2)
    response = kinesis.list_shards(StreamName=name, ExclusiveStartShardId="shardId-000000000000")
    assert [shard["ShardId"] for shard in response["Shards"]] == ["shardId-000000000001"]


def test_a_stream_may_be_identified_by_its_creation_time(kinesis, stream):
    """StreamCreationTimestamp distinguishes data streams that have the same name."""
    name = stream()
    created = summary(kinesis, name)["StreamCreationTimestamp"]
    assert len(kinesis.list_shards(StreamName=name, StreamCreationTimestamp=created)["Shards"]) == 1


def test_closed_shards_are_listed(kinesis, stream):
    """The default filter, FROM_TRIM_HORIZON, includes all the shards within the retention period."""
    name = stream()
    split(kinesis, name, PARENT)
    assert shard_ids(kinesis, name) == [PARENT, LOW, HIGH]
    assert filtered(kinesis, name, "FROM_TRIM_HORIZON") == [PARENT, LOW, HIGH]


def test_filter_at_latest(kinesis, stream):
    """AT_LATEST: only the currently open shards of the data stream."""
    name = stream()
    split(kinesis, name, PARENT)
    assert filtered(kinesis, name, "AT_LATEST") == [LOW, HIGH]


def test_filter_at_trim_horizon(kinesis, stream):
    """AT_TRIM_HORIZON: all the shards that were open at TRIM_HORIZON."""
    name = stream()
    split(kinesis, name, PARENT)
    assert filtered(kinesis, name, "AT_TRIM_HORIZON") == [PARENT]


def test_filter_after_shard_id(kinesis, stream):
    """AFTER_SHARD_ID: starting with the shard whose ID immediately follows the ShardId provided."""
    name = stream(2)
    assert filtered(kinesis, name, "AFTER_SHARD_ID", ShardId="shardId-000000000000") == ["shardId-000000000001"]


def test_filter_at_timestamp(kinesis, stream):
    """AT_TIMESTAMP: shards that started by the given timestamp and ended at or after it, or are still open."""
    name = stream()
    before, after = times_around_a_split(kinesis, name)
    assert filtered(kinesis, name, "AT_TIMESTAMP", Timestamp=before) == [PARENT]
    assert filtered(kinesis, name, "AT_TIMESTAMP", Timestamp=after) == [LOW, HIGH]


def test_filter_from_timestamp(kinesis, stream):
    """FROM_TIMESTAMP: closed shards that ended at or after the given timestamp, and all open shards."""
    name = stream()
    before, after = times_around_a_split(kinesis, name)
    assert filtered(kinesis, name, "FROM_TIMESTAMP", Timestamp=before) == [PARENT, LOW, HIGH]
    assert filtered(kinesis, name, "FROM_TIMESTAMP", Timestamp=after) == [LOW, HIGH]


def test_filters_have_pages(kinesis, stream):
    """MaxResults and NextToken apply to a filtered list too."""
    name = stream(4)
    first = kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"}, MaxResults=3)
    assert len(first["Shards"]) == 3
    rest = kinesis.list_shards(NextToken=first["NextToken"])
    assert [shard["ShardId"] for shard in rest["Shards"]] == ["shardId-000000000003"]


def test_filter_after_shard_id_needs_a_shard_id(kinesis, stream):
    """If you specify the AFTER_SHARD_ID type, you must also provide the value for the ShardId property."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AFTER_SHARD_ID"})


@pytest.mark.parametrize("kind", ["AT_TIMESTAMP", "FROM_TIMESTAMP"])
def test_filter_by_time_needs_a_timestamp(kinesis, stream, kind):
    """If you specify AT_TIMESTAMP or FROM_TIMESTAMP, you must also provide the value for the Timestamp property."""
    name = stream()
    with rejected_with("InvalidArgumentException", "ValidationException"):
        kinesis.list_shards(StreamName=name, ShardFilter={"Type": kind})


def test_a_filter_needs_a_type(kinesis, stream):
    """The Type is the required property and must be specified."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.list_shards(StreamName=name, ShardFilter={"ShardId": "shardId-000000000000"})


def test_a_filter_has_a_valid_type(kinesis, stream):
    """ShardFilterType is an enumeration."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_NOON"})

"""CreateStream, DeleteStream, DescribeStream, DescribeStreamSummary, DescribeLimits and ListStreams."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.contract.support import (
    arn_of,
    create,
    even,
    in_passing,
    is_open,
    open_ranges,
    put,
    rejected_with,
    shard_ids,
    summary,
    wait_active,
    wait_gone,
)


@in_passing
def test_a_new_stream_becomes_active(kinesis, stream):
    """CreateStream sets the stream status to CREATING, and to ACTIVE after the stream is created."""
    name = stream.new_name()
    create(kinesis, name, ShardCount=1)
    assert summary(kinesis, name)["StreamStatus"] == "CREATING"
    wait_active(kinesis, name)


def test_the_shards_of_a_new_stream_have_equal_ranges(kinesis, stream):
    """The hash key ranges of the shards cover 0 to 2^128 - 1 without a gap."""
    assert even(open_ranges(kinesis, stream(3)))


def test_a_stream_name_is_unique(kinesis, stream):
    """ResourceInUseException: a stream of the same name exists."""
    name = stream()
    with rejected_with("ResourceInUseException"):
        kinesis.create_stream(StreamName=name, ShardCount=1)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "n" * 129], ids=["empty", "a b", "a/b", "129 characters"])
def test_a_stream_name_has_a_pattern(kinesis, name):
    """StreamName has 1 to 128 characters of [a-zA-Z0-9_.-]."""
    with rejected_with("ValidationException"):
        kinesis.create_stream(StreamName=name, ShardCount=1)


def test_a_stream_name_is_required(kinesis):
    """StreamName is required."""
    with rejected_with("ValidationException"):
        kinesis.create_stream(ShardCount=1)


@pytest.mark.parametrize("count", [0, -1])
def test_a_shard_count_is_positive(kinesis, stream, count):
    """PositiveIntegerObject has a minimum of 1."""
    with rejected_with("ValidationException"):
        kinesis.create_stream(StreamName=stream.new_name(), ShardCount=count)


def test_a_provisioned_stream_needs_a_shard_count(kinesis, stream):
    """For the data streams with a provisioned mode, you must specify the number of shards."""
    with rejected_with("ValidationException", "InvalidArgumentException"):
        kinesis.create_stream(StreamName=stream.new_name(), StreamModeDetails={"StreamMode": "PROVISIONED"})


def test_more_shards_than_the_account_may_have_are_rejected(kinesis, stream):
    """LimitExceededException on creating more shards than are authorized for the account."""
    with rejected_with("LimitExceededException"):
        kinesis.create_stream(StreamName=stream.new_name(), ShardCount=50_000)


@in_passing
def test_only_five_streams_may_be_creating(kinesis, stream):
    """LimitExceededException on having more than five streams in the CREATING state at any point in time."""
    names = [stream.new_name() for _ in range(10)]

    def create(name):
        try:
            kinesis.create_stream(StreamName=name, ShardCount=1)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    with ThreadPoolExecutor(10) as pool:
        codes = set(pool.map(create, names))
    assert codes == {"LimitExceededException", ""}


def test_an_on_demand_stream_has_four_shards(kinesis, stream):
    """A new on-demand stream takes 4 MB/s (developer guide, "On-demand mode"), and a shard takes 1 MB/s."""
    name = stream.new_name()
    create(kinesis, name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    wait_active(kinesis, name)
    description = summary(kinesis, name)
    assert description["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert description["OpenShardCount"] == 4


def test_a_stream_may_be_created_with_tags(kinesis, stream):
    """You can add tags to the stream when making a CreateStream request by setting the Tags parameter."""
    name = stream.new_name()
    create(kinesis, name, ShardCount=1, Tags={"depot": "north"})
    wait_active(kinesis, name)
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "depot", "Value": "north"}]


def test_a_stream_may_be_created_for_large_records(kinesis, stream):
    """MaxRecordSizeInKiB is the maximum size of a single record of the stream."""
    name = stream.new_name()
    create(kinesis, name, ShardCount=1, MaxRecordSizeInKiB=4096)
    wait_active(kinesis, name)
    assert summary(kinesis, name)["MaxRecordSizeInKiB"] == 4096


@pytest.mark.parametrize("size", [1023, 10241])
def test_the_record_size_of_a_new_stream_has_a_range(kinesis, stream, size):
    """MaxRecordSizeInKiB is from 1024 to 10240."""
    with rejected_with("ValidationException"):
        kinesis.create_stream(StreamName=stream.new_name(), ShardCount=1, MaxRecordSizeInKiB=size)


def test_a_provisioned_stream_cannot_be_created_with_auto_distribution(kinesis, stream):
    """Attempting to set AUTO on a provisioned stream results in an InvalidArgumentException."""
    with rejected_with("InvalidArgumentException"):
        kinesis.create_stream(StreamName=stream.new_name(), ShardCount=1, RecordDistributionStrategy="AUTO")


def test_a_deleted_stream_is_not_found(kinesis, stream):
    """An application that operates on a deleted stream receives ResourceNotFoundException."""
    name = stream()
    kinesis.delete_stream(StreamName=name)
    wait_gone(kinesis, name)
    with rejected_with("ResourceNotFoundException"):
        put(kinesis, name)


@in_passing
def test_a_stream_is_deleting_for_a_while(kinesis, stream):
    """After a DeleteStream request, the stream is in the DELETING state until the deletion is complete."""
    name = stream()
    kinesis.delete_stream(StreamName=name)
    assert summary(kinesis, name)["StreamStatus"] == "DELETING"


def test_a_stream_is_deleted_by_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    kinesis.delete_stream(StreamARN=arn_of(kinesis, name))
    wait_gone(kinesis, name)


def test_the_name_of_a_deleted_stream_can_be_used_again(kinesis, stream):
    """The deletion of a stream deletes its shards, its data and its tags."""
    name = stream()
    kinesis.add_tags_to_stream(StreamName=name, Tags={"depot": "north"})
    kinesis.delete_stream(StreamName=name)
    wait_gone(kinesis, name)
    create(kinesis, name, ShardCount=2)
    wait_active(kinesis, name)
    assert len(shard_ids(kinesis, name)) == 2
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == []


def test_the_deletion_of_a_stream_with_consumers_is_rejected(kinesis, stream):
    """If EnforceConsumerDeletion is unset and the stream has consumers, DeleteStream fails: ResourceInUseException."""
    name = stream()
    kinesis.register_stream_consumer(StreamARN=arn_of(kinesis, name), ConsumerName="reader")
    with rejected_with("ResourceInUseException"):
        kinesis.delete_stream(StreamName=name)
    with rejected_with("ResourceInUseException"):
        kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=False)


def test_enforced_deletion_deletes_the_consumers_too(kinesis, stream):
    """EnforceConsumerDeletion deletes a stream although it has consumers."""
    name = stream()
    kinesis.register_stream_consumer(StreamARN=arn_of(kinesis, name), ConsumerName="reader")
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    wait_gone(kinesis, name)


def test_describe_stream_returns_all_members(kinesis, stream):
    """The information includes the name, ARN, creation time, enhanced metric configuration and shard map."""
    name = stream(2)
    description = kinesis.describe_stream(StreamName=name)["StreamDescription"]
    assert description["StreamName"] == name
    assert description["StreamARN"].endswith(f":stream/{name}")
    assert description["StreamStatus"] == "ACTIVE"
    assert [shard["ShardId"] for shard in description["Shards"]] == ["shardId-000000000000", "shardId-000000000001"]
    assert all(is_open(shard) for shard in description["Shards"])
    assert description["HasMoreShards"] is False
    assert description["RetentionPeriodHours"] == 24
    assert description["EncryptionType"] == "NONE"
    assert description["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    age = dt.datetime.now(dt.UTC) - description["StreamCreationTimestamp"]
    assert abs(age) < dt.timedelta(minutes=5)


def test_describe_stream_has_pages(kinesis, stream):
    """Limit is the maximum number of shards to return; HasMoreShards is true if there are more."""
    name = stream(2)
    first = kinesis.describe_stream(StreamName=name, Limit=1)["StreamDescription"]
    assert [shard["ShardId"] for shard in first["Shards"]] == ["shardId-000000000000"]
    assert first["HasMoreShards"] is True
    rest = kinesis.describe_stream(StreamName=name, ExclusiveStartShardId="shardId-000000000000")["StreamDescription"]
    assert [shard["ShardId"] for shard in rest["Shards"]] == ["shardId-000000000001"]
    assert rest["HasMoreShards"] is False


@pytest.mark.parametrize("limit", [0, 10_001])
def test_describe_stream_has_a_range_of_limits(kinesis, stream, limit):
    """DescribeStreamInputLimit is from 1 to 10,000."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.describe_stream(StreamName=name, Limit=limit)


def test_describe_stream_accepts_an_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    description = kinesis.describe_stream(StreamARN=arn_of(kinesis, name))["StreamDescription"]
    assert description["StreamName"] == name


def test_a_summary_of_a_new_stream_has_the_defaults(kinesis, stream):
    """The summary has no list of shards; a new stream keeps records for 24 hours and is not encrypted."""
    name = stream(2)
    description = summary(kinesis, name)
    assert description["OpenShardCount"] == 2
    assert description["RetentionPeriodHours"] == 24
    assert description["EncryptionType"] == "NONE"
    assert description["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]
    assert description["ConsumerCount"] == 0
    assert "Shards" not in description


def test_a_summary_has_the_capacity_mode(kinesis, stream):
    """StreamModeDetails is the capacity mode; a stream with a shard count is PROVISIONED."""
    assert summary(kinesis, stream())["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}


def test_a_summary_has_the_maximum_record_size(kinesis, stream):
    """MaxRecordSizeInKiB is the maximum record size of a single record; a new stream's is 1,024 KiB."""
    assert summary(kinesis, stream())["MaxRecordSizeInKiB"] == 1024


def test_limits_are_described(kinesis, stream):
    """DescribeLimits describes the shard limits and usage for the account."""
    stream()
    limits = kinesis.describe_limits()
    assert 1 <= limits["OpenShardCount"] <= limits["ShardLimit"]
    assert limits["OnDemandStreamCount"] <= limits["OnDemandStreamCountLimit"]


def test_limits_include_the_number_of_on_demand_streams(kinesis, stream):
    """OnDemandStreamCount is the number of data streams with the on-demand capacity mode."""
    before = kinesis.describe_limits()["OnDemandStreamCount"]
    name = stream.new_name()
    create(kinesis, name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    wait_active(kinesis, name)
    assert kinesis.describe_limits()["OnDemandStreamCount"] >= max(before, 1)


def test_streams_are_listed_in_pages(kinesis, stream):
    """Limit is the maximum number of streams to list; HasMoreStreams is true if there are more."""
    names = {stream(), stream()}
    page = kinesis.list_streams(Limit=1)
    assert len(page["StreamNames"]) == 1
    assert page["HasMoreStreams"] is True
    found = list(page["StreamNames"])
    while page["HasMoreStreams"]:
        page = kinesis.list_streams(Limit=50, ExclusiveStartStreamName=found[-1])
        found += page["StreamNames"]
    assert names <= set(found)
    assert len(found) == len(set(found))


def test_streams_are_listed_by_token(kinesis, stream):
    """ListStreams returns a NextToken for the next page."""
    names = {stream(), stream()}
    page = kinesis.list_streams(Limit=1)
    found = list(page["StreamNames"])
    while "NextToken" in page:
        page = kinesis.list_streams(Limit=50, NextToken=page["NextToken"])
        found += page["StreamNames"]
    assert names <= set(found)


def test_streams_are_listed_with_their_summaries(kinesis, stream):
    """StreamSummaries has each stream's name, ARN and status."""
    name = stream()
    page = kinesis.list_streams()
    found = page["StreamSummaries"]
    while page["HasMoreStreams"]:
        page = kinesis.list_streams(ExclusiveStartStreamName=page["StreamNames"][-1])
        found += page["StreamSummaries"]
    summaries = {each["StreamName"]: each for each in found}
    assert summaries[name]["StreamARN"] == arn_of(kinesis, name)
    assert summaries[name]["StreamStatus"] == "ACTIVE"


@pytest.mark.parametrize("limit", [0, 10_001])
def test_list_streams_has_a_range_of_limits(kinesis, limit):
    """ListStreamsInputLimit is from 1 to 10,000."""
    with rejected_with("ValidationException"):
        kinesis.list_streams(Limit=limit)

"""SplitShard, MergeShards and UpdateShardCount."""

import pytest

from tests.contract.support import (
    LAST_HASH_KEY,
    MIDDLE,
    arn_of,
    create,
    even,
    in_passing,
    is_open,
    open_ranges,
    put,
    rejected_with,
    shards_of,
    split,
    summary,
    wait_active,
)

SHARD = "shardId-000000000000"
SECOND, THIRD = "shardId-000000000001", "shardId-000000000002"


def on_demand_stream(kinesis, stream):
    name = stream.new_name()
    create(kinesis, name, StreamModeDetails={"StreamMode": "ON_DEMAND"})
    wait_active(kinesis, name)
    return name


def scale(kinesis, name, target):
    response = kinesis.update_shard_count(StreamName=name, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
    wait_active(kinesis, name)
    return response


def test_a_split_creates_two_children(kinesis, stream):
    """The new hash key and all higher ones go to one of the child shards, all the lower ones to the other."""
    name = stream()
    split(kinesis, name, SHARD, at="1000")
    parent, low, high = shards_of(kinesis, name)
    assert low["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": "999"}
    assert high["HashKeyRange"] == {"StartingHashKey": "1000", "EndingHashKey": LAST_HASH_KEY}
    assert (low["ShardId"], high["ShardId"]) == (SECOND, THIRD)
    assert low["ParentShardId"] == high["ParentShardId"] == parent["ShardId"] == SHARD
    assert summary(kinesis, name)["OpenShardCount"] == 2


def test_a_split_closes_the_parent(kinesis, stream):
    """A closed shard has an ending sequence number; its children start after it."""
    name = stream()
    last = put(kinesis, name)["SequenceNumber"]
    split(kinesis, name, SHARD)
    parent, low, _ = shards_of(kinesis, name)
    ending = int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    assert int(last) <= ending < int(low["SequenceNumberRange"]["StartingSequenceNumber"])


@in_passing
def test_a_split_stream_is_updating_for_a_while(kinesis, stream):
    """Kinesis Data Streams returns a response and sets the stream status to UPDATING, then to ACTIVE."""
    name = stream()
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey=MIDDLE)
    assert summary(kinesis, name)["StreamStatus"] == "UPDATING"
    wait_active(kinesis, name)


def test_an_updating_stream_accepts_records(kinesis, stream):
    """Read and write operations continue to work while the stream is in the UPDATING state."""
    name = stream()
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey=MIDDLE)
    assert put(kinesis, name)["SequenceNumber"]


def test_split_shard_accepts_an_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    kinesis.split_shard(StreamARN=arn_of(kinesis, name), ShardToSplit=SHARD, NewStartingHashKey=MIDDLE)
    wait_active(kinesis, name)
    assert summary(kinesis, name)["OpenShardCount"] == 2


@pytest.mark.parametrize("hash_key", ["-1", "01", "half"])
def test_a_split_needs_a_valid_hash_key(kinesis, stream, hash_key):
    r"""HashKey has the pattern 0|([1-9]\d{0,38})."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey=hash_key)


def test_a_split_at_the_start_is_rejected(kinesis, stream):
    """All the lower hash key values go to the other child, but no value is below the first of the shard."""
    name = stream()
    with rejected_with("InvalidArgumentException"):
        kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="0")


def test_a_split_outside_the_shard_is_rejected(kinesis, stream):
    """NewStartingHashKey must be in the range of hash keys being mapped into the shard."""
    name = stream(2)
    with rejected_with("InvalidArgumentException"):
        kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey=str(2**127 + 5))


def test_a_split_of_an_unknown_shard_is_rejected(kinesis, stream):
    """ResourceNotFoundException: the requested resource could not be found."""
    name = stream()
    with rejected_with("ResourceNotFoundException"):
        kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000009", NewStartingHashKey=MIDDLE)


def test_a_split_of_a_closed_shard_is_rejected(kinesis, stream):
    """A shard that has been split is closed; the reference does not name the error."""
    name = stream()
    split(kinesis, name, SHARD)
    with rejected_with("InvalidArgumentException", "ResourceInUseException"):
        kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="1000")


@in_passing
def test_a_split_requires_an_active_stream(kinesis, stream):
    """ResourceInUseException: for successful operation, the resource must be in the ACTIVE state."""
    name = stream(2)
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="1000")
    with rejected_with("ResourceInUseException"):
        kinesis.split_shard(StreamName=name, ShardToSplit=SECOND, NewStartingHashKey=str(2**127 + 5))


def test_a_split_of_an_on_demand_stream_is_rejected(kinesis, stream):
    """ValidationException: this API is only supported for data streams with the provisioned capacity mode."""
    name = on_demand_stream(kinesis, stream)
    with rejected_with("ValidationException"):
        kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="1000")


def test_a_merge_creates_one_child(kinesis, stream):
    """After the merge, the single child shard receives data for all hash keys covered by the two parents."""
    name = stream(2)
    kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge=SECOND)
    wait_active(kinesis, name)
    first, second, child = shards_of(kinesis, name)
    assert child["ShardId"] == THIRD
    assert child["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": LAST_HASH_KEY}
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (SHARD, SECOND)
    assert not is_open(first)
    assert not is_open(second)
    assert {put(kinesis, name, key=key)["ShardId"] for key in "ab"} == {THIRD}


@in_passing
def test_a_merged_stream_is_updating_for_a_while(kinesis, stream):
    """MergeShards sets the StreamStatus to UPDATING, and to ACTIVE after the operation is completed."""
    name = stream(2)
    kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge=SECOND)
    assert summary(kinesis, name)["StreamStatus"] == "UPDATING"
    wait_active(kinesis, name)


def test_a_merge_of_shards_that_are_not_adjacent_is_rejected(kinesis, stream):
    """Two shards are adjacent if the union of their hash key ranges forms a contiguous set with no gaps."""
    name = stream(4)
    with rejected_with("InvalidArgumentException"):
        kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge=THIRD)


def test_a_merge_of_a_shard_with_itself_is_rejected(kinesis, stream):
    """A merge needs two adjacent shards."""
    name = stream(2)
    with rejected_with("InvalidArgumentException"):
        kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge=SHARD)


def test_a_merge_with_an_unknown_shard_is_rejected(kinesis, stream):
    """ResourceNotFoundException: the requested resource could not be found."""
    name = stream(2)
    with rejected_with("ResourceNotFoundException"):
        kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge="shardId-000000000009")


def test_a_merge_of_a_closed_shard_is_rejected(kinesis, stream):
    """A shard that has been split is closed; the reference does not name the error."""
    name = stream(2)
    split(kinesis, name, SHARD, at="1000")
    with rejected_with("InvalidArgumentException", "ResourceInUseException"):
        kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge=SECOND)


@in_passing
def test_a_merge_requires_an_active_stream(kinesis, stream):
    """If a stream is in the CREATING, UPDATING, or DELETING state, MergeShards returns a ResourceInUseException."""
    name = stream(2)
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey="1000")
    with rejected_with("ResourceInUseException"):
        kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge=SECOND)


def test_a_merge_in_an_on_demand_stream_is_rejected(kinesis, stream):
    """ValidationException: this API is only supported for data streams with the provisioned capacity mode."""
    name = on_demand_stream(kinesis, stream)
    with rejected_with("ValidationException"):
        kinesis.merge_shards(StreamName=name, ShardToMerge=SHARD, AdjacentShardToMerge=SECOND)


def test_a_stream_is_scaled_up_to_equal_shards(kinesis, stream):
    """UNIFORM_SCALING creates shards of equal size."""
    name = stream(2)
    response = scale(kinesis, name, 4)
    assert (response["StreamName"], response["CurrentShardCount"], response["TargetShardCount"]) == (name, 2, 4)
    ranges = open_ranges(kinesis, name)
    assert len(ranges) == 4
    assert even(ranges)


def test_a_stream_is_scaled_down(kinesis, stream):
    """UpdateShardCount performs splits or merges on individual shards."""
    name = stream(2)
    scale(kinesis, name, 1)
    assert open_ranges(kinesis, name) == [(0, 2**128 - 1)]
    assert len(shards_of(kinesis, name)) == 3


def test_a_stream_is_scaled_by_half_its_shards(kinesis, stream):
    """You can specify any target value within the limits; the sizes of the shards then differ only by rounding."""
    name = stream(2)
    scale(kinesis, name, 3)
    ranges = open_ranges(kinesis, name)
    assert len(ranges) == 3
    assert even(ranges)


@in_passing
def test_a_scaled_stream_is_updating_for_a_while(kinesis, stream):
    """UpdateShardCount returns immediately and sets the status of the stream to UPDATING."""
    name = stream()
    kinesis.update_shard_count(StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    assert summary(kinesis, name)["StreamStatus"] == "UPDATING"
    wait_active(kinesis, name)


def test_a_stream_is_at_most_doubled(kinesis, stream):
    """You cannot scale up to more than double your current shard count for a stream."""
    name = stream()
    with rejected_with("InvalidArgumentException", "LimitExceededException"):
        scale(kinesis, name, 3)


def test_a_stream_is_at_most_halved(kinesis, stream):
    """You cannot scale down below half your current shard count for a stream."""
    name = stream(4)
    with rejected_with("InvalidArgumentException", "LimitExceededException"):
        scale(kinesis, name, 1)


def test_a_stream_is_scaled_ten_times_a_day(kinesis, stream):
    """You cannot scale more than ten times per rolling 24-hour period per stream."""
    name = stream()
    for target in (2, 1) * 5:
        scale(kinesis, name, target)
    with rejected_with("LimitExceededException"):
        scale(kinesis, name, 2)


def test_a_target_shard_count_is_positive(kinesis, stream):
    """PositiveIntegerObject has a minimum of 1."""
    name = stream()
    with rejected_with("ValidationException"):
        scale(kinesis, name, 0)


def test_scaling_needs_a_valid_type(kinesis, stream):
    """ScalingType is an enumeration whose only value is UNIFORM_SCALING."""
    name = stream()
    with rejected_with("ValidationException"):
        kinesis.update_shard_count(StreamName=name, TargetShardCount=2, ScalingType="BY_LOAD")


@in_passing
def test_scaling_requires_an_active_stream(kinesis, stream):
    """ResourceInUseException: for successful operation, the resource must be in the ACTIVE state."""
    name = stream()
    kinesis.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey=MIDDLE)
    with rejected_with("ResourceInUseException"):
        kinesis.update_shard_count(StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING")


def test_scaling_of_an_on_demand_stream_is_rejected(kinesis, stream):
    """ValidationException: this API is only supported for data streams with the provisioned capacity mode."""
    name = on_demand_stream(kinesis, stream)
    with rejected_with("ValidationException"):
        kinesis.update_shard_count(StreamName=name, TargetShardCount=8, ScalingType="UNIFORM_SCALING")


def test_scaling_accepts_an_arn(kinesis, stream):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    name = stream()
    arn = arn_of(kinesis, name)
    response = kinesis.update_shard_count(StreamARN=arn, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    assert response["StreamARN"] == arn
    wait_active(kinesis, name)

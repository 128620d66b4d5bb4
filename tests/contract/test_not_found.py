"""A stream that does not exist, in every operation that names a stream."""

import pytest

from tests.contract.support import MIDDLE, arn_of, rejected_with

UNKNOWN = "unknown-stream"
STREAM = {"StreamName": UNKNOWN}
SHARD = "shardId-000000000000"

#: Operations on a stream by name, with their other parameters.
BY_NAME = {
    "AddTagsToStream": {"Tags": {"k": "v"}},
    "DecreaseStreamRetentionPeriod": {"RetentionPeriodHours": 24},
    "DeleteStream": {},
    "DescribeStream": {},
    "DescribeStreamSummary": {},
    "DisableEnhancedMonitoring": {"ShardLevelMetrics": ["ALL"]},
    "EnableEnhancedMonitoring": {"ShardLevelMetrics": ["ALL"]},
    "GetShardIterator": {"ShardId": SHARD, "ShardIteratorType": "LATEST"},
    "IncreaseStreamRetentionPeriod": {"RetentionPeriodHours": 48},
    "ListShards": {},
    "ListTagsForStream": {},
    "MergeShards": {"ShardToMerge": SHARD, "AdjacentShardToMerge": "shardId-000000000001"},
    "PutRecord": {"Data": b"x", "PartitionKey": "k"},
    "PutRecords": {"Records": [{"Data": b"x", "PartitionKey": "k"}]},
    "RemoveTagsFromStream": {"TagKeys": ["k"]},
    "SplitShard": {"ShardToSplit": SHARD, "NewStartingHashKey": MIDDLE},
    "StartStreamEncryption": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
    "StopStreamEncryption": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
    "UpdateShardCount": {"TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"},
    "UpdateStreamWarmThroughput": {"WarmThroughputMiBps": 100},
}

#: Operations on a stream by ARN: the parameter for the ARN, and the other parameters.
BY_ARN = {
    "DeleteResourcePolicy": ("ResourceARN", {}),
    "DeregisterStreamConsumer": ("StreamARN", {"ConsumerName": "reader"}),
    "DescribeStreamConsumer": ("StreamARN", {"ConsumerName": "reader"}),
    "GetResourcePolicy": ("ResourceARN", {}),
    "ListStreamConsumers": ("StreamARN", {}),
    "ListTagsForResource": ("ResourceARN", {}),
    "PutResourcePolicy": ("ResourceARN", {"Policy": '{"Version": "2012-10-17", "Statement": []}'}),
    "RegisterStreamConsumer": ("StreamARN", {"ConsumerName": "reader"}),
    "TagResource": ("ResourceARN", {"Tags": {"k": "v"}}),
    "UntagResource": ("ResourceARN", {"TagKeys": ["k"]}),
    "UpdateMaxRecordSize": ("StreamARN", {"MaxRecordSizeInKiB": 2048}),
    "UpdateStreamMode": ("StreamARN", {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}),
    "UpdateStreamRecordDistributionStrategy": ("StreamARN", {"RecordDistributionStrategy": "USER_PARTITION_KEY"}),
}


def call(kinesis, operation, **parameters):
    methods = {name: method for method, name in kinesis.meta.method_to_api_mapping.items()}
    return getattr(kinesis, methods[operation])(**parameters)


@pytest.mark.parametrize("operation", BY_NAME)
def test_an_unknown_stream_is_not_found(kinesis, operation):
    """ResourceNotFoundException: the requested resource could not be found; the message names the stream."""
    with rejected_with("ResourceNotFoundException", says=UNKNOWN):
        call(kinesis, operation, StreamName=UNKNOWN, **BY_NAME[operation])


@pytest.mark.parametrize("operation", BY_NAME)
def test_a_stream_must_be_named(kinesis, operation):
    """You must use either the StreamARN or the StreamName parameter, or both."""
    with rejected_with("InvalidArgumentException", "ValidationException"):
        call(kinesis, operation, **BY_NAME[operation])


@pytest.mark.parametrize("operation", BY_ARN)
def test_an_unknown_arn_is_not_found(kinesis, stream, operation):
    """ResourceNotFoundException: the requested resource could not be found; the message names the stream."""
    parameter, others = BY_ARN[operation]
    name = stream()
    unknown = arn_of(kinesis, name).replace(name, UNKNOWN)
    with rejected_with("ResourceNotFoundException", says=UNKNOWN):
        call(kinesis, operation, **{parameter: unknown}, **others)

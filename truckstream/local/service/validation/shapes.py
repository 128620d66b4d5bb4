"""The shapes of all requests as one table: members, required members, and constraints.

It follows botocore's model of 2013-12-02 (read 2026-11-23). `parsing` reads a request into these types, and
`constraints` checks the bounds.
"""

from __future__ import annotations

from typing import Final

import msgspec

from truckstream.local.service.quotas import limits

__all__ = [
    "KEYLESS",
    "REQUESTS",
    "SHARD_LEVEL_METRICS",
    "Blob",
    "Flag",
    "Items",
    "Pairs",
    "Rule",
    "Shape",
    "Text",
    "Timestamp",
    "Whole",
]


class Text(msgspec.Struct, frozen=True):
    """A string of `minimum` to `maximum` characters that matches `pattern` or is one of `choices`."""

    minimum: int = 0
    maximum: int | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()


class Whole(msgspec.Struct, frozen=True):
    """A whole number."""

    minimum: int | None = None
    maximum: int | None = None


class Blob(msgspec.Struct, frozen=True):
    """Bytes; base64 in JSON."""


class Flag(msgspec.Struct, frozen=True):
    """True or false."""


class Timestamp(msgspec.Struct, frozen=True):
    """A time in seconds since the epoch."""


class Items(msgspec.Struct, frozen=True):
    """A list."""

    member: Rule
    minimum: int = 0
    maximum: int | None = None


class Pairs(msgspec.Struct, frozen=True):
    """A map from text to text."""

    key: Text
    value: Text
    minimum: int = 0
    maximum: int | None = None


class Shape(msgspec.Struct, frozen=True):
    """A structure: its members, and the names of the required ones."""

    members: dict[str, Rule]
    required: tuple[str, ...] = ()
    #: Class name in the service's own code, where an error message shows it.
    name: str = ""


Rule = Text | Whole | Blob | Flag | Timestamp | Items | Pairs | Shape

#: The metrics of enhanced monitoring, in the order in which the service lists them.
SHARD_LEVEL_METRICS: Final = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)

# --- The table -----------------------------------------------------------------------------------

_NAME: Final = Text(1, 128, r"[a-zA-Z0-9_.-]+")
_ARN: Final = Text(1, 2048, r"arn:aws.*:kinesis:.*:\d{12}:stream/\S+")
_CONSUMER_ARN: Final = Text(
    *(1, 2048, r"(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+")
)
_RESOURCE_ARN: Final = Text(1, 2048, r"arn:aws.*:kinesis:.*:\d{12}:.*(stream|channel)/\S+")
_SHARD_ID: Final = Text(1, 128, r"[a-zA-Z0-9_.-]+")
_HASH_KEY: Final = Text(pattern=r"0|([1-9]\d{0,38})")
_SEQUENCE: Final = Text(pattern=r"0|([1-9]\d{0,128})")
_KEY: Final = Text(1, limits.PARTITION_KEY_CHARACTERS)
_TOKEN: Final = Text(1, 1_048_576)
_TAG_KEY: Final = Text(1, 128)
_TAG_KEYS: Final = Items(_TAG_KEY, 1, 50)
_TAGS: Final = Pairs(_TAG_KEY, Text(0, 256), 1, 200)
_MODE: Final = Shape({"StreamMode": Text(choices=("PROVISIONED", "ON_DEMAND"))}, ("StreamMode",))
_FILTER_TYPES: Final = (
    *("AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP"),
)
_ITERATOR_TYPES: Final = (  # in the order of the service's error messages [rec]
    *("AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"),
)
_POSITION: Final = Shape(
    {"Type": Text(choices=_ITERATOR_TYPES), "SequenceNumber": _SEQUENCE, "Timestamp": Timestamp()},
    ("Type",),
)
_FILTER: Final = Shape(
    {"Type": Text(choices=_FILTER_TYPES), "ShardId": _SHARD_ID, "Timestamp": Timestamp()},
    ("Type",),
)
_STRATEGY: Final = Text(choices=("AUTO", "USER_PARTITION_KEY"))
_WARM: Final = Whole(0)
_METRICS: Final = Items(Text(choices=(*SHARD_LEVEL_METRICS, "ALL")), 1, 7)
_ENTRY: Final = Shape(
    {"Data": Blob(), "ExplicitHashKey": _HASH_KEY, "PartitionKey": _KEY},
    ("Data", "PartitionKey"),
    "com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry",
)
_RETENTION: Final = Whole(1, limits.RETENTION_HOURS_MAX)  # a bound of the service that its model lacks [rec]
_ENCRYPTION: Final = {"EncryptionType": Text(choices=("NONE", "KMS")), "KeyId": Text(1, 2048)}
_MAX_RECORD: Final = Whole(limits.RECORD_KIB, limits.RECORD_KIB_MAX)
_OF_STREAM: Final[dict[str, Rule]] = {"StreamName": _NAME, "StreamARN": _ARN}


def _on_stream(*required: str, **members: Rule) -> Shape:
    return Shape(_OF_STREAM | members, required)


def _on_arn(*required: str, **members: Rule) -> Shape:
    return Shape({"StreamARN": _ARN} | members, required)


def _on_consumer() -> Shape:
    return _on_arn(ConsumerName=_NAME, ConsumerARN=_CONSUMER_ARN)


def _on_resource(*required: str, **members: Rule) -> Shape:
    return Shape({"ResourceARN": _RESOURCE_ARN} | members, ("ResourceARN", *required))


#: The shape of each operation's request.
REQUESTS: Final[dict[str, Shape]] = {
    "AddTagsToStream": _on_stream("Tags", Tags=_TAGS),
    "CreateStream": Shape(
        {
            "StreamName": _NAME,
            "ShardCount": Whole(1),
            "StreamModeDetails": _MODE,
            "Tags": _TAGS,
            "MaxRecordSizeInKiB": _MAX_RECORD,
            "WarmThroughputMiBps": _WARM,
            "RecordDistributionStrategy": _STRATEGY,
        },
        ("StreamName",),
    ),
    "DecreaseStreamRetentionPeriod": _on_stream("RetentionPeriodHours", RetentionPeriodHours=_RETENTION),
    "DeleteResourcePolicy": _on_resource(),
    "DeleteStream": _on_stream(EnforceConsumerDeletion=Flag()),
    "DeregisterStreamConsumer": _on_consumer(),
    "DescribeAccountSettings": Shape({}),
    "DescribeLimits": Shape({}),
    "DescribeStream": _on_stream(Limit=Whole(1, 10_000), ExclusiveStartShardId=_SHARD_ID),
    "DescribeStreamConsumer": _on_consumer(),
    "DescribeStreamSummary": _on_stream(),
    "DisableEnhancedMonitoring": _on_stream("ShardLevelMetrics", ShardLevelMetrics=_METRICS),
    "EnableEnhancedMonitoring": _on_stream("ShardLevelMetrics", ShardLevelMetrics=_METRICS),
    "GetRecords": Shape(
        {
            "StreamARN": _ARN,
            "ShardIterator": Text(1, 512),
            "Limit": Whole(1, limits.GET_RECORDS),
            "DryRun": Flag(),
        },
        ("ShardIterator",),
    ),
    "GetResourcePolicy": _on_resource(),
    "GetShardIterator": _on_stream(
        *("ShardId", "ShardIteratorType"),
        ShardId=_SHARD_ID,
        ShardIteratorType=Text(choices=_ITERATOR_TYPES),
        StartingSequenceNumber=_SEQUENCE,
        Timestamp=Timestamp(),
        DryRun=Flag(),
    ),
    "IncreaseStreamRetentionPeriod": _on_stream("RetentionPeriodHours", RetentionPeriodHours=_RETENTION),
    "ListShards": _on_stream(
        NextToken=_TOKEN,
        ExclusiveStartShardId=_SHARD_ID,
        MaxResults=Whole(1, 10_000),
        StreamCreationTimestamp=Timestamp(),
        ShardFilter=_FILTER,
    ),
    "ListStreamConsumers": _on_arn(
        "StreamARN", NextToken=_TOKEN, MaxResults=Whole(1, 10_000), StreamCreationTimestamp=Timestamp()
    ),
    "ListStreams": Shape({"Limit": Whole(1, 10_000), "ExclusiveStartStreamName": _NAME, "NextToken": _TOKEN}),
    "ListTagsForResource": _on_resource(),
    "ListTagsForStream": _on_stream(ExclusiveStartTagKey=_TAG_KEY, Limit=Whole(1, 50)),
    "MergeShards": _on_stream(
        *("ShardToMerge", "AdjacentShardToMerge"), ShardToMerge=_SHARD_ID, AdjacentShardToMerge=_SHARD_ID
    ),
    "PutRecord": _on_stream(
        *("Data", "PartitionKey"),
        Data=Blob(),
        PartitionKey=_KEY,
        ExplicitHashKey=_HASH_KEY,
        SequenceNumberForOrdering=_SEQUENCE,
        DryRun=Flag(),
    ),
    "PutRecords": _on_stream("Records", Records=Items(_ENTRY, 1, limits.PUT_RECORDS), DryRun=Flag()),
    "PutResourcePolicy": _on_resource("Policy", Policy=Text()),
    "RegisterStreamConsumer": _on_arn("StreamARN", "ConsumerName", ConsumerName=_NAME, Tags=_TAGS),
    "RemoveTagsFromStream": _on_stream("TagKeys", TagKeys=_TAG_KEYS),
    "SplitShard": _on_stream(
        *("ShardToSplit", "NewStartingHashKey"), ShardToSplit=_SHARD_ID, NewStartingHashKey=_HASH_KEY
    ),
    "StartStreamEncryption": _on_stream("EncryptionType", "KeyId", **_ENCRYPTION),
    "StopStreamEncryption": _on_stream("EncryptionType", "KeyId", **_ENCRYPTION),
    "SubscribeToShard": Shape(
        {"ConsumerARN": _CONSUMER_ARN, "ShardId": _SHARD_ID, "StartingPosition": _POSITION, "DryRun": Flag()},
        ("ConsumerARN", "ShardId", "StartingPosition"),
    ),
    "TagResource": _on_resource("Tags", Tags=_TAGS),
    "UntagResource": _on_resource("TagKeys", TagKeys=_TAG_KEYS),
    "UpdateAccountSettings": Shape(
        {"MinimumThroughputBillingCommitment": Shape({"Status": Text(choices=("ENABLED", "DISABLED"))}, ("Status",))},
        ("MinimumThroughputBillingCommitment",),
    ),
    "UpdateMaxRecordSize": _on_arn("MaxRecordSizeInKiB", MaxRecordSizeInKiB=_MAX_RECORD),
    "UpdateShardCount": _on_stream(
        *("TargetShardCount", "ScalingType"), TargetShardCount=Whole(1), ScalingType=Text(choices=("UNIFORM_SCALING",))
    ),
    "UpdateStreamMode": _on_arn("StreamARN", "StreamModeDetails", StreamModeDetails=_MODE, WarmThroughputMiBps=_WARM),
    "UpdateStreamRecordDistributionStrategy": _on_arn(
        *("StreamARN", "RecordDistributionStrategy"), RecordDistributionStrategy=_STRATEGY
    ),
    "UpdateStreamWarmThroughput": _on_stream("WarmThroughputMiBps", WarmThroughputMiBps=_WARM),
}

#: The writes to a stream whose RecordDistributionStrategy is AUTO: "a partition key is not required".
KEYLESS: Final[dict[str, Shape]] = {
    "PutRecord": Shape(REQUESTS["PutRecord"].members, ("Data",)),
    "PutRecords": _on_stream(
        "Records", Records=Items(Shape(_ENTRY.members, ("Data",), _ENTRY.name), 1, limits.PUT_RECORDS), DryRun=Flag()
    ),
}

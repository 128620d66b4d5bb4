"""The requests' shapes as one table, and what the service says of a request that has another.

The table follows botocore's model of 2013-12-02 (read 2026-11-23): members, which of them are required, and their
constraints. The service's front end checks twice. What cannot be read as the member's type is a
SerializationException. What can be read, but breaks a constraint, is a ValidationException that lists every broken
constraint of the request, each naming its member in the manner of Java: `records.1.member.partitionKey`.

Members that the table does not name are ignored, as the service does.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.local.service import limits
from truckstream.local.service.monitoring import SHARD_LEVEL_METRICS
from truckstream.local.service.refusal import not_readable, not_valid

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["REQUESTS", "read_request", "validate"]


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


class Moment(msgspec.Struct, frozen=True):
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
    """A structure: its members, and those of them without which it is none."""

    members: dict[str, Rule]
    required: tuple[str, ...] = ()


Rule = Text | Whole | Blob | Flag | Moment | Items | Pairs | Shape

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
_ITERATOR_TYPES: Final = (*("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER", "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"),)
_POSITION: Final = Shape(
    {"Type": Text(choices=_ITERATOR_TYPES), "SequenceNumber": _SEQUENCE, "Timestamp": Moment()},
    ("Type",),
)
_FILTER: Final = Shape(
    {"Type": Text(choices=_FILTER_TYPES), "ShardId": _SHARD_ID, "Timestamp": Moment()},
    ("Type",),
)
_STRATEGY: Final = Text(choices=("AUTO", "USER_PARTITION_KEY"))
_WARM: Final = Whole(0)
_METRICS: Final = Items(Text(choices=(*SHARD_LEVEL_METRICS, "ALL")), 1, 7)
_ENTRY: Final = Shape({"Data": Blob(), "ExplicitHashKey": _HASH_KEY, "PartitionKey": _KEY}, ("Data", "PartitionKey"))
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
    "DecreaseStreamRetentionPeriod": _on_stream("RetentionPeriodHours", RetentionPeriodHours=Whole()),
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
        Timestamp=Moment(),
        DryRun=Flag(),
    ),
    "IncreaseStreamRetentionPeriod": _on_stream("RetentionPeriodHours", RetentionPeriodHours=Whole()),
    "ListShards": _on_stream(
        NextToken=_TOKEN,
        ExclusiveStartShardId=_SHARD_ID,
        MaxResults=Whole(1, 10_000),
        StreamCreationTimestamp=Moment(),
        ShardFilter=_FILTER,
    ),
    "ListStreamConsumers": _on_arn(
        "StreamARN", NextToken=_TOKEN, MaxResults=Whole(1, 10_000), StreamCreationTimestamp=Moment()
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
_KEYLESS: Final[dict[str, Shape]] = {
    "PutRecord": Shape(REQUESTS["PutRecord"].members, ("Data",)),
    "PutRecords": _on_stream(
        "Records", Records=Items(Shape(_ENTRY.members, ("Data",)), 1, limits.PUT_RECORDS), DryRun=Flag()
    ),
}

# --- First check: can it be read? ----------------------------------------------------------------

_PYTHON_TYPES: Final[dict[type, tuple[tuple[type, ...], str]]] = {
    Text: ((str,), "String"),
    Whole: ((int,), "Integer"),
    Flag: ((bool,), "Boolean"),
    Moment: ((int, float), "Timestamp"),
    Items: ((list,), "List"),
    Pairs: ((dict,), "Map"),
    Shape: ((dict,), "Structure"),
}
_JSON_NAMES: Final = {str: "STRING", bool: "BOOLEAN", int: "NUMBER", float: "NUMBER", list: "LIST", dict: "STRUCTURE"}


def read_request(operation: str, raw: object, *, ticks: int = 1) -> dict[str, Any]:
    """The request as the operations take it: members that the shape names, null ones left out, blobs as bytes.

    Args:
        operation: its name.
        raw: as its encoding gives it.
        ticks: the units in a second in which the encoding tells a time.

    Raises:
        RefusedError: a SerializationException.
    """
    request = _read(REQUESTS[operation], raw, ticks)
    assert isinstance(request, dict)  # noqa: S101 - that is what a Shape reads into
    return request


def _read(rule: Rule, value: Any, ticks: int) -> Any:
    if isinstance(rule, Blob):
        return _read_blob(value)
    _check_type(rule, value)
    match rule:
        case Shape():
            known = {name: member for name, member in value.items() if member is not None and name in rule.members}
            return {name: _read(rule.members[name], member, ticks) for name, member in known.items()}
        case Items():
            return [_read(rule.member, item, ticks) for item in value]
        case Pairs():
            return {key: _read(rule.value, item, ticks) for key, item in value.items()}
        case Moment():
            return value / ticks
    return value


def _check_type(rule: Rule, value: object) -> None:
    accepted, name = _PYTHON_TYPES[type(rule)]
    # A bool is an int to Python, and to nobody else.
    if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in accepted):
        raise not_readable(f"{_JSON_NAMES.get(type(value), 'NULL')}_VALUE can not be converted to {name}")


def _read_blob(value: object) -> bytes:
    if isinstance(value, bytes):  # a protocol with bytes of its own
        return value
    if not isinstance(value, str):
        raise not_readable(f"{_JSON_NAMES.get(type(value), 'NULL')}_VALUE can not be converted to Blob")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError as error:
        raise not_readable(f"Invalid base64 data: {error}") from None


# --- Second check: does it keep the constraints? --------------------------------------------------


def validate(operation: str, request: dict[str, Any], *, keyless: bool = False) -> None:
    """Hold a request that could be read to its constraints.

    Args:
        operation: its name.
        request: as `read_request` gives it.
        keyless: for the two writes: the stream distributes its records without keys.

    Raises:
        RefusedError: a ValidationException that lists them all.
    """
    problems = list(_problems((_KEYLESS if keyless else REQUESTS)[operation], request, ""))
    if problems:
        raise not_valid(problems)


def _problems(rule: Rule, value: Any, path: str) -> Iterator[str]:
    match rule:
        case Shape():
            yield from _shape_problems(rule, value, path)
        case Items():
            yield from _length(rule, value, path, "")
            for number, item in enumerate(value, 1):
                yield from _problems(rule.member, item, f"{path}.{number}.member")
        case Pairs():
            yield from _length(rule, value, path, "")
            for key, item in value.items():
                yield from _problems(rule.key, key, f"{path}.{key}.key")
                yield from _problems(rule.value, item, f"{path}.{key}.member")
        case Text():
            yield from _text_problems(rule, value, path)
        case Whole():
            yield from _whole_problems(rule, value, path)


def _shape_problems(rule: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in rule.required:
        if name not in value:
            yield _broken(_join(path, name), "Member must not be null", " null")
    for name, member in value.items():
        yield from _problems(rule.members[name], member, _join(path, name))


def _text_problems(rule: Text, value: str, path: str) -> Iterator[str]:
    shown = f" '{value}'"
    if rule.choices and value not in rule.choices:
        yield _broken(path, f"Member must satisfy enum value set: [{', '.join(rule.choices)}]", shown)
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        yield _broken(path, f"Member must satisfy regular expression pattern: {rule.pattern}", shown)
    yield from _length(rule, value, path, shown)


def _whole_problems(rule: Whole, value: int, path: str) -> Iterator[str]:
    if rule.minimum is not None and value < rule.minimum:
        yield _broken(path, f"Member must have value greater than or equal to {rule.minimum}", f" '{value}'")
    if rule.maximum is not None and value > rule.maximum:
        yield _broken(path, f"Member must have value less than or equal to {rule.maximum}", f" '{value}'")


def _length(rule: Text | Items | Pairs, value: Any, path: str, shown: str) -> Iterator[str]:
    if len(value) < rule.minimum:
        yield _broken(path, f"Member must have length greater than or equal to {rule.minimum}", shown)
    if rule.maximum is not None and len(value) > rule.maximum:
        yield _broken(path, f"Member must have length less than or equal to {rule.maximum}", shown)


def _broken(path: str, constraint: str, shown: str) -> str:
    """One broken constraint. Lists and blobs are not `shown`: the service prints Java object IDs for them."""
    return f"Value{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


def data_too_long(record: int, maximum: int) -> str:
    """The sentence for a record over the stream's size; `record` counts from 1, and 0 means PutRecord's only one."""
    path = f"records.{record}.member.data" if record else "data"
    return _broken(path, f"Member must have length less than or equal to {maximum}", "")

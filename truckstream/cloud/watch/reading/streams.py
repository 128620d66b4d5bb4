"""The streams of an account and region, and the shards of one stream."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from truckstream.cloud.watch.reading.tolerant_reader import TolerantReader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.cloud.aws_account import Aws

__all__ = ["ShardDescription", "StreamDescription", "StreamList", "StreamWithShards", "list_streams", "read_stream"]

#: Partition keys are mapped to this many integers.
_HASH_KEYS: Final = 2**128

#: Streams described at a time: the service allows 20 calls of DescribeStreamSummary a second.
_PARALLEL_CALLS: Final = 10


@dataclass(frozen=True, slots=True)
class StreamDescription:
    """One stream. None stands for a fact that could not be read."""

    name: str
    arn: str | None = None
    #: CREATING, ACTIVE, UPDATING or DELETING.
    status: str | None = None
    #: PROVISIONED or ON_DEMAND.
    mode: str | None = None
    open_shards: int | None = None
    retention_hours: int | None = None
    #: NONE or KMS.
    encryption: str | None = None
    #: Registered consumers with enhanced fan-out.
    consumers: int | None = None


@dataclass(frozen=True, slots=True)
class StreamList:
    """The streams of an account and region, and the errors of those that could not be described."""

    region: str
    streams: tuple[StreamDescription, ...]
    unread: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShardDescription:
    """One shard that still holds records."""

    shard_id: str
    #: A closed shard takes no records any more: it was split or merged.
    state: Literal["open", "closed"]
    parents: tuple[str, ...]
    #: The hash keys that it owns, or owned, ends included, in decimal.
    starting_hash_key: str
    ending_hash_key: str
    #: Their share of all hash keys, from 0 to 1.
    share: float


@dataclass(frozen=True, slots=True)
class StreamWithShards:
    """One stream and its shards."""

    stream: StreamDescription
    shards: tuple[ShardDescription, ...]


async def list_streams(aws: Aws) -> StreamList:
    """List all streams, and describe each. One that cannot be described is listed with the facts of the list.

    Raises:
        AwsError: the streams cannot be listed.
    """
    listed = await _list_names(aws)
    reader = TolerantReader(aws)
    turns = asyncio.Semaphore(_PARALLEL_CALLS)

    async def describe(name: str) -> StreamDescription:
        async with turns:
            found = await reader.find("kinesis", "describe_stream_summary", StreamName=name)
        return _described({"StreamName": name, **listed[name], **(found or {}).get("StreamDescriptionSummary", {})})

    streams = await asyncio.gather(*map(describe, listed))
    return StreamList(aws.region, tuple(streams), tuple(map(str, reader.unread)))


async def _list_names(aws: Aws) -> dict[str, Mapping[str, Any]]:
    """Return the names of all streams, each with the facts that the list has of it.

    The facts are an optional member, which stand-ins leave out. So is the token for the next page: the last name works
    with each of them.
    """
    names: list[str] = []
    facts: dict[str, Mapping[str, Any]] = {}
    more = True
    while more:
        after = {"ExclusiveStartStreamName": names[-1]} if names else {}
        page = await aws.call("kinesis", "list_streams", **after)
        names += page["StreamNames"]
        facts |= {summary["StreamName"]: summary for summary in page.get("StreamSummaries", ())}
        more = page["HasMoreStreams"] and bool(page["StreamNames"])
    return {name: facts.get(name, {}) for name in names}


async def read_stream(aws: Aws, name: str) -> StreamWithShards:
    """Describe one stream, by its name or ARN, and its shards, those included that are closed and still hold records.

    Raises:
        AwsError: the stream does not exist or cannot be described.
    """
    by_name = {"StreamARN" if name.startswith("arn:") else "StreamName": name}
    found = await aws.call("kinesis", "describe_stream_summary", **by_name)
    page = await aws.call("kinesis", "list_shards", **by_name)
    shards = list(page["Shards"])
    while page.get("NextToken"):
        page = await aws.call("kinesis", "list_shards", NextToken=page["NextToken"])
        shards += page["Shards"]
    return StreamWithShards(_described(found["StreamDescriptionSummary"]), tuple(map(_shard, shards)))


def _described(facts: Mapping[str, Any]) -> StreamDescription:
    return StreamDescription(
        name=facts["StreamName"],
        arn=facts.get("StreamARN"),
        status=facts.get("StreamStatus"),
        mode=facts.get("StreamModeDetails", {}).get("StreamMode"),
        open_shards=facts.get("OpenShardCount"),
        retention_hours=facts.get("RetentionPeriodHours"),
        encryption=facts.get("EncryptionType"),
        consumers=facts.get("ConsumerCount"),
    )


def _shard(facts: Mapping[str, Any]) -> ShardDescription:
    keys = facts["HashKeyRange"]
    return ShardDescription(
        shard_id=facts["ShardId"],
        state="closed" if "EndingSequenceNumber" in facts["SequenceNumberRange"] else "open",
        parents=tuple(facts[name] for name in ("ParentShardId", "AdjacentParentShardId") if name in facts),
        starting_hash_key=keys["StartingHashKey"],
        ending_hash_key=keys["EndingHashKey"],
        share=(int(keys["EndingHashKey"]) - int(keys["StartingHashKey"]) + 1) / _HASH_KEYS,
    )

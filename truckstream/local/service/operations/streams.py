"""The operations that create, delete, describe and list streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from truckstream.local.service.errors import invalid, limit_exceeded, stream_exists, stream_has_consumers
from truckstream.local.service.operations.settings.capacity import check_for_on_demand, warm, warm_throughput
from truckstream.local.service.operations.settings.tags import check_tags
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.stream import Mode, Stream

__all__ = [
    "create_stream",
    "delete_stream",
    "describe_limits",
    "describe_stream",
    "describe_stream_summary",
    "list_streams",
]


def create_stream(account: KinesisAccount, request: Request, now: float) -> Response:
    name = request["StreamName"]
    if account.known(name, now) is not None:
        raise stream_exists(name, account.account_id)
    mode: Mode = request.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    shard_count = request.get("ShardCount")
    if mode == "ON_DEMAND":
        if shard_count is not None:
            raise invalid("ShardCount cannot be specified for a stream in ON_DEMAND mode.")
        if _on_demand_count(account, now) >= limits.ON_DEMAND_STREAMS:
            raise limit_exceeded(f"The account may have {limits.ON_DEMAND_STREAMS} on-demand streams.")
        shard_count = limits.ON_DEMAND_SHARDS
    elif shard_count is None:
        raise invalid("ShardCount must be specified for a stream in PROVISIONED mode.")
    if sum(stream.status(now) == "CREATING" for stream in account.streams(now)) >= limits.STREAMS_CREATING:
        raise limit_exceeded(f"The account may have {limits.STREAMS_CREATING} streams in the CREATING state at a time.")
    tags = request.get("Tags", {})
    check_tags(name, account.account_id, tags)
    check_for_on_demand(account, request, mode, now)
    stream = account.create(name, shard_count, mode, now)
    stream.tags.update(tags)
    stream.max_record_bytes = request.get("MaxRecordSizeInKiB", limits.RECORD_KIB) * limits.KIB
    stream.spreads_evenly = request.get("RecordDistributionStrategy") == "AUTO"
    if "WarmThroughputMiBps" in request:
        warm(stream, request["WarmThroughputMiBps"], now)
    return None


def delete_stream(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.named(request, now)
    if stream.known_consumers(now) and not request.get("EnforceConsumerDeletion"):
        raise stream_has_consumers(stream.name, account.account_id)
    stream.transition("DELETING", now + account.transition_seconds)
    return None


def describe_stream(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.named(request, now)
    count = min(request.get("Limit", limits.DESCRIBE_SHARDS), limits.DESCRIBE_SHARDS)
    after = request.get("ExclusiveStartShardId", "")
    # A stream in creation has no shards yet [rec], see `errors`.
    known = {} if stream.status(now) == "CREATING" else stream.shards
    shards = [shard for shard_id, shard in known.items() if shard_id > after]
    description = _description(stream, now) | {
        "Shards": [shard.describe() for shard in shards[:count]],
        "HasMoreShards": len(shards) > count,
    }
    return {"StreamDescription": description}


def describe_stream_summary(account: KinesisAccount, request: Request, now: float) -> Response:
    stream = account.named(request, now)
    summary = _description(stream, now) | {
        "OpenShardCount": len(stream.open_shards),
        "ConsumerCount": len(stream.known_consumers(now)),
        "MaxRecordSizeInKiB": stream.max_record_bytes // limits.KIB,
    }
    if stream.mode == "ON_DEMAND":
        summary["RecordDistributionStrategy"] = "AUTO" if stream.spreads_evenly else "USER_PARTITION_KEY"
    if account.has_advantage(stream, now):
        summary["WarmThroughput"] = warm_throughput(stream)
    return {"StreamDescriptionSummary": summary}


def _description(stream: Stream, now: float) -> dict[str, Any]:
    """Return the members that both descriptions share."""
    description: dict[str, Any] = {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": stream.status(now),
        "StreamModeDetails": {"StreamMode": stream.mode},
        "RetentionPeriodHours": stream.retention_hours,
        "StreamCreationTimestamp": stream.created_at,
        "EnhancedMonitoring": [{"ShardLevelMetrics": stream.shard_level_metrics}],
        "EncryptionType": "NONE" if stream.key_id is None else "KMS",
    }
    if stream.key_id is not None:
        description["KeyId"] = stream.key_id
    return description


def describe_limits(account: KinesisAccount, request: Request, now: float) -> Response:  # noqa: ARG001 - no members
    return {
        "ShardLimit": account.shard_limit,
        "OpenShardCount": account.open_shard_count(now),
        "OnDemandStreamCount": _on_demand_count(account, now),
        "OnDemandStreamCountLimit": limits.ON_DEMAND_STREAMS,
    }


def _on_demand_count(account: KinesisAccount, now: float) -> int:
    return sum(stream.mode == "ON_DEMAND" for stream in account.streams(now))


def list_streams(account: KinesisAccount, request: Request, now: float) -> Response:
    # The token is the last name of the page: the list is sorted by name, and a stream may be deleted between two pages.
    after: str = request.get("NextToken") or request.get("ExclusiveStartStreamName") or ""
    count = request.get("Limit", limits.LIST_STREAMS)
    streams = [stream for stream in account.streams(now) if stream.name > after]
    page = streams[:count]
    response: dict[str, Any] = {
        "StreamNames": [stream.name for stream in page],
        "HasMoreStreams": len(streams) > count,
        "StreamSummaries": [_summary(stream, now) for stream in page],
    }
    if len(streams) > count:
        response["NextToken"] = page[-1].name
    return response


def _summary(stream: Stream, now: float) -> dict[str, Any]:
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": stream.status(now),
        "StreamModeDetails": {"StreamMode": stream.mode},
        "StreamCreationTimestamp": stream.created_at,
    }

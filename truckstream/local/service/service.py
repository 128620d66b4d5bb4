"""The table of operations, and `Service`, which looks an operation up and carries it out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.local.service.errors import unknown_operation
from truckstream.local.service.messages import Request, Response
from truckstream.local.service.operations import (
    fan_out_consumers,
    get_records,
    list_shards,
    put_records,
    reshard,
    streams,
    subscribe_to_shard,
)
from truckstream.local.service.operations.settings import (
    account_settings,
    capacity,
    encryption,
    monitoring,
    resource_policies,
    retention,
    tags,
)
from truckstream.local.service.quotas.shard_quota import QuotaLeft
from truckstream.local.service.state.account import KinesisAccount, RecordFault
from truckstream.local.service.validation.constraints import validate

if TYPE_CHECKING:
    from truckstream.local.service.state.stream import Stream

__all__ = ["OPERATIONS", "LocalShardStats", "Operation", "Service"]

Operation = Callable[[KinesisAccount, Request, float], Response]
RecordOperation = Callable[[KinesisAccount, Request, float, RecordFault | None], Response]

#: The operations whose single records can be made to fail.
_RECORD_OPERATIONS: Final[dict[str, RecordOperation]] = {
    "GetRecords": get_records.get_records,
    "PutRecord": put_records.put_record,
    "PutRecords": put_records.put_records,
}

#: Every operation of this service by its name in X-Amz-Target.
OPERATIONS: Final[dict[str, Operation]] = {
    "AddTagsToStream": tags.add_tags_to_stream,
    "CreateStream": streams.create_stream,
    "DecreaseStreamRetentionPeriod": retention.decrease_retention,
    "DeleteResourcePolicy": resource_policies.delete_resource_policy,
    "DeleteStream": streams.delete_stream,
    "DeregisterStreamConsumer": fan_out_consumers.deregister_stream_consumer,
    "DescribeAccountSettings": account_settings.describe_account_settings,
    "DescribeLimits": streams.describe_limits,
    "DescribeStream": streams.describe_stream,
    "DescribeStreamConsumer": fan_out_consumers.describe_stream_consumer,
    "DescribeStreamSummary": streams.describe_stream_summary,
    "DisableEnhancedMonitoring": monitoring.disable_enhanced_monitoring,
    "EnableEnhancedMonitoring": monitoring.enable_enhanced_monitoring,
    "GetRecords": get_records.get_records,
    "GetResourcePolicy": resource_policies.get_resource_policy,
    "GetShardIterator": get_records.get_shard_iterator,
    "IncreaseStreamRetentionPeriod": retention.increase_retention,
    "ListShards": list_shards.list_shards,
    "ListStreamConsumers": fan_out_consumers.list_stream_consumers,
    "ListStreams": streams.list_streams,
    "ListTagsForResource": tags.list_tags_for_resource,
    "ListTagsForStream": tags.list_tags_for_stream,
    "MergeShards": reshard.merge_shards,
    "PutRecord": put_records.put_record,
    "PutRecords": put_records.put_records,
    "PutResourcePolicy": resource_policies.put_resource_policy,
    "RegisterStreamConsumer": fan_out_consumers.register_stream_consumer,
    "RemoveTagsFromStream": tags.remove_tags_from_stream,
    "SplitShard": reshard.split_shard,
    "StartStreamEncryption": encryption.start_encryption,
    "StopStreamEncryption": encryption.stop_encryption,
    "SubscribeToShard": subscribe_to_shard.subscribe_to_shard,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateAccountSettings": account_settings.update_account_settings,
    "UpdateMaxRecordSize": capacity.update_max_record_size,
    "UpdateShardCount": reshard.update_shard_count,
    "UpdateStreamMode": capacity.update_stream_mode,
    "UpdateStreamRecordDistributionStrategy": capacity.update_stream_record_distribution_strategy,
    "UpdateStreamWarmThroughput": capacity.update_stream_warm_throughput,
}

#: The writes check their constraints themselves, in the same pass that routes their records.
_VALIDATE_THEMSELVES: Final = frozenset({"PutRecord", "PutRecords"})


class LocalShardStats(msgspec.Struct, frozen=True):
    """Counts of one shard since it was created. Bytes are those of data and partition keys."""

    #: Records stored, and their bytes.
    records_in: int
    bytes_in: int
    #: Records throttled by the quota; each attempt counts.
    records_throttled: int
    #: Records returned to readers.
    records_out: int
    #: Bytes of the records that are still stored.
    bytes_stored: int
    #: Records dropped before their retention ended, because all records exceeded `max_bytes` of memory.
    records_trimmed: int
    #: GetRecords calls throttled by the quota.
    reads_throttled: int
    #: True while the shard takes records.
    is_open: bool
    #: Records and bytes to write, calls and bytes to read that the quotas still admit. None without quotas.
    quota_left: QuotaLeft | None


class Service:
    """Kinesis for one account.

    `call` is the whole API. It never waits, and so needs no lock.
    """

    def __init__(self, account: KinesisAccount) -> None:
        self.account = account
        #: Number of requests by operation, including those that ended in an error.
        self.requests: dict[str, int] = {}

    def call(self, operation: str, request: Request, now: float, record_fault: RecordFault | None = None) -> Response:
        """Carry out one operation.

        Args:
            operation: its name, such as "PutRecords".
            request: as `parsing.read_request` returns it.
            now: seconds since the epoch.
            record_fault: decides which records of this call fail.

        Raises:
            RefusedError: the error that the service returns.
        """
        function = OPERATIONS.get(operation)
        if function is None:
            raise unknown_operation()
        self.requests[operation] = self.requests.get(operation, 0) + 1
        if operation not in _VALIDATE_THEMSELVES:
            validate(operation, request)
            self.account.call_rates.admit(operation, request, now)
        if record_fault is not None and operation in _RECORD_OPERATIONS:
            return _RECORD_OPERATIONS[operation](self.account, request, now, record_fault)
        return function(self.account, request, now)

    def stream(self, name: str, now: float) -> Stream:
        """Return the stream of this name.

        Raises:
            RefusedError: the stream does not exist.
        """
        return self.account.named({"StreamName": name}, now)

    def shard_stats(self, name: str, now: float) -> dict[str, LocalShardStats]:
        """Return the counts of each shard, by shard ID."""
        return {
            shard.shard_id: LocalShardStats(
                records_in=shard.counts.records_in,
                bytes_in=shard.counts.bytes_in,
                records_throttled=shard.counts.records_throttled,
                records_out=shard.counts.records_out,
                bytes_stored=shard.bytes_stored,
                records_trimmed=shard.counts.records_trimmed,
                reads_throttled=shard.counts.reads_throttled,
                is_open=shard.is_open,
                quota_left=None if math.isinf(self.account.quota_scale) else shard.quota_left(now),
            )
            for shard in self.stream(name, now).shards.values()
        }

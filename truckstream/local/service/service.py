"""The API as one table, and the service that looks into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from truckstream.local.service.errors import unknown_operation
from truckstream.local.service.operations import fan_out_consumers as consumers
from truckstream.local.service.operations import get_records as read
from truckstream.local.service.operations import list_shards as listing
from truckstream.local.service.operations import put_records as write
from truckstream.local.service.operations import reshard, streams
from truckstream.local.service.operations import subscribe_to_shard as subscribe
from truckstream.local.service.operations.settings import account_settings as commitment
from truckstream.local.service.operations.settings import capacity, monitoring, tags
from truckstream.local.service.operations.settings import resource_policies as policies
from truckstream.local.service.operations.settings import retention_and_encryption as settings
from truckstream.local.service.quotas.shard_quota import QuotaLeft
from truckstream.local.service.state.account import Account, Answer, RecordFault, Request
from truckstream.local.service.validation.constraints import validate

if TYPE_CHECKING:
    from truckstream.local.service.state.stream import Stream

__all__ = ["OPERATIONS", "Operation", "Service", "ShardStats"]

Operation = Callable[[Account, Request, float], Answer]
RecordOperation = Callable[[Account, Request, float, RecordFault | None], Answer]

#: The operations in which single records can fail on demand.
_RECORD_OPERATIONS: Final[dict[str, RecordOperation]] = {
    "GetRecords": read.get_records,
    "PutRecord": write.put_record,
    "PutRecords": write.put_records,
}

#: Every operation that this service has, by its name in X-Amz-Target.
OPERATIONS: Final[dict[str, Operation]] = {
    "AddTagsToStream": tags.add_tags_to_stream,
    "CreateStream": streams.create_stream,
    "DecreaseStreamRetentionPeriod": settings.decrease_retention,
    "DeleteResourcePolicy": policies.delete_resource_policy,
    "DeleteStream": streams.delete_stream,
    "DeregisterStreamConsumer": consumers.deregister_stream_consumer,
    "DescribeAccountSettings": commitment.describe_account_settings,
    "DescribeLimits": streams.describe_limits,
    "DescribeStream": streams.describe_stream,
    "DescribeStreamConsumer": consumers.describe_stream_consumer,
    "DescribeStreamSummary": streams.describe_stream_summary,
    "DisableEnhancedMonitoring": monitoring.disable_enhanced_monitoring,
    "EnableEnhancedMonitoring": monitoring.enable_enhanced_monitoring,
    "GetRecords": read.get_records,
    "GetResourcePolicy": policies.get_resource_policy,
    "GetShardIterator": read.get_shard_iterator,
    "IncreaseStreamRetentionPeriod": settings.increase_retention,
    "ListShards": listing.list_shards,
    "ListStreamConsumers": consumers.list_stream_consumers,
    "ListStreams": streams.list_streams,
    "ListTagsForResource": tags.list_tags_for_resource,
    "ListTagsForStream": tags.list_tags_for_stream,
    "MergeShards": reshard.merge_shards,
    "PutRecord": write.put_record,
    "PutRecords": write.put_records,
    "PutResourcePolicy": policies.put_resource_policy,
    "RegisterStreamConsumer": consumers.register_stream_consumer,
    "RemoveTagsFromStream": tags.remove_tags_from_stream,
    "SplitShard": reshard.split_shard,
    "StartStreamEncryption": settings.start_encryption,
    "StopStreamEncryption": settings.stop_encryption,
    "SubscribeToShard": subscribe.subscribe_to_shard,
    "TagResource": tags.tag_resource,
    "UntagResource": tags.untag_resource,
    "UpdateAccountSettings": commitment.update_account_settings,
    "UpdateMaxRecordSize": capacity.update_max_record_size,
    "UpdateShardCount": reshard.update_shard_count,
    "UpdateStreamMode": capacity.update_stream_mode,
    "UpdateStreamRecordDistributionStrategy": capacity.update_stream_record_distribution_strategy,
    "UpdateStreamWarmThroughput": capacity.update_stream_warm_throughput,
}

#: PutRecords looks for itself, because its constraints are checked in the pass that routes its records.
_VALIDATE_THEMSELVES: Final = frozenset({"PutRecord", "PutRecords"})


class ShardStats(msgspec.Struct, frozen=True):
    """What a shard did since it was made. Bytes are those of data and partition keys."""

    #: Records stored, and their bytes.
    records_in: int
    bytes_in: int
    #: Records refused for the quota; each try counts.
    records_throttled: int
    #: Records given to readers.
    records_out: int
    #: Bytes of the records that are left.
    bytes_stored: int
    #: Records that went before their retention ended, because all together weighed more than `max_bytes`.
    records_trimmed: int
    #: GetRecords calls refused for the quota.
    reads_throttled: int
    #: True while the shard takes records.
    is_open: bool
    #: What the quotas have room for: records and bytes to write, calls and bytes to read. None without quotas.
    quota_left: QuotaLeft | None


class Service:
    """Kinesis for one account.

    `call` is the whole API. It holds no lock and needs none: it never waits.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        #: Requests by operation, refused ones included.
        self.requests: dict[str, int] = {}

    def call(self, operation: str, request: Request, now: float, record_fault: RecordFault | None = None) -> Answer:
        """Do one operation.

        Args:
            operation: its name, such as "PutRecords".
            request: as `reading.read_request` gives it.
            now: seconds since the epoch.
            record_fault: decides which records of this call fail.

        Raises:
            RefusedError: the service's refusal.
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
        """The stream of this name.

        Raises:
            RefusedError: there is none.
        """
        return self.account.named({"StreamName": name}, now)

    def shard_stats(self, name: str, now: float) -> dict[str, ShardStats]:
        """Each shard's counts, by shard ID."""
        return {
            shard.shard_id: ShardStats(
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

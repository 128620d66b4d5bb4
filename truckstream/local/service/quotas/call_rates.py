"""The rates at which each operation may be called: the limits of the control plane.

They are token buckets, as for shards, each with a burst of one second. Most count per account, some per stream,
consumer or shard. The numbers come from the API reference of each operation (read 2026-11-23), or, where it has none,
from "Quotas and limits" in the Developer Guide: retention, enhanced monitoring, resource policies. The two disagree in
one point: the guide counts merges, splits, registrations of consumers and tags of a stream per stream, and the API
reference, which is followed here, per account. Operations for which neither has a rate are unlimited here, such as
TagResource and UpdateStreamMode. PutRecord, PutRecords and GetRecords are limited by the quotas of the shards.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.local.service.errors import calls_exceeded, rate_exceeded
from truckstream.local.service.quotas.shard_quota import QuotaBucket

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request

__all__ = ["RATES", "CallRates", "Rate"]


class Rate(NamedTuple):
    """Calls a second, counted for each value of the `scope` members of the request, or for the account."""

    per_second: float
    scope: tuple[str, ...] = ()


_STREAM: Final = ("stream",)
_SHARD: Final = ("stream", "ShardId")

RATES: Final[dict[str, Rate]] = {
    "AddTagsToStream": Rate(5),
    "CreateStream": Rate(5),
    "DecreaseStreamRetentionPeriod": Rate(5, _STREAM),
    "DeleteResourcePolicy": Rate(5),
    "DeleteStream": Rate(5),
    "DeregisterStreamConsumer": Rate(5, _STREAM),
    "DescribeAccountSettings": Rate(5),
    "DescribeLimits": Rate(1),
    "DescribeStream": Rate(10),
    "DescribeStreamConsumer": Rate(20, _STREAM),
    "DescribeStreamSummary": Rate(20),
    "DisableEnhancedMonitoring": Rate(5, _STREAM),
    "EnableEnhancedMonitoring": Rate(5, _STREAM),
    "GetResourcePolicy": Rate(5),
    "GetShardIterator": Rate(5, _SHARD),
    "IncreaseStreamRetentionPeriod": Rate(5, _STREAM),
    "ListShards": Rate(1_000, _STREAM),
    "ListStreamConsumers": Rate(5, _STREAM),
    "ListStreams": Rate(5),
    "ListTagsForStream": Rate(5),
    "MergeShards": Rate(5),
    "PutResourcePolicy": Rate(5),
    "RegisterStreamConsumer": Rate(5),
    "RemoveTagsFromStream": Rate(5),
    "SplitShard": Rate(5),
    "SubscribeToShard": Rate(1, ("ConsumerARN", "ShardId")),
    "UpdateAccountSettings": Rate(5),
    "UpdateShardCount": Rate(10),
    "UpdateStreamWarmThroughput": Rate(5),
}

#: Largest number of buckets. When there are more, full buckets are dropped.
_BUCKETS: Final = 10_000


class CallRates:
    """The token buckets of one account. `scale` multiplies every rate; infinity admits every call."""

    def __init__(self, account_id: str, scale: float) -> None:
        self._account_id = account_id
        self._scale = scale
        self._buckets: dict[tuple[str, ...], QuotaBucket] = {}
        #: Number of throttled calls by operation.
        self.throttled: dict[str, int] = {}

    def admit(self, operation: str, request: Request, now: float) -> None:
        """Admit a call and count it.

        Raises:
            RefusedError: the rate is exceeded (LimitExceededException, for GetShardIterator
                ProvisionedThroughputExceededException).
        """
        rate = RATES.get(operation)
        if rate is None or self._scale == math.inf:
            return
        bucket = self._bucket((operation, *(_subject(request, member) for member in rate.scope)), rate, now)
        if bucket.refill(now) >= 1:
            bucket.take(1)
            return
        self.throttled[operation] = self.throttled.get(operation, 0) + 1
        stream = _subject(request, "stream")
        if operation == "GetShardIterator":
            raise rate_exceeded(request["ShardId"], stream, self._account_id)
        raise calls_exceeded(stream, self._account_id)

    def left(self, now: float) -> dict[str, float]:
        """Return the calls that each bucket still admits, by operation and scope."""
        return {" ".join(key): bucket.refill(now) for key, bucket in self._buckets.items()}

    def _bucket(self, key: tuple[str, ...], rate: Rate, now: float) -> QuotaBucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS:
                self._buckets = {each: old for each, old in self._buckets.items() if not old.is_full(now)}
            bucket = self._buckets[key] = QuotaBucket(rate.per_second * self._scale, now)
        return bucket


def _subject(request: Request, member: str) -> str:
    if member != "stream":
        return str(request.get(member, ""))
    arn: str = request.get("StreamARN") or request.get("ConsumerARN") or ""
    name: str = request.get("StreamName") or arn.partition(":stream/")[2].partition("/")[0]
    return name

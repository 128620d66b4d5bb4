"""SubscribeToShard: records pushed to a consumer.

A `Subscription` is a position in a shard that advances with each event. Its sender asks for the next event whenever it
can send one; nothing waits in here. It ends after five minutes, at the end of a closed shard (the last event names the
child shards), when a later call takes it over, or when its consumer or stream is deleted.

Each subscription has 2 MiB a second of its own, "unaffected by the total number of consumers that read from the same
stream".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from truckstream.local.service.errors import (
    consumer_busy,
    consumer_not_found,
    dry_run,
    shard_not_found,
    shard_unknown,
    stream_not_found,
    subscription_taken,
)
from truckstream.local.service.identifiers.shard_id import full_id
from truckstream.local.service.operations.get_records import children, describe_record, millis_behind, starting_place
from truckstream.local.service.quotas import limits
from truckstream.local.service.quotas.shard_quota import QuotaBucket
from truckstream.local.service.state.consumer import SubscriptionHold

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request, Response
    from truckstream.local.service.state.account import KinesisAccount
    from truckstream.local.service.state.consumer import FanOutConsumer
    from truckstream.local.service.state.shard import LocalShard
    from truckstream.local.service.state.stream import Stream

__all__ = ["Subscription", "subscribe_to_shard"]


def subscribe_to_shard(account: KinesisAccount, request: Request, now: float) -> Response:
    """Return a response whose EventStream is the `Subscription`."""
    stream, consumer = account.consumer_of_arn(request["ConsumerARN"], now)
    if (status := consumer.status(now)) != "ACTIVE":
        raise consumer_busy(consumer.arn, status)
    shard_id = full_id(request["ShardId"])
    if shard_id is None:
        raise shard_not_found(request["ShardId"], stream.name, account.account_id)
    shard = stream.shards.get(shard_id)
    if shard is None:
        raise shard_unknown(shard_id, stream.name, account.account_id)
    position = request["StartingPosition"]
    place = starting_place(
        account, stream, shard, position["Type"], position.get("SequenceNumber"), position.get("Timestamp"), now
    )
    before = consumer.subscriptions.get(shard.shard_id)
    if before is not None and now - before.started_at < limits.SUBSCRIPTION_HOLD_SECONDS:
        raise subscription_taken(consumer.arn, shard.shard_id)
    if request.get("DryRun"):
        raise dry_run()
    if before is not None:
        before.is_taken_over = True
    consumer.subscriptions[shard.shard_id] = hold = SubscriptionHold(now)
    return {"EventStream": Subscription(account, stream, consumer, shard, place, hold)}


class Subscription:
    """The subscription of a consumer to one shard."""

    def __init__(
        self,
        account: KinesisAccount,
        stream: Stream,
        consumer: FanOutConsumer,
        shard: LocalShard,
        place: int,
        hold: SubscriptionHold,
    ) -> None:
        self._hold = hold
        #: Whether the last event has been returned.
        self.is_over = False
        self._account_id = account.account_id
        self._stream = stream
        self._consumer = consumer
        self._shard = shard
        self._place = place
        self._bytes = QuotaBucket(limits.SHARD_READ_BYTES_PER_SECOND * account.quota_scale, hold.started_at)
        self._sent_at = -math.inf  # the first event is due at once

    def next_event(self, now: float) -> dict[str, Any] | None:
        """Return the `SubscribeToShardEvent` to send now, or None if none is due or `is_over`.

        Raises:
            RefusedError: the subscription ended with this error, which is sent as an exception event.
        """
        if self.is_over or now - self._hold.started_at >= limits.SUBSCRIPTION_SECONDS:
            self.is_over = True
            return None
        self._check(now)
        self._stream.trim(now)
        shard = self._shard
        room = self._bytes.refill(now)
        records = shard.read(self._place, limits.GET_RECORDS, int(min(room, limits.PUSH_BYTES))) if room > 0 else []
        if records:
            self._bytes.take(sum(record.size for record in records))
            self._place = records[-1].place + 1
        ended = not shard.is_open and self._place >= shard.next_place
        if not records and not ended and now - self._sent_at < limits.PUSH_IDLE_SECONDS:
            return None
        self._sent_at = now
        event: dict[str, Any] = {
            "Records": [describe_record(self._stream, record) for record in records],
            "MillisBehindLatest": millis_behind(shard, self._place, now),
        }
        if ended:
            # Without a ContinuationSequenceNumber: that is how the KCL knows the end of a shard.
            self.is_over = True
            event["ChildShards"] = children(self._stream, shard)
        else:
            event["ContinuationSequenceNumber"] = shard.number_at(max(self._place, shard.first_place) - 1)
        return event

    def _check(self, now: float) -> None:
        """Raise the error that ends the subscription, once."""
        self.is_over = True
        if self._hold.is_taken_over:
            raise subscription_taken(self._consumer.arn, self._shard.shard_id)
        if self._stream.status(now) == "DELETING" or self._stream.is_gone(now):
            raise stream_not_found(self._stream.name, self._account_id)
        if self._consumer.status(now) == "DELETING" or self._consumer.is_gone(now):
            raise consumer_not_found(self._consumer.arn, self._account_id)
        self.is_over = False

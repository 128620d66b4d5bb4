"""The account: its streams by name, and the lookup of the stream that a request names."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from truckstream.local.service.errors import (
    RecordRefusal,
    consumer_busy,
    consumer_not_found,
    invalid,
    shard_not_found,
    stream_busy,
    stream_not_found,
    too_many_shards,
)
from truckstream.local.service.identifiers.shard_id import full_id
from truckstream.local.service.quotas import limits
from truckstream.local.service.quotas.call_rates import CallRates
from truckstream.local.service.state.consumer import CONSUMER_ARN, FanOutConsumer
from truckstream.local.service.state.memory_cap import DEFAULT_BYTES, MemoryCap
from truckstream.local.service.state.shard import LocalShard
from truckstream.local.service.state.stream import Mode, Stream
from truckstream.local.service.state.throughput_commitment import ThroughputCommitment

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request

__all__ = ["KinesisAccount", "RecordFault"]

#: Called for each record that goes to a shard, and once for a GetRecords call. Returns the error to inject, or None.
RecordFault = Callable[[Stream, LocalShard], RecordRefusal | None]

_ARN: Final = re.compile(r"arn:[^:]+:kinesis:(?P<region>[^:]*):(?P<account>\d{12}):stream/(?P<name>[^/]+)")


class KinesisAccount:
    """All state of the local service: one account in one region.

    Args:
        account_id: twelve digits.
        region: name of the region.
        quota_scale: factor for the shards' quotas and the rates of calls; infinity disables both.
        transition_seconds: how long a stream stays CREATING, UPDATING or DELETING.
        shard_limit: largest number of open shards in the account.
        max_bytes: cap on the memory of all records; infinity disables it.
    """

    def __init__(
        self,
        account_id: str,
        region: str,
        *,
        quota_scale: float = 1.0,
        transition_seconds: float = 0.0,
        shard_limit: int = limits.ACCOUNT_SHARDS,
        max_bytes: float = DEFAULT_BYTES,
    ) -> None:
        self.account_id = account_id
        self.region = region
        self.quota_scale = quota_scale
        self.call_rates = CallRates(account_id, quota_scale)
        self.transition_seconds = transition_seconds
        self.shard_limit = shard_limit
        self.commitment = ThroughputCommitment()
        self._memory = MemoryCap(max_bytes)
        self._streams: dict[str, Stream] = {}

    def streams(self, now: float) -> list[Stream]:
        """Return the streams that are not completely deleted yet, sorted by name."""
        for name in [name for name, stream in self._streams.items() if stream.is_gone(now)]:
            del self._streams[name]
        return [self._streams[name] for name in sorted(self._streams)]

    def create(self, name: str, shard_count: int, mode: Mode, now: float) -> Stream:
        self.make_room(shard_count, now)
        arn = f"arn:aws:kinesis:{self.region}:{self.account_id}:stream/{name}"
        stream = Stream(name, arn, shard_count=shard_count, now=now, mode=mode, quota_scale=self.quota_scale)
        stream.transition("CREATING", now + self.transition_seconds)
        self._streams[name] = stream
        return stream

    def has_advantage(self, stream: Stream, now: float) -> bool:
        """Return whether `stream` is an "On-demand Advantage" stream in the sense of the documentation."""
        return stream.mode == "ON_DEMAND" and self.commitment.is_on(now)

    def open_shard_count(self, now: float) -> int:
        return sum(len(stream.open_shards) for stream in self.streams(now))

    def make_room(self, more: int, now: float) -> None:
        """Raise an error if `more` open shards would exceed the limit of the account."""
        current = self.open_shard_count(now)
        if current + more > self.shard_limit:
            raise too_many_shards(self.account_id, self.region, current, self.shard_limit, more)

    def count_written(self, size: int, records: int) -> None:
        """Account for a write of at most `size` bytes, and drop the oldest records if the cap on memory is exceeded."""
        if self._memory.is_due(size, records):
            self._memory.trim(shard for stream in self._streams.values() for shard in stream.shards.values())

    def known(self, name: str, now: float) -> Stream | None:
        """Return the stream of this name in any state, or None."""
        stream = self._streams.get(name)
        if stream is not None and stream.is_gone(now):
            del self._streams[name]
            return None
        return stream

    # --- Lookup of the stream that a request names -------------------------------------------------

    def named(self, request: Request, now: float) -> Stream:
        """Return the stream that the request names, in any state, after dropping its expired records."""
        name, account = self.name_in(request)
        stream = self.known(name, now) if account == self.account_id else None
        if stream is None:
            raise stream_not_found(name, account)
        stream.trim(now)
        return stream

    def usable(self, request: Request, now: float) -> Stream:
        """Return the stream that the request names, if it can be written and read.

        The service reports a stream in creation or deletion as "not found" to these operations.
        """
        stream = self.named(request, now)
        if stream.status(now) in {"CREATING", "DELETING"}:
            raise stream_not_found(stream.name, self.account_id)
        return stream

    def changeable(self, request: Request, now: float) -> Stream:
        """Return the stream that the request names, if it is ACTIVE."""
        stream = self.named(request, now)
        if (status := stream.status(now)) != "ACTIVE":
            raise stream_busy(stream.name, self.account_id, status)
        return stream

    def changing(self, stream: Stream, now: float) -> None:
        """Show `stream` as UPDATING for a while, because it was changed."""
        stream.transition("UPDATING", now + self.transition_seconds)

    def resource(self, arn: str, now: float) -> Stream | FanOutConsumer:
        """Return the stream or the consumer of this ARN, in any state."""
        if "/consumer/" in arn:
            return self.consumer_of_arn(arn, now)[1]
        return self.named({"StreamARN": arn}, now)

    def consumer_of_arn(self, arn: str, now: float) -> tuple[Stream, FanOutConsumer]:
        """Return the consumer of this ARN, in any state, and its stream."""
        found = CONSUMER_ARN.fullmatch(arn)
        if found is None:
            raise invalid(f"{arn} is not the ARN of a consumer.")
        stream = self.named({"StreamARN": found["stream"]}, now)
        consumer = stream.known_consumers(now).get(found["name"])
        if consumer is None or consumer.arn != arn:
            raise consumer_not_found(arn, self.account_id)
        return stream, consumer

    def changeable_resource(self, arn: str, now: float) -> Stream | FanOutConsumer:
        """Return the stream of this ARN if it is ACTIVE, or the consumer unless it is being deleted.

        A consumer takes tags while it is CREATING: "Tags will take effect from the CREATING status of the consumer".
        """
        resource = self.resource(arn, now)
        if isinstance(resource, FanOutConsumer):
            if resource.status(now) == "DELETING":
                raise consumer_busy(arn, "DELETING")
            return resource
        return self.changeable({"StreamARN": arn}, now)

    def shard_id(self, request: Request, member: str) -> str:
        """Return the full ID of the shard that this member names. The service checks it before the stream."""
        shard_id = full_id(request[member])
        if shard_id is None:
            raise shard_not_found(request[member], *self.name_in(request))
        return shard_id

    def name_in(self, request: Request) -> tuple[str, str]:
        """Return the name and the account ID of the stream that the request names."""
        name, arn = request.get("StreamName"), request.get("StreamARN")
        if arn is None:
            if name is None:
                raise invalid("Either StreamName or StreamARN must be provided.")
            return name, self.account_id
        found = _ARN.fullmatch(arn)
        if found is None or found["region"] != self.region:
            raise invalid(f"{arn} is not the ARN of a stream in {self.region}.")
        if name is not None and name != found["name"]:
            raise invalid(f"StreamName {name} and StreamARN {arn} name different streams.")
        return found["name"], found["account"]

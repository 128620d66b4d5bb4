"""What `LocalKinesis.stats` gives: frozen, and the same from this process and from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from truckstream.local.service.service import LocalShardStats

if TYPE_CHECKING:
    from truckstream.local.service import Service

__all__ = ["KinesisStats", "LocalShardStats", "read_stats"]


class KinesisStats(msgspec.Struct, frozen=True):
    """The local Kinesis at one moment."""

    #: Requests since the start, refused ones included, in all and by operation.
    requests: int
    operations: dict[str, int]
    #: By shard ID, closed shards included: the stream's, or nothing when there is no such stream.
    shards: dict[str, LocalShardStats]
    #: Calls refused because an operation was called too often, by operation.
    calls_throttled: dict[str, int]
    #: Calls that there is room for now, by operation and what it counts for ("ListShards my-stream"). Operations that
    #: were not called yet are not in it.
    calls_left: dict[str, float]
    #: How often injected faults have struck, by kind.
    faults: dict[str, int] = {}

    @property
    def records_in(self) -> int:
        """Records stored, over all shards."""
        return sum(shard.records_in for shard in self.shards.values())

    @property
    def records_trimmed(self) -> int:
        """Records that went before their retention ended, over all shards (see `LocalKinesis`, `max_bytes`)."""
        return sum(shard.records_trimmed for shard in self.shards.values())

    @property
    def records_throttled(self) -> int:
        """Records refused for a quota, over all shards; each try counts. Injected throttles are not among them."""
        return sum(shard.records_throttled for shard in self.shards.values())


def read_stats(service: Service, stream_name: str, now: float, faults: dict[str, int]) -> KinesisStats:
    """The stats, with the shards of one stream."""
    is_there = service.account.known(stream_name, now) is not None
    return KinesisStats(
        requests=sum(service.requests.values()),
        operations=dict(service.requests),
        shards=service.shard_stats(stream_name, now) if is_there else {},
        calls_throttled=dict(service.account.call_rates.throttled),
        calls_left=service.account.call_rates.left(now),
        faults=faults,
    )

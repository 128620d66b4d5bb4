"""`KinesisStats`: the statistics of a local Kinesis, for this process and for a child process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from truckstream.local.service.service import LocalShardStats

if TYPE_CHECKING:
    from truckstream.local.service import Service

__all__ = ["KinesisStats", "LocalShardStats", "read_stats"]


class KinesisStats(msgspec.Struct, frozen=True):
    """The local Kinesis at one moment."""

    #: Requests since the start, including rejected ones: in total and by operation.
    requests: int
    operations: dict[str, int]
    #: The shards of the stream by ID, including closed ones; empty if there is no such stream.
    shards: dict[str, LocalShardStats]
    #: Calls that were rejected because the operation was called too often, by operation.
    calls_throttled: dict[str, int]
    #: Calls that are allowed now, by operation and the resource that it counts for ("ListShards my-stream").
    #: Operations that were not called yet are not included.
    calls_left: dict[str, float]
    #: How often faults have struck, by kind.
    faults: dict[str, int] = {}

    @property
    def records_in(self) -> int:
        """Number of records stored, over all shards."""
        return sum(shard.records_in for shard in self.shards.values())

    @property
    def records_trimmed(self) -> int:
        """Number of records removed before their retention ended, over all shards (see `max_bytes`)."""
        return sum(shard.records_trimmed for shard in self.shards.values())

    @property
    def records_throttled(self) -> int:
        """Number of records rejected by a quota, over all shards. Each try counts; faults do not."""
        return sum(shard.records_throttled for shard in self.shards.values())


def read_stats(service: Service, stream_name: str, now: float, faults: dict[str, int]) -> KinesisStats:
    """Return the statistics, with the shards of one stream."""
    is_there = service.account.known(stream_name, now) is not None
    return KinesisStats(
        requests=sum(service.requests.values()),
        operations=dict(service.requests),
        shards=service.shard_stats(stream_name, now) if is_there else {},
        calls_throttled=dict(service.account.call_rates.throttled),
        calls_left=service.account.call_rates.left(now),
        faults=faults,
    )

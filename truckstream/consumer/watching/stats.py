"""Snapshots of a consumer: the records that it reads, and how far behind it is."""

from __future__ import annotations

from dataclasses import dataclass

from truckstream.consumer.watching.rate_meter import RateMeter

__all__ = ["ConsumerStats", "ShardCounters", "ShardReadStats"]


@dataclass(frozen=True, slots=True)
class ShardReadStats:
    """One shard's statistics, as this consumer sees it. Counts are since this consumer took its lease."""

    #: The worker that has the shard's lease; None if nobody has it.
    owner: str | None
    #: Whether that is this consumer. If not, the other figures are 0.
    is_own: bool
    #: How far behind the shard is, in milliseconds; None before the first response. While records wait or are being
    #: processed, it is the MillisBehindLatest of the response that had the oldest of them, plus the time since then. So
    #: it grows while a handler hangs, and the oldest of these records is at least that old. Otherwise it is that of the
    #: last response, plus the time since then while calls fail.
    millis_behind_latest: int | None
    #: Records read, aggregates taken apart, and bytes of the responses.
    records: int
    bytes: int
    #: The same a second, over the last ten seconds.
    records_per_second: float
    bytes_per_second: float
    #: Records read and not yet processed.
    buffered: int
    #: Calls that the service throttled, and calls that failed otherwise.
    throttled: int
    failed: int


@dataclass(frozen=True, slots=True)
class ConsumerStats:
    """A consumer's statistics at one moment."""

    #: The name of this consumer among the workers of its application.
    worker_id: str
    #: Bytes of the prefetch budget in use.
    prefetched_bytes: int
    #: By shard id; with several streams by lease key. Shards that are processed to their end are left out.
    shards: dict[str, ShardReadStats]

    @property
    def millis_behind_latest(self) -> int:
        """How far behind the shard of this consumer is that is behind most; 0 without shards."""
        return max((shard.millis_behind_latest or 0 for shard in self.shards.values()), default=0)

    def __str__(self) -> str:
        own = [shard for shard in self.shards.values() if shard.is_own]
        return (
            f"{len(own)} of {len(self.shards)} shards, {sum(shard.records for shard in own)} records read, "
            f"{self.millis_behind_latest} ms behind"
        )


class ShardCounters:
    """Counts the records and calls of one shard."""

    __slots__ = ("_byte_rate", "_record_rate", "bytes", "failed", "millis_behind", "read_at", "records", "throttled")

    def __init__(self, now: float) -> None:
        self.records = 0
        self.bytes = 0
        self.throttled = 0
        self.failed = 0
        #: Of the last response; None before the first.
        self.millis_behind: int | None = None
        self.read_at = now
        self._record_rate = RateMeter(now)
        self._byte_rate = RateMeter(now)

    def read_page(self, size: int, millis_behind: int, now: float) -> None:
        """Count one response."""
        self.bytes += size
        self.millis_behind = millis_behind
        self.read_at = now
        self._byte_rate.add(size, now)

    def read_records(self, records: int, now: float) -> None:
        """Count user records of a response."""
        self.records += records
        self._record_rate.add(records, now)

    def snapshot(self, owner: str, millis_behind: int | None, buffered: int, now: float) -> ShardReadStats:
        """Return the present statistics."""
        return ShardReadStats(
            owner=owner,
            is_own=True,
            millis_behind_latest=millis_behind,
            records=self.records,
            bytes=self.bytes,
            records_per_second=self._record_rate.per_second(now),
            bytes_per_second=self._byte_rate.per_second(now),
            buffered=buffered,
            throttled=self.throttled,
            failed=self.failed,
        )


def stats_of_other(owner: str | None) -> ShardReadStats:
    """Return the statistics of a shard that this consumer does not read."""
    return ShardReadStats(
        owner=owner,
        is_own=False,
        millis_behind_latest=None,
        records=0,
        bytes=0,
        records_per_second=0.0,
        bytes_per_second=0.0,
        buffered=0,
        throttled=0,
        failed=0,
    )

"""Snapshots of a producer's counters and of the records that it holds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Counters", "ProducerStats", "ShardStats"]


@dataclass(slots=True)
class Counters:
    """A core's counters; `ProducerStats` explains them."""

    acked: int = 0
    acked_bytes: int = 0
    failed: int = 0
    maybe_duplicates: int = 0
    sent: int = 0
    retried: int = 0
    throttled: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True)
class ShardStats:
    """One shard's statistics, as this producer sees the shard."""

    #: Records that wait: they linger, are held back by the pacing, or wait for a retry.
    buffered: int
    #: Records in requests that are in flight.
    in_flight: int
    #: Records acknowledged, since the producer opened.
    acked: int
    #: Sends that the shard throttled, since the producer opened.
    throttled: int
    #: Records a second that the pacing allows at present; None if pacing is off.
    records_per_second: float | None


@dataclass(frozen=True, slots=True)
class ProducerStats:
    """A producer's statistics at one moment. Counts are of records since it opened, unless noted otherwise."""

    #: Records that wait at present, for their first attempt or a retry.
    buffered: int
    #: Bytes of the buffer's budget in use at present, by all records between put and their outcome.
    buffered_bytes: int
    #: Records in requests that are in flight at present.
    in_flight: int
    #: Requests in flight at present.
    requests_in_flight: int
    #: Records accepted by put.
    put: int
    #: Records acknowledged by the service.
    acked: int
    #: Bytes of the records acknowledged, keys included.
    acked_bytes: int
    #: Records given up: their Delivery raises.
    failed: int
    #: Acknowledged records that the stream may hold twice, and failed records that it may hold all the same.
    maybe_duplicates: int
    #: Sends of Kinesis records, first attempts and retries. With aggregation each holds several records.
    sent: int
    #: Sends that were retries.
    retried: int
    #: Sends that a shard throttled.
    throttled: int
    #: Requests sent.
    requests: int
    #: By shard id. The key None stands for records whose shard is unknown.
    shards: dict[str | None, ShardStats]

    def __str__(self) -> str:
        return (
            f"{len(self.shards)} shards, {self.buffered} buffered, {self.in_flight} in flight, {self.acked} acked, "
            f"{self.throttled} throttled, {self.failed} failed"
        )

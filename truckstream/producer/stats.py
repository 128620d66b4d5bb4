"""What a producer has done and holds, as a snapshot with units."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Counters", "ProducerStats", "ShardStats"]


@dataclass(slots=True)
class Counters:
    """What a core counts; `ProducerStats` says what each is."""

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
    """One shard as this producer sees it."""

    #: Records that wait: for company, for the pace, or for a retry.
    buffered: int
    #: Records in requests under way.
    in_flight: int
    #: Records acknowledged, since the producer opened.
    acked: int
    #: Sends that the shard refused for its quota, since the producer opened.
    throttled: int
    #: Records a second that the pace allows at present; None when it is off.
    records_per_second: float | None


@dataclass(frozen=True, slots=True)
class ProducerStats:
    """A producer at one moment. Counts are records since it opened, unless they say otherwise."""

    #: Records that wait to be sent, first or again, at present.
    buffered: int
    #: Bytes of the buffer's budget in use at present, by records anywhere between put and outcome.
    buffered_bytes: int
    #: Records in requests under way at present.
    in_flight: int
    #: Requests under way at present.
    requests_in_flight: int
    #: Records accepted by put.
    put: int
    #: Records acknowledged by the service.
    acked: int
    #: Bytes of the records acknowledged, keys included.
    acked_bytes: int
    #: Records given up: their Delivery raises.
    failed: int
    #: Records acknowledged or given up for which the service may hold a second copy, or a first one.
    maybe_duplicates: int
    #: Sends of Kinesis records, first and again: with aggregation each holds several records.
    sent: int
    #: Those that were repeats.
    retried: int
    #: Those refused for a quota.
    throttled: int
    #: Requests sent.
    requests: int
    #: By shard id; one entry None where the shards are not known.
    shards: dict[str | None, ShardStats]

    def __str__(self) -> str:
        return (
            f"{len(self.shards)} shards, {self.buffered} buffered, {self.in_flight} in flight, {self.acked} acked, "
            f"{self.throttled} throttled, {self.failed} failed"
        )

"""Hooks and events for watching a consumer. A hook is called once for a response or a batch, not once for a record.

Derive from `ConsumerObserver`, override the hooks that you need, and pass an instance as `Consumer(observer=...)`.
Hooks run on the consumer's event loop, after the event has happened: keep them short, and never block. An exception
from a hook is logged, the first time, and does no harm.
"""

from __future__ import annotations

import msgspec

from truckstream.consumer.watching.stats import ConsumerStats

__all__ = [
    "AggregateBroken",
    "ConsumerEvent",
    "ConsumerObserver",
    "ConsumerStatsSampled",
    "LeaseLost",
    "LeaseReleased",
    "LeaseTaken",
    "ReadFailed",
    "ReadThrottled",
    "RecordsProcessed",
    "RecordsRead",
    "ShardEnded",
]


class ConsumerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a consumer."""

    #: The stream's name.
    stream: str


class ShardEvent(ConsumerEvent, frozen=True, kw_only=True):
    """An event of one shard that this consumer reads."""

    shard: str


class LeaseTaken(ShardEvent, frozen=True, kw_only=True):
    """The consumer begins to read a shard."""

    #: Where: a sequence number, "TRIM_HORIZON", "LATEST" or "AT_TIMESTAMP".
    checkpoint: str


class LeaseReleased(ShardEvent, frozen=True, kw_only=True):
    """The consumer has given the lease up."""

    #: "hand_over": another worker has asked for it. "close": the consumer closes.
    reason: str


class LeaseLost(ShardEvent, frozen=True, kw_only=True):
    """Another worker has taken the lease, or it could not be renewed or released in time."""


class ShardEnded(ShardEvent, frozen=True, kw_only=True):
    """All records of a closed shard are processed."""

    #: The shards that follow.
    children: tuple[str, ...]


class RecordsRead(ShardEvent, frozen=True, kw_only=True):
    """A response, or an event of a subscription, has come. It may have no records."""

    #: Aggregates taken apart.
    records: int
    #: Bytes of the response.
    bytes: int
    #: Age of the oldest record that is still to be read.
    millis_behind_latest: int
    #: From the request to the response; 0 with enhanced fan-out.
    seconds: float


class ReadThrottled(ShardEvent, frozen=True, kw_only=True):
    """The service throttled a call: this shard has other readers, too."""


class ReadFailed(ShardEvent, frozen=True, kw_only=True):
    """A call failed. It is made again, unless the consumer fails with it."""

    #: A value of `truckstream.kinesis.failures.FailureKind`, such as "ambiguous".
    kind: str
    #: The service's error code, or the name of the connection's failure.
    code: str
    message: str


class AggregateBroken(ShardEvent, frozen=True, kw_only=True):
    """An aggregate of the KPL, or an envelope, cannot be taken apart. It is delivered as one record."""

    sequence_number: str
    #: One of `truckstream.kpl.REASONS` or `truckstream.envelope.REASONS`.
    reason: str


class RecordsProcessed(ShardEvent, frozen=True, kw_only=True):
    """The application has finished records."""

    records: int
    #: How long it took.
    seconds: float


class ConsumerStatsSampled(ConsumerEvent, frozen=True, kw_only=True):
    """The consumer's statistics, once a second while it is open, and a last time when it is closed."""

    stats: ConsumerStats
    is_last: bool


class ConsumerObserver:
    """Hooks that do nothing: override those that you need."""

    def lease_taken(self, event: LeaseTaken) -> None:
        """The consumer begins to read a shard."""

    def lease_released(self, event: LeaseReleased) -> None:
        """The consumer has given a lease up."""

    def lease_lost(self, event: LeaseLost) -> None:
        """A lease was lost. Records since its last checkpoint come again, at another worker."""

    def shard_ended(self, event: ShardEnded) -> None:
        """A shard was processed to its end."""

    def records_read(self, event: RecordsRead) -> None:
        """A response has come."""

    def read_throttled(self, event: ReadThrottled) -> None:
        """The service throttled a call."""

    def read_failed(self, event: ReadFailed) -> None:
        """A call failed."""

    def aggregate_broken(self, event: AggregateBroken) -> None:
        """A record that looks like an aggregate cannot be taken apart."""

    def records_processed(self, event: RecordsProcessed) -> None:
        """The application has finished records."""

    def stats_sampled(self, event: ConsumerStatsSampled) -> None:
        """A second has passed, or the consumer was closed."""

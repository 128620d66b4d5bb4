"""What a producer tells whoever watches it: hooks, called for whole requests and not for each record.

Derive from `ProducerObserver`, override what you want to know, and pass an object of it as `Producer(observer=...)`.
Hooks run on the producer's event loop, after what they tell has happened: keep them short, and never block. They may
call the producer. What one raises is logged, once, and does no harm.

An event's `shards` counts by shard id what the event counts; the key None stands for an unknown shard.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from truckstream.producer.outcomes.delivery import Delivery
from truckstream.producer.stats import ProducerStats

__all__ = [
    "BatchFailed",
    "BatchSent",
    "MapRefreshed",
    "ProducerEvent",
    "ProducerObserver",
    "RecordsAcknowledged",
    "RecordsFailed",
    "RecordsRetried",
    "RecordsThrottled",
    "StatsSampled",
]

ByShard: TypeAlias = Mapping[str | None, int]


class ProducerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened in a producer."""

    #: The stream's name.
    stream: str


class BatchSent(ProducerEvent, frozen=True, kw_only=True):
    """A PutRecords request goes out."""

    #: The caller's records in it, first attempts and others.
    records: int
    shards: ByShard
    #: What the service counts as records; fewer with aggregation.
    kinesis_records: int
    #: Those of them that an earlier request carried.
    repeated: int
    #: Data and keys, as the service counts them.
    bytes: int
    #: Requests under way, this one included.
    requests_in_flight: int


class BatchFailed(ProducerEvent, frozen=True, kw_only=True):
    """A request failed as a whole: refused, or without an answer."""

    records: int
    shards: ByShard
    #: What kind of failure it is: a value of `truckstream.kinesis.failures.FailureKind`, such as "ambiguous".
    kind: str
    #: The service's error code, or the name of what broke, such as "ReadTimeout".
    code: str
    message: str
    #: From sending it.
    seconds: float


class RecordsAcknowledged(ProducerEvent, frozen=True, kw_only=True):
    """The service stored records of one request."""

    records: int
    #: Counted where they were sent to, which a reshard may have changed.
    shards: ByShard
    #: Data and keys.
    bytes: int
    #: Those of which the stream may hold a second copy.
    maybe_duplicates: int
    #: From sending the request to its answer.
    seconds: float
    #: From put to now, of the record that waited longest.
    oldest_seconds: float
    #: The records themselves, each done. Keeping them keeps their data.
    deliveries: Sequence[Delivery]


class RecordsThrottled(ProducerEvent, frozen=True, kw_only=True):
    """Shards refused what one request had for them, as over a quota. It will be sent again."""

    #: Kinesis records.
    records: int
    shards: ByShard


class RecordsRetried(ProducerEvent, frozen=True, kw_only=True):
    """Records of one request will be sent again."""

    records: int
    shards: ByShard
    #: Why: Kinesis records by error code.
    codes: Mapping[str, int]


class RecordsFailed(ProducerEvent, frozen=True, kw_only=True):
    """Records were given up: their deliveries raise."""

    records: int
    shards: ByShard
    #: Why: records by the service's error code, or by the class of their error, such as "DeliveryTimeoutError".
    codes: Mapping[str, int]
    #: The records themselves, each done. Keeping them keeps their data.
    deliveries: Sequence[Delivery]


class MapRefreshed(ProducerEvent, frozen=True, kw_only=True):
    """The stream's shards were listed: at the start, and when an answer contradicted what was known."""

    #: The ids of the shards that take records.
    shards: Sequence[str]
    #: Against the last listing.
    opened: Sequence[str]
    closed: Sequence[str]


class StatsSampled(ProducerEvent, frozen=True, kw_only=True):
    """The producer's statistics, once a second while it is open, and a last time when it is closed."""

    #: A number that tells the producers of this process apart.
    producer: int
    stats: ProducerStats
    is_last: bool


class ProducerObserver:
    """Hooks that do nothing: override those that you need."""

    def batch_sent(self, event: BatchSent) -> None:
        """A request goes out."""

    def batch_failed(self, event: BatchFailed) -> None:
        """A request failed as a whole. What becomes of its records is told by the hooks below."""

    def records_acknowledged(self, event: RecordsAcknowledged) -> None:
        """Records were stored."""

    def records_throttled(self, event: RecordsThrottled) -> None:
        """Shards refused records for their quota."""

    def records_retried(self, event: RecordsRetried) -> None:
        """Records will be sent again."""

    def records_failed(self, event: RecordsFailed) -> None:
        """Records were given up."""

    def map_refreshed(self, event: MapRefreshed) -> None:
        """The shards were listed."""

    def stats_sampled(self, event: StatsSampled) -> None:
        """A second has passed, or the producer was closed."""

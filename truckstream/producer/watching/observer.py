"""Hooks and events for watching a producer. A hook is called once for a request, not once for a record.

Derive from `ProducerObserver`, override the hooks that you need, and pass an instance as `Producer(observer=...)`.
Hooks run on the producer's event loop, after the event has happened: keep them short, and never block. They may call
the producer. An exception from a hook is logged, the first time, and does no harm.

An event's `shards` maps shard ids to the event's count for that shard. The key None stands for an unknown shard.
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
    """An event of a producer."""

    #: The stream's name.
    stream: str


class BatchSent(ProducerEvent, frozen=True, kw_only=True):
    """A PutRecords request is sent."""

    #: The caller's records in it, first attempts and retries.
    records: int
    shards: ByShard
    #: Records as the service counts them; fewer with aggregation.
    kinesis_records: int
    #: Those Kinesis records that an earlier request carried.
    repeated: int
    #: Bytes of data and keys, as the service counts them.
    bytes: int
    #: Requests in flight, this one included.
    requests_in_flight: int


class BatchFailed(ProducerEvent, frozen=True, kw_only=True):
    """A request failed as a whole: the service rejected it, or did not respond."""

    records: int
    shards: ByShard
    #: The kind of failure: a value of `truckstream.kinesis.failures.FailureKind`, such as "ambiguous".
    kind: str
    #: The service's error code, or the name of the connection's failure, such as "ReadTimeout".
    code: str
    message: str
    #: From sending the request to its failure.
    seconds: float


class RecordsAcknowledged(ProducerEvent, frozen=True, kw_only=True):
    """The service stored records of one request."""

    records: int
    #: By the shard that they were sent to. After a reshard another one may have stored them.
    shards: ByShard
    #: Bytes of data and keys.
    bytes: int
    #: Records of which the stream may hold a second copy.
    maybe_duplicates: int
    #: From sending the request to its response.
    seconds: float
    #: From put to now, of the record that waited longest.
    oldest_seconds: float
    #: The records themselves, each done. Holding them holds their data in memory.
    deliveries: Sequence[Delivery]


class RecordsThrottled(ProducerEvent, frozen=True, kw_only=True):
    """Shards throttled records of one request, which will be sent again."""

    #: Kinesis records.
    records: int
    shards: ByShard


class RecordsRetried(ProducerEvent, frozen=True, kw_only=True):
    """Records of one request will be sent again."""

    records: int
    shards: ByShard
    #: Why: Kinesis records by error code. "StoredInOtherShard" is the code of aggregates that were stored, but that the
    #: KCL discards, because the shard was split meanwhile.
    codes: Mapping[str, int]


class RecordsFailed(ProducerEvent, frozen=True, kw_only=True):
    """Records were given up: their deliveries raise."""

    records: int
    shards: ByShard
    #: Why: records by the service's error code, or by the class of their error, such as "DeliveryTimeoutError".
    codes: Mapping[str, int]
    #: The records themselves, each done. Holding them holds their data in memory.
    deliveries: Sequence[Delivery]


class MapRefreshed(ProducerEvent, frozen=True, kw_only=True):
    """The stream's shards were listed: on opening, and after a response that contradicted the shard map."""

    #: The ids of the shards that take records.
    shards: Sequence[str]
    #: The changes since the last listing.
    opened: Sequence[str]
    closed: Sequence[str]


class StatsSampled(ProducerEvent, frozen=True, kw_only=True):
    """The producer's statistics, once a second while it is open, and a last time when it is closed."""

    #: A number that is unique to this producer in its process.
    producer: int
    stats: ProducerStats
    is_last: bool


class ProducerObserver:
    """Hooks that do nothing: override those that you need."""

    def batch_sent(self, event: BatchSent) -> None:
        """A request is sent."""

    def batch_failed(self, event: BatchFailed) -> None:
        """A request failed as a whole. The hooks below report what becomes of its records."""

    def records_acknowledged(self, event: RecordsAcknowledged) -> None:
        """Records were stored."""

    def records_throttled(self, event: RecordsThrottled) -> None:
        """Shards throttled records of a request."""

    def records_retried(self, event: RecordsRetried) -> None:
        """Records will be sent again."""

    def records_failed(self, event: RecordsFailed) -> None:
        """Records were given up."""

    def map_refreshed(self, event: MapRefreshed) -> None:
        """The shards were listed."""

    def stats_sampled(self, event: StatsSampled) -> None:
        """A second has passed, or the producer was closed."""

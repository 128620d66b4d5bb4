"""Bytes and a partition key in, an acknowledged record on a shard out.

`core` thinks, `producer` does; no HTTP in here. See truckstream/README.md for a record's journey.
"""

from truckstream.producer.outcomes.delivery import Ack, Delivery
from truckstream.producer.producer import Producer
from truckstream.producer.stats import ProducerStats, ShardStats
from truckstream.producer.watching.observer import (
    BatchFailed,
    BatchSent,
    MapRefreshed,
    ProducerEvent,
    ProducerObserver,
    RecordsAcknowledged,
    RecordsFailed,
    RecordsRetried,
    RecordsThrottled,
    StatsSampled,
)

__all__ = [
    "Ack",
    "BatchFailed",
    "BatchSent",
    "Delivery",
    "MapRefreshed",
    "Producer",
    "ProducerEvent",
    "ProducerObserver",
    "ProducerStats",
    "RecordsAcknowledged",
    "RecordsFailed",
    "RecordsRetried",
    "RecordsThrottled",
    "ShardStats",
    "StatsSampled",
]

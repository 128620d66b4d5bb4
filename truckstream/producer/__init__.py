"""Bytes and a partition key in, an acknowledged record on a shard out.

`core` thinks, `producer` does; no HTTP in here. See truckstream/README.md for a record's journey.
"""

from truckstream.producer.delivery import Ack, Delivery
from truckstream.producer.producer import Producer
from truckstream.producer.stats import ProducerStats, ShardStats

__all__ = ["Ack", "Delivery", "Producer", "ProducerStats", "ShardStats"]

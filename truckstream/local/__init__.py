"""Kinesis with its real quotas, and an event source mapping, on this machine."""

from truckstream.local.kinesis import KinesisStats, LocalKinesis, LocalKinesisError, ShardCounts
from truckstream.local.mapping import EventSourceMapping, MappingStats

__all__ = ["EventSourceMapping", "KinesisStats", "LocalKinesis", "LocalKinesisError", "MappingStats", "ShardCounts"]

"""Telemetry through Amazon Kinesis into S3 at the full speed of the shards, without losing a record.

The public names load on first use: importing `truckstream.batcher` in a function's cold start runs this file first, and
must not load the producer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.batcher import Batcher as Batcher
    from truckstream.batcher import get_optimal_batch_size as get_optimal_batch_size
    from truckstream.consumer import Batch as Batch
    from truckstream.consumer import Consumer as Consumer
    from truckstream.data.audit import audit as audit
    from truckstream.data.compaction.compact import compact as compact
    from truckstream.data.query import query as query
    from truckstream.data.replay import replay as replay
    from truckstream.errors import TruckstreamError as TruckstreamError
    from truckstream.fleet import Fleet as Fleet
    from truckstream.lambda_function import make_handler as make_handler
    from truckstream.producer import Ack as Ack
    from truckstream.producer import Delivery as Delivery
    from truckstream.producer import Producer as Producer
    from truckstream.record import TruckRecord as TruckRecord
    from truckstream.stream_sql import SqlStream as SqlStream

_MODULES = {
    "Ack": "producer",
    "Batch": "consumer",
    "Batcher": "batcher",
    "Consumer": "consumer",
    "Delivery": "producer",
    "Fleet": "fleet",
    "Producer": "producer",
    "SqlStream": "stream_sql",
    "TruckRecord": "record",
    "TruckstreamError": "errors",
    "compact": "data.compaction.compact",
    "audit": "data.audit",
    "get_optimal_batch_size": "batcher",
    "make_handler": "lambda_function",
    "query": "data.query",
    "replay": "data.replay",
}

__all__ = list(_MODULES)
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'truckstream' has no attribute {name!r}")
    value = getattr(import_module(f"truckstream.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Kinesis with its real quotas, on this machine, and the event source mapping that feeds a function from it.

    async with LocalKinesis(shards=2) as kinesis, EventSourceMapping(kinesis, handler) as mapping:
        ...                          # write to kinesis.endpoint_url with any client
        await mapping.drain()        # every record in the stream has been processed

`service/` is Kinesis without a socket or a clock, `protocol/` the meaning of its requests and responses, `http/` the
endpoint, `faults/` the faults to inject, and `mapping/` the event source mapping. `kinesis.py` has the context manager,
and `child_process.py` and `__main__.py` the process of its own.

It shares no encoder, parser or constant with `truckstream.kinesis`, so that it can test the client.
"""

try:
    from truckstream.local.blocking import BlockingKinesis, BlockingMapping
except ModuleNotFoundError as missing:
    message = f"truckstream.local needs the package {missing.name}: pip install 'truckstream[local]'"
    raise ModuleNotFoundError(message, name=missing.name) from missing
from truckstream.local.child_process import LocalKinesisError
from truckstream.local.faults import Fault, FaultPlan
from truckstream.local.faulty_service import make_service
from truckstream.local.http.endpoint import EndpointError
from truckstream.local.kinesis import LocalKinesis
from truckstream.local.kinesis_stats import KinesisStats, LocalShardStats
from truckstream.local.mapping import EventSourceMapping, LambdaContext, MappingStats
from truckstream.local.protocol.signature import Credentials
from truckstream.local.service.errors import RefusedError
from truckstream.local.stored_records import StoredRecord
from truckstream.local.virtual_clock import VirtualClock

__all__ = [
    "BlockingKinesis",
    "BlockingMapping",
    "Credentials",
    "EndpointError",
    "EventSourceMapping",
    "Fault",
    "FaultPlan",
    "KinesisStats",
    "LambdaContext",
    "LocalKinesis",
    "LocalKinesisError",
    "LocalShardStats",
    "MappingStats",
    "RefusedError",
    "StoredRecord",
    "VirtualClock",
    "make_service",
]

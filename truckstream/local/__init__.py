"""Kinesis with its real quotas, on this machine, and the event source mapping that feeds a function from it.

    async with LocalKinesis(shards=2) as kinesis, EventSourceMapping(kinesis, handler) as mapping:
        ...                          # write to kinesis.endpoint_url with any client
        await mapping.drain()        # every record that is in the stream has been processed

Layout: `service/` is Kinesis without a socket or a clock, `mapping/` the event source mapping's decisions without one.
`protocol.py` says what an HTTP request means, with `codec_json.py`, `codec_cbor.py` and `eventstream.py` for its bytes;
`endpoint.py` serves it, with `http2.py` before it and `push.py` for subscriptions; `kinesis.py` is the context manager,
`child.py` and `__main__.py` the process of its own. `faults/` decides what goes wrong, and does it.

It shares no encoder, parser or constant with `truckstream.kinesis`, so that it can judge the client.
"""

try:
    from truckstream.local.blocking import BlockingKinesis, BlockingMapping
except ModuleNotFoundError as missing:
    words = f"truckstream.local needs the package {missing.name}: pip install 'truckstream[local]'"
    raise ModuleNotFoundError(words, name=missing.name) from missing
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

"""The event source mapping: from the shards of a stream to invocations of a function, as Lambda does it.

`shard_poller` decides for one shard which batches to invoke and when, and `shard_order` which shards may be read. They
do not wait and read no clock. `mapping` runs the tasks, `shard_lane` one of them, and `failure_destination` reports
discarded batches. `function/` has the event and the context for the function, and the meaning of its response.
"""

from truckstream.local.mapping.function.lambda_context import LambdaContext
from truckstream.local.mapping.mapping import EventSourceMapping
from truckstream.local.mapping.mapping_stats import MappingStats

__all__ = ["EventSourceMapping", "LambdaContext", "MappingStats"]

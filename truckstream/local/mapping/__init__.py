"""The event source mapping: from the shards of a stream to invocations of a function, as Lambda does it.

`pilot` decides for one shard what to invoke, when, and what an outcome means; `roster` which shards may be read;
`response` what a function's answer says; `event` and `context` are what it gets. None of them waits or reads a clock.
`mapping` is the shell that does, and `invoker` calls the function.
"""

from truckstream.local.mapping.function.lambda_context import LambdaContext
from truckstream.local.mapping.mapping import EventSourceMapping
from truckstream.local.mapping.mapping_stats import MappingStats

__all__ = ["EventSourceMapping", "LambdaContext", "MappingStats"]

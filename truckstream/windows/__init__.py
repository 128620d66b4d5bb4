"""Event-time windows over a stream: watermarks, aggregates, and state that moves with a shard's lease.

`ShardWindows` decides everything about one shard, without IO. `watermark.py` decides up to which event time records are
expected to have come.
"""

from truckstream.windows.aggregates import Accumulator, Aggregate, Count, CountBy, Max, Mean, Min, Percentiles, Sum
from truckstream.windows.kinds import Session, Sliding, Tumbling
from truckstream.windows.plan import WindowPlan
from truckstream.windows.result import Key, Result
from truckstream.windows.shard_windows import DROP_REASONS, ShardWindows
from truckstream.windows.watermark import Watermark

__all__ = [
    "DROP_REASONS",
    "Accumulator",
    "Aggregate",
    "Count",
    "CountBy",
    "Key",
    "Max",
    "Mean",
    "Min",
    "Percentiles",
    "Result",
    "Session",
    "ShardWindows",
    "Sliding",
    "Sum",
    "Tumbling",
    "Watermark",
    "WindowPlan",
]

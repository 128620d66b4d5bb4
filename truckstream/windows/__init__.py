"""Event-time windows over a stream: watermarks, aggregates, and state that moves with a shard's lease.

`running/windowed.py` has the public class `Windowed`, which makes windows on a Consumer. `ShardWindows` decides
everything about one shard, without IO. `watermark.py` decides up to which event time records are expected to have come.

The names that need a Consumer or a store load on first use, so that a function which only asks for a watermark loads
neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from truckstream.windows.aggregates import (
    Accumulator,
    Count,
    CountBy,
    Max,
    Mean,
    Min,
    Percentiles,
    Sum,
    WindowAggregate,
)
from truckstream.windows.kinds import Session, Sliding, Tumbling
from truckstream.windows.plan import WindowPlan
from truckstream.windows.result import Key, WindowResult
from truckstream.windows.shard_windows import DROP_REASONS, ShardWindows
from truckstream.windows.watermark import Watermark

if TYPE_CHECKING:
    from truckstream.windows.running.sink import Sink
    from truckstream.windows.running.sqlite_sink import SqliteSink
    from truckstream.windows.running.windowed import ShardWindowStats, Windowed, WindowStats
    from truckstream.windows.state.state_store import ObjectStateStore, StateStore

_LOADED_ON_USE = {
    "ObjectStateStore": "state.state_store",
    "ShardWindowStats": "running.windowed",
    "Sink": "running.sink",
    "SqliteSink": "running.sqlite_sink",
    "StateStore": "state.state_store",
    "WindowStats": "running.windowed",
    "Windowed": "running.windowed",
}

__all__ = [
    "DROP_REASONS",
    "Accumulator",
    "Count",
    "CountBy",
    "Key",
    "Max",
    "Mean",
    "Min",
    "ObjectStateStore",
    "Percentiles",
    "Session",
    "ShardWindowStats",
    "ShardWindows",
    "Sink",
    "Sliding",
    "SqliteSink",
    "StateStore",
    "Sum",
    "Tumbling",
    "Watermark",
    "WindowAggregate",
    "WindowPlan",
    "WindowResult",
    "WindowStats",
    "Windowed",
]


def __getattr__(name: str) -> object:
    if name not in _LOADED_ON_USE:
        raise AttributeError(f"module 'truckstream.windows' has no attribute {name!r}")
    value = getattr(import_module(f"truckstream.windows.{_LOADED_ON_USE[name]}"), name)
    globals()[name] = value
    return value

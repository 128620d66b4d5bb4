"""The options of a query on a stream, and the rules for their values."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Literal, TypeAlias

import msgspec

from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError
from truckstream.kinesis.limits import MIB
from truckstream.record import TruckRecord
from truckstream.stream_sql.records.event_time import SECOND
from truckstream.stream_sql.windowing.window_plan import SqlWindowPlan

__all__ = ["Emit", "SqlOptions"]

Emit: TypeAlias = Literal["changes", "final"]

#: DuckDB cannot start with much less.
_LEAST_MEMORY: Final = 64 * MIB

#: The most windows that a record can be in. Each of them is asked by itself.
_MOST_OVERLAPS: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlOptions:
    """A query on a stream and its windows, as `SqlStream` documents them.

    Raises:
        InvalidArgumentError: a value breaks its rule.
    """

    sql: str
    window: float
    slide: float | None = None
    every: float = 1.0
    emit: Emit = "final"
    lateness: float = 5.0
    idle_after: float = 30.0
    max_ahead: float = 0.0
    schema: Any = TruckRecord
    event_time: str = "timestamp"
    memory_bytes: int = 1024 * MIB

    def __post_init__(self) -> None:
        check_number("window", self.window, 0.001)
        check_number("every", self.every, 0.01)
        check_number("memory_bytes", self.memory_bytes, _LEAST_MEMORY, whole=True)
        if self.emit not in {"changes", "final"}:
            raise InvalidArgumentError("emit", self.emit, 'must be "changes" or "final"')
        if self.slide is not None:
            check_number("slide", self.slide, 0.001, self.window)
            plan = self.plan
            if plan.length % plan.slide or plan.length // plan.slide > _MOST_OVERLAPS:
                rule = f"must divide the window of {self.window:g} s without a rest, at most {_MOST_OVERLAPS} times"
                raise InvalidArgumentError("slide", self.slide, rule)

    @property
    def plan(self) -> SqlWindowPlan:
        """The windows."""
        length = round(self.window * SECOND)
        return SqlWindowPlan(length, length if self.slide is None else round(self.slide * SECOND))

    @property
    def query_id(self) -> str:
        """Eight characters that follow from everything that decides which results there are."""
        plan = self.plan
        parts = (self.sql.strip(), plan.length, plan.slide, self.event_time)
        return blake2b(msgspec.json.encode(parts), digest_size=4).hexdigest()

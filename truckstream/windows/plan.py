"""A program's choices for its windows: their kind, keys, aggregates and limits."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from truckstream.checks import check_number
from truckstream.errors import InvalidArgumentError
from truckstream.record import TruckRecord
from truckstream.windows.aggregates.aggregate import value_getter
from truckstream.windows.aggregates.counts import Count
from truckstream.windows.kinds import Session, Sliding, Tumbling

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.windows.aggregates.aggregate import Field, WindowAggregate
    from truckstream.windows.kinds import WindowKind

__all__ = ["WindowPlan"]


def _count_records() -> dict[str, WindowAggregate]:
    return {"records": Count()}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """The windows of a stream.

    Args:
        window: the kind of windows.
        key: the subject of a result: the name of an attribute of the record, or a function of the record, whose value
            is a text, a number, None or a tuple of these. Records of one key should have one partition key; else see
            `WindowResult.part`.
        aggregates: the aggregates by their names in the results.
        event_time: the name of the attribute with the record's time, or a function of the record: a text in ISO 8601, a
            datetime, or seconds since the epoch. Without a time zone it is UTC.
        decode: makes a record of a Kinesis record's bytes. ValueError, LookupError and msgspec.DecodeError mean that
            they are no record; any other error is a defect of the program, and is raised.
        out_of_orderness: seconds that a record may come after newer ones. A window's first result comes so long after
            its end.
        allowed_lateness: seconds after which a window is not corrected any more. Later records are dropped, and
            counted.
        max_ahead: seconds that a record's event time may be after its arrival. A record with a later one is dropped,
            and counted: its truck's clock is wrong. `math.inf` is for simulated times that have nothing to do with the
            clock.
        max_groups: the most pairs of a key and a window that a shard may have in memory.
        when_full: "raise" WindowsFullError when a record would need one more, or "drop" and count the record. Records
            of keys that have their group go on.

    Raises:
        InvalidArgumentError: an option breaks a rule.
    """

    window: WindowKind = field(kw_only=False)
    key: Field = "truck_id"
    aggregates: Mapping[str, WindowAggregate] = field(default_factory=_count_records)
    event_time: Field = "timestamp"
    decode: Callable[[bytes], Any] = TruckRecord.from_json
    out_of_orderness: float = 5.0
    allowed_lateness: float = 60.0
    max_ahead: float = 60.0
    max_groups: int = 1_000_000
    when_full: Literal["raise", "drop"] = "raise"

    def __post_init__(self) -> None:
        if not isinstance(self.window, Tumbling | Sliding | Session):
            rule = "must be Tumbling(size), Sliding(size, every) or Session(gap)"
            raise InvalidArgumentError("window", self.window, rule)
        value_getter(self.key)
        value_getter(self.event_time)
        if not callable(self.decode):
            raise InvalidArgumentError("decode", self.decode, "must be a function of a record's bytes")
        if not isinstance(self.aggregates, Mapping) or not self.aggregates:
            rule = 'must be a dict of aggregates by name, such as {"records": Count()}'
            raise InvalidArgumentError("aggregates", self.aggregates, rule)
        for name, aggregate in self.aggregates.items():
            _check_aggregate(name, aggregate)
        check_number("out_of_orderness", self.out_of_orderness, 0, 1e9)
        check_number("allowed_lateness", self.allowed_lateness, 0, 1e9)
        check_number("max_ahead", self.max_ahead, 0)
        check_number("max_groups", self.max_groups, 1, whole=True)
        if self.when_full not in ("raise", "drop"):
            raise InvalidArgumentError("when_full", self.when_full, 'must be "raise" or "drop"')

    @property
    def has_clock(self) -> bool:
        """Whether event times have to do with the clock."""
        return self.max_ahead < math.inf

    @property
    def identity(self) -> str:
        """The text on which a state depends: a program with another identity cannot go on with it."""
        text = f"{self.window!r} by {self.key!r} at {self.event_time!r}: {dict(self.aggregates)!r}"
        return re.sub(r" at 0x[0-9a-f]+", "", text)  # functions have the same name in the next process only


def _check_aggregate(name: object, aggregate: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError("aggregates", name, "must have names that are texts")
    if isinstance(aggregate, type) or not all(hasattr(aggregate, each) for each in ("field", "new", "restore")):
        raise InvalidArgumentError(f"aggregates[{name!r}]", aggregate, 'must be an aggregate, such as Mean("speed")')
    if (named := aggregate.field) is not None:  # type: ignore[attr-defined]
        value_getter(named)

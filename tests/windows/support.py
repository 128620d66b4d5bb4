"""Records, plans and a sink for the tests of windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from truckstream.kinesis.reading.shard_record import ShardRecord
from truckstream.windows import Count, Mean, ShardWindows, Tumbling, WindowPlan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.windows import WindowResult

SHARD = "shardId-000000000000"
#: Event times of the tests are seconds after this, which divides by all sizes that they use.
T0 = 1_736_949_600.0


class Reading(msgspec.Struct):
    """A small record."""

    truck_id: str
    timestamp: float
    speed: float | None = None
    health_status: str = "NORMAL"


decode = msgspec.json.Decoder(Reading).decode


def record(
    time: float, truck: str = "a", speed: float | None = 1.0, *, arrival: float | None = None, **more: Any
) -> ShardRecord:
    """Return a record of `truck` at `T0 + time`, which arrived at `T0 + arrival`, at once by default."""
    reading = Reading(truck, T0 + time, speed, **more)
    return ShardRecord(
        data=msgspec.json.encode(reading),
        partition_key=truck,
        sequence_number="1",
        arrival=T0 + (time if arrival is None else arrival),
        shard_id=SHARD,
    )


def plan_of(window: Any = None, **options: Any) -> WindowPlan:
    """Return a plan: by default windows of 10 s, 5 s of disorder, corrections for 20 s."""
    defaults = {
        "aggregates": {"records": Count(), "mean": Mean("speed")},
        "decode": decode,
        "out_of_orderness": 5,
        "allowed_lateness": 20,
    }
    return WindowPlan(window=window or Tumbling(10), **{**defaults, **options})


def windows_of(window: Any = None, part: str = SHARD, **options: Any) -> ShardWindows:
    """Return the windows of a shard."""
    return ShardWindows(plan_of(window, **options), part, now=T0)


def short(result: WindowResult) -> tuple[Any, ...]:
    """Return the key, the seconds of start and end after T0, the revision and the values."""
    start, end = result.start.timestamp() - T0, result.end.timestamp() - T0
    values = ("retracted",) if result.is_retracted else tuple(result.values.values())
    return result.key, start, end, result.revision, *values


def taken(windows: ShardWindows, now: float = T0) -> list[tuple[Any, ...]]:
    """Return the results that are due, in short."""
    return [short(result) for result in windows.take_results(now)]


class MemorySink:
    """Keeps the highest revision of each result, as `WindowResult` asks of a sink."""

    def __init__(self) -> None:
        self.kept: dict[tuple[Any, ...], WindowResult] = {}

    def write(self, results: Iterable[WindowResult]) -> None:
        for result in results:
            identity = (result.part, result.key, result.start)
            if identity not in self.kept or self.kept[identity].revision <= result.revision:
                self.kept[identity] = result

    @property
    def rows(self) -> list[WindowResult]:
        """The results that are not retracted, in their order."""
        results = [result for result in self.kept.values() if not result.is_retracted]
        return sorted(results, key=lambda each: (repr(each.key), each.start, each.part))

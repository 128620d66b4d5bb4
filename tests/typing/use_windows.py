"""Windows of a stream, as a program and a sink of a user have them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_type

import msgspec

from truckstream import Consumer
from truckstream.windows import (
    Count,
    CountBy,
    Mean,
    Percentiles,
    Session,
    ShardWindows,
    Sliding,
    SqliteSink,
    Tumbling,
    Watermark,
    Windowed,
    WindowPlan,
    WindowResult,
    WindowStats,
)


class Report(msgspec.Struct):
    truck_id: str
    timestamp: datetime
    speed: float | None


decode = msgspec.json.Decoder(Report).decode


def speed_of(report: Report) -> float | None:
    return report.speed


class ListSink:
    """A sink of a user."""

    def __init__(self) -> None:
        self.results: list[WindowResult] = []

    async def write(self, results: Sequence[WindowResult]) -> None:
        for result in results:
            assert_type(result.start, datetime)
            assert_type(result.revision, int)
            assert_type(result.part, str)
            assert_type(result.values, dict[str, Any])
            assert_type(result.is_retracted, bool)
        self.results.extend(results)


def make_plans() -> list[WindowPlan]:
    return [
        WindowPlan(Tumbling(10)),
        WindowPlan(Sliding(60, every=10), key=lambda report: report.truck_id, decode=decode, allowed_lateness=3_600),
        WindowPlan(
            Session(gap=300),
            aggregates={
                "reports": Count(),
                "speed": Mean(speed_of),
                "percentiles": Percentiles("speed", (50, 99)),
                "health": CountBy("health_status"),
            },
            when_full="drop",
        ),
    ]


async def run(consumer: Consumer, plan: WindowPlan) -> WindowStats:
    await Windowed(consumer, plan, sink=ListSink(), state="s3://bucket/state", checkpoint_interval=5).run()
    windowed = Windowed(consumer, plan, sink=SqliteSink("results.sqlite", table="speeds"))
    assert_type(windowed.stats.records, int)
    return windowed.stats


def core(plan: WindowPlan, watermark: Watermark) -> bytes:
    windows = ShardWindows(plan, "shardId-000000000000", now=0.0)
    windows.add([], now=1.0)
    assert_type(windows.take_results(1.0), list[WindowResult])
    assert_type(watermark.advance(1.0), float)
    return windows.snapshot()


def wrong_uses(consumer: Consumer, plan: WindowPlan) -> None:
    WindowPlan()  # type: ignore[call-arg]
    WindowPlan(10)  # type: ignore[arg-type]
    WindowPlan(Tumbling(10), "truck_id")  # type: ignore[call-arg]
    Windowed(consumer, plan)  # type: ignore[call-arg]
    Windowed(consumer, plan, sink=print)  # type: ignore[arg-type]

"""Display a run in the terminal: each shard's rate against its quota, and how far the records have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.bar import Bar
from rich.console import Group
from rich.table import Table
from rich.text import Text

from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND

if TYPE_CHECKING:
    from rich.console import RenderableType

    from truckstream.producer import ProducerStats

__all__ = ["DemoSnapshot", "render"]


@dataclass(frozen=True, slots=True)
class DemoSnapshot:
    """The figures of a run at one time."""

    phase: str
    elapsed: float
    producer: ProducerStats
    #: Records per second of the last seconds, by shard.
    rates: dict[str, float]
    #: Records that the function has processed, and how often it was invoked.
    processed: int
    invocations: int
    objects: int
    #: Seconds from the put of the newest object's first record to that object; None before the first object.
    latency: float | None


def render(snapshot: DemoSnapshot) -> RenderableType:
    """Return the terminal display of a snapshot."""
    headline = Text(f"{snapshot.phase}  {snapshot.elapsed:5.1f} s", style="bold")
    return Group(headline, _shard_table(snapshot), _count_table(snapshot), Text(""))


def _shard_table(snapshot: DemoSnapshot) -> Table:
    table = Table("shard", "", "records/s", "of quota", "acked", "throttled", box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for shard_id, rate in snapshot.rates.items():
        shard = snapshot.producer.shards[shard_id]
        table.add_row(
            shard_id,
            Bar(SHARD_RECORDS_PER_SECOND, 0, min(rate, SHARD_RECORDS_PER_SECOND), width=30, color="green"),
            f"{rate:,.0f}",
            f"{rate / SHARD_RECORDS_PER_SECOND:.0%}",
            f"{shard.acked:,}",
            f"{shard.throttled:,}",
        )
    return table


def _count_table(snapshot: DemoSnapshot) -> Table:
    producer = snapshot.producer
    latency = "-" if snapshot.latency is None else f"{snapshot.latency:.1f} s"
    cells = {
        "put": producer.put,
        "buffered": producer.buffered,
        "in flight": producer.in_flight,
        "requests": producer.requests,
        "throttled": producer.throttled,
        "invocations": snapshot.invocations,
        "processed": snapshot.processed,
        "objects": snapshot.objects,
    }
    table = Table(*cells, "put to object", box=None, pad_edge=False)
    for column in table.columns:
        column.justify = "right"
    table.add_row(*(f"{value:,}" for value in cells.values()), latency)
    return table

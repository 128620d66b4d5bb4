"""The live view: each shard against its limit, and what is where."""

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

__all__ = ["Moment", "render"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What the live view shows at one time."""

    phase: str
    elapsed: float
    producer: ProducerStats
    #: Records a second of late, by shard.
    rates: dict[str, float]
    #: Records that the function has processed, and its invocations.
    processed: int
    invocations: int
    objects: int
    #: Seconds from put to object, of the newest objects' first records; None before there is one.
    latency: float | None


def render(moment: Moment) -> RenderableType:
    """The view of one moment."""
    return Group(
        Text(f"{moment.phase}  {moment.elapsed:5.1f} s", style="bold"), _shards(moment), _counts(moment), Text("")
    )


def _shards(moment: Moment) -> Table:
    table = Table("shard", "", "records/s", "of quota", "acked", "throttled", box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for shard_id, rate in moment.rates.items():
        shard = moment.producer.shards[shard_id]
        table.add_row(
            shard_id,
            Bar(SHARD_RECORDS_PER_SECOND, 0, min(rate, SHARD_RECORDS_PER_SECOND), width=30, color="green"),
            f"{rate:,.0f}",
            f"{rate / SHARD_RECORDS_PER_SECOND:.0%}",
            f"{shard.acked:,}",
            f"{shard.throttled:,}",
        )
    return table


def _counts(moment: Moment) -> Table:
    producer = moment.producer
    latency = "-" if moment.latency is None else f"{moment.latency:.1f} s"
    cells = {
        "put": producer.put,
        "buffered": producer.buffered,
        "in flight": producer.in_flight,
        "requests": producer.requests,
        "throttled": producer.throttled,
        "invocations": moment.invocations,
        "processed": moment.processed,
        "objects": moment.objects,
    }
    table = Table(*cells, "put to object", box=None, pad_edge=False)
    for column in table.columns:
        column.justify = "right"
    table.add_row(*(f"{value:,}" for value in cells.values()), latency)
    return table

"""Display a run in the terminal: each shard's rate against its quota, and how far the records have come.

The display fits any terminal of 40 columns and 12 rows or more. A narrow one shows fewer columns of the shards, and the
other figures below each other; a low one shows only the emptiest shards. No label is ever cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.bar import Bar
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from truckstream.demo.accounting.report import share_of_quota
from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from truckstream.producer import ProducerStats

__all__ = ["DemoDisplay", "DemoSnapshot"]

#: Spaces between two columns, and between the figures.
GAP: Final = 2
#: The columns of the shards from the most to the least important, with the width that their figures may need.
SHARD_COLUMNS: Final = {"of quota": 10, "records/s": 9, "throttled": 9, "acked": 11}
BAR_WIDTH: Final = range(8, 31)


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


@dataclass(frozen=True, slots=True)
class DemoDisplay:
    """The terminal display of a snapshot."""

    snapshot: DemoSnapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.height
        counts = _count_table(_counts(self.snapshot), width)
        # Beside the shards there are the headline, the shards' head, the line about those left out, and the empty ones
        # before and after the counts.
        room = max(1, height - counts.row_count - 5)
        yield Text(f"{self.snapshot.phase}  {self.snapshot.elapsed:.1f} s", style="bold")
        yield from _shard_lines(self.snapshot, width, room)
        yield Text("")
        yield counts
        yield Text("")


def _shard_lines(snapshot: DemoSnapshot, width: int, room: int) -> RenderResult:
    shown = list(snapshot.rates)
    if len(shown) > room:
        emptiest = set(sorted(shown, key=lambda shard_id: snapshot.rates[shard_id])[:room])
        shown = [shard_id for shard_id in shown if shard_id in emptiest]
    yield _shard_table(snapshot, shown, width)
    if hidden := len(snapshot.rates) - len(shown):
        yield Text(f"{hidden} fuller shards are not shown", style="dim")


def _shard_table(snapshot: DemoSnapshot, shown: Sequence[str], width: int) -> Table:
    names = {shard_id: _short_name(shard_id) for shard_id in shown}
    left = width - max(map(cell_len, ["shard", *names.values()])) - GAP - BAR_WIDTH.start
    columns = []
    for name, column_width in SHARD_COLUMNS.items():
        left -= column_width + GAP
        if left < 0:
            break
        columns.append(name)
    table = _borderless()
    table.show_header = True
    table.add_column("shard")
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right", min_width=SHARD_COLUMNS[name])
    bar_width = min(BAR_WIDTH.start + max(0, left), BAR_WIDTH.stop - 1)
    for shard_id in shown:
        rate, shard = snapshot.rates[shard_id], snapshot.producer.shards[shard_id]
        cells = {
            "of quota": share_of_quota(rate / SHARD_RECORDS_PER_SECOND, precision=0),
            "records/s": f"{rate:,.0f}",
            "throttled": f"{shard.throttled:,}",
            "acked": f"{shard.acked:,}",
        }
        bar = Bar(SHARD_RECORDS_PER_SECOND, 0, min(rate, SHARD_RECORDS_PER_SECOND), width=bar_width, color="green")
        table.add_row(names[shard_id], bar, *(cells[name] for name in columns))
    return table


def _short_name(shard_id: str) -> str:
    """Return a shard's number: "7" for "shardId-000000000007"."""
    number = shard_id.removeprefix("shardId-")
    return number.lstrip("0") or "0" if number.isdecimal() else shard_id


def _counts(snapshot: DemoSnapshot) -> list[tuple[str, str]]:
    producer = snapshot.producer
    counts = {
        "put": producer.put,
        "buffered": producer.buffered,
        "in flight": producer.in_flight,
        "requests": producer.requests,
        "throttled": producer.throttled,
        "invocations": snapshot.invocations,
        "processed": snapshot.processed,
        "objects": snapshot.objects,
    }
    latency = "-" if snapshot.latency is None else f"{snapshot.latency:.1f} s"
    return [*((name, f"{value:,}") for name, value in counts.items()), ("put to object", latency)]


def _count_table(counts: list[tuple[str, str]], width: int) -> Table:
    """Return the counts with their labels, as many beside each other as fit."""
    label_width = max(cell_len(label) for label, _ in counts)
    value_width = max(8, *(cell_len(value) for _, value in counts))
    each = label_width + 1 + value_width
    columns = max(1, min(len(counts), (width + GAP) // (each + GAP)))
    rows = -(-len(counts) // columns)
    table = _borderless()
    for _ in range(columns):
        table.add_column(min_width=each)
    cells = [Text.assemble((f"{label:<{label_width}} ", "dim"), f"{value:>{value_width}}") for label, value in counts]
    for row in range(rows):
        table.add_row(*cells[row::rows])
    return table


def _borderless() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=False)

"""`truckstream simulate`: send a simulated fleet's reports to a stream."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from rich.live import Live
from rich.text import Text

from truckstream.commands.output.console import console, error_console
from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.config import load_command_settings
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truckstream.fleet import Fleet
    from truckstream.simulator.messages import WorkerProgress
    from truckstream.simulator.simulation import SimulationOptions

__all__ = ["simulate"]


def simulate(
    *,
    stream: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    trucks: int = 100,
    rate: float | None = None,
    seconds: float | None = None,
    workers: int = 1,
    invalid: float = 0.0,
    seed: int = 1,
    dry_run: bool = False,
    count: int = 10,
) -> int:
    """Send a simulated fleet's reports to a stream until Ctrl-C.

    Ctrl-C stops the trucks and delivers the records that are still buffered. A second Ctrl-C gives up the records that
    are not delivered yet and reports how many they are. The exit status is 1 if records failed.

    Example:
        truckstream simulate --stream trucks --rate 500 --seconds 60

    Args:
        stream: Name or ARN of the stream. [STREAM_NAME]
        region: Region of the stream. [AWS_REGION]
        endpoint_url: Endpoint to use instead of the region's, such as a local server's.
        trucks: Number of trucks.
        rate: Records per second of the whole fleet. The default is as many as the shards take.
        seconds: How long the trucks send records. The default is until Ctrl-C.
        workers: Number of processes that the trucks are divided among.
        invalid: Share of the records that break a rule, from 0 to 1.
        seed: Seed of the simulation. The same seed produces the same records.
        dry_run: Print records instead of sending them.
        count: Number of records that a dry run prints.
    """
    from truckstream.fleet import Fleet  # noqa: PLC0415 - each command loads only what it needs
    from truckstream.simulator.simulation import SimulationOptions  # noqa: PLC0415

    settings = load_command_settings(stream_name=stream, region=region)
    fleet = Fleet(trucks=trucks, rate=rate, seed=seed, invalid=invalid)  # checks the options of the trucks
    if count < 0:
        raise InvalidArgumentError("count", count, "must be at least 0")
    if dry_run:
        _print_reports(fleet, count)
        return 0
    options = SimulationOptions(
        stream=settings.stream_name,
        region=settings.region,
        endpoint_url=endpoint_url,
        trucks=trucks,
        rate=rate,
        seconds=seconds,
        workers=workers,
        invalid=invalid,
        seed=seed,
    )
    return run_command(_run_simulation(options))


def _print_reports(fleet: Fleet, count: int) -> None:
    for report in fleet.take(count):
        sys.stdout.buffer.write(report.data + b"\n")


async def _run_simulation(options: SimulationOptions) -> int:
    from truckstream.simulator.messages import WorkerProgress  # noqa: PLC0415
    from truckstream.simulator.simulation import run_simulation  # noqa: PLC0415

    started, total = time.monotonic(), WorkerProgress()
    with stop_on_signals() as stop, Live(console=console, auto_refresh=False, transient=True) as live:

        def show(progress: WorkerProgress) -> None:
            nonlocal total
            total = progress
            live.update(Text(_describe_progress(progress, time.monotonic() - started)), refresh=console.is_terminal)

        try:
            total = await run_simulation(options, stop, show)
        except asyncio.CancelledError:
            _print_total(total, time.monotonic() - started)
            raise
    _print_total(total, time.monotonic() - started)
    return 1 if total.errors or total.failed else 0


def _print_total(total: WorkerProgress, elapsed: float) -> None:
    console.print(_describe_progress(total, elapsed), highlight=False, soft_wrap=True)
    for shard_id, acked in total.shards.items():
        console.print(f"{shard_id}: {acked:,} acknowledged", highlight=False)
    for error in total.errors:
        error_console.print(error, style="red", highlight=False, soft_wrap=True)


def _describe_progress(progress: WorkerProgress, elapsed: float) -> str:
    return (
        f"{elapsed:.1f} s: {progress.put:,} put, {progress.acked:,} acknowledged "
        f"({progress.acked / max(elapsed, 0.1):,.0f}/s), {progress.buffered:,} buffered, "
        f"{progress.throttled:,} throttled, {progress.failed:,} failed"
    )

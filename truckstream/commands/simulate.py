"""`truckstream simulate`: send a simulated fleet's reports to a stream."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec
from rich.live import Live
from rich.text import Text

from truckstream.commands.output.console import error_console
from truckstream.commands.output.results import print_result
from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.errors import InvalidArgumentError, printable

if TYPE_CHECKING:
    from truckstream.fleet import Fleet
    from truckstream.simulator.messages import WorkerProgress
    from truckstream.simulator.simulation import SimulationOptions

__all__ = ["simulate"]


def simulate(
    *,
    stream: str | None = None,
    connection: StreamConnection = DEFAULT_CONNECTION,
    trucks: int = 100,
    rate: float | None = None,
    seconds: float | None = None,
    workers: int = 1,
    invalid: float = 0.0,
    seed: int = 1,
    compression: Literal["zstd"] | None = None,
    dry_run: bool = False,
    count: int = 10,
    json: bool = False,
) -> int:
    """Send a simulated fleet's reports to a stream until Ctrl-C.

    Ctrl-C stops the trucks and delivers the records that are still buffered. A second Ctrl-C gives up the records that
    are not delivered yet and reports how many they are. With --seconds the command ends within a second after that
    time, and gives up the rest if the service does not take it. The exit status is 1 if records failed, and 2 if an
    option is wrong or credentials are missing.

    Example:
        truckstream simulate --stream trucks --rate 500 --seconds 60

    Args:
        stream: Name or ARN of the stream. [STREAM_NAME]
        connection: Region and endpoint.
        trucks: Number of trucks.
        rate: Records per second of the whole fleet. The default is as many as the shards take.
        seconds: How long the trucks send records. The default is until Ctrl-C.
        workers: Number of processes that the trucks are divided among.
        invalid: Share of the records that break a rule, from 0 to 1.
        seed: Seed of the simulation. The same seed produces the same records.
        compression: Let records of one shard share compressed Kinesis records. truckstream's readers open them.
        dry_run: Print records instead of sending them.
        count: Number of records that a dry run prints.
        json: Print the result as JSON.
    """
    from truckstream.fleet import Fleet  # noqa: PLC0415 - each command loads only what it needs
    from truckstream.simulator.simulation import SimulationOptions  # noqa: PLC0415

    settings = connection.exported_settings(stream)
    fleet = Fleet(trucks=trucks, rate=rate, seed=seed, invalid=invalid)  # checks the options of the trucks
    if count < 0:
        raise InvalidArgumentError("count", count, "must be at least 0")
    if dry_run:
        _print_reports(fleet, count)
        return 0
    options = SimulationOptions(
        stream=settings.stream_name,
        region=settings.region,
        endpoint_url=connection.endpoint_url,
        trucks=trucks,
        rate=rate,
        seconds=seconds,
        workers=workers,
        invalid=invalid,
        seed=seed,
        compression=compression,
    )
    return run_command(_run_simulation(options, connection, json=json))


def _print_reports(fleet: Fleet, count: int) -> None:
    for report in islice(fleet, count):
        sys.stdout.buffer.write(report.data + b"\n")


async def _run_simulation(options: SimulationOptions, connection: StreamConnection, *, json: bool) -> int:
    from truckstream.simulator.simulation import run_simulation  # noqa: PLC0415

    await connection.session(options.stream)  # checks that there are credentials
    display = ProgressDisplay()
    with stop_on_signals() as stop:
        try:
            with display:
                await run_simulation(options, stop, display.show)
        finally:
            total = display.progress
            print_result(_as_document(total), _describe_total(total), json=json)
            for error in total.errors:
                error_console.print(Text(printable(error), style="red"), soft_wrap=True)
    return 1 if total.errors or total.failed else 0


class ProgressDisplay:
    """The progress: a line on a terminal that follows it. Elsewhere only new reasons for waiting are printed."""

    def __init__(self) -> None:
        from truckstream.simulator.messages import WorkerProgress  # noqa: PLC0415

        self.progress = WorkerProgress()
        self._live = Live(console=error_console, auto_refresh=False, transient=True, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, progress: WorkerProgress) -> None:
        """Show the progress of all workers."""
        reason, before, self.progress = progress.waits_for, self.progress.waits_for, progress
        if error_console.is_terminal:
            text = _describe_progress(progress)
            waits = f"\nwaiting for the stream: {printable(reason)}" if reason else ""
            self._live.update(Text(text).append(waits, style="yellow"), refresh=True)
        elif reason and reason != before:
            error_console.print(f"waiting for the stream: {printable(reason)}", highlight=False, soft_wrap=True)


def _as_document(total: WorkerProgress) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(total)
    del document["waits_for"]
    return {**document, "seconds": round(total.seconds, 1)}


def _describe_total(total: WorkerProgress) -> str:
    shards = [f"{shard_id}: {acked:,} acknowledged" for shard_id, acked in total.shards.items()]
    return "\n".join([_describe_progress(total), *shards])


def _describe_progress(progress: WorkerProgress) -> str:
    return (
        f"{progress.seconds:.1f} s: {progress.put:,} put, {progress.acked:,} acknowledged "
        f"({progress.acked / max(progress.seconds, 0.1):,.0f}/s), {progress.buffered:,} buffered, "
        f"{progress.throttled:,} throttled, {progress.failed:,} failed"
    )

"""`truckstream demo`: run the whole pipeline on this machine and account for every record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.live import Live

from truckstream.command_line import command_line
from truckstream.commands.output.console import console, print_plain
from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.errors import printable

if TYPE_CHECKING:
    from truckstream.demo.display import DemoSnapshot
    from truckstream.demo.options import DemoOptions

__all__ = ["demo"]


def demo(
    *,
    seconds: float = 15.0,
    shards: int = 1,
    trucks: int = 100,
    rate: float | None = None,
    invalid: float = 0.0,
    out: Path = Path("truckstream-data"),
    report: Path | None = None,
    seed: int = 1,
) -> int:
    """Run the whole pipeline on this machine and account for every record.

    A simulated fleet sends records through the producer to a local Kinesis that enforces the real quotas. An event
    source mapping passes them to the Lambda function, which stores them in objects of 700 records. At the end, every
    stored record is read back and compared with the records that were sent. The exit status is 1 if a record was lost,
    duplicated or stored in the wrong place. Ctrl-C stops the trucks early; the records already sent are still stored
    and accounted for.

    Example:
        truckstream demo --seconds 5 --shards 2 --invalid 0.01

    Args:
        seconds: How long the trucks send records.
        shards: Number of shards in the stream. Each takes 1,000 records/s and 1 MiB/s.
        trucks: Number of trucks.
        rate: Records per second of the whole fleet. The default is as many as the shards take.
        invalid: Share of the records that break a rule, from 0 to 1.
        out: Directory to store the objects in, in place of a bucket.
        report: Write the report to this file: a page with charts if it ends with .html, the charts alone as an image
            with .svg or .png, and otherwise JSON. Charts need the package vl-convert-python.
        seed: Seed of the simulation. The same seed produces the same records.
    """
    from truckstream.demo.options import DemoOptions  # noqa: PLC0415 - each command loads only what it needs

    options = DemoOptions(
        seconds=seconds,
        shards=shards,
        trucks=trucks,
        rate=rate,
        invalid=invalid,
        out=out.expanduser().absolute(),
        report_file=report,
        seed=seed,
    )
    return run_command(_run_demo(options))


async def _run_demo(options: DemoOptions) -> int:
    from truckstream.demo.accounting.object_directory import PREFIX  # noqa: PLC0415
    from truckstream.demo.display import DemoDisplay  # noqa: PLC0415
    from truckstream.demo.output_files import save_report  # noqa: PLC0415
    from truckstream.demo.run import run_demo  # noqa: PLC0415

    with stop_on_signals() as stop, Live(console=console, auto_refresh=False, transient=True) as live:
        if not console.is_terminal:
            console.print(f"Running for {options.seconds:g} s …")

        def show(snapshot: DemoSnapshot) -> None:
            live.update(DemoDisplay(snapshot), refresh=console.is_terminal)

        report = await run_demo(options, stop, show)
    console.print(report.summary(), highlight=False)
    print_plain(f"The objects are in {printable(str(options.out))}.")
    if newest := max((options.out / PREFIX).glob("*.json"), key=lambda path: path.stat().st_mtime, default=None):
        print_plain(f"To see a record:\n  {command_line('head', '-n', 1, newest)}")
    print_plain(f"To check them again:\n  {command_line('truckstream', 'verify', options.out)}")
    if options.report_file:
        save_report(report, options.report_file, command_line("truckstream", *sys.argv[1:]))
        print_plain(f"The report is in {printable(str(options.report_file))}.")
    return 0 if report.clean else 1

"""`truckstream demo`: run the whole pipeline on this machine and account for every record."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import Parameter
from rich.live import Live

from truckstream.command_line import command_line
from truckstream.commands.dashboard import first_of, show_address
from truckstream.commands.output.console import console, print_plain
from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.errors import printable

if TYPE_CHECKING:
    import asyncio

    from truckstream.demo.accounting.report import DemoReport
    from truckstream.demo.dashboard_feed import DashboardFeed
    from truckstream.demo.display import DemoSnapshot
    from truckstream.demo.options import DemoOptions

__all__ = ["demo"]

#: After a run, a page that no browser has shown for so long ends. A reload takes less.
UNWATCHED_SECONDS: Final = 5.0

_UNCLEAN: Final = "The run has ended. Not every record is accounted for: see the terminal."


def demo(
    *,
    seconds: float | None = None,
    shards: int = 1,
    trucks: int | None = None,
    rate: float | None = None,
    invalid: float = 0.0,
    out: Path = Path("truckstream-data"),
    report: Path | None = None,
    seed: int = 1,
    dashboard: bool = False,
    port: int = 8421,
    open_: Annotated[bool, Parameter(name="--open")] = False,
    time_lapse: float | None = None,
    compression: Literal["zstd"] | None = None,
) -> int:
    """Run the whole pipeline on this machine and account for every record.

    A simulated fleet sends records through the producer to a local Kinesis that enforces the real quotas. An event
    source mapping passes them to the Lambda function, which stores them in objects of 700 records. At the end, every
    stored record is read back and compared with the records that were sent. The exit status is 1 if a record was lost,
    duplicated or stored in the wrong place. Ctrl-C stops the trucks early; the records already sent are still stored
    and accounted for.

    With --dashboard a page shows the fleet while it drives. The command prints its address. After the run it goes on
    serving the page while a browser shows it, until Ctrl-C.

    Example:
        truckstream demo --seconds 5 --shards 2 --invalid 0.01
        truckstream demo --dashboard --seconds 8

    Args:
        seconds: How long the trucks send records. [default: 15, or 120 with --dashboard]
        shards: Number of shards in the stream. Each takes 1,000 records/s and 1 MiB/s.
        trucks: Number of trucks. [default: 100, or 200 with --dashboard]
        rate: Records per second of the whole fleet. The default is as many as the shards take.
        invalid: Share of the records that break a rule, from 0 to 1.
        out: Directory to store the objects in, in place of a bucket.
        report: Write the report to this file: a page with charts if it ends with .html, the charts alone as an image
            with .svg or .png, and otherwise JSON. Charts need the package vl-convert-python.
        seed: Seed of the simulation. The same seed produces the same records.
        dashboard: Show the fleet, its shards and its alerts on a page.
        port: Port of the page. 0 takes a free one.
        open_: Open the page in the browser.
        time_lapse: Seconds that pass for the trucks in one second. [default: 1, or 60 with --dashboard, so that one
            sees them move]
        compression: Let records of one shard share compressed Kinesis records. A shard then takes up to 19,000
            records/s of 5,000 trucks, if the machine is fast enough.
    """
    from truckstream.demo.options import DemoOptions  # noqa: PLC0415 - each command loads only what it needs

    if seconds is None:
        seconds = 120.0 if dashboard else 15.0
    if trucks is None:
        trucks = 200 if dashboard else 100
    if time_lapse is None:
        time_lapse = 60.0 if dashboard else 1.0
    options = DemoOptions(
        seconds=seconds,
        shards=shards,
        trucks=trucks,
        rate=rate,
        invalid=invalid,
        out=out.expanduser().absolute(),
        report_file=report,
        seed=seed,
        time_lapse=time_lapse,
        compression=compression,
    )
    return run_command(_run_with_dashboard(options, port, open_=open_) if dashboard else _run_alone(options))


async def _run_with_dashboard(options: DemoOptions, port: int, *, open_: bool) -> int:
    from truckstream.alerts import default_rules  # noqa: PLC0415
    from truckstream.dashboard import Dashboard, FleetView  # noqa: PLC0415
    from truckstream.demo.dashboard_feed import DashboardFeed, demo_source  # noqa: PLC0415

    view = FleetView(demo_source(options), rules=default_rules())
    async with Dashboard(view, port=port) as page:
        show_address(page.address, open_=open_)
        with stop_on_signals() as stop:
            status = await _run_demo(options, stop, DashboardFeed(view, time.time))
            view.show_notice("The run has ended, and every record is accounted for." if status == 0 else _UNCLEAN)
            if page.viewers and not stop.is_set():
                print_plain(f"The page stays at {page.address} while a browser shows it. Ctrl-C ends it.")
                await first_of(stop.wait(), page.wait_until_unwatched(UNWATCHED_SECONDS))
    return status


async def _run_alone(options: DemoOptions) -> int:
    with stop_on_signals() as stop:
        return await _run_demo(options, stop)


async def _run_demo(options: DemoOptions, stop: asyncio.Event, feed: DashboardFeed | None = None) -> int:
    from truckstream.demo.display import DemoDisplay  # noqa: PLC0415
    from truckstream.demo.run import run_demo  # noqa: PLC0415

    with Live(console=console, auto_refresh=False, transient=True) as live:
        if not console.is_terminal:
            console.print(f"Running for {options.seconds:g} s …")

        def show(snapshot: DemoSnapshot) -> None:
            live.update(DemoDisplay(snapshot), refresh=console.is_terminal)
            if feed is not None:
                feed.show(snapshot)

        report = await run_demo(options, stop, show, feed)
    _print_report(report, options)
    return 0 if report.clean else 1


def _print_report(report: DemoReport, options: DemoOptions) -> None:
    from truckstream.demo.accounting.object_directory import PREFIX  # noqa: PLC0415
    from truckstream.demo.output_files import save_report  # noqa: PLC0415

    console.print(report.summary(), highlight=False)
    print_plain(f"The objects are in {printable(str(options.out))}.")
    if newest := max((options.out / PREFIX).glob("*.json"), key=lambda path: path.stat().st_mtime, default=None):
        print_plain(f"To see a record:\n  {command_line('head', '-n', 1, newest)}")
    print_plain(f"To check them again:\n  {command_line('truckstream', 'verify', options.out)}")
    if options.report_file:
        save_report(report, options.report_file, command_line("truckstream", *sys.argv[1:]))
        print_plain(f"The report is in {printable(str(options.report_file))}.")

"""The `truckstream` command: each command is one call of the library, and knows only how to ask and how to tell.

Exit status: 0 when all is well, 1 when records were lost, duplicated or failed, 2 when the command was not
understood, 130 when it was broken off. For the commands that deal with AWS see aws_console.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from truckstream.errors import ConfigurationError, InvalidArgumentError, ServiceError, TruckstreamError

try:
    import uvloop
    from cyclopts import App, Parameter
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text
except ModuleNotFoundError as missing:
    sys.exit(f"The truckstream command needs the package {missing.name}: pip install 'truckstream[cli]'")

from truckstream import __version__
from truckstream.commands.aws import app as aws_app
from truckstream.commands.aws_console import exit_status, tell_error
from truckstream.config import export_aws_settings, load_settings, read_dotenv

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

    from truckstream.demo.run import DemoOptions
    from truckstream.local import LocalKinesis
    from truckstream.simulator import Progress, WorkerOptions


def _told(default: object) -> str | None:
    """How `--help` tells a default; nothing of what is off, empty or not given."""
    return None if default is None or default is False or default == () else str(default)


app = App(
    name="truckstream",
    version=__version__,
    help="Telemetry through Amazon Kinesis into S3 at the full speed of the shards, losing nothing.",
    default_parameter=Parameter(negative=(), show_default=_told),
)

app.update(aws_app)

_console = Console()
_problems = Console(stderr=True)


@app.command
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
    """Run the whole pipeline on this machine and account for each record.

    Trucks report to a producer, which fills a local Kinesis stream with the real quotas; an event source mapping
    hands the records to the Lambda function, which stores them in objects of 700. Ctrl-C ends it early: what was
    put is drained and accounted for.

    Args:
        seconds: How long the trucks report.
        shards: Shards of the stream, each with 1,000 records/s and 1 MiB/s.
        trucks: How many trucks report.
        rate: Records a second in all. By default as many as the shards take.
        invalid: Share of the records that break a rule, 0 to 1.
        out: The directory that stands in for the bucket.
        report: Write the account to this file, as JSON.
        seed: The same seed gives the same records.
    """
    from truckstream.demo.run import DemoOptions  # noqa: PLC0415 - each command loads what it needs

    out = out.expanduser().absolute()
    options = DemoOptions(seconds=seconds, shards=shards, trucks=trucks, rate=rate, invalid=invalid, out=out, seed=seed)
    _make_ready(out, report)
    held = _hold(out)
    _forget_aws()
    try:
        return _run(_demo(options, report))
    finally:
        os.close(held)


def _make_ready(out: Path, report: Path | None) -> None:
    """See at once, and not after the run, that there is nowhere to write to."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise ConfigurationError(
            "--out", f"cannot be written to ({error})", "Name a directory you may write."
        ) from error
    if report and (report.is_dir() or not os.access(report if report.exists() else report.parent, os.W_OK)):
        raise ConfigurationError(
            "--report", f"is {str(report)!r}, which cannot be written", "Name a file you may write."
        )


def _hold(out: Path) -> int:
    """Keep other demos out of the directory until the descriptor is closed: each would count the other's objects."""
    import fcntl  # noqa: PLC0415 - not on Windows, where `truckstream deploy` and its like run too

    held = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        hint = "Wait for its end, or name another directory with --out."
        raise ConfigurationError("--out", f"is {str(out)!r}, where another demo is running", hint) from error
    return held


async def _demo(options: DemoOptions, report_file: Path | None) -> int:
    from truckstream.demo.display import Moment, render  # noqa: PLC0415
    from truckstream.demo.object_directory import PREFIX  # noqa: PLC0415
    from truckstream.demo.run import run_demo  # noqa: PLC0415

    with _stop_on_signals() as stop, Live(console=_console, auto_refresh=False, transient=True) as live:
        if not _console.is_terminal:
            _console.print(f"Running for {options.seconds:g} s …")

        def show(moment: Moment) -> None:
            live.update(render(moment), refresh=_console.is_terminal)

        report = await run_demo(options, stop, show)
    _console.print(report.words(), highlight=False)
    _console.print(f"They lie in {options.out}. To look at the newest:", highlight=False, soft_wrap=True)
    _console.print(f"  head -n 1 $(ls -t {options.out}/{PREFIX}/*.json | head -n 1)", highlight=False, soft_wrap=True)
    if report_file:
        report.save(report_file)
    return 0 if report.clean else 1


@app.command
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
    """Send a fleet's reports to a stream until Ctrl-C, which delivers what was put.

    Args:
        stream: The stream's name or ARN. [STREAM_NAME]
        region: The stream's region. [AWS_REGION]
        endpoint_url: Another endpoint than the region's, such as a local server's.
        trucks: How many trucks report.
        rate: Records a second in all. By default as many as the shards take.
        seconds: How long they report. By default until Ctrl-C.
        workers: Processes, each with its own trucks.
        invalid: Share of the records that break a rule, 0 to 1.
        seed: The same seed gives the same records.
        dry_run: Print records instead of sending them.
        count: How many records a dry run prints.
    """
    from truckstream.fleet import Fleet  # noqa: PLC0415
    from truckstream.simulator import worker_options  # noqa: PLC0415

    dotenv = read_dotenv()
    export_aws_settings(dotenv)
    settings = load_settings({"stream_name": stream, "region": region}, dotenv=dotenv)
    fleet = Fleet(trucks=trucks, rate=rate, seed=seed, invalid=invalid)  # checks its arguments here, not in a worker
    if count < 0:
        raise InvalidArgumentError("count", count, "must be at least 0")
    if dry_run:
        for report in fleet.take(count):
            sys.stdout.buffer.write(report.data + b"\n")
        return 0
    if seconds is not None and not seconds > 0:
        raise InvalidArgumentError("seconds", seconds, "must be greater than 0")
    if workers < 1:
        raise InvalidArgumentError("workers", workers, "must be at least 1")
    is_arn = settings.stream_name.startswith("arn:")  # which says the region
    options = worker_options(
        workers,
        trucks,
        rate,
        stream=settings.stream_name,
        region=settings.region if settings.region or is_arn else asyncio.run(_profile_region()),
        endpoint_url=endpoint_url,
        seconds=seconds,
        invalid=invalid,
        seed=seed,
    )
    return _run(_simulate(options))


async def _profile_region() -> str:
    from truckstream.cloud import Account  # noqa: PLC0415

    async with Account() as account:
        return account.region


async def _simulate(options: list[WorkerOptions]) -> int:
    from truckstream.simulator import Progress, run_workers  # noqa: PLC0415

    started, total = time.monotonic(), Progress()
    with _stop_on_signals() as stop, Live(console=_console, auto_refresh=False, transient=True) as live:

        def show(progress: Progress) -> None:
            nonlocal total
            total = progress
            live.update(Text(_progress_line(progress, time.monotonic() - started)), refresh=_console.is_terminal)

        try:
            total = await run_workers(options, stop, show)
        except asyncio.CancelledError:
            _account_for(total, time.monotonic() - started)
            raise
    _account_for(total, time.monotonic() - started)
    return 1 if total.errors or total.failed else 0


def _account_for(total: Progress, elapsed: float) -> None:
    _console.print(_progress_line(total, elapsed), highlight=False, soft_wrap=True)
    for shard_id, acked in total.shards.items():
        _console.print(f"{shard_id}: {acked:,} acknowledged", highlight=False)
    for error in total.errors:
        _problems.print(error, style="red", highlight=False, soft_wrap=True)


def _progress_line(progress: Progress, elapsed: float) -> str:
    return (
        f"{elapsed:.1f} s: {progress.put:,} put, {progress.acked:,} acknowledged "
        f"({progress.acked / max(elapsed, 0.1):,.0f}/s), {progress.buffered:,} buffered, "
        f"{progress.throttled:,} throttled, {progress.failed:,} failed"
    )


@app.command
def local(
    *,
    stream: tuple[str, ...] = (),
    shards: int = 1,
    port: int = 4567,
    host: str = "127.0.0.1",
    no_quota: bool = False,
    quota_scale: float = 1.0,
    max_bytes: int = 2 * 1024**3,
    transition_seconds: float = 0.0,
    fault: tuple[str, ...] = (),
    seed: int = 0,
    list_faults: bool = False,
    tls: bool = False,
    check_signatures: bool = False,
) -> int:
    """Serve a local Kinesis with its real quotas, and faults on demand, until Ctrl-C.

    Args:
        stream: A stream that is there from the start: NAME, or NAME:SHARDS where its shards are not --shards. May be
            repeated. [truck-sensor-stream]
        shards: Shards of each stream.
        port: 0 takes a free one.
        host: The address to listen on. By default only this machine can connect.
        no_quota: Take whatever comes.
        quota_scale: Multiplies all quotas: with 0.1, everything is ten times slower than the service.
        max_bytes: What all records may take in memory; beyond it the oldest go. 0 sets no cap.
        transition_seconds: How long streams are CREATING, UPDATING and DELETING.
        fault: What goes wrong, such as throttle:rate=0.3,count=100,after=5s,until=10s. May be repeated; --list-faults
            tells the kinds. What happens to a stream (split, delete) happens to the first.
        seed: The same seed and the same requests meet the same faults.
        list_faults: Tell the kinds of fault and their options, and end.
        tls: Serve HTTPS, with a certificate made for the occasion.
        check_signatures: Refuse what is not signed with the printed credentials.
    """
    from truckstream.local import Fault, FaultPlan, LocalKinesis  # noqa: PLC0415
    from truckstream.local.faults import KINDS  # noqa: PLC0415

    if list_faults:
        for name, kind in KINDS.items():
            options = ", ".join(["rate, count, skip, after, until, operations", *sorted(kind.options)])
            _console.print(f"[bold]{name}[/bold]: {kind.does}\n  The client: {kind.client}\n  Options: {options}\n")
        return 0
    streams = [_name_and_shards(text, shards) for text in stream or ("truck-sensor-stream",)]
    kinesis = LocalKinesis(
        *streams[0],
        quotas=False if no_quota else quota_scale,
        max_bytes=max_bytes or None,
        faults=FaultPlan(*map(Fault.parse, fault), seed=seed),
        host=host,
        port=port,
        transition_seconds=transition_seconds,
        tls=tls,
        check_signatures=check_signatures,
    )
    return _run(_local(kinesis, streams))


def _name_and_shards(text: str, default: int) -> tuple[str, int]:
    name, colon, shards = text.partition(":")
    if colon and not shards.isdecimal():
        raise InvalidArgumentError("stream", text, "must be NAME or NAME:SHARDS")
    return name, int(shards) if colon else default


async def _local(kinesis: LocalKinesis, streams: list[tuple[str, int]]) -> int:
    with _stop_on_signals() as stop:
        async with kinesis:
            for name, shards in streams[1:]:
                await _create(kinesis, name, shards)
            listed = ", ".join(f"{name} ({shards} shard{'s' * (shards > 1)})" for name, shards in streams)
            _say(f"Local Kinesis at {kinesis.endpoint_url} with {listed}. Point any client at it:\n")
            for name, value in kinesis.environment().items():
                _say(f"  export {name}={value}")
            _say(
                "  aws kinesis list-streams\n"
                f"  aws kinesis put-record --stream-name {streams[0][0]} --partition-key truck-1 --data aGVsbG8=\n"
                """  python -c 'import boto3; print(boto3.client("kinesis").list_streams()["StreamNames"])'\n\n"""
                "Ctrl-C ends it."
            )
            await stop.wait()
            summary = _local_summary(kinesis, (await kinesis.stats()).faults)
    _say(summary)
    return 0


async def _create(kinesis: LocalKinesis, name: str, shards: int) -> None:
    """Create a stream at the service's own rate, five a second."""
    while True:
        try:
            await kinesis.call("CreateStream", StreamName=name, ShardCount=shards)
        except ServiceError as error:
            if not error.message.startswith("Rate exceeded"):
                raise
            await asyncio.sleep(0.05)
        else:
            return


def _local_summary(kinesis: LocalKinesis, faults: Mapping[str, int]) -> str:
    """What happened in all streams that are there at the end."""
    streams = kinesis.service.account.streams(kinesis.now())
    counts = [shard.counts for stream in streams for shard in stream.shards.values()]
    return (
        f"{sum(shard.records_in for shard in counts):,} records stored, "
        f"{sum(shard.records_throttled for shard in counts):,} throttled by quotas, "
        f"{sum(shard.records_out for shard in counts):,} read; "
        f"faults: {', '.join(f'{kind} {hits:,}' for kind, hits in faults.items()) or 'none'}."
    )


def _say(text: str) -> None:
    """Text that is to be copied: as it is, at once, in whatever width."""
    print(text, flush=True)


@contextlib.contextmanager
def _stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C or SIGTERM sets; a second one breaks off."""
    loop, stop, task = asyncio.get_running_loop(), asyncio.Event(), asyncio.current_task()

    def on_signal() -> None:
        if stop.is_set() and task:
            task.cancel()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _run(work: Coroutine[None, None, int]) -> int:
    try:
        return uvloop.run(work)
    except asyncio.CancelledError:
        return 130


def _forget_aws() -> None:
    """The demo talks to this machine alone: no profile, proxy or endpoint of the user's has a part in it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }


def main() -> None:
    """The `truckstream` command."""
    try:
        status = app(result_action="return_value")
    except TruckstreamError as error:
        tell_error(error, json="--json" in sys.argv)
        status = exit_status(error)
    sys.exit(status)


if __name__ == "__main__":
    main()

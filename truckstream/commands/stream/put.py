"""`truckstream put`: put the lines of standard input or a file into a stream, one record a line."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Final, Literal

from rich.live import Live
from rich.text import Text

from truckstream.commands.output.console import error_console
from truckstream.commands.output.results import print_result
from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.lines.input_reader import InputReader
from truckstream.commands.stream.lines.line_delivery import LineDelivery
from truckstream.commands.stream.lines.line_splitter import LineSplitter
from truckstream.commands.stream.lines.partition_key import key_rule
from truckstream.errors import ConfigurationError, StreamNotFoundError, printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from truckstream.commands.stream.lines.line_delivery import PutResult
    from truckstream.commands.stream.lines.partition_key import KeyRule
    from truckstream.producer import Producer

__all__ = ["put"]

#: Seconds between two looks for failures, and two updates of the progress.
_PROGRESS_SECONDS: Final = 0.25

#: A person waits for the error if the endpoint is wrong; a program would ride out a longer outage.
_OPEN_SECONDS: Final = 10.0

#: No stream takes a larger record. The producer enforces the stream's own limit, which is 1 MiB by default.
_MAX_LINE_BYTES: Final = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Options:
    stream: str
    connection: StreamConnection
    rule: KeyRule
    ordered: bool
    aggregate: bool
    compression: str | None
    json: bool


def put(
    stream: str,
    file: Path | None = None,
    *,
    connection: StreamConnection = DEFAULT_CONNECTION,
    key_field: str | None = None,
    key: str | None = None,
    ordered: bool = False,
    aggregate: bool = False,
    compression: Literal["zstd"] | None = None,
    json: bool = False,
) -> int:
    """Put lines from standard input or a file into a stream, one record a line.

    Without --key-field and --key, each record has a random partition key, so that the records are spread over all
    shards. Blank lines are skipped. A line that breaks a rule is reported with its number, and the others are put; the
    exit status is then 1. Ctrl-C ends the input and delivers the lines that were read. A second Ctrl-C gives up those
    that are not delivered yet; the exit status is then 130.

    Example:
        echo '{"truck_id": "TRUCK_001"}' | truckstream put trucks --key-field truck_id

    Args:
        stream: Name or ARN of the stream.
        file: File to read. The default is standard input.
        connection: Region and endpoint.
        key_field: Take the partition key from this field of each line, which must be JSON. A name with dots, such as
            truck.id, is a path.
        key: Partition key of all records.
        ordered: Store the records of one key in the order of the lines. With few keys, --aggregate makes it faster.
        aggregate: Let records of one shard share Kinesis records, as the KPL does. Readers must take them apart.
        compression: Compress the Kinesis records that --aggregate makes, which this implies. truckstream's readers open
            them.
        json: Print the result as JSON.
    """
    rule = key_rule(key_field, key, ordered, random.Random())
    settings = connection.settings(stream)
    with _opened(file) as descriptor:
        options = _Options(settings.stream_name, connection, rule, ordered, aggregate, compression, json)
        # A line that shows the progress would mix with the lines that the user types.
        return run_command(_put(options, descriptor, progress=error_console.is_terminal and not _is_typed(file)))


def _is_typed(file: Path | None) -> bool:
    """Return whether the user types the lines."""
    return file is None and sys.stdin is not None and sys.stdin.isatty()


@contextlib.contextmanager
def _opened(file: Path | None) -> Iterator[int]:
    """Open a file and yield its descriptor; without one, that of standard input."""
    if file is None:
        if sys.stdin is None:
            raise ConfigurationError("standard input", "is closed", "Pass a file, or pipe lines into the command.")
        if _is_typed(file):
            error_console.print("Each line that you type becomes a record. Ctrl-D ends the input.", highlight=False)
        yield sys.stdin.fileno()
        return
    try:
        opened = file.open("rb", buffering=0)
    except OSError as error:
        hint = "Pass a file with one record a line, or pipe lines into the command."
        raise ConfigurationError("FILE", f"is {str(file)!r}, which cannot be read ({error.strerror})", hint) from error
    with opened:
        yield opened.fileno()


async def _put(options: _Options, descriptor: int, *, progress: bool) -> int:
    from truckstream.producer import Producer  # noqa: PLC0415 - loaded by this command only

    connection = options.connection
    with stop_on_signals() as stop:
        producer = Producer(
            options.stream,
            region_name=connection.region,
            endpoint_url=connection.endpoint_url,
            session=await connection.session(options.stream),
            ordered=options.ordered,
            aggregate=options.aggregate or options.compression is not None,
            compression=options.compression,
            open_timeout=_OPEN_SECONDS,
        )
        try:
            await producer.open()
        except StreamNotFoundError as error:
            raise connection.with_hint(error, options.stream) from error
        delivery = LineDelivery(producer, options.rule, _print_problem)
        started = time.monotonic()

        def result() -> PutResult:
            delivery.report_failures()
            return delivery.result(options.stream, time.monotonic() - started)

        try:
            with _progress_line(shown=progress) as show:
                async with _repeated(lambda: show(str(result()))):
                    await _deliver(delivery, producer, descriptor, stop)
        finally:
            done = result()
            print_result(done, str(done), json=options.json)
    return 0 if done.ok else 1


async def _deliver(delivery: LineDelivery, producer: Producer, descriptor: int, stop: asyncio.Event) -> None:
    """Put the lines, and wait until each has its outcome. If this is cancelled, the others are given up at once."""
    try:
        await _put_lines(delivery, descriptor, stop)
    except asyncio.CancelledError:
        await producer.close(timeout=0)
        raise
    finally:
        await producer.close()


async def _put_lines(delivery: LineDelivery, descriptor: int, stop: asyncio.Event) -> None:
    splitter = LineSplitter(_MAX_LINE_BYTES)
    async with InputReader(descriptor, stop) as reader:
        while chunk := await reader.read():
            for line in splitter.feed(chunk):
                await delivery.put(line)
    for line in splitter.finish():
        if stop.is_set():
            delivery.cut_off(line)
        else:
            await delivery.put(line)


@contextlib.asynccontextmanager
async def _repeated(action: Callable[[], None]) -> AsyncIterator[None]:
    """Call `action` now and then, also while the input waits."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            action()

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()


@contextlib.contextmanager
def _progress_line(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that replaces the text of a line on the terminal, or does nothing."""
    if not shown:
        yield lambda _: None
        return
    with Live(console=error_console, auto_refresh=False, transient=True, redirect_stdout=False) as live:
        yield lambda text: live.update(Text(text), refresh=True)


def _print_problem(text: str) -> None:
    error_console.print(Text(printable(text), style="red"), soft_wrap=True)

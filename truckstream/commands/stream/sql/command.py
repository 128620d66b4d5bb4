"""`truckstream sql`: ask a stream in SQL, window by window, while its records come."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from truckstream.commands.output.console import console, error_console
from truckstream.commands.output.results import print_text
from truckstream.commands.signals import run_command, stop_on_signals, wait_for_closed_output
from truckstream.commands.stored.users_code import load_schema
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.sql.durations import parse_seconds
from truckstream.commands.stream.start import parse_start
from truckstream.errors import InvalidArgumentError, StreamNotFoundError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from truckstream.stream_sql import SqlStream, WindowAnswer

    Write = Callable[[WindowAnswer], Awaitable[object]]

__all__ = ["sql"]

_MIB: Final = 1024 * 1024
#: MiB below which `SqlStream` refuses to begin.
_LEAST_MEMORY: Final = 64


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the results go: at most one of the attributes is set; none of them means standard output."""

    file: Path | None
    stream: str | None
    store: str | None
    prefix: str
    json: bool

    @property
    def is_printed(self) -> bool:
        return self.file is None and self.stream is None and self.store is None

    @property
    def takes_changes(self) -> bool:
        return self.stream is None and self.store is None

    def __post_init__(self) -> None:
        given = {"output": self.file, "to_stream": self.stream, "to_store": self.store}
        names = [name for name, value in given.items() if value is not None]
        if len(names) > 1:
            raise InvalidArgumentError(names[1], str(given[names[1]]), f"cannot go with {names[0]}: pass one of them")
        for name in names:
            if str(given[name]) in {"", "."}:
                raise InvalidArgumentError(name, "", "must not be empty")
        if self.file is not None and not self.file.absolute().parent.is_dir():
            raise InvalidArgumentError("output", str(self.file), "must be in a directory that exists")


def sql(
    query: str,
    *,
    stream: str | None = None,
    window: str,
    slide: str | None = None,
    every: str = "1s",
    emit: Literal["changes", "final"] | None = None,
    lateness: str = "5s",
    from_: Annotated[str, Parameter(name="--from", allow_leading_hyphen=True)] = "LATEST",
    application: str | None = None,
    connection: StreamConnection = DEFAULT_CONNECTION,
    schema: str = "truck",
    event_time: str = "timestamp",
    max_ahead: str = "0s",
    memory: int = 1024,
    count: Annotated[int | None, Parameter(name=("--count", "-n"))] = None,
    json: bool = False,
    output: Path | None = None,
    to_stream: str | None = None,
    to_store: str | None = None,
    prefix: str = "windows",
    dry_run: bool = False,
) -> int:
    """Ask a stream in SQL: one answer for each window of event time, while the records come.

    QUERY is one SELECT in DuckDB's SQL on the table records, which holds the records of one window, with the columns of
    `truckstream query` and window_start and window_end. Results go to a table on the terminal, to lines of text or
    JSON, to another stream, or to objects. Late records are counted and reported. Ctrl-C ends the reading; windows that
    are still open give no result.

    Exit status: 0 for success; 1 if the query, the stream or the target failed; 2 if the SQL or an option is wrong; 130
    after a second Ctrl-C.

    Example:
        truckstream sql "SELECT count(*) FROM records" --stream trucks --window 10s

    Args:
        query: SQL such as "SELECT truck_id, max(speed) FROM records GROUP BY truck_id".
        stream: Name or ARN of the stream. [STREAM_NAME]
        window: Length of a window, such as 10s, 5m or 1h.
        slide: Time between the starts of two windows, which then overlap; it divides the window.
        every: Time between two looks for results.
        emit: final gives each window once, when it is complete; changes gives the rows that changed, at each look. The
            default is changes for the table on a terminal, else final.
        lateness: Time that a record may come after newer ones and still be counted.
        from_: Where to begin: TRIM_HORIZON, LATEST, a time such as 2026-11-29T08:30 (UTC), or an age such as 15m.
        application: Name under which the progress is kept, so that the next run goes on where this one ended.
        connection: Region and endpoint.
        schema: Type of the records: truck, or module:name of a msgspec.Struct.
        event_time: Field with the time of a record's event; kinesis_arrival_time takes that of its arrival.
        max_ahead: Time that the clocks of the records may be ahead; inf for simulated times.
        memory: MiB for the records of open windows and for DuckDB, half each.
        count: End after so many results, each of one window.
        json: Print the results as lines of JSON.
        output: Append the results as lines of JSON to this file.
        to_stream: Put each row of the results into this stream, as JSON.
        to_store: Store the result of each window as an object in s3://bucket[/folder] or a directory.
        prefix: Folder of the objects.
        dry_run: Print the columns of the results, and read nothing.
    """
    if count is not None and count < 1:
        raise InvalidArgumentError("count", count, "must be at least 1")
    target = _Target(output, to_stream, to_store, prefix, json)
    is_table = target.is_printed and console.is_terminal and not json
    options = {
        "sql": query,
        "window": parse_seconds("window", window),
        "slide": None if slide is None else parse_seconds("slide", slide),
        "every": parse_seconds("every", every),
        "emit": emit or ("changes" if is_table else "final"),
        "lateness": parse_seconds("lateness", lateness),
        "max_ahead": math.inf if max_ahead == "inf" else parse_seconds("max_ahead", max_ahead),
        "schema": load_schema(schema),
        "event_time": event_time,
        "memory_bytes": memory * _MIB,
        "start": parse_start(from_, datetime.now(UTC)),
        "application": application,
    }
    if options["emit"] == "changes" and not target.takes_changes:
        raise InvalidArgumentError("emit", "changes", "must be final with --to-stream and --to-store")
    if memory < _LEAST_MEMORY:
        raise InvalidArgumentError("memory", memory, f"must be at least {_LEAST_MEMORY} MiB")
    if dry_run:
        return _print_columns(options)
    name = connection.settings(stream).stream_name
    if to_stream is not None and to_stream.rpartition("/")[2] == name.rpartition("/")[2]:
        raise InvalidArgumentError("to_stream", to_stream, "must be another stream than the one it reads")
    return run_command(_run(name, connection, options, target, count))


def _print_columns(options: dict[str, Any]) -> int:
    from truckstream.stream_sql import SqlStream  # noqa: PLC0415 - an optional package

    for column in SqlStream("none", **{**options, "application": None}).answer:
        print_text(f"{column.name} {column.type}")
    return 0


async def _run(
    name: str, connection: StreamConnection, options: dict[str, Any], target: _Target, count: int | None
) -> int:
    from truckstream.stream_sql import SqlStream  # noqa: PLC0415 - an optional package

    network: dict[str, Any] = {
        "region_name": connection.region,
        "endpoint_url": connection.endpoint_url,
        "session": await connection.session(name),
    }
    with stop_on_signals() as stop:
        stream = SqlStream(name, **options, **network)
        try:
            async with contextlib.AsyncExitStack() as stack:
                write = await _open_target(stack, target, stream, network)
                await stack.enter_async_context(stream)
                _print_hint(stream, options["start"])
                await _write_results(stream, write, count, stop, is_printed=target.is_printed)
                _print_end(stream, application=options["application"])
        except StreamNotFoundError as error:
            raise connection.with_hint(error, name) from error
    return 0


async def _write_results(
    stream: SqlStream, write: Write, count: int | None, stop: asyncio.Event, *, is_printed: bool
) -> None:
    watches = [asyncio.ensure_future(_stop_with(stop, stream))]
    if is_printed:
        watches.append(asyncio.ensure_future(_stop_with_output(stream)))
    try:
        left = count
        async for result in stream:
            await write(result)
            if left is not None and result.changes and (left := left - 1) == 0:
                stream.delivered()
                return
    finally:
        for watch in watches:
            watch.cancel()


async def _stop_with(stop: asyncio.Event, stream: SqlStream) -> None:
    await stop.wait()
    stream.stop()


async def _stop_with_output(stream: SqlStream) -> None:
    await wait_for_closed_output()
    stream.stop()


# --- Targets ----------------------------------------------------------------------------------------


async def _open_target(stack: AsyncExitStack, target: _Target, stream: SqlStream, network: dict[str, Any]) -> Write:
    """Return the function that writes a result."""
    from truckstream.commands.stream.sql import printing  # noqa: PLC0415 - an optional package

    query_id, with_changes = stream.options.query_id, stream.options.emit == "changes"
    if target.stream is not None:
        from truckstream.producer import Producer  # noqa: PLC0415 - each command loads only what it needs
        from truckstream.stream_sql.sinks.stream_sink import StreamSink  # noqa: PLC0415

        producer = await stack.enter_async_context(Producer(target.stream, **network))
        return StreamSink(producer, query_id).write
    if target.store is not None:
        from truckstream.stream_sql.sinks.store_sink import StoreSink  # noqa: PLC0415

        return StoreSink(target.store, query_id, prefix=target.prefix, region_name=network["region_name"]).write
    if target.json or target.file is not None:
        return _awaitable(stack.enter_context(printing.written_lines(target.file, with_changes=with_changes)))
    if console.is_terminal:
        return _awaitable(stack.enter_context(printing.live_table(stream)))
    return _awaitable(lambda result: printing.print_lines(result, with_changes=with_changes))


def _awaitable(write: Callable[[WindowAnswer], None]) -> Write:
    async def written(result: WindowAnswer) -> None:
        write(result)

    return written


# --- Notes for people -------------------------------------------------------------------------------


def _print_hint(stream: SqlStream, start: object) -> None:
    if console.is_terminal and start == "LATEST":
        columns = ", ".join(f"{column.name} {column.type}" for column in stream.answer)
        _note(f"{columns}\nWaiting for new records; --from TRIM_HORIZON reads those that are stored. Ctrl-C ends it.")


def _print_end(stream: SqlStream, *, application: str | None) -> None:
    from truckstream.commands.stream.sql.printing import figures_of  # noqa: PLC0415 - an optional package

    stats = stream.stats
    note = figures_of(stats)
    if stats.open_windows:
        note += (
            ", which the next run reads again"
            if application
            else ", which gave no final result (--application NAME lets the next run go on)"
        )
    _note(f"{note}.")


def _note(text: str) -> None:
    error_console.print(text, style="dim", highlight=False, soft_wrap=True, markup=False)

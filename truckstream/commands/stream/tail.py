"""`truckstream tail`: print the records of a stream as they come."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, cast

from cyclopts import Parameter

from truckstream.commands.output.console import console, error_console
from truckstream.commands.output.record_lines import COLUMNS
from truckstream.commands.output.record_printer import RecordPrinter
from truckstream.commands.signals import run_command, stop_on_signals, wait_for_closed_output
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.start import parse_start
from truckstream.errors import InvalidArgumentError, StreamNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.commands.output.record_lines import Column
    from truckstream.commands.stream.start import Start

__all__ = ["tail"]


@dataclass(frozen=True, slots=True)
class _Selection:
    """The records to print."""

    start: Start
    #: None reads all shards.
    shards: list[str] | None
    key: str | None
    count: int | None


def tail(
    stream: str,
    *,
    connection: StreamConnection = DEFAULT_CONNECTION,
    from_: Annotated[str, Parameter(name="--from", allow_leading_hyphen=True)] = "LATEST",
    count: Annotated[int | None, Parameter(name=("--count", "-n"))] = None,
    shard: list[str] | None = None,
    key: str | None = None,
    show: str | None = None,
    raw: bool = False,
) -> int:
    """Print the records of a stream as they come, until Ctrl-C.

    On a terminal, JSON is indented and coloured. Into a pipe or a file, each record is one line: JSON as it is but for
    the spaces, text with its control characters escaped, and other data in base64 after the word base64:. User records
    of aggregates are printed one by one. Records of one shard come in order; those of several shards are mixed.

    Example:
        truckstream tail trucks --from 15m --count 10 --show shard,key

    Args:
        stream: Name or ARN of the stream.
        connection: Region and endpoint.
        from_: Where to begin: TRIM_HORIZON (the oldest record), LATEST (new records only), a time such as
            2026-11-29T08:30 (UTC) or 2026-11-29T08:30+01:00, or an age such as 15m or "10 minutes ago".
        count: End after so many records.
        shard: Read this shard only, such as shardId-000000000003 or 3; may be repeated.
        key: Print the records of this partition key only.
        show: Columns to print before each record: shard, key, time and sequence, joined by commas.
        raw: Print the bytes of each record as they are, and a line end.
    """
    if count is not None and count < 1:
        raise InvalidArgumentError("count", count, "must be at least 1")
    shards = [_shard_id(text) for text in shard] if shard else None
    selection = _Selection(parse_start(from_, datetime.now(UTC)), shards, key, count)
    printer = RecordPrinter(_columns(show), raw=raw)
    stream_name = connection.settings(stream).stream_name
    return run_command(_tail(stream_name, connection, selection, printer))


def _shard_id(text: str) -> str:
    return f"shardId-{int(text):012}" if text.isdecimal() else text


def _columns(text: str | None) -> Sequence[Column]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    for name in names:
        if name not in COLUMNS:
            raise InvalidArgumentError("show", name, f"must be of {', '.join(COLUMNS)}, joined by commas")
    return cast("list[Column]", names)


async def _tail(stream: str, connection: StreamConnection, selection: _Selection, printer: RecordPrinter) -> int:
    from truckstream.consumer import Consumer  # noqa: PLC0415 - loads only when needed

    with stop_on_signals() as stop:
        consumer = Consumer(
            stream,
            shards=selection.shards,
            start=selection.start,
            region_name=connection.region,
            endpoint_url=connection.endpoint_url,
            session=await connection.session(stream),
        )
        tasks = [
            asyncio.ensure_future(_print_records(consumer, selection, printer)),
            asyncio.ensure_future(stop.wait()),
            asyncio.ensure_future(wait_for_closed_output()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                await tasks[0]  # raises the error that ended it
        except StreamNotFoundError as error:
            raise connection.with_hint(error, stream) from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return 0


async def _print_records(consumer: Any, selection: _Selection, printer: RecordPrinter) -> None:
    left = selection.count
    async with consumer, aclosing(consumer.records()) as records:
        await consumer.wait_ready()
        if selection.start == "LATEST" and console.is_terminal:
            hint = "Waiting for new records; --from TRIM_HORIZON prints those that are stored. Ctrl-C ends the command."
            error_console.print(hint, style="dim", highlight=False, soft_wrap=True)
        async for record in records:
            if selection.key is not None and record.partition_key != selection.key:
                continue
            printer.print(record)
            if left is not None and (left := left - 1) == 0:
                return

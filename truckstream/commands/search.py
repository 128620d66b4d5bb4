"""`truckstream search`: find records in OpenSearch, or in the stored objects."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter

from truckstream.commands.output.console import error_console
from truckstream.commands.stored.interruption import end_interrupted
from truckstream.commands.stored.users_code import load_schema
from truckstream.commands.stream.connection import DEFAULT_CONNECTION, StreamConnection
from truckstream.commands.stream.start import parse_times
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from truckstream.search.asking.rows import Row

__all__ = ["search"]

Format = Literal["table", "csv", "json"]

#: Seconds between two attempts to interrupt DuckDB, which does not look for signals itself.
_INTERRUPT_SECONDS: Final = 0.05


def search(
    query: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    opensearch: Annotated[str | None, Parameter(env_var="OPENSEARCH_URL")] = None,
    index: str = "truckstream-*",
    store: str | None = None,
    connection: StreamConnection = DEFAULT_CONNECTION,
    since: str | None = None,
    until: str | None = None,
    limit: Annotated[int, Parameter(name=("--limit", "-n"))] = 100,
    format_: Annotated[Format, Parameter(name="--format")] = "table",
    schema: str = "truck",
    prefix: str = "sensor_data",
) -> int:
    """Find records in OpenSearch, or in the stored objects where there is none; the newest come first.

    A query has terms such as speed:>60, speed:[60 TO 70], truck_id:TRUCK_0*, health_status:(URGENT OR WARNING), words
    without a field, which are looked for in all texts, and AND, OR, NOT and parentheses. Terms beside each other must
    all match. Both engines find the same records.

    Exit status: 0 for success, also if nothing is found; 1 if OpenSearch or the store fails, or the store is empty; 2
    if the query or an option is wrong; 130 after Ctrl-C.

    Example:
        truckstream search "brake_temp:>200 health_status:URGENT" --since 1h
        truckstream search "TRUCK_001 speed:0" --store s3://bucket --format csv

    Args:
        query: What to find; * finds all records.
        opensearch: URL of OpenSearch. With a host of AWS, requests are signed.
        index: Indexes to search, a pattern or names joined by commas.
        store: s3://bucket, file:///directory, or the path of a directory, in place of OpenSearch. [STORE_URL, or
            BUCKET_NAME]
        connection: Region and endpoint of the bucket.
        since: Only records that arrived from this time on, such as 2026-11-29T08:30 (UTC), or 1h.
        until: Only records that arrived before this time.
        limit: The most records.
        format_: table, csv, or json (an array).
        schema: Type of the records: truck, or module:name.
        prefix: Folder of the valid records in the store.
    """
    chosen = {
        **parse_times(datetime.now(UTC), since=since, until=until),
        **({} if schema == "truck" else {"schema": load_schema(schema)}),
        "limit": limit,
    }
    try:
        if store is None and opensearch:
            rows = _ask_opensearch(query, opensearch, index, chosen)
        else:
            options = {"prefix": prefix, "region_name": connection.region, "endpoint_url": connection.endpoint_url}
            rows = _ask_store(query, _store(store, connection), chosen | options)
        _print(rows, format_, limit)
    except KeyboardInterrupt:
        end_interrupted("Interrupted.")
    return 0


def _store(store: str | None, connection: StreamConnection) -> str:
    found = connection.store(store)
    if not found:
        hint = "Pass --opensearch URL, or --store s3://bucket or a directory; or set OPENSEARCH_URL or BUCKET_NAME."
        raise ConfigurationError("opensearch", "is not set, and neither is store", hint)
    return found


def _ask_opensearch(query: str, url: str, index: str, options: dict[str, Any]) -> list[Row]:
    search_index = _package().search_index
    with error_console.status("Searching …"):
        rows: list[Row] = asyncio.run(search_index(query, url, index=index, **options))
        return rows


def _ask_store(query: str, store: str, options: dict[str, Any]) -> list[Row]:
    """Search a store in another thread, so that Ctrl-C can interrupt DuckDB."""
    search_store = _package().search_store
    opened: list[Any] = []
    with error_console.status("Searching …"), ThreadPoolExecutor(1, thread_name_prefix="truckstream-search") as thread:
        future = thread.submit(partial(search_store, query, store, on_open=opened.append, **options))
        try:
            rows: list[Row] = future.result()
        except KeyboardInterrupt:
            while not wait([future], timeout=_INTERRUPT_SECONDS).done:
                for tables in opened:
                    tables.interrupt()
            raise
    return rows


def _package() -> Any:
    try:
        import truckstream.search as package  # noqa: PLC0415 - an optional package
    except (ModuleNotFoundError, ConfigurationError) as error:  # the latter names the extra of `query`
        missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        if not isinstance(missing, ModuleNotFoundError):
            raise
        hint = "Install it: pip install 'truckstream[cli,search]'"
        name = str(missing.name).partition(".")[0]
        raise ConfigurationError(name, "is not installed, and `search` needs it", hint) from missing
    return package


def _print(rows: list[Row], format_: Format, limit: int) -> None:
    from truckstream.commands.output.search_rows import print_rows  # noqa: PLC0415 - loaded by this command only

    print_rows(rows, format_, limit)

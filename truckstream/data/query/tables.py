"""Make the tables of a store in DuckDB, and ask them.

Objects are listed once, when the tables are made. Objects of a directory are read by DuckDB itself; those of any other
store through `object_files.py`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from urllib.parse import urlsplit
from urllib.request import url2pathname

from truckstream.data.objects.catalog import Catalog
from truckstream.data.query.columns import record_columns
from truckstream.data.query.listing import has_objects, list_tables
from truckstream.data.query.table_sql import make_tables
from truckstream.errors import ConfigurationError, InvalidArgumentError, StoreError
from truckstream.record import TruckRecord

try:
    import duckdb

    from truckstream.data.query.object_files import ROOT, ObjectFiles
except ModuleNotFoundError as _error:
    raise ConfigurationError(
        "query", f"needs the package {_error.name}", "Install it with: pip install 'truckstream[query]'."
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Mapping
    from datetime import datetime
    from pathlib import Path

    from truckstream.batcher.object_store.store import ObjectStore

__all__ = ["TABLES", "Table", "open_tables", "query"]

Table = Literal["records", "rejected", "given_up"]
TABLES: Final[tuple[Table, ...]] = get_args(Table)


def query(sql: str, store: str | Path | ObjectStore, **options: Any) -> duckdb.DuckDBPyRelation | None:
    """Ask the stored records a question in DuckDB's SQL.

    The tables are `records`, `rejected` and `given_up`; the page lists their columns. The result is a relation of
    DuckDB, which reads the objects when its rows are asked for: `.fetchall()`, `.df()`, `.pl()`, `.arrow()`,
    `.write_parquet(file)`. Errors of the SQL and of broken objects are those of DuckDB (`duckdb.Error`).

    This blocks. It may be called where an event loop runs, as in a notebook; in a service, call it in a thread.

    Args:
        sql: the statement. Of several, all are run, and the last one's rows are the result.
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        **options: those of `open_tables`. By default only the tables that the SQL names are made.

    Returns:
        The relation; None if the last statement has no rows.

    Raises:
        ConfigurationError, InvalidArgumentError, StoreError: as `open_tables`.
    """
    return open_tables(store, **{"tables": tables_in(sql), **options}).sql(sql)


def tables_in(sql: str) -> tuple[Table, ...]:
    """Return the tables that a statement may need. A name in a comment or a text counts, which costs time only."""
    return tuple(table for table in TABLES if table in sql.lower()) or TABLES


def open_tables(
    store: str | Path | ObjectStore,
    *,
    tables: Collection[Table] = TABLES,
    prefix: str = "sensor_data",
    rejected_prefix: str = "rejected",
    given_up_store: str | Path | ObjectStore | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    schema: Any = TruckRecord,
    region_name: str | None = None,
    endpoint_url: str | None = None,
    store_options: Mapping[str, Any] | None = None,
) -> duckdb.DuckDBPyConnection:
    """Return a connection of DuckDB with the tables of a store, for several queries of the same objects.

    Close it when it is no longer needed. A cursor of it does not have the tables.

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        tables: the tables to make, of "records", "rejected" and "given_up".
        prefix: the folder of valid records, as in `Batcher`.
        rejected_prefix: the folder of rejected records, as in `Batcher`.
        given_up_store: the on-failure destination of the event source mapping, if it is another store.
        since: with a time zone. Only objects whose first record arrived from then on are listed and read. A compacted
            file is read whole if its hour overlaps the time.
        until: likewise, before this time.
        schema: the type of the records, which decides the columns of `records`; None for those that DuckDB detects.
        region_name: for S3, as in `Batcher`.
        endpoint_url: for S3, as in `Batcher`.
        store_options: further options of obstore's S3Store.

    Raises:
        ConfigurationError: the store cannot be opened, or the directory does not exist.
        InvalidArgumentError: another option breaks a rule.
        StoreError: the store cannot be listed, or has no objects of this time (`code` is "NoObjects").
    """
    for table in tables:
        if table not in TABLES:
            raise InvalidArgumentError("tables", table, f"must be of {', '.join(TABLES)}")
    columns = record_columns(schema)
    network = {"region_name": region_name, "endpoint_url": endpoint_url, "store_options": store_options}
    catalog = Catalog(store, prefix=prefix, rejected_prefix=rejected_prefix, **network)  # type: ignore[arg-type]
    failed = store if given_up_store is None else given_up_store
    found = _run(list_tables(catalog, tables, since, until, failed, network))
    if not any(found) and not _run(has_objects(catalog, since, until)):
        raise _no_objects(catalog, since, until)
    directory = _directory(catalog.url)
    records, rejected = ([file.key for file in files] for files in (found.records, found.rejected))
    connection = duckdb.connect()
    try:
        if directory is None:
            connection.register_filesystem(ObjectFiles(catalog.store, [*found.records, *found.rejected]))
        for statement in make_tables(tables, directory or ROOT, records, rejected, found.given_up, columns):
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, also where an event loop is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1, thread_name_prefix="truckstream-query") as thread:
        return thread.submit(asyncio.run, work).result()


def _no_objects(catalog: Catalog, since: datetime | None, until: datetime | None) -> StoreError:
    where = catalog.url or repr(catalog.store)
    folders = " or ".join(f"{each}/" for each in (catalog.prefix, catalog.rejected_prefix))
    when = (f" from {since} on" if since else "") + (f" before {until}" if until else "")
    message = f"{where} has no objects of the batcher in {folders}" + (f" that arrived{when}" if when else "")
    hint = "Check the store, the region, the prefixes" + (" and the times." if when else ".")
    return StoreError("NoObjects", message, hint=hint, retryable=False)


def _directory(url: str | None) -> str | None:
    """Return the directory behind a store's URL, with a slash at its end; None for another store."""
    parts = urlsplit(url or "")
    return url2pathname(parts.path).rstrip("/") + "/" if parts.scheme == "file" else None

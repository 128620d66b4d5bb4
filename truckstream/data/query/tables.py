"""Make the tables of a store in DuckDB, and ask them.

Objects are listed once, when the tables are made. Objects of a directory are read by DuckDB itself; those of any other
store through `object_files.py`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from truckstream.data.objects.catalog import Catalog
from truckstream.data.query.columns import record_columns
from truckstream.data.query.listing import has_objects, list_tables
from truckstream.data.query.options import TableOptions, tables_in
from truckstream.data.query.table_sql import make_tables
from truckstream.errors import ConfigurationError, StoreError

try:
    import duckdb

    from truckstream.data.query.object_files import ROOT, ObjectFiles
except ModuleNotFoundError as _error:
    raise ConfigurationError(
        "query", f"needs the package {_error.name}", "Install it with: pip install 'truckstream[query]'."
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from truckstream.batcher.object_store.store import ObjectStore

__all__ = ["open_tables", "query", "table_script"]


def query(sql: str, store: str | Path | ObjectStore, **options: Any) -> duckdb.DuckDBPyRelation | None:
    """Ask the stored records a question in DuckDB's SQL.

    The tables are `records`, `rejected` and `given_up`; the page lists their columns. The result is a relation of
    DuckDB, which reads the objects when its rows are asked for: `.fetchall()`, `.df()`, `.pl()`, `.arrow()`,
    `.write_parquet(file)`. Errors of the SQL and of broken objects are those of DuckDB (`duckdb.Error`).

    This blocks. It may be called where an event loop runs, as in a notebook; in a service, call it in a thread.

    Args:
        sql: the statement. Of several, all are run, and the last one's rows are the result.
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        **options: the attributes of `TableOptions`. By default only the tables that the SQL names are made.

    Returns:
        The relation; None if the last statement has no rows.

    Raises:
        ConfigurationError, InvalidArgumentError, StoreError: as `open_tables`.
    """
    return open_tables(store, **{"tables": tables_in(sql), **options}).sql(sql)


def open_tables(store: str | Path | ObjectStore, **options: Any) -> duckdb.DuckDBPyConnection:
    """Return a connection of DuckDB with the tables of a store, for several queries of the same objects.

    Close it when it is no longer needed. A cursor of it does not have the tables.

    Args:
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        **options: the attributes of `TableOptions`.

    Raises:
        ConfigurationError: the store cannot be opened, or the directory does not exist.
        InvalidArgumentError: another option breaks a rule.
        StoreError: the store cannot be listed, or has no objects of this time (`code` is "NoObjects").
    """
    files, statements = _prepare(store, TableOptions(**options))
    connection = duckdb.connect()
    try:
        connection.execute("SET enable_progress_bar_print = false")  # it would be printed among the rows
        if files is not None:
            connection.register_filesystem(files)
        for statement in statements:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


def table_script(store: str | Path, **options: Any) -> str | None:
    """Return the SQL that makes the tables of a directory in any DuckDB; None if the store is no directory.

    Its arguments are those of `open_tables`, and it raises the same errors.
    """
    files, statements = _prepare(store, TableOptions(**options))
    return None if files is not None else "".join(f"{statement};\n" for statement in statements)


def _prepare(store: str | Path | ObjectStore, options: TableOptions) -> tuple[ObjectFiles | None, list[str]]:
    """Return the file system of the objects, None for a directory, and the statements that make the tables."""
    columns = record_columns(options.schema)
    network: dict[str, Any] = {
        "region_name": options.region_name,
        "endpoint_url": options.endpoint_url,
        "store_options": options.store_options,
    }
    catalog = Catalog(store, prefix=options.prefix, rejected_prefix=options.rejected_prefix, **network)
    given_up_store = store if options.given_up_store is None else options.given_up_store
    found = _run(list_tables(catalog, options.tables, options.since, options.until, given_up_store, network))
    if not any(found) and not _run(has_objects(catalog, options.since, options.until)):
        raise _no_objects(catalog, options)
    directory = _directory(catalog.url)
    files = None if directory is not None else ObjectFiles(catalog.store, [*found.records, *found.rejected])
    records, rejected = ([file.key for file in listed] for listed in (found.records, found.rejected))
    root = directory or ROOT
    return files, make_tables(options.tables, root, records, rejected, found.given_up, columns)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end, also where an event loop is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1, thread_name_prefix="truckstream-query") as thread:
        return thread.submit(asyncio.run, work).result()


def _no_objects(catalog: Catalog, options: TableOptions) -> StoreError:
    where = catalog.url or repr(catalog.store)
    folders = " or ".join(f"{each}/" for each in (catalog.prefix, catalog.rejected_prefix))
    since, until = options.since, options.until
    when = (f" from {since} on" if since else "") + (f" before {until}" if until else "")
    message = f"{where} has no objects of the batcher in {folders}" + (f" that arrived{when}" if when else "")
    hint = "Check the store, the region, the prefixes" + (" and the times." if when else ".")
    return StoreError("NoObjects", message, hint=hint, retryable=False)


def _directory(url: str | None) -> str | None:
    """Return the directory behind a store's URL, with a slash at its end; None for another store."""
    parts = urlsplit(url or "")
    return url2pathname(parts.path).rstrip("/") + "/" if parts.scheme == "file" else None

"""Ask the stored objects, with DuckDB.

A record's arrival is in the object if it was stored with its stream fields. If not, it counts as having arrived with
its object's first record; in a compacted file, some time in its hour. Objects that begin up to `_LONGEST_OBJECT` before
the time are read, too, because they may have records of the time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from truckstream.batcher.formats.stream_fields import ARRIVAL, SEQUENCE, SUBSEQUENCE
from truckstream.data.query import open_tables
from truckstream.search.asking.rows import DEFAULT_LIMIT, SearchOptions, arrival_text, row_maker
from truckstream.search.language.duckdb_sql import quote_name, sql_condition
from truckstream.search.language.fields import all_names
from truckstream.search.language.parser import parse_query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from truckstream.batcher.object_store.store import ObjectStore
    from truckstream.search.asking.rows import Row

__all__ = ["search_store"]

#: Between the first and the last record of an object lie seconds, or a worker's `max_wait`.
_LONGEST_OBJECT: Final = timedelta(minutes=15)

#: A compacted file has the records of an hour, and `object_arrival` is its beginning.
_EARLIEST: Final = f"coalesce({ARRIVAL}, object_arrival)"
_LATEST: Final = (
    f"coalesce({ARRIVAL}, object_arrival + "
    "CASE WHEN object_key LIKE '%/hour\\_%' ESCAPE '\\' THEN INTERVAL 1 HOUR ELSE INTERVAL 0 HOUR END)"
)
_ORDER: Final = f"{_EARLIEST} DESC NULLS LAST, {SEQUENCE} DESC NULLS LAST, {SUBSEQUENCE} DESC NULLS LAST"


def search_store(
    query: str,
    store: str | Path | ObjectStore,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = DEFAULT_LIMIT,
    on_open: Callable[[duckdb.DuckDBPyConnection], object] | None = None,
    **options: Any,
) -> list[Row]:
    """Return the newest stored records that match a query.

    Args:
        query: see the page of this package.
        store: `s3://bucket[/folder]`, `file:///directory`, the path of a directory, or an obstore store.
        since: as in `SearchOptions`.
        until: as in `SearchOptions`.
        limit: as in `SearchOptions`.
        on_open: called with DuckDB's connection before it is asked, so that another thread can interrupt it.
        **options: the other attributes of `TableOptions`, such as `schema` and `prefix`.

    Raises:
        InvalidQueryError: the query breaks a rule, or names a field that the records do not have.
        ConfigurationError, InvalidArgumentError, StoreError: as `open_tables` of `truckstream.data.query`.
    """
    schema = {"schema": options["schema"]} if "schema" in options else {}
    chosen = SearchOptions(since=since, until=until, limit=limit, **schema)
    sql, values = _statement(query, chosen)
    first = None if since is None else since - _LONGEST_OBJECT
    with open_tables(store, tables=("records",), since=first, until=until, **options) as tables:
        if on_open is not None:
            on_open(tables)
        names, rows = all_names(chosen.schema), tables.execute(sql, values).fetchall()
    make_row = row_maker(chosen.schema)
    return [make_row(_texts(dict(zip(names, row, strict=True)))) for row in rows]


def _statement(query: str, options: SearchOptions) -> tuple[str, list[Any]]:
    condition, values = sql_condition(parse_query(query, options.schema))
    conditions, parameters = [condition], list[Any](values)
    if options.since is not None:
        conditions.append(f"coalesce({_LATEST} >= ?, false)")
        parameters.append(_plain(options.since))
    if options.until is not None:
        conditions.append(f"coalesce({_EARLIEST} < ?, false)")
        parameters.append(_plain(options.until))
    columns = ", ".join(map(quote_name, all_names(options.schema)))
    where = " AND ".join(conditions)
    sql = f"SELECT {columns} FROM records WHERE {where} ORDER BY {_ORDER} LIMIT {options.limit}"  # noqa: S608 - quoted
    return sql, parameters


def _plain(time: datetime) -> datetime:
    """Return a time in UTC as a TIMESTAMP has it."""
    return time.astimezone(UTC).replace(tzinfo=None)


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its times as texts."""
    return {name: arrival_text(value) if isinstance(value, datetime) else value for name, value in row.items()}

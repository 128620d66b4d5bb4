"""DuckDB on the records of one window.

The records are Arrow batches that DuckDB reads where they are. The user's SQL sees them as the view `records`:

- A column that the query does not read is not built: DuckDB's own plan shows which ones it reads. In the view such a
  column is NULL, so that its name and its type remain.
- `window_start` and `window_end` are columns, too; their values are variables, so that the view stays the same.

The SQL is not trusted: DuckDB may read no file and no address, loads no extension, looks at no variable of Python, and
its settings are locked.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from truckstream.data.query.columns import SqlColumn
from truckstream.errors import ConfigurationError, InvalidArgumentError, TruckstreamError, printable
from truckstream.kinesis.limits import MIB
from truckstream.stream_sql.query.statement import key_places, parse_select

try:
    import duckdb
    from arro3 import core
except ModuleNotFoundError as _error:
    raise ConfigurationError(
        "sql", f"needs the package {_error.name}", "Install it with: pip install 'truckstream[sql]'."
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from truckstream.stream_sql.query.changes import Row

__all__ = ["WINDOW_COLUMNS", "QueryEngine", "QueryFailedError"]

#: The columns that the view has besides those of the records, and each answer besides its own.
WINDOW_COLUMNS: Final = ("window_start", "window_end")

#: The most rows of an answer, which are all in memory.
MAX_ROWS: Final = 100_000

_BATCHES: Final = "_truckstream_batches"

_SETTINGS: Final = (
    "SET python_enable_replacements = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_progress_bar = false",
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryFailedError(TruckstreamError):
    """DuckDB could not answer the query for a window, such as for want of memory or for a value that it cannot cast."""


class QueryEngine:
    """One query, checked and ready to be asked of windows. Its calls block, and come one after the other.

    Args:
        sql: one SELECT on `records`.
        columns: the columns of `records`.
        memory_bytes: the most memory that DuckDB takes.

    Raises:
        InvalidArgumentError: the SQL is wrong; the message has DuckDB's reason with its position, and the columns.
    """

    def __init__(self, sql: str, columns: Sequence[SqlColumn], memory_bytes: int) -> None:
        self._sql = sql
        self._memory_bytes = memory_bytes
        self._connection = duckdb.connect(config={"memory_limit": f"{memory_bytes}B", "temp_directory": ""})
        try:
            for setting in _SETTINGS:
                self._connection.execute(setting)
            node = parse_select(sql, self._value("SELECT json_serialize_sql(?)", [sql]))
            self._set_window(0, 0)
            self._make_view(columns, {column.name for column in columns})
            described = self._describe(columns)
            #: The columns of `records` that the query reads.
            self.columns_read = self._columns_read({column.name for column in columns})
            self._make_view(columns, self.columns_read)
            key = key_places(node, [column.name for column in described], self._aggregates())
        except BaseException:
            self._connection.close()
            raise
        own = {column.name for column in described}
        self._added = [name for name in WINDOW_COLUMNS if name not in own]
        #: The columns of an answer. Those of the window stand first, unless the query has them itself.
        self.answer = (*(SqlColumn(name, "TIMESTAMP") for name in self._added), *described)
        self.columns = tuple(column.name for column in self.answer)
        #: The places of the columns that identify a row within its window; None if only whole rows differ.
        self.key = None if key is None else tuple(place + len(self._added) for place in key)

    def ask(self, window_start: int, window_end: int, batches: Sequence[core.RecordBatch]) -> list[Row]:
        """Return the answer for a window.

        Args:
            window_start: microseconds since the epoch.
            window_end: likewise.
            batches: its records, with the columns `columns_read`; at least one batch.

        Raises:
            QueryFailedError: DuckDB cannot answer it.
        """
        table = core.Table.from_batches(batches)
        try:
            self._set_window(window_start, window_end)
            self._connection.register(_BATCHES, table)
            rows = self._connection.execute(self._sql).fetchmany(MAX_ROWS + 1)
            self._connection.fetchmany()  # an answer is finished when a fetch returns no rows
        except duckdb.OutOfMemoryException as error:
            problem = f"the query needs more than the {self._memory_bytes / MIB:,.0f} MiB that DuckDB may take"
            raise QueryFailedError(f"{problem}: take a shorter window, or allow more memory") from error
        except duckdb.Error as error:
            raise QueryFailedError(_plain(error)) from error
        if len(rows) > MAX_ROWS:
            raise QueryFailedError(f"the answer for a window has more than {MAX_ROWS:,} rows: use GROUP BY, or LIMIT")
        bounds = {"window_start": _naive(window_start), "window_end": _naive(window_end)}
        added = tuple(bounds[name] for name in self._added)
        return [added + row for row in rows] if added else rows

    def interrupt(self) -> None:
        """Let a call of `ask` in another thread fail soon."""
        self._connection.interrupt()

    def close(self) -> None:
        """Free DuckDB's memory."""
        self._connection.close()

    # --- Preparing ------------------------------------------------------------------------------

    def _make_view(self, columns: Sequence[SqlColumn], read: Collection[str]) -> None:
        """Make the view with all columns, of which the batches have those that are read."""
        fields = [core.Field(name, _ARROW_TYPES[kind]()) for name, kind in columns if name in read]
        self._connection.register(_BATCHES, core.Table.from_batches([], schema=core.Schema(fields)))
        values = [_name(name) if name in read else f"NULL::{kind} AS {_name(name)}" for name, kind in columns]
        select = ", ".join([*values, *(f"{_variable(name)} AS {name}" for name in WINDOW_COLUMNS)])
        self._connection.execute(f"CREATE OR REPLACE VIEW records AS SELECT {select} FROM {_BATCHES}")  # noqa: S608

    def _describe(self, columns: Sequence[SqlColumn]) -> tuple[SqlColumn, ...]:
        """Return the columns of the answer, without asking."""
        try:
            relation = self._connection.sql(self._sql)
        except duckdb.Error as error:
            known = ", ".join(f"{name} {kind}" for name, kind in columns)
            known += ", window_start and window_end TIMESTAMP"
            rule = f"{self._with_place(error)}\nThe columns of records are: {known}"
            raise InvalidArgumentError("sql", self._sql, rule) from error
        twice = sorted({name for name in relation.columns if relation.columns.count(name) > 1})
        if twice:
            rule = f"must give each column of the answer a name of its own: {twice[0]} is there twice. Use AS"
            raise InvalidArgumentError("sql", self._sql, rule)
        return tuple(map(SqlColumn, relation.columns, map(str, relation.types)))

    def _with_place(self, error: duckdb.Error) -> str:
        """Return the reason why the SQL cannot be described. Running it shows its place, too."""
        try:
            self._connection.execute(self._sql)
        except duckdb.Error as same:
            return _plain(same)
        return _plain(error)

    def _columns_read(self, known: Collection[str]) -> frozenset[str]:
        """Return the columns that DuckDB's plan reads; all of them if the plan shows none."""
        plan = self._connection.execute(f"EXPLAIN (FORMAT json) {self._sql}").fetchall()[0][1]
        read: set[str] = set()
        for node in _plan_nodes(json.loads(plan)):
            if "ARROW_SCAN" in node["name"]:
                projections = node["extra_info"].get("Projections", [])
                read.update([projections] if isinstance(projections, str) else projections)
        return frozenset(read) if read and read <= set(known) else frozenset(known)

    def _aggregates(self) -> frozenset[str]:
        rows = self._connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'"
        ).fetchall()
        return frozenset(row[0] for row in rows)

    def _set_window(self, start: int, end: int) -> None:
        for name, value in zip(WINDOW_COLUMNS, (start, end), strict=True):
            self._connection.execute(f"SET VARIABLE {name} = make_timestamp({value})")

    def _value(self, sql: str, parameters: Sequence[Any]) -> Any:
        return self._connection.execute(sql, parameters).fetchall()[0][0]


#: The types of Arrow for DuckDB's types in `SqlColumn`.
_ARROW_TYPES: Final[dict[str, Callable[[], core.DataType]]] = {
    "VARCHAR": core.DataType.string,
    "BIGINT": core.DataType.int64,
    "DOUBLE": core.DataType.float64,
    "BOOLEAN": core.DataType.bool,
    "TIMESTAMP": lambda: core.DataType.timestamp("ms"),
}


def _plan_nodes(nodes: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from _plan_nodes(node["children"])


def _plain(error: duckdb.Error) -> str:
    return "\n".join(map(printable, str(error).strip().expandtabs(4).splitlines()))


def _naive(microseconds: int) -> datetime:
    """Return a time as DuckDB returns a TIMESTAMP."""
    return datetime(1970, 1, 1) + timedelta(microseconds=microseconds)  # noqa: DTZ001 - it has no time zone


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _variable(name: str) -> str:
    return f"getvariable('{name}')::TIMESTAMP"

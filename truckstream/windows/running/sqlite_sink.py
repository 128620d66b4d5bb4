"""A sink in a SQLite file, with one row for each result. It shows what a sink in another database has to do."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.windows.result import Key, WindowResult

__all__ = ["SqliteSink"]

#: Seconds to wait while another process writes.
_BUSY_TIMEOUT: Final = 30.0

_CREATE: Final = """
CREATE TABLE IF NOT EXISTS {table} (
    key TEXT NOT NULL, start TEXT NOT NULL, stop TEXT NOT NULL, part TEXT NOT NULL, revision INTEGER NOT NULL,
    late INTEGER NOT NULL, is_retracted INTEGER NOT NULL, "values" TEXT NOT NULL, PRIMARY KEY (key, start, part)
)
"""
# A retracted row stays, so that an earlier revision that comes again does not bring it back.
_WRITE: Final = """
INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key, start, part) DO UPDATE SET
    stop = excluded.stop, revision = excluded.revision, late = excluded.late, is_retracted = excluded.is_retracted,
    "values" = excluded."values"
WHERE excluded.revision >= revision
"""


class SqliteSink:
    """Keeps the highest revision of each result in a table: `SELECT * FROM windows WHERE NOT is_retracted`.

    The columns are `key` (keys that are no texts as JSON), `start` and `stop` in ISO 8601, `part`, `revision`, `late`,
    `is_retracted`, and `values`, a JSON object for SQLite's function `json_extract`.

    Args:
        path: the file. Several processes of one machine may write to it.
        table: the table, which is created if there is none.

    Raises:
        InvalidArgumentError: the table's name is not made of letters, digits and underscores.
    """

    def __init__(self, path: str | Path, *, table: str = "windows") -> None:
        if not isinstance(table, str) or not table.isidentifier():
            raise InvalidArgumentError("table", table, "must be made of letters, digits and underscores")
        self._path = Path(path)
        self._table = table
        self._turn = threading.Lock()

    async def write(self, results: Sequence[WindowResult]) -> None:
        """Write results in one transaction.

        Raises:
            sqlite3.Error: the file cannot be written.
        """
        await asyncio.to_thread(self._write, results)

    def _write(self, results: Sequence[WindowResult]) -> None:
        with self._turn:
            database = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT)
            try:
                with database:
                    database.execute("BEGIN IMMEDIATE")
                    database.execute(_CREATE.format(table=self._table))
                    database.executemany(_WRITE.format(table=self._table), map(_row, results))
            finally:
                database.close()


def _row(result: WindowResult) -> tuple[Any, ...]:
    return (
        _text(result.key),
        result.start.isoformat(),
        result.end.isoformat(),
        result.part,
        result.revision,
        result.late,
        result.is_retracted,
        msgspec.json.encode(result.values).decode(),
    )


def _text(key: Key) -> str:
    return key if isinstance(key, str) else msgspec.json.encode(key).decode()

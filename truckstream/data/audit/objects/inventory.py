"""The objects of a store in the order of their records, however many there are.

The order of keys is that of arrivals, of event times, or none (a directory). SQLite sorts the objects in a temporary
file, with a cache of a few megabytes, so that the memory of an audit does not grow with the store.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Self

import msgspec

from truckstream.data.audit.objects.audited_object import AuditedObject, name_of, sort_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from truckstream.data.objects.catalog import ListedObject

__all__ = ["Inventory"]

_SCHEMA = """
CREATE TABLE objects (stream TEXT, shard TEXT, first TEXT, last TEXT, key TEXT, facts BLOB);
CREATE TABLE without_metadata (name TEXT, arrival REAL, key TEXT);
CREATE TABLE compacted (source TEXT PRIMARY KEY, file TEXT) WITHOUT ROWID;
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AuditedObject).decode


class Inventory:
    """Collects objects, then yields them shard by shard. A context, which removes the temporary file."""

    def __init__(self) -> None:
        # An empty name is a temporary file that vanishes with the connection.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _SCHEMA)
        self._database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, each: AuditedObject) -> None:
        row = (each.stream, each.shard, sort_text(each.first), sort_text(each.last), each.key, _encode(each))
        self._database.execute("INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?)", row)

    def add_without_metadata(self, listed: ListedObject) -> None:
        row = (name_of(listed.key), listed.name.arrival.timestamp(), listed.key)
        self._database.execute("INSERT INTO without_metadata VALUES (?, ?, ?)", row)

    def index_keys(self) -> None:
        """Prepare for `has`."""
        self._database.executescript(
            "CREATE INDEX keys ON objects (key); CREATE INDEX keys_without_metadata ON without_metadata (key);"
        )

    def has(self, key: str) -> bool:
        """Whether an object was added, with or without metadata."""
        query = "SELECT 1 FROM objects WHERE key = ? UNION ALL SELECT 1 FROM without_metadata WHERE key = ? LIMIT 1"
        return self._database.execute(query, (key, key)).fetchone() is not None

    def claim(self, source: str, file: str) -> str:
        """Note that a compacted file holds an object; return the first file that claimed this object."""
        self._database.execute("INSERT OR IGNORE INTO compacted VALUES (?, ?)", (source, file))
        found = self._database.execute("SELECT file FROM compacted WHERE source = ?", (source,)).fetchone()
        first: str = found[0]
        return first

    def seal(self) -> None:
        """Note that all objects were added."""
        self._database.executescript(
            "CREATE INDEX order_of_objects ON objects (stream, shard, first, last, key);"
            "CREATE INDEX order_of_names ON without_metadata (name);"
            "CREATE INDEX order_of_arrivals ON without_metadata (arrival, key);"
        )

    def shards(self) -> list[tuple[str, str]]:
        """Return the streams and shards that have objects, in order."""
        query = "SELECT DISTINCT stream, shard FROM objects ORDER BY stream, shard"
        return self._database.execute(query).fetchall()

    def objects(self, stream: str, shard: str) -> Iterator[AuditedObject]:
        """Yield a shard's objects in the order of their first and last records."""
        query = "SELECT facts FROM objects WHERE stream = ? AND shard = ? ORDER BY first, last, key"
        for (facts,) in self._database.execute(query, (stream, shard)):
            yield _decode(facts)

    def has_without_metadata(self, name: str) -> bool:
        """Whether an object of this name has no metadata."""
        query = "SELECT 1 FROM without_metadata WHERE name = ? LIMIT 1"
        return self._database.execute(query, (name,)).fetchone() is not None

    def without_metadata_between(self, begin: float, end: float) -> str | None:
        """Return an object without metadata whose first record arrived in this time, in seconds since the epoch."""
        query = "SELECT key FROM without_metadata WHERE arrival BETWEEN ? AND ? ORDER BY arrival, key LIMIT 1"
        found = self._database.execute(query, (begin, end)).fetchone()
        return None if found is None else found[0]

    def covers(self, stream: str, shard: str, number: str) -> bool:
        """Whether a group holds the record of this number, by the group's first and last numbers."""
        query = "SELECT 1 FROM objects WHERE stream = ? AND shard = ? AND first <= ? AND last >= ? LIMIT 1"
        place = sort_text(str(int(number)))
        return self._database.execute(query, (stream, shard, place, place)).fetchone() is not None

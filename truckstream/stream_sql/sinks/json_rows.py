"""Results as lines of JSON, and the identity of each row.

Times are ISO 8601 in UTC, as in the columns of `truckstream query`, decimal numbers are numbers, and NaN and infinity
are null. The identity of a row follows from the query, the window and the row's key, so that a result that is given
again has it again.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from truckstream.stream_sql.query.changes import Row
    from truckstream.stream_sql.results import WindowAnswer

__all__ = ["CHANGE", "RESULT_ID", "change_lines", "identified_rows", "row_lines"]

#: The field of the kind of a change, before the columns.
CHANGE: Final = "change"
#: The field of a row's identity, before the columns.
RESULT_ID: Final = "result_id"

_ID_BYTES: Final = 16


def _encode_other(value: object) -> str:
    """Return a value that JSON has no type for, such as an interval of several months, as DuckDB prints it."""
    return str(value)


_encode: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_encode_other).encode


def row_lines(result: WindowAnswer) -> bytes:
    """Return all rows of a result, one a line."""
    return b"".join(_encode(_fields(result, row)) + b"\n" for row in result.rows)


def change_lines(result: WindowAnswer) -> bytes:
    """Return the changed rows of a result, one a line, with the kinds of their changes."""
    return b"".join(_encode({CHANGE: change.kind, **_fields(result, change.row)}) + b"\n" for change in result.changes)


def identified_rows(result: WindowAnswer, query_id: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield the partition key, the identity and the JSON of each row.

    Rows with the same key of their GROUP BY have the same partition key in every window, so that they stay in order.
    """
    seen: Counter[bytes] = Counter()
    for row in result.rows:
        key = _encode([row[place] for place in _places(result)])
        seen[key] += 1
        where = (query_id, result.window_start, result.window_end, seen[key])
        identity = blake2b(_encode(where) + key, digest_size=_ID_BYTES).hexdigest()
        partition_key = blake2b(key, digest_size=_ID_BYTES).hexdigest()
        yield partition_key, identity, _encode({RESULT_ID: identity, **_fields(result, row)})


def _places(result: WindowAnswer) -> tuple[int, ...]:
    """Return the columns that identify a row, without those of the window."""
    places = range(len(result.columns)) if result.key is None else result.key
    return tuple(place for place in places if result.columns[place] not in {"window_start", "window_end"})


def _fields(result: WindowAnswer, row: Row) -> dict[str, Any]:
    return dict(zip(result.columns, row, strict=True))

"""Records as lines: JSON, text or binary data, safe to print on a terminal.

The data come from whoever writes to the stream. A control character in them could move the cursor, change the title of
the terminal or hide a line, so each is escaped: in JSON as JSON does it, in text as Python does it. Only `raw` prints
the bytes as they are.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from truckstream.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.kinesis.reading.shard_record import ShardRecord

__all__ = ["COLUMNS", "Column", "RecordLine", "format_record", "raw_record"]

Column: TypeAlias = Literal["shard", "key", "time", "sequence"]


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One record, ready to print."""

    #: The columns that were asked for.
    columns: tuple[str, ...]
    #: The data, on several lines if it is JSON and was asked to be indented.
    data: str
    is_json: bool

    def __str__(self) -> str:
        return "\t".join((*self.columns, self.data))


def format_record(record: ShardRecord, show: Sequence[Column] = (), *, indent: bool = False) -> RecordLine:
    """Format a record: JSON compact, or indented; text as it is; other data in base64, after the word `base64:`."""
    columns = _columns(record, show)
    try:
        text = record.data.decode()
    except UnicodeDecodeError:
        return RecordLine(columns, f"base64:{b64encode(record.data).decode()}", is_json=False)
    try:  # the bytes of numbers and strings stay as they are
        text = msgspec.json.format(text, indent=2 if indent else -1)
    except msgspec.DecodeError:
        return RecordLine(columns, printable(text), is_json=False)
    return RecordLine(columns, _escaped(text), is_json=True)


def raw_record(record: ShardRecord, show: Sequence[Column] = ()) -> bytes:
    """Return the data as they are, after the columns and before a line end."""
    return b"\t".join((*map(str.encode, _columns(record, show)), record.data)) + b"\n"


def _escaped(json: str) -> str:
    r"""Escape what a terminal could obey as \u and four hexadecimal digits. Only the strings of JSON can hold such."""
    if json.isprintable():
        return json
    return "".join(each if each.isprintable() or each == "\n" else _escape(each) for each in json)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sequence(record: ShardRecord) -> str:
    """Return the sequence number, and the position in the aggregate after a dot."""
    if record.subsequence_number is None:
        return record.sequence_number
    return f"{record.sequence_number}.{record.subsequence_number}"


#: The columns that can stand before the data of a record.
COLUMNS: Final[dict[Column, Callable[[ShardRecord], str]]] = {
    "shard": lambda record: record.shard_id,
    "key": lambda record: printable(record.partition_key),
    "time": lambda record: _time(record.arrival),
    "sequence": _sequence,
}


def _columns(record: ShardRecord, show: Sequence[Column]) -> tuple[str, ...]:
    return tuple(COLUMNS[column](record) for column in show)

"""Where a record is in the stream: as fields of its line, or as columns of its row.

| field | in JSON | column of Parquet |
|---|---|---|
| kinesis_sequence_number | string | string |
| kinesis_subsequence_number | integer, or null for a record that was not aggregated | int64 |
| kinesis_shard_id | string | string |
| kinesis_arrival_time | string such as "2025-01-15 14:30:25.001" | timestamp of milliseconds without a time zone |

The time of arrival is UTC. It names no time zone, so that a reader finds the same timestamp in lines and in rows.
Parquet objects always have the first two. The fields of a line follow the record's own, whose bytes stay as they are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "ARRIVAL",
    "SEQUENCE",
    "SHARD",
    "SUBSEQUENCE",
    "Places",
    "add_fields",
    "check_fields",
    "milliseconds",
    "refuse_taken",
]

SEQUENCE: Final = "kinesis_sequence_number"
SUBSEQUENCE: Final = "kinesis_subsequence_number"
SHARD: Final = "kinesis_shard_id"
ARRIVAL: Final = "kinesis_arrival_time"

_NAMES: Final = (SEQUENCE, SUBSEQUENCE, SHARD, ARRIVAL)


class Places(NamedTuple):
    """Where records are in the stream. The lists run in parallel."""

    shard: str
    sequences: list[str]
    #: Each record's position in its aggregate, None for a record that was not aggregated; None without aggregates.
    subsequences: list[int | None] | None
    #: When Kinesis stored each record, in seconds since the epoch.
    arrivals: list[float]

    def numbers(self) -> list[str]:
        """Return each record's sequence number, followed by ":" and its subsequence number in an aggregate."""
        if self.subsequences is None:
            return self.sequences
        pairs = zip(self.sequences, self.subsequences, strict=True)
        return [sequence if sub is None else f"{sequence}:{sub}" for sequence, sub in pairs]


def check_fields(schema: Any) -> None:
    """Raise InvalidArgumentError unless it is certain that no valid record has a field of one of these names."""
    if not (isinstance(schema, type) and issubclass(schema, msgspec.Struct)):
        raise InvalidArgumentError("schema", schema, _RULE)
    config = schema.__struct_config__
    if not config.forbid_unknown_fields or config.array_like:
        raise InvalidArgumentError("schema", schema, _RULE)
    refuse_taken([*schema.__struct_encode_fields__, config.tag_field or ""], schema)


_RULE: Final = (
    "must be a msgspec.Struct with forbid_unknown_fields=True for add_stream_fields: "
    "a record of another schema could have a field of the same name"
)


def refuse_taken(names: Iterable[str], schema: Any, added: Sequence[str] = _NAMES) -> None:
    """Raise InvalidArgumentError if the schema has a field with one of the names that the batcher adds."""
    if taken := set(names) & set(added):
        raise InvalidArgumentError("schema", schema, f"must not have the field {min(taken)}: the batcher adds it")


def milliseconds(arrival: float) -> int:
    """Return a time of arrival as Kinesis states it, in milliseconds since the epoch."""
    return round(arrival * 1000)


def add_fields(lines: Iterable[bytes], places: Places) -> list[bytes]:
    """Return the lines, which must be objects of JSON, with the fields at their ends."""
    shard = msgspec.json.encode(places.shard)
    subsequences = places.subsequences or [None] * len(places.sequences)
    rows = zip(lines, places.sequences, subsequences, places.arrivals, strict=True)
    return [_add_to(line, sequence, subsequence, shard, arrival) for line, sequence, subsequence, arrival in rows]


def _add_to(line: bytes, sequence: str, subsequence: int | None, shard: bytes, arrival: float) -> bytes:
    own = line[: line.rindex(b"}")]
    at = datetime.fromtimestamp(milliseconds(arrival) / 1000, UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")
    return b'%b%b"%b":"%b","%b":%b,"%b":%b,"%b":"%b"}' % (
        own,
        b"" if own.strip() == b"{" else b",",
        *(SEQUENCE.encode(), sequence.encode()),
        *(SUBSEQUENCE.encode(), b"null" if subsequence is None else b"%d" % subsequence),
        *(SHARD.encode(), shard),
        *(ARRIVAL.encode(), at.encode()),
    )

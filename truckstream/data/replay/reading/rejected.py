"""A rejected record, read back from its line below `rejected/`.

`truckstream/batcher/reading/rejected_record.py` writes the lines.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from truckstream.batcher.formats.compression import codec_for

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BrokenLine", "Rejected", "decompress", "identify", "read_lines"]

#: The compressions of objects, by the end of their keys.
_CODECS: Final = {".gz": "gzip", ".zst": "zstd"}


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected record, as a repair function receives it."""

    #: The code of the rule that it broke, a key of `REJECTION_REASONS` or a schema's own.
    reason: str
    #: The field that is wrong, and its value; None if the whole record is wrong.
    field: str | None
    value: Any
    #: The rule, as a text.
    rule: str
    #: The stream's ARN.
    stream: str
    shard: str
    sequence_number: str
    #: Its position in its aggregate; None if it was not aggregated.
    subsequence_number: int | None
    partition_key: str
    #: Known only for a record from an aggregate.
    explicit_hash_key: str | None
    #: When Kinesis stored it, in seconds since the epoch.
    arrival: float
    #: Its bytes; None if the event's data was not base64. Then `undecoded` is the value from the event.
    data: bytes | None
    undecoded: Any = None


class BrokenLine(NamedTuple):
    """A line that is no rejected record. The first line has the number 1."""

    number: int
    problem: str


class _Line(msgspec.Struct):
    reason: str
    field: str | None
    value: Any
    rule: str
    stream: str
    shard: str
    sequence_number: str
    partition_key: str
    arrival: float
    subsequence_number: int | None = None
    explicit_hash_key: str | None = None
    data: str | msgspec.UnsetType = msgspec.UNSET
    data_base64: bytes | msgspec.UnsetType = msgspec.UNSET
    data_undecoded: Any = msgspec.UNSET


_decode: Final = msgspec.json.Decoder(_Line).decode

#: The end of the year 9999, the last time that a `datetime` can represent.
_LAST_SECOND: Final = 253_402_300_799


def decompress(key: str, content: bytes) -> bytes | None:
    """Return the lines in an object's content; None if it is not compressed as its key says."""
    compression = _CODECS.get(key[key.rfind(".") :])
    return content if compression is None else codec_for(compression).decompress(content)


def read_lines(text: bytes) -> tuple[list[Rejected], list[BrokenLine]]:
    """Return the rejected records in the lines of an object, and the lines that are none."""
    records, broken = [], []
    *lines, rest = text.split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_read_line(line))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            broken.append(BrokenLine(number, str(error)))
    if rest:
        broken.append(BrokenLine(len(lines) + 1, "the object ends within this line"))
    return records, broken


def _read_line(text: bytes) -> Rejected:
    line = _decode(text)
    payloads = (line.data, line.data_base64, line.data_undecoded)
    if sum(each is not msgspec.UNSET for each in payloads) != 1:
        raise ValueError("it must have one of data, data_base64 and data_undecoded")
    if not line.sequence_number.isdecimal():
        raise ValueError(f"sequence_number is {line.sequence_number[:40]!r}: it must be a number")
    if not 0 <= line.arrival <= _LAST_SECOND:
        raise ValueError(f"arrival is {line.arrival}: it must be in seconds since the epoch")
    return Rejected(
        reason=line.reason,
        field=line.field,
        value=line.value,
        rule=line.rule,
        stream=line.stream,
        shard=line.shard,
        sequence_number=line.sequence_number,
        subsequence_number=line.subsequence_number,
        partition_key=line.partition_key,
        explicit_hash_key=line.explicit_hash_key,
        arrival=line.arrival,
        data=_bytes_of(line),
        undecoded=None if line.data_undecoded is msgspec.UNSET else line.data_undecoded,
    )


def _bytes_of(line: _Line) -> bytes | None:
    if isinstance(line.data, str):
        return line.data.encode()
    return line.data_base64 if isinstance(line.data_base64, bytes) else None


def identify(records: Sequence[Rejected]) -> list[str]:
    """Return an identity for each record of one object: the same wherever and whenever the record was rejected.

    Its place in the stream identifies a record. A few streams repeat sequence numbers, and a record without a number
    has that of the one before. So the identity covers the keys and the bytes, too; and, of records that are equal in
    all of this, which one it is.
    """
    seen: Counter[bytes] = Counter()
    identities = []
    for record in records:
        digest = _digest(record)
        seen[digest] += 1
        identities.append(f"{digest.hex()}-{seen[digest]}" if seen[digest] > 1 else digest.hex())
    return identities


def _digest(record: Rejected) -> bytes:
    place = (record.stream, record.shard, record.sequence_number, record.subsequence_number)
    payload = record.data if record.data is not None else msgspec.json.encode(record.undecoded)
    head = msgspec.json.encode((*place, record.partition_key, record.explicit_hash_key, record.data is None))
    return blake2b(head + b"\n" + payload, digest_size=16).digest()

"""The identities of the records in an object, with which two objects, or an object and the stream, are compared.

A record is identified by its bytes, or by its numbers in the stream. Lines of JSON hold the bytes; lines with stream
fields and rows of Parquet hold the numbers; a rejected line holds both. Two objects can be compared if they have one of
the two in common.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from truckstream.batcher.formats.stream_fields import ARRIVAL, SEQUENCE, SUBSEQUENCE
from truckstream.batcher.reading.validation import to_one_line
from truckstream.data.audit.objects.content import lines_of, read_rejected, read_rows
from truckstream.errors import ConfigurationError, InvalidRecordError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from truckstream.data.audit.objects.audited_object import AuditedObject

__all__ = ["NO_RECORDS", "UNKNOWN", "StoredRecords", "common_records", "identity_of_bytes", "identity_of_numbers"]

_DIGEST_BYTES = 16


class StoredRecords(NamedTuple):
    """Identities of records, by their bytes and by their numbers; None for a kind that the objects do not have."""

    by_bytes: list[bytes] | None
    by_numbers: list[bytes] | None
    #: The kind of lines or rows, and all that they hold: objects of one form can be compared by that.
    form: str = ""
    by_content: list[bytes] | None = None

    @classmethod
    def of(cls, each: AuditedObject, content: bytes) -> StoredRecords:
        """Return the records of an object, whose bytes may be damaged."""
        try:
            if each.suffix == ".parquet":
                return _rows(content)
            if each.kind == "rejected":
                return _rejected(each, content)
            lines = lines_of(each, content)
        except ConfigurationError:
            return UNKNOWN
        if lines is None:
            return UNKNOWN
        digests = [_digest(line) for line in lines]
        if f'"{ARRIVAL}":"'.encode() in lines[0][-100:]:
            return cls(None, _numbers_of_lines(lines), "lines with stream fields", digests)
        return cls(digests, None, "lines", digests)

    def __add__(self, other: object) -> StoredRecords:
        if not isinstance(other, StoredRecords):
            return NotImplemented
        return StoredRecords(_sum(self.by_bytes, other.by_bytes), _sum(self.by_numbers, other.by_numbers))


#: The sum of no objects, and the records of an object that cannot be read.
NO_RECORDS = StoredRecords([], [])
UNKNOWN = StoredRecords(None, None)


class _Numbers(msgspec.Struct):
    sequence: str = msgspec.field(name=SEQUENCE)
    subsequence: int | None = msgspec.field(name=SUBSEQUENCE, default=None)


def identity_of_bytes(data: bytes) -> bytes:
    """Return the identity of a record with these bytes, whether it is valid or not."""
    try:
        return _digest(to_one_line(data))
    except InvalidRecordError:
        return _digest(data)


def identity_of_numbers(sequence: str, subsequence: int | None) -> bytes:
    return f"{sequence}:{'' if subsequence is None else subsequence}".encode()


def common_records(ones: Iterable[StoredRecords], others: Iterable[StoredRecords]) -> int | None:
    """Return how many records of some objects are in others too; None if two of them cannot be compared."""
    counts = [_in_common(one, other) for one, other in product(ones, others)]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _in_common(one: StoredRecords, other: StoredRecords) -> int | None:
    pairs = [(one.by_bytes, other.by_bytes), (one.by_numbers, other.by_numbers)]
    if one.form == other.form:
        pairs.insert(0, (one.by_content, other.by_content))
    for mine, theirs in pairs:
        if mine is not None and theirs is not None:
            return (Counter(mine) & Counter(theirs)).total()
    return None


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _sum(one: list[bytes] | None, other: list[bytes] | None) -> list[bytes] | None:
    return None if one is None or other is None else one + other


def _rejected(each: AuditedObject, content: bytes) -> StoredRecords:
    lines = read_rejected(each, content)
    if lines is None:
        return UNKNOWN
    payloads = [line.payload for line in lines]
    known = [identity_of_bytes(payload) for payload in payloads if payload is not None]
    numbers = [identity_of_numbers(line.sequence_number, line.subsequence_number) for line in lines]
    if len(known) < len(lines):
        return StoredRecords(None, numbers)
    both = [_digest(b"%b %b" % each) for each in zip(numbers, known, strict=True)]
    return StoredRecords(known, numbers, "rejected lines", both)


def _numbers_of_lines(lines: Iterable[bytes]) -> list[bytes] | None:
    decode = msgspec.json.Decoder(_Numbers).decode
    try:
        return [identity_of_numbers(each.sequence, each.subsequence) for each in map(decode, lines)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _rows(content: bytes) -> StoredRecords:
    table = read_rows(content)
    if table is None:
        return UNKNOWN
    numbers = zip(*(table.column(name).to_pylist() for name in (SEQUENCE, SUBSEQUENCE)), strict=True)
    rows = zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True)
    return StoredRecords(
        None,
        [identity_of_numbers(*each) for each in numbers],
        f"rows of {table.column_names}",
        [_digest(msgspec.json.encode(row)) for row in rows],
    )

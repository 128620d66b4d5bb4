"""Read the user records of an aggregate in the KPL's format.

The decoder is stricter than protobuf: it guesses nothing and drops nothing. Tags are checked and left out, as in the
KCL. Fields that the format does not have are skipped, as protobuf requires.

CPU a user record of 498 bytes, 700 in an aggregate (Python 3.11): 1.5 µs, or 2.2 where each record has its own key. Of
each, 0.7 is the MD5.
"""

from __future__ import annotations

from hashlib import md5
from typing import Final

import msgspec

from truckstream.errors import BrokenAggregateError
from truckstream.kpl.wire_format import (
    DATA,
    DIGEST_SIZE,
    HASH_KEY_INDEX,
    MAGIC,
    MORE,
    OVERHEAD,
    PARTITION_KEY_INDEX,
    RECORD,
)

__all__ = ["REASONS", "UserRecord", "decode", "is_aggregate"]

#: The reason codes for bytes that are not an aggregate, or a broken one.
REASONS: Final = {
    "no_magic": "the bytes do not begin with the magic number, or nothing but an MD5 follows it",
    "wrong_md5": "the last 16 bytes are not the MD5 of the message",
    "truncated": "a field reaches beyond its message",
    "bad_number": "a number takes more than 64 bits",
    "bad_field": "a field has a number or a type of value that the format does not allow",
    "missing_field": "a record lacks its partition key's index or its data, or a tag its key",
    "index_out_of_range": "a record's index points beyond its table of keys",
    "not_utf8": "a key or a tag is not text in UTF-8",
    "no_records": "the aggregate has no records",
}


class UserRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of an aggregate, as it was put. Its index in the list is its subsequence number."""

    partition_key: str
    #: Decimal digits; None if the shard follows from the partition key alone.
    explicit_hash_key: str | None
    data: bytes


# protobuf's types of values. 3 and 4 are its old groups, which this format does not use.
_NUMBER: Final = 0
_EIGHT_BYTES: Final = 1
_BYTES: Final = 2
_FOUR_BYTES: Final = 5
_FIXED_SIZES: Final = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}

#: Each message's fields and their types of value.
_AGGREGATE_FIELDS: Final = {1: _BYTES, 2: _BYTES, 3: _BYTES}
_RECORD_FIELDS: Final = {1: _NUMBER, 2: _NUMBER, 3: _BYTES, 4: _BYTES}
_TAG_FIELDS: Final = {1: _BYTES, 2: _BYTES}

#: A field's number and type take 32 bits together, other numbers 64, in at most ten bytes of seven bits.
_MAX_TAG: Final = 2**32 - 1
_MAX_NUMBER: Final = 2**64 - 1
_LAST_SHIFT: Final = 63


def is_aggregate(data: bytes) -> bool:
    """Return whether readers take `data` for an aggregate: the magic number, a message, and its MD5.

    The check is cheap for other data.
    """
    return data.startswith(MAGIC) and len(data) > OVERHEAD and _digest_fits(data)


def _digest_fits(data: bytes) -> bool:
    return md5(memoryview(data)[len(MAGIC) : -DIGEST_SIZE], usedforsecurity=False).digest() == data[-DIGEST_SIZE:]


def decode(data: bytes) -> list[UserRecord]:
    """Return the user records of an aggregate in their order, at least one.

    Raises:
        BrokenAggregateError: for any bytes that are not an aggregate; no other error is raised. Its `reason` is one of
            `REASONS`, its `is_aggregate` is False for bytes that are a plain record to the KCL.
    """
    if not data.startswith(MAGIC) or len(data) <= OVERHEAD:
        raise BrokenAggregateError("no_magic", f"{len(data):,} bytes, {data[:4].hex(' ')} …", is_aggregate=False)
    if not _digest_fits(data):
        raise BrokenAggregateError("wrong_md5", f"ends with {data[-DIGEST_SIZE:].hex()}", is_aggregate=False)
    return _read_aggregate(data, len(data) - DIGEST_SIZE)


def _read_aggregate(data: bytes, end: int) -> list[UserRecord]:
    partition_keys: list[str] = []
    hash_keys: list[str] = []
    records: list[tuple[int, int | None, bytes]] = []
    position = len(MAGIC)
    while position < end:
        number, start, position = _read_field(data, position, end, _AGGREGATE_FIELDS)
        if number == 3:  # noqa: PLR2004 - the numbers stand in the format above
            # Nearly all of the message is records, one after the other.
            records.append(_read_record(data, start, position))
            while data[position] == RECORD[0] and position < end:
                length, start = _read_number(data, position + 1, end)
                position = start + length
                if position > end:
                    raise BrokenAggregateError(
                        "truncated", f"a record ends {position - end:,} bytes beyond the message"
                    )
                records.append(_read_record(data, start, position))
        elif number:
            (partition_keys if number == 1 else hash_keys).append(_read_text(data, start, position))
    if not records:
        raise BrokenAggregateError("no_records", f"{len(partition_keys)} partition keys and no record")
    # Tables may follow the records that point into them.
    return [
        UserRecord(
            _look_up(partition_keys, index, "partition key"),
            None if hash_index is None else _look_up(hash_keys, hash_index, "explicit hash key"),
            content,
        )
        for index, hash_index, content in records
    ]


def _look_up(table: list[str], index: int, kind: str) -> str:
    if index >= len(table):
        raise BrokenAggregateError("index_out_of_range", f"{kind} {index} of {len(table)}")
    return table[index]


def _read_record(data: bytes, start: int, end: int) -> tuple[int, int | None, bytes]:
    """Return the indices and the data of one record.

    This is the fast path for the form that every writer uses: these fields in this order, with a short cut for indices
    of one byte. It may read up to three bytes beyond `end`, into the MD5 at most, but no such record passes the last
    comparison.
    """
    position = start
    if data[position] == PARTITION_KEY_INDEX[0]:
        index, position = data[position + 1], position + 2
        if index >= MORE:
            index, position = _read_number(data, position - 1, end)
        hash_index = None
        if position < end and data[position] == HASH_KEY_INDEX[0]:
            hash_index, position = _read_number(data, position + 1, end)
        if position < end and data[position] == DATA[0]:
            length, position = _read_number(data, position + 1, end)
            if position + length == end:
                return index, hash_index, data[position:end]
    return _read_any_record(data, start, end)


def _read_any_record(data: bytes, start: int, end: int) -> tuple[int, int | None, bytes]:
    """Return the same as `_read_record` for fields in any order; of two equal fields the last one counts."""
    index = hash_index = content = None
    position = start
    while position < end:
        number, value, position = _read_field(data, position, end, _RECORD_FIELDS)
        if number == 1:
            index = value
        elif number == 2:  # noqa: PLR2004
            hash_index = value
        elif number == 3:  # noqa: PLR2004
            content = data[value:position]
        elif number:
            _check_tag(data, value, position)
    if index is None or content is None:
        raise BrokenAggregateError("missing_field", f"no {'data' if index is not None else 'partition key index'}")
    return index, hash_index, content


def _check_tag(data: bytes, start: int, end: int) -> None:
    found = set()
    while start < end:
        number, text, start = _read_field(data, start, end, _TAG_FIELDS)
        found.add(number)
        if number:
            _read_text(data, text, start)
    if 1 not in found:
        raise BrokenAggregateError("missing_field", "a tag has no key")


def _read_field(data: bytes, position: int, end: int, known: dict[int, int]) -> tuple[int, int, int]:
    """Return a field's number (0 if it is unknown), its value or the start of its bytes, and the end of the field."""
    tag, position = _read_number(data, position, end)
    number, kind = tag >> 3, tag & 7
    if number == 0 or tag > _MAX_TAG or known.get(number, kind) != kind:
        raise BrokenAggregateError("bad_field", f"number {number} with type {kind}")
    if kind == _BYTES:
        length, value = _read_number(data, position, end)
        position = value + length
    elif kind == _NUMBER:
        value, position = _read_number(data, position, end)
    elif kind in _FIXED_SIZES:
        value, position = position, position + _FIXED_SIZES[kind]
    else:
        raise BrokenAggregateError("bad_field", f"number {number} with type {kind}")
    if position > end:
        raise BrokenAggregateError("truncated", f"field {number} ends {position - end:,} bytes beyond its message")
    return (number if number in known else 0), value, position


def _read_number(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Return a varint and the position of its end."""
    number = data[position]
    position += 1
    if number >= MORE:
        byte = data[position]
        position += 1
        number += (byte << 7) - MORE
        shift = 7
        while byte >= MORE:
            byte = data[position]
            position += 1
            # The eighth bit of the previous byte occupies the place of this byte's first bit.
            shift += 7
            number += (byte - 1) << shift
            if shift > _LAST_SHIFT:
                raise BrokenAggregateError("bad_number", "a varint of more than ten bytes")
        if number > _MAX_NUMBER:
            raise BrokenAggregateError("bad_number", f"{number:,} has more than 64 bits")
    if position > end:
        raise BrokenAggregateError("truncated", "a number reaches beyond its message")
    return number, position


def _read_text(data: bytes, start: int, end: int) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise BrokenAggregateError("not_utf8", f"{data[start:end][:40]!r}: {error.reason}") from None

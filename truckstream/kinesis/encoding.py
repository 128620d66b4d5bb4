"""The body of a PutRecords request, built from pieces: one a record, encoded once, however often it is sent.

A piece is a record as it stands in the body, from the first character of its base64 to its closing brace:

    QUJD","PartitionKey":"TRUCK_001"}

What follows the base64 is the tail. It depends on the keys alone, so that whoever sends many records of one key
makes it once. A body is then one join. Measured on 500 records of 498 bytes (Python 3.11, a record): 0.36 µs for the
base64, 0.09 for its concatenation with the tail, 0.03 for the join; a dict and `json.dumps` take 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import pybase64

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["decode_data", "encode_body", "encode_record", "encode_tail", "encoded_size"]

_BETWEEN: Final = b',{"Data":"'
_encode_base64 = pybase64.b64encode
_encode_json = msgspec.json.encode


def encode_tail(partition_key: str, explicit_hash_key: str | None = None) -> bytes:
    """What follows the data in a record's piece."""
    if explicit_hash_key is None:
        return b'","PartitionKey":%b}' % _encode_json(partition_key)
    return b'","PartitionKey":%b,"ExplicitHashKey":%b}' % (_encode_json(partition_key), _encode_json(explicit_hash_key))


def encode_record(data: bytes, tail: bytes) -> bytes:
    """The piece of a record of `data`, with the tail of its keys."""
    return _encode_base64(data) + tail


def encoded_size(size: int) -> int:
    """The bytes of a piece, roughly, for a record whose data and key have `size` bytes."""
    return size * 4 // 3


def decode_data(piece: bytes) -> bytes:
    """The data of a record's piece."""
    return pybase64.b64decode(piece[: piece.index(b'"')])


def encode_body(stream: dict[str, str], pieces: Iterable[bytes]) -> bytes:
    """The body of a request for one or more records. `stream` has the StreamName or the StreamARN."""
    head = _encode_json(stream)[:-1]
    return b'%b,"Records":[{"Data":"%b]}' % (head, _BETWEEN.join(pieces))

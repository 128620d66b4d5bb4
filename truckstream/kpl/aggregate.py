"""Encode user records as an aggregate in the KPL's format.

The bytes are those that protobuf writes: fields by number, tables before records, shortest varints.

CPU a user record of 498 bytes, 700 in an aggregate (Python 3.11): 1.5 µs, or 1.8 where each record has its own key. Of
each, 0.7 is the MD5.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from hashlib import md5

from truckstream.errors import InvalidArgumentError
from truckstream.kpl.wire_format import (
    DATA,
    HASH_KEY,
    HASH_KEY_INDEX,
    MAGIC,
    MORE,
    OVERHEAD,
    PARTITION_KEY,
    PARTITION_KEY_INDEX,
    RECORD,
)

__all__ = ["Aggregate"]


@lru_cache(maxsize=4096)
def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= MORE:
        out.append(number & 0x7F | MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def _table_entry(tag: bytes, key: str) -> bytes:
    """Encode a key of a table."""
    argument = "partition_key" if tag is PARTITION_KEY else "explicit_hash_key"
    try:
        text = key.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(argument, key, "must be text that UTF-8 can encode") from error
    return tag + _varint(len(text)) + text


# Fleets send the same keys and few lengths over and over, so the bytes for them are cached: 6 MB at most, because long
# keys, which may have 1 KiB, are not.
MAX_CACHED_KEY = 64
_cached_table_entry = lru_cache(maxsize=16_384)(_table_entry)


@lru_cache(maxsize=16_384)
def _record_start(index: int, hash_index: int | None, length: int) -> bytes:
    """Encode a record up to its data, which has `length` bytes."""
    hash_key = b"" if hash_index is None else HASH_KEY_INDEX + _varint(hash_index)
    start = b"%b%b%b%b%b" % (PARTITION_KEY_INDEX, _varint(index), hash_key, DATA, _varint(length))
    return b"%b%b%b" % (RECORD, _varint(len(start) + length), start)


class _KeyTable:
    """Keys in the order in which they came; equal keys share an index."""

    __slots__ = ("entries", "indices", "tag")

    def __init__(self, tag: bytes) -> None:
        self.tag = tag
        self.indices: dict[str, int] = {}
        self.entries: list[bytes] = []

    def add(self, key: str, entry: bytes) -> None:
        if entry:
            self.indices[key] = len(self.entries)
            self.entries.append(entry)

    def find(self, key: str) -> tuple[int, bytes]:
        """Return the key's index, and the bytes it would add to the message: none if it is in the table."""
        index = self.indices.get(key)
        if index is not None:
            return index, b""
        encode = _cached_table_entry if len(key) <= MAX_CACHED_KEY else _table_entry
        return len(self.entries), encode(self.tag, key)


class Aggregate:
    """Collects user records of one shard. Its size is always exact, so that it can stop short of a limit.

    Any keys that UTF-8 can encode are accepted; the caller checks their length and digits.
    """

    __slots__ = ("_count", "_first", "_hash_keys", "_partition_keys", "_pieces", "size")

    def __init__(self) -> None:
        #: Bytes that `encode()` will return.
        self.size = OVERHEAD
        self._count = 0
        self._first: tuple[str, str | None] | None = None
        self._partition_keys = _KeyTable(PARTITION_KEY)
        self._hash_keys = _KeyTable(HASH_KEY)
        self._pieces: list[bytes] = []

    def __len__(self) -> int:
        """The number of user records."""
        return self._count

    def __repr__(self) -> str:
        return f"<Aggregate of {self._count} records, {self.size:,} bytes>"

    @property
    def partition_key(self) -> str:
        """The first record's partition key, for the Kinesis record that carries the aggregate."""
        return self._first_keys()[0]

    @property
    def explicit_hash_key(self) -> str | None:
        """The first record's explicit hash key, for the Kinesis record: the aggregate goes to that record's shard."""
        return self._first_keys()[1]

    def _first_keys(self) -> tuple[str, str | None]:
        if self._first is None:
            raise InvalidArgumentError("aggregate", self, "needs at least one record")
        return self._first

    def add(
        self, data: bytes, partition_key: str, explicit_hash_key: str | None = None, *, limit: int = sys.maxsize
    ) -> bool:
        """Add a record, or return False and change nothing if `size` would exceed `limit` bytes.

        The service counts the outer partition key too, so a limit is the stream's largest record less that key.

        Raises:
            InvalidArgumentError: UTF-8 cannot encode a key.
        """
        index, entry = self._partition_keys.find(partition_key)
        hash_index, hash_entry = (None, b"") if explicit_hash_key is None else self._hash_keys.find(explicit_hash_key)
        start = _record_start(index, hash_index, len(data))
        size = self.size + len(entry) + len(hash_entry) + len(start) + len(data)
        if size > limit:
            return False
        if entry:
            self._partition_keys.add(partition_key, entry)
        if hash_entry and explicit_hash_key is not None:
            self._hash_keys.add(explicit_hash_key, hash_entry)
        if not self._count:
            self._first = partition_key, explicit_hash_key
        self.size = size
        self._count += 1
        self._pieces += (start, data)
        return True

    def encode(self) -> bytes:
        """Return the data of the Kinesis record.

        Raises:
            InvalidArgumentError: the aggregate is empty; readers would take its bytes for a plain record.
        """
        self._first_keys()
        message = b"".join((*self._partition_keys.entries, *self._hash_keys.entries, *self._pieces))
        return b"%b%b%b" % (MAGIC, message, md5(message, usedforsecurity=False).digest())

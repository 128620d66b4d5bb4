"""Collect user records of one shard and seal them as an envelope.

zstd is fed while records are added, 64 KiB at a time, and returns whole blocks. So the size is known at any moment but
for the last 64 KiB, whose compressed size is estimated for a target, and bounded for a limit. Compressing the records
that are expected to fit, and dividing them if they do not, would compress some of them twice, and would block the event
loop for 10 ms at a time. Whole blocks take 0.5 % more bytes than one call.

A truck record, 500 in an envelope, takes as much CPU as in an aggregate of the KPL; a third of it is zstd.
"""

from __future__ import annotations

import sys
from struct import pack
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from truckstream.envelope.wire_format import (
    CHECKSUM,
    HEADER,
    MAGIC,
    MAX_DATA_SIZE,
    MAX_RAW_SIZE,
    MAX_RECORDS,
    NO_DICTIONARY,
    NUMBER_SIZE,
    OVERHEAD,
    VERSION,
    ZSTD,
)
from truckstream.envelope.zstd_module import load_zstd
from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Envelope"]

LEVEL: Final = 1

#: zstd is fed with so many bytes of data, or close to a limit with fewer: small blocks compress badly.
CHUNK: Final = 64 * 1024
SMALLEST_CHUNK: Final = 4 * 1024

#: Bytes of a record's length and of its partition key's index.
RECORD_COLUMNS: Final = 2 * NUMBER_SIZE

#: Compressed bytes per byte of a body, as long as nothing is known about the data. Truck records have 0.11.
EXPECTED_RATIO: Final = 0.25


class _KeyTable:
    """Different keys in the order in which they came, and for each record the step from the last index to its own."""

    __slots__ = ("_argument", "indices", "last", "steps", "texts")

    def __init__(self, argument: str, *reserved: None) -> None:
        self._argument = argument
        self.indices: dict[str | None, int] = {key: index for index, key in enumerate(reserved)}
        self.last = 0
        self.steps: list[int] = []
        self.texts: list[bytes] = []

    def encode(self, key: str) -> bytes:
        try:
            return key.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(self._argument, key, "must be text that UTF-8 can encode") from error

    def add(self, key: str | None, text: bytes | None) -> None:
        """Note the next record's key, and `text` if the table does not have it."""
        if text is not None:
            self.indices[key] = len(self.indices)
            self.texts.append(text)
        index = self.indices[key]
        self.steps.append(index - self.last)
        self.last = index


def _lengths(numbers: Iterable[int]) -> bytes:
    column = list(numbers)
    return pack(f"<{len(column)}I", *column)


def _steps(numbers: list[int]) -> bytes:
    return pack(f"<{len(numbers)}i", *numbers)


class Envelope:
    """Collects user records of one shard. Add records until `size` reaches your target, then `encode()`.

    Any keys that UTF-8 can encode are accepted; the caller checks their length and digits. An envelope of more than 64
    KiB of data holds a compressor of 0.3 MB, so fill one when it is to be sent, rather than one for each shard.

    Args:
        expected_ratio: the compressed bytes per byte that `size` assumes for the first 64 KiB. Pass the `ratio` of the
            last envelope.
    """

    __slots__ = (
        *("_compressed", "_compressed_size", "_compressor", "_encoded", "_expected_ratio", "_fed"),
        *("_first", "_hash_keys", "_lengths", "_partition_keys", "_pending", "_pending_size", "raw_size"),
    )

    def __init__(self, expected_ratio: float = EXPECTED_RATIO) -> None:
        self._expected_ratio = expected_ratio
        self._first: tuple[str, str | None] | None = None
        self._partition_keys = _KeyTable("partition_key")
        self._hash_keys = _KeyTable("explicit_hash_key", None)
        self._lengths: list[int] = []
        #: Bytes before compression, keys and columns included.
        self.raw_size = 0
        self._compressor: Any = None
        self._pending: list[bytes] = []
        self._pending_size = 0
        #: Bytes that zstd was fed with, and those that it returned.
        self._fed = 0
        self._compressed: list[bytes] = []
        self._compressed_size = 0
        self._encoded: bytes | None = None

    def __len__(self) -> int:
        """The number of user records."""
        return len(self._lengths)

    def __repr__(self) -> str:
        return f"<Envelope of {len(self)} records, about {self.size:,} of {self.raw_size:,} bytes>"

    @property
    def partition_key(self) -> str:
        """The first record's partition key, for the Kinesis record that carries the envelope."""
        return self._first_keys()[0]

    @property
    def explicit_hash_key(self) -> str | None:
        """The first record's explicit hash key, for the Kinesis record: the envelope goes to that record's shard."""
        return self._first_keys()[1]

    def _first_keys(self) -> tuple[str, str | None]:
        if self._first is None:
            raise InvalidArgumentError("envelope", self, "needs at least one record")
        return self._first

    @property
    def size(self) -> int:
        """Bytes that `encode()` will probably return; exactly those that it has returned."""
        if self._encoded is not None:
            return len(self._encoded)
        return OVERHEAD + self._compressed_size + round(self.ratio * (self.raw_size - self._fed))

    @property
    def ratio(self) -> float:
        """Compressed bytes per byte so far. Close to 1 and above, the records are better sent as they are."""
        if self._encoded is not None:
            return len(self._encoded) / self.raw_size
        return self._compressed_size / self._fed if self._fed else self._expected_ratio

    def add(
        self, data: bytes, partition_key: str, explicit_hash_key: str | None = None, *, limit: int = sys.maxsize
    ) -> bool:
        """Add a record. Return False, and add nothing, if `encode()` could then return more than `limit` bytes.

        The service counts the outer partition key too, so a limit is the stream's largest record less that key. False
        also means that the envelope has as many records or bytes as one may have, or that it is encoded. If an empty
        envelope does not take a record, no envelope does: send it by itself.

        Raises:
            InvalidArgumentError: UTF-8 cannot encode a key.
        """
        if len(data) > MAX_DATA_SIZE:
            return False
        keys = self._partition_keys
        raw_size = self.raw_size + len(data) + RECORD_COLUMNS
        text = hash_text = None
        if partition_key not in keys.indices:
            text = keys.encode(partition_key)
            raw_size += len(text) + NUMBER_SIZE
        if explicit_hash_key is not None or self._hash_keys.texts:
            hash_text, growth = self._hash_key_growth(explicit_hash_key)
            raw_size += growth
        if not self._has_room(raw_size, limit):
            return False
        self.raw_size = raw_size
        keys.add(partition_key, text)
        if explicit_hash_key is not None or self._hash_keys.texts:
            self._add_hash_key(explicit_hash_key, hash_text)
        if self._first is None:
            self._first = partition_key, explicit_hash_key
        self._lengths.append(len(data))
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size >= CHUNK:
            self._feed()
        return True

    def _hash_key_growth(self, key: str | None) -> tuple[bytes | None, int]:
        """Return the text that an explicit hash key adds to its table, and the bytes that the body grows by it."""
        if key in self._hash_keys.indices:
            return None, NUMBER_SIZE
        text = self._hash_keys.encode(str(key))
        earlier = 0 if self._hash_keys.texts else len(self._lengths)
        return text, len(text) + NUMBER_SIZE * (2 + earlier)

    def _add_hash_key(self, key: str | None, text: bytes | None) -> None:
        if not self._hash_keys.texts:
            self._hash_keys.steps = [0] * len(self._lengths)  # earlier records have none
        self._hash_keys.add(key, text)

    def _has_room(self, raw_size: int, limit: int) -> bool:
        if raw_size > MAX_RAW_SIZE or len(self._lengths) == MAX_RECORDS or self._encoded is not None:
            return False
        if self._largest_size(raw_size) > limit and self._pending_size >= SMALLEST_CHUNK:
            self._feed()
        return self._largest_size(raw_size) <= limit

    def _largest_size(self, raw_size: int) -> int:
        """Return the bytes of the envelope if zstd cannot make what it has not been fed with any smaller.

        zstd then stores blocks of 128 KiB as they are. Its header, its checksum and its empty last block take 25 bytes,
        and each block 3.
        """
        rest = raw_size - self._fed
        return OVERHEAD + self._compressed_size + rest + (rest >> 12) + 64

    def encode(self) -> bytes:
        """Return the data of the Kinesis record. Afterwards `add` returns False.

        The envelope does not pay if this is longer than the records' data.

        Raises:
            InvalidArgumentError: the envelope is empty.
        """
        self._first_keys()
        if self._encoded is None:
            header = HEADER.pack(
                *(MAGIC, VERSION, ZSTD, NO_DICTIONARY, len(self._lengths)),
                *(len(self._partition_keys.texts), len(self._hash_keys.texts), self.raw_size),
            )
            frame = self._finish()
            self._encoded = b"%b%b%b" % (header, CHECKSUM.pack(crc32(frame, crc32(header))), frame)
        return self._encoded

    def _finish(self) -> bytes:
        keys, hash_keys = self._partition_keys, self._hash_keys
        self._pending += (*keys.texts, *hash_keys.texts)
        self._pending += (_lengths(self._lengths), _steps(keys.steps), _lengths(map(len, keys.texts)))
        if hash_keys.texts:
            self._pending += (_steps(hash_keys.steps), _lengths(map(len, hash_keys.texts)))
        self._compress(last=True)
        return b"".join(self._compressed)

    def _feed(self) -> None:
        self._fed += self._pending_size
        self._compress(last=False)
        self._pending_size = 0

    def _compress(self, *, last: bool) -> None:
        if self._compressor is None:
            parameter = load_zstd().CompressionParameter
            self._compressor = load_zstd().ZstdCompressor(
                options={parameter.compression_level: LEVEL, parameter.checksum_flag: 1}
            )
        mode = self._compressor.FLUSH_FRAME if last else self._compressor.FLUSH_BLOCK
        compressed = self._compressor.compress(b"".join(self._pending), mode)
        self._pending = []
        self._compressed.append(compressed)
        self._compressed_size += len(compressed)

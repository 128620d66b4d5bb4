"""Read the user records of an envelope.

The reader guesses nothing and drops nothing: it returns all records, or raises. It checks what bounds the memory before
it takes any: an envelope of 1 MiB could otherwise hold 16 GiB of zeros.

A truck record, 500 in an envelope, takes 0.4 times the CPU that it takes in an aggregate of the KPL, whose reader makes
an MD5; half of it is zstd.
"""

from __future__ import annotations

from itertools import accumulate, pairwise, repeat
from struct import unpack_from
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
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
    WINDOW_LOG,
    ZSTD,
    columns_size,
)
from truckstream.envelope.zstd_module import load_zstd
from truckstream.errors import BrokenEnvelopeError
from truckstream.kpl import UserRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REASONS", "is_envelope", "read", "stated_size"]

_T = TypeVar("_T")

#: The reason codes for bytes that are not an envelope, or a broken one.
REASONS: Final = {
    "no_magic": "the bytes do not begin with the magic number of envelopes",
    "truncated": "the bytes end within the header",
    "unknown_version": "the envelope has a version that this reader does not know; a newer truckstream may",
    "wrong_checksum": "the CRC-32 is not that of the envelope: it was changed or cut off",
    "unknown_codec": "the envelope is compressed in a way that this reader does not know; a newer truckstream may",
    "unknown_dictionary": "the envelope needs a dictionary that this reader does not have",
    "too_large": "the envelope has more records, keys or bytes than it may have, or one of its records does",
    "no_records": "the envelope has no records",
    "bad_frame": "the frame is not one whole frame of zstd",
    "wrong_size": "the body has another size than the header or the columns state",
    "index_out_of_range": "a record's index points beyond its table of keys",
    "not_utf8": "a key is not text in UTF-8",
}


def is_envelope(data: bytes) -> bool:
    """Return whether `data` is an envelope, be it a broken one. The check is cheap."""
    return data.startswith(MAGIC)


def read(data: bytes) -> list[UserRecord]:
    """Return the user records of an envelope in their order, at least one.

    Their fields are `data`, `partition_key` and `explicit_hash_key`, which is None if the record has none.

    Raises:
        BrokenEnvelopeError: for any bytes that are not a whole envelope. Its `reason` is one of `REASONS`. Its
            `is_aggregate` is False for bytes without the magic number, which are a plain record.
        ConfigurationError: no package for zstd is installed.
    """
    header = _read_header(data)
    body = _decompress(data, header.raw_size)
    return _split(body, header)


def stated_size(data: bytes) -> tuple[int, int]:
    """Return the number of records and the bytes that an envelope takes when it is open, by its header.

    `read` returns no more than that, and refuses headers that state more than an envelope may have. A header that is
    broken states one record.
    """
    if len(data) < OVERHEAD:
        return 1, len(data)
    _, _, _, _, records, _, _, raw_size = HEADER.unpack_from(data)
    if not 0 < records <= MAX_RECORDS or raw_size > MAX_RAW_SIZE:
        return 1, len(data)
    return records, max(raw_size, len(data))


class _Header(NamedTuple):
    """The numbers of a header, checked."""

    records: int
    keys: int
    hash_keys: int
    raw_size: int


def _read_header(data: bytes) -> _Header:
    if not data.startswith(MAGIC):
        raise BrokenEnvelopeError("no_magic", f"{len(data):,} bytes, {data[:8].hex(' ')} …", is_aggregate=False)
    if len(data) < OVERHEAD:
        raise BrokenEnvelopeError("truncated", f"{len(data)} bytes, and the header has {OVERHEAD}")
    _, version, codec, dictionary, *numbers = HEADER.unpack_from(data)
    # Another version may have its checksum elsewhere.
    if version != VERSION:
        raise BrokenEnvelopeError("unknown_version", f"version {version}, and this reader knows {VERSION}")
    _check_checksum(data)
    if codec != ZSTD:
        raise BrokenEnvelopeError("unknown_codec", f"codec {codec}, and this reader knows {ZSTD} (zstd)")
    if dictionary != NO_DICTIONARY:
        raise BrokenEnvelopeError("unknown_dictionary", f"dictionary {dictionary}, and this reader has none")
    header = _Header(*numbers)
    _check_numbers(header)
    return header


def _check_checksum(data: bytes) -> None:
    (stated,) = CHECKSUM.unpack_from(data, HEADER.size)
    found = crc32(memoryview(data)[OVERHEAD:], crc32(data[: HEADER.size]))
    if found != stated:
        raise BrokenEnvelopeError("wrong_checksum", f"CRC-32 {found:08x}, and the header states {stated:08x}")


def _check_numbers(header: _Header) -> None:
    if not header.records:
        raise BrokenEnvelopeError("no_records", f"{header.raw_size:,} bytes and no record")
    if header.records > MAX_RECORDS or header.raw_size > MAX_RAW_SIZE:
        detail = f"{header.records:,} records in {header.raw_size:,} bytes; {MAX_RECORDS:,} in {MAX_RAW_SIZE:,} may be"
        raise BrokenEnvelopeError("too_large", detail)
    if max(header.keys, header.hash_keys) > header.records:
        detail = f"{header.keys:,} partition keys and {header.hash_keys:,} hash keys of {header.records:,} records"
        raise BrokenEnvelopeError("too_large", detail)
    columns = columns_size(header.records, header.keys, header.hash_keys)
    if columns > header.raw_size:
        detail = f"columns of {columns:,} bytes in a body of {header.raw_size:,}"
        raise BrokenEnvelopeError("wrong_size", detail)


def _decompress(data: bytes, raw_size: int) -> bytes:
    zstd = load_zstd()
    decompressor = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})
    try:
        # With the exact size it would stop before zstd's own checksum.
        body: bytes = decompressor.decompress(memoryview(data)[OVERHEAD:], raw_size + 1)
    except zstd.ZstdError as error:
        raise BrokenEnvelopeError("bad_frame", str(error)) from None
    if len(body) != raw_size:
        more = "" if len(body) <= raw_size else " or more"
        raise BrokenEnvelopeError("wrong_size", f"a body of {len(body):,} bytes{more}, not {raw_size:,}")
    if not decompressor.eof or decompressor.unused_data:
        raise BrokenEnvelopeError("bad_frame", "the frame ends before the envelope, or after it")
    return body


def _split(body: bytes, header: _Header) -> list[UserRecord]:
    columns = _Columns(body, header)
    lengths = columns.lengths(header.records)
    key_indices = columns.indices(header.records)
    key_lengths = columns.lengths(header.keys)
    hash_key_indices = columns.indices(header.records) if header.hash_keys else []
    hash_key_lengths = columns.lengths(header.hash_keys)
    keys_start = sum(lengths)
    hash_keys_start = keys_start + sum(key_lengths)
    if hash_keys_start + sum(hash_key_lengths) != columns.start:
        raise BrokenEnvelopeError("wrong_size", "the lengths of data and keys do not add up to the body")
    if max(lengths) > MAX_DATA_SIZE:
        raise BrokenEnvelopeError("too_large", f"a record of {max(lengths):,} bytes; {MAX_DATA_SIZE:,} may be")
    keys = _texts(body, keys_start, key_lengths)
    hash_keys: list[str | None] = [None, *_texts(body, hash_keys_start, hash_key_lengths)]
    each_key = _look_up(keys, key_indices, "partition key")
    each_hash_key = _look_up(hash_keys, hash_key_indices, "explicit hash key") if header.hash_keys else repeat(None)
    return list(map(UserRecord, each_key, each_hash_key, _pieces(body, 0, lengths)))


class _Columns:
    """Takes the columns at the end of a body one after the other."""

    def __init__(self, body: bytes, header: _Header) -> None:
        self._body = body
        #: Where the columns begin.
        self.start = len(body) - columns_size(header.records, header.keys, header.hash_keys)
        self._position = self.start

    def lengths(self, count: int) -> tuple[int, ...]:
        return self._take(f"<{count}I", count)

    def indices(self, count: int) -> list[int]:
        """Return a column of indices, of which each is stored as its difference from the one before."""
        return list(accumulate(self._take(f"<{count}i", count)))

    def _take(self, numbers: str, count: int) -> tuple[int, ...]:
        column = unpack_from(numbers, self._body, self._position)
        self._position += NUMBER_SIZE * count
        return column


def _pieces(body: bytes, start: int, lengths: Iterable[int]) -> list[bytes]:
    """Return the pieces that have these lengths, one after the other from `start` on."""
    return [body[begin:end] for begin, end in pairwise(accumulate(lengths, initial=start))]


def _texts(body: bytes, start: int, lengths: Iterable[int]) -> list[str]:
    try:
        return list(map(bytes.decode, _pieces(body, start, lengths)))
    except UnicodeDecodeError as error:
        raise BrokenEnvelopeError("not_utf8", f"{error.object[:40]!r}: {error.reason}") from None


def _look_up(table: list[_T], indices: list[int], kind: str) -> Iterable[_T]:
    lowest, highest = min(indices), max(indices)
    if lowest < 0 or highest >= len(table):
        wrong = lowest if lowest < 0 else highest
        raise BrokenEnvelopeError("index_out_of_range", f"{kind} {wrong} of {len(table)}")
    return map(table.__getitem__, indices)

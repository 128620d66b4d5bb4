"""Envelopes for tests: whole ones, and ones that a writer would not make."""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING
from zlib import crc32

from truckstream.envelope import MAGIC, Envelope
from truckstream.envelope.zstd_module import load_zstd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.kpl import UserRecord


def envelope_of(records: Sequence[UserRecord]) -> Envelope:
    """Collect the records in one envelope."""
    envelope = Envelope()
    for record in records:
        assert envelope.add(record.data, record.partition_key, record.explicit_hash_key)
    return envelope


def sealed(
    body: bytes,
    records: int = 1,
    keys: int = 1,
    hash_keys: int = 0,
    *,
    raw_size: int | None = None,
    head: bytes = b"\x01\x01\x00\x00\x00\x00",
    frame: bytes | None = None,
) -> bytes:
    """Return an envelope with this body and a right checksum, written down apart from the writer.

    `head` is version, codec and dictionary id.
    """
    size = len(body) if raw_size is None else raw_size
    header = MAGIC + head + pack("<4I", records, keys, hash_keys, size)
    frame = load_zstd().compress(body) if frame is None else frame
    return header + pack("<I", crc32(header + frame)) + frame


def numbers(*values: int) -> bytes:
    """Return a column."""
    return pack(f"<{len(values)}i", *values)

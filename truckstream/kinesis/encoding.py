"""Encode the body of a PutRecords request: each record's data in base64, and the text between two of them, joined once.

    {"StreamName":"trucks","Records":[{"Data":"QUJD","PartitionKey":"TRUCK_001"},{"Data":"REVG",…}]}

The text from a record's base64 to the next record's is called the record's tail. It depends on the keys alone, so a
sender of many records with one key encodes it once.

Records are kept as they came and are encoded when their request is sent, again for each attempt. Measured on 500
records of 498 bytes (Python 3.11, CPU a record): 0.23 µs, of which base64 takes 0.19. Joining each record's base64 and
tail at `put` and keeping them for the request and its retries took 0.36 µs and a third more memory; msgspec's encoder
took 0.44; a dict and `json.dumps` took 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import pybase64

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EncodableRecord", "encode_body", "encode_tail"]

_BETWEEN: Final = b',{"Data":"'
_encode_base64 = pybase64.b64encode
_encode_json = msgspec.json.encode


class EncodableRecord(Protocol):
    """A record as a request needs it."""

    @property
    def data(self) -> bytes:
        """The payload."""

    @property
    def tail(self) -> bytes:
        """The keys, encoded by `encode_tail`."""


def encode_tail(partition_key: str, explicit_hash_key: str | None = None) -> bytes:
    """Encode the text that follows a record's base64, up to the next record's."""
    # A str keeps its own UTF-8, up to 1 KiB, for as long as it lives once msgspec has encoded it: so encode a copy.
    key = _encode_json(partition_key if partition_key.isascii() else partition_key.encode().decode())
    if explicit_hash_key is None:
        return b'","PartitionKey":%b}%b' % (key, _BETWEEN)
    return b'","PartitionKey":%b,"ExplicitHashKey":%b}%b' % (key, _encode_json(explicit_hash_key), _BETWEEN)


def encode_body(stream: dict[str, str], records: Sequence[EncodableRecord]) -> bytes:
    """Encode the body of a request for one or more records. `stream` holds the StreamName or the StreamARN."""
    parts = [b""] * (1 + 2 * len(records))
    parts[0] = b'%b,"Records":[{"Data":"' % _encode_json(stream)[:-1]
    parts[1::2] = [_encode_base64(record.data) for record in records]
    parts[2::2] = [record.tail for record in records]
    parts[-1] = b"%b]}" % parts[-1].removesuffix(_BETWEEN)
    return b"".join(parts)

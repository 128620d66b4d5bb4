"""The body of a PutRecords request: the base64 of each record's data and what stands between two of them, joined once.

    {"StreamName":"trucks","Records":[{"Data":"QUJD","PartitionKey":"TRUCK_001"},{"Data":"REVG",…}]}

What follows the base64, up to the next record's, is the record's tail. It depends on the keys alone, so that whoever
sends many records of one key makes it once.

Records wait as they came and are encoded when their request goes, for each attempt. Measured on 500 records of 498
bytes (Python 3.11, a record): 0.23 µs so, of which 0.19 are the base64; 0.36 where each record's base64 and tail are
put together at once and kept for the request and its retries, which also takes a third more memory; 0.44 with msgspec's
encoder; 3 with a dict and `json.dumps`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import pybase64

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["EncodableRecord", "encode_body", "encode_tail"]

_BETWEEN: Final = b',{"Data":"'
_encode_base64 = pybase64.b64encode
_encode_json = msgspec.json.encode


class EncodableRecord(Protocol):
    """What a request says of a record."""

    @property
    def data(self) -> bytes:
        """The payload."""

    @property
    def tail(self) -> bytes:
        """Its keys, as `encode_tail` gives them."""


_data: Callable[[EncodableRecord], bytes] = attrgetter("data")
_tail: Callable[[EncodableRecord], bytes] = attrgetter("tail")


def encode_tail(partition_key: str, explicit_hash_key: str | None = None) -> bytes:
    """What follows a record's base64 in a body, up to the next record's."""
    key = _encode_json(partition_key)
    if explicit_hash_key is None:
        return b'","PartitionKey":%b}%b' % (key, _BETWEEN)
    return b'","PartitionKey":%b,"ExplicitHashKey":%b}%b' % (key, _encode_json(explicit_hash_key), _BETWEEN)


def encode_body(stream: dict[str, str], records: Sequence[EncodableRecord]) -> bytes:
    """The body of a request for one or more records. `stream` has the StreamName or the StreamARN."""
    parts = [b""] * (1 + 2 * len(records))
    parts[0] = b'%b,"Records":[{"Data":"' % _encode_json(stream)[:-1]
    parts[1::2] = map(_encode_base64, map(_data, records))
    parts[2::2] = map(_tail, records)
    parts[-1] = b"%b]}" % parts[-1].removesuffix(_BETWEEN)
    return b"".join(parts)

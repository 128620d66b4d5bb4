"""AWS CBOR 1.1: the encoding of the Java SDK, and so of the KPL and the KCL.

The documents are those of JSON, except that blobs are bytes, and that a time is tag 1 with a whole number of
*milliseconds* instead of the seconds of RFC 8949: the SDKs write and read `Instant.toEpochMilli`. Integers, text, lists
and maps may have indefinite length, as Jackson writes them.

Anything that SDKs do not write is refused, because some of it takes hours or gigabytes to decode: numbers as the keys
of a map, which can all have the same hash, and other tags, such as that of 1 times 2 to the power of 2**62.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cbor2
import msgspec

from truckstream.local.protocol.complexity import is_complex_cbor
from truckstream.local.protocol.write_requests import PutRecordRequest, PutRecordsRequest
from truckstream.local.service.errors import not_readable
from truckstream.local.service.validation.parsing import read_request

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request

__all__ = ["CONTENT_TYPE", "decode", "encode"]

CONTENT_TYPE: Final = "application/x-amz-cbor-1.1"

_TIME: Final = 1
#: Marks a document as CBOR, and means nothing.
_SELF_DESCRIBED: Final = 55_799
#: The other tags that cbor2 knows: dates, large and exact numbers, references, regular expressions, MIME, UUIDs, sets,
#: addresses.
_REFUSED_TAGS: Final = (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43_000)
_MILLIS: Final = 1_000
_TYPED: Final[dict[str, Any]] = {"PutRecords": PutRecordsRequest, "PutRecord": PutRecordRequest}


def encode(document: object) -> bytes:
    """Return the bytes of `document`. Every float is a time, because responses of the API contain no other floats."""
    return cbor2.dumps(document, encoders={float: _encode_time})


def decode(operation: str, body: bytes) -> Request:
    """Return the request in `body`.

    Raises:
        RefusedError: the body cannot be read (SerializationException).
    """
    if is_complex_cbor(body):
        raise not_readable()
    try:
        raw = cbor2.loads(body, semantic_decoders=_TAGS, tag_hook=_refuse, strict_hashable_types=True)
    except (cbor2.CBORDecodeError, ValueError, RecursionError):
        raise not_readable() from None
    if (kind := _TYPED.get(operation)) is not None:
        try:
            request: Request = msgspec.convert(raw, kind, builtin_types=(bytes,))
        except msgspec.ValidationError:
            pass
        else:
            return request
    return read_request(operation, raw, ticks=_MILLIS)


def _encode_time(encoder: cbor2.CBOREncoder, seconds: float) -> None:
    encoder.encode(cbor2.CBORTag(_TIME, round(seconds * _MILLIS)))


def _without_tag(value: object, immutable: bool) -> object:  # noqa: ARG001, FBT001 - cbor2's signature
    """Drop the tag: the shape of the request defines which numbers are times."""
    return value


def _refuse(*_: object) -> object:
    raise ValueError("a tag that no SDK writes")


_TAGS: Final = dict.fromkeys((_TIME, _SELF_DESCRIBED), _without_tag) | dict.fromkeys(_REFUSED_TAGS, _refuse)

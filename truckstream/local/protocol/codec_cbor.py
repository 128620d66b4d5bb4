"""CBOR 1.1: requests and answers as the Java SDK (and with it the KPL's and KCL's users) speaks them.

The same documents as in JSON, but blobs are bytes, and a time is tag 1 with a whole number of *milliseconds*, not the
seconds of RFC 8949: the SDKs write and read `Instant.toEpochMilli`. Integers, text, lists and maps may be of
indefinite length, as Jackson writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cbor2
import msgspec

from truckstream.local.protocol.write_requests import PutRecordRequest, PutRecordsRequest
from truckstream.local.service.errors import not_readable
from truckstream.local.service.validation.parsing import read_request

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request

__all__ = ["CONTENT_TYPE", "decode", "encode"]

CONTENT_TYPE: Final = "application/x-amz-cbor-1.1"

_TIME: Final = 1
_MILLIS: Final = 1_000
_TYPED: Final[dict[str, Any]] = {"PutRecords": PutRecordsRequest, "PutRecord": PutRecordRequest}


def encode(document: object) -> bytes:
    """The bytes of `document`. A float is a time: the API's answers have no other."""
    return cbor2.dumps(document, encoders={float: _encode_time})


def decode(operation: str, body: bytes) -> Request:
    """The request in `body`.

    Raises:
        RefusedError: a SerializationException.
    """
    try:
        raw = cbor2.loads(body, semantic_decoders={_TIME: _bare})
    except (cbor2.CBORDecodeError, ValueError):
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


def _bare(value: object, immutable: bool) -> object:  # noqa: ARG001, FBT001 - cbor2's signature
    """What the tag says, the request's shape says too."""
    return value

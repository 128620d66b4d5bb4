"""AWS JSON 1.1: the encoding of botocore and the AWS command line.

`Data` becomes bytes while the JSON is parsed. msgspec does both in one pass, which costs 0.3 µs a record more than
leaving it as text, and checks the base64 alphabet on the way. Stored as bytes it takes a quarter less memory than as
base64, and CBOR needs no conversion. The encoder turns bytes into base64 in the same way. Times are in seconds.

PutRecords and PutRecord requests are decoded by their types. A request that does not fit its type is parsed again by
`service.validation.parsing`, which finds the service's error message for it, or accepts it if it is merely unusual (a
null member).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.local.protocol.complexity import is_complex_json
from truckstream.local.protocol.write_requests import PutRecordRequest, PutRecordsRequest
from truckstream.local.service.errors import not_readable
from truckstream.local.service.validation.parsing import read_request

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request

__all__ = ["CONTENT_TYPE", "decode", "encode"]

CONTENT_TYPE: Final = "application/x-amz-json-1.1"

#: Nested lists raise RecursionError.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

encode: Final = msgspec.json.Encoder().encode
_decode_any: Final = msgspec.json.Decoder().decode
_decode_typed: Final[dict[str, Any]] = {
    "PutRecords": msgspec.json.Decoder(PutRecordsRequest).decode,
    "PutRecord": msgspec.json.Decoder(PutRecordRequest).decode,
}


def decode(operation: str, body: bytes) -> Request:
    """Return the request in `body`.

    Raises:
        RefusedError: the body cannot be read (SerializationException).
    """
    if is_complex_json(body):
        raise not_readable()
    if (typed := _decode_typed.get(operation)) is not None:
        try:
            request: Request = typed(body)
        except _UNREADABLE:
            pass
        else:
            return request
    try:
        raw = _decode_any(body)
    except _UNREADABLE:
        raise not_readable() from None
    return read_request(operation, raw)

"""JSON 1.1: requests and answers as botocore and the command line speak them.

`Data` is decoded to bytes while the JSON is parsed (msgspec does both in one pass, 0.3 µs a record more than leaving it
text, and checks the alphabet on the way), and stored as bytes: a quarter less memory than base64, and nothing to
convert for a protocol that carries bytes. The encoder turns bytes into base64 in the same manner. Times are seconds.

Requests for PutRecords and PutRecord are decoded by their type. One that does not fit goes through `reading` instead,
which finds the words for what is wrong with it, or accepts what only looks odd (a null member).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from truckstream.local.protocol.write_requests import PutRecordRequest, PutRecordsRequest
from truckstream.local.service.errors import not_readable
from truckstream.local.service.validation.parsing import read_request

if TYPE_CHECKING:
    from truckstream.local.service.messages import Request

__all__ = ["CONTENT_TYPE", "decode", "encode"]

CONTENT_TYPE: Final = "application/x-amz-json-1.1"

#: A RecursionError is of lists in lists in lists.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

encode: Final = msgspec.json.Encoder().encode
_decode_any: Final = msgspec.json.Decoder().decode
_decode_typed: Final[dict[str, Any]] = {
    "PutRecords": msgspec.json.Decoder(PutRecordsRequest).decode,
    "PutRecord": msgspec.json.Decoder(PutRecordRequest).decode,
}


def decode(operation: str, body: bytes) -> Request:
    """The request in `body`.

    Raises:
        RefusedError: a SerializationException.
    """
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

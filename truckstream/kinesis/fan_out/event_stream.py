"""The application/vnd.amazon.eventstream encoding, without IO: messages of headers and a payload, with two checksums.

    total length | length of the headers | CRC of these 8 bytes | headers | payload | CRC of everything before

Lengths and checksums are 32 bits, big-endian. A header is its name with a length byte, a type byte and its value; all
headers that Kinesis sends are strings, and others are skipped.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from truckstream.kinesis.responses import malformed_response

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EventStreamReader", "Message"]

#: An event has up to 2 MiB of records, as far as is known, in base64. The format's own limit is 24 MiB.
MAX_MESSAGE_BYTES: Final = 24 * 1024 * 1024

_PRELUDE: Final = struct.Struct(">III")
_CRC: Final = struct.Struct(">I")
_LENGTH: Final = struct.Struct(">H")
#: The length of a header's value by its type: true, false, byte, short, integer, long, timestamp, UUID.
_FIXED_LENGTHS: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES: Final = 6
_STRING: Final = 7


class Message(NamedTuple):
    """One message: its headers that are strings, and its payload."""

    headers: dict[str, str]
    payload: bytes


class EventStreamReader:
    """Parses messages from bytes as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add bytes; yield the messages that are complete, each when it is asked for.

        Raises:
            RequestFailedError: ambiguous, because the bytes are no messages.
        """
        self._buffer += data
        while (message := self._next_message()) is not None:
            yield message

    def finish(self) -> None:
        """Note the end of the bytes.

        Raises:
            RequestFailedError: ambiguous, because they end within a message.
        """
        if self._buffer:
            raise malformed_response(f"the event stream ends within a message, after {len(self._buffer)} bytes of it")

    def _next_message(self) -> Message | None:
        buffer = self._buffer
        if len(buffer) < _PRELUDE.size:
            return None
        total, headers_length, prelude_crc = _PRELUDE.unpack_from(buffer)
        if crc32(buffer[:8]) != prelude_crc:
            raise malformed_response("the checksum of a message's lengths is wrong", bytes(buffer[:100]))
        payload_start, end = _PRELUDE.size + headers_length, total - _CRC.size
        if payload_start > end or total > MAX_MESSAGE_BYTES:
            raise malformed_response(f"a message has {total} bytes, and headers of {headers_length}")
        if len(buffer) < total:
            return None
        with memoryview(buffer) as view:
            if crc32(view[:end]) != _CRC.unpack_from(view, end)[0]:
                raise malformed_response("the checksum of a message is wrong", bytes(view[:100]))
            message = Message(
                _parse_headers(bytes(view[_PRELUDE.size : payload_start])), bytes(view[payload_start:end])
            )
        del buffer[:total]
        return message


def _parse_headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    position = 0
    try:
        while position < len(data):
            name_end = position + 1 + data[position]
            name, kind, start = data[position + 1 : name_end].decode(), data[name_end], name_end + 1
            if kind in {_BYTES, _STRING}:
                length: int = _LENGTH.unpack_from(data, start)[0]
                start += _LENGTH.size
            else:
                length = _FIXED_LENGTHS[kind]
            position = start + length
            if kind == _STRING:
                headers[name] = data[start:position].decode()
    except (LookupError, struct.error, UnicodeDecodeError) as error:
        raise malformed_response("the headers of a message cannot be parsed", data) from error
    if position > len(data):
        raise malformed_response("the headers of a message are cut off", data)
    return headers

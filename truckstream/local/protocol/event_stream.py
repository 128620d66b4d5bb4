"""The application/vnd.amazon.eventstream encoding: messages of headers and a payload, with two checksums each.

    total length | length of the headers | CRC of these 8 bytes | headers | payload | CRC of everything before

Lengths and checksums are 32 bits, big-endian. A header is its name with a length byte, a type byte (7 is a string) and
its value with a length of 16 bits.
"""

from __future__ import annotations

import struct
from typing import Final
from zlib import crc32

__all__ = ["CONTENT_TYPE", "event", "exception"]

CONTENT_TYPE: Final = "application/vnd.amazon.eventstream"

_STRING: Final = 7


def event(kind: str, payload: bytes, content_type: str) -> bytes:
    """Encode an event, such as "initial-response" or "SubscribeToShardEvent"."""
    return _message({":message-type": "event", ":event-type": kind, ":content-type": content_type}, payload)


def exception(kind: str, payload: bytes, content_type: str) -> bytes:
    """Encode an error that ends the stream."""
    return _message({":message-type": "exception", ":exception-type": kind, ":content-type": content_type}, payload)


def _message(headers: dict[str, str], payload: bytes) -> bytes:
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = b"".join((prelude, struct.pack(">I", crc32(prelude)), head, payload))
    return message + struct.pack(">I", crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return b"".join((struct.pack(">B", len(name)), name, struct.pack(">BH", _STRING, len(value)), value))

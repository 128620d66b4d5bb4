"""HTTP/1.1 without IO, as far as the service's requests need it: write a request's header, parse a response.

Why this is not left to aiohttp stands at the head of `connection_pool.py`.

The rules are those of RFC 9112. The length of a response's body is given by Content-Length or by its chunks, or the
body lasts until the connection ends. Interim responses (100 to 199) are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from truckstream.kinesis.http.body_buffers import BodyBuffers

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HttpResponse", "MalformedResponseError", "ResponseReader", "header_lines"]

#: The service's responses have at most 400 kB (a page of 1,000 shards), and their heads 500 bytes. Only GetRecords
#: returns more, and its template has a limit of its own.
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 8 * 1024 * 1024

#: A body of this length or more is received in its place, see `_LargeBody`.
LARGE_BODY_BYTES: Final = 16 * 1024

_BODILESS: Final = {204, 304}
_LENGTH: Final = re.compile("[0-9]{1,19}", re.ASCII)
_CHUNK_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,8}")
_STATUS: Final = re.compile("[1-5][0-9][0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete response. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    #: That of a large body is a bytearray, which nobody changes unless its user gives it back to `BodyBuffers`.
    body: bytes


class MalformedResponseError(ValueError):
    """The bytes received are not an HTTP response."""


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Encode the header lines of a request.

    Raises:
        ValueError: a value contains a line break, or cannot be encoded in Latin-1.
    """
    for name, value in headers.items():
        if "\n" in value or "\r" in value:
            raise ValueError(f"the header {name} has a line break in its value")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")


class ResponseReader:
    """Parses one response from bytes as they come. Each byte is looked at once, however many pieces there are.

    The bytes are given to `feed`; those of a large body may be put into `room` instead, which saves two copies of them.

    Args:
        max_body_bytes: a response with a longer body is rejected.
        buffers: large bodies are put into these.
    """

    __slots__ = ("_body", "_buffer", "_buffers", "_head", "_max_body_bytes", "keeps_alive")

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES, buffers: BodyBuffers | None = None) -> None:
        self._max_body_bytes = max_body_bytes
        self._buffers = buffers or BodyBuffers()
        self._buffer = b""  # the beginning of a head
        self._head: _Head | None = None
        self._body: _PlainBody | _LargeBody | _ChunkedBody
        #: Whether the connection may be used again after this response.
        self.keeps_alive = False

    @property
    def body_bytes(self) -> int:
        """The length of the body so far."""
        return 0 if self._head is None else self._body.size

    def feed(self, data: bytes) -> bool:
        """Add bytes; return whether the response is complete.

        Raises:
            MalformedResponseError: the bytes are not a response, or more than one.
        """
        if self._head is None:
            self._buffer += data
            self._read_head()
            if self._head is None:
                return False
            data, self._buffer = self._buffer, b""
        is_complete = self._body.feed(data)
        if self._body.size > self._max_body_bytes:
            raise MalformedResponseError(f"the response has over {self._max_body_bytes} bytes")
        self.keeps_alive = is_complete and self._head.keeps_alive
        return is_complete

    @property
    def room(self) -> memoryview | None:
        """Where the next bytes may be put, if they belong to a large body."""
        return self._body.room if self._head is not None and isinstance(self._body, _LargeBody) else None

    def received(self, count: int) -> bool:
        """Note that so many bytes were put into `room`; return whether the response is complete. Raises as `feed`."""
        assert self._head is not None and isinstance(self._body, _LargeBody)  # noqa: S101, PT018 - there was room
        is_complete = self._body.received(count)
        self.keeps_alive = is_complete and self._head.keeps_alive
        return is_complete

    def feed_end(self) -> bool:
        """Note that the connection has ended; return whether the response is complete by that."""
        return self._head is not None and not self._head.chunked and self._head.length is None

    def response(self) -> HttpResponse:
        """Return the response, which is complete. Nobody may hold `room` any more."""
        assert self._head is not None  # noqa: S101 - it is complete
        return HttpResponse(self._head.status, self._head.headers, self._body.content())

    def _read_head(self) -> None:
        """Take the head from the buffer, once it is complete, and interim responses before it."""
        while self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD_BYTES:
                    raise MalformedResponseError(f"no end of the headers within {MAX_HEAD_BYTES} bytes")
                return
            head, self._buffer = _parse_head(self._buffer[:end]), self._buffer[end + 4 :]
            if head.status >= 200:  # noqa: PLR2004 - 1xx is interim
                if (head.length or 0) > self._max_body_bytes:
                    raise MalformedResponseError(f"a response of {head.length} bytes: over {self._max_body_bytes}")
                self._head = head
                self._body = self._body_of(head)

    def _body_of(self, head: _Head) -> _PlainBody | _LargeBody | _ChunkedBody:
        if head.chunked:
            return _ChunkedBody()
        if head.length is not None and head.length >= LARGE_BODY_BYTES:
            return _LargeBody(head.length, self._buffers)
        return _PlainBody(head.length)


class _PlainBody:
    """A body of a known length, or one that lasts until the connection ends."""

    __slots__ = ("_length", "_parts", "size")

    def __init__(self, length: int | None) -> None:
        self._length = length
        self._parts: list[bytes] = []
        self.size = 0

    def content(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> bool:
        """Add bytes; return whether the body is complete."""
        self._parts.append(data)
        self.size += len(data)
        if self._length is not None and self.size > self._length:
            raise MalformedResponseError(f"{self.size - self._length} bytes follow the response")
        return self.size == self._length


class _LargeBody:
    """A body of a known length that is received in its place: a page of GetRecords has some 900 kB.

    The buffer has room for one byte more, so that bytes after the response are noticed.
    """

    __slots__ = ("_buffer", "_length", "_view", "size")

    def __init__(self, length: int, buffers: BodyBuffers) -> None:
        self._length = length
        self._buffer = buffers.take(length + 1)
        self._view = memoryview(self._buffer)
        self.size = 0

    @property
    def room(self) -> memoryview:
        return self._view[self.size :]

    def feed(self, data: bytes) -> bool:
        """Add bytes; return whether the body is complete."""
        count = min(len(data), len(self._buffer) - self.size)
        self._view[self.size : self.size + count] = data[:count]
        return self.received(len(data))

    def received(self, count: int) -> bool:
        """Note that bytes were added; return whether the body is complete."""
        self.size += count
        if self.size > self._length:
            raise MalformedResponseError(f"{self.size - self._length} bytes or more follow the response")
        return self.size == self._length

    def content(self) -> bytes:
        self._view.release()
        del self._buffer[self._length :]
        return cast("bytes", self._buffer)


class _ChunkedBody:
    """A body in chunks, each after a line with its size. Trailers are skipped."""

    __slots__ = ("_in_trailers", "_is_after_chunk", "_line", "_missing", "_parts", "size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0
        self._line = b""  # the beginning of a line
        self._missing = 0  # bytes of the chunk
        self._is_after_chunk = False
        self._in_trailers = False

    def content(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> bool:
        """Add bytes; return whether the body is complete."""
        position = 0
        while position < len(data):
            if self._missing:
                part = data[position : position + self._missing]
                self._parts.append(part)
                self.size += len(part)
                self._missing -= len(part)
                position += len(part)
                continue
            end = data.find(b"\n", position) + 1
            self._line += data[position : end or len(data)]
            if len(self._line) > MAX_HEAD_BYTES:
                raise MalformedResponseError(f"no end of a chunk's size within {MAX_HEAD_BYTES} bytes")
            if not end:
                return False
            position = end
            line, self._line = self._line, b""
            if self._ends_with(line):
                if position < len(data):
                    raise MalformedResponseError(f"{len(data) - position} bytes follow the response")
                return True
        return False

    def _ends_with(self, line: bytes) -> bool:
        """Process a line; return whether it is the last one."""
        if self._in_trailers:
            return line == b"\r\n"
        if self._is_after_chunk:
            if line != b"\r\n":
                raise MalformedResponseError("a chunk is longer than its size")
            self._is_after_chunk = False
            return False
        digits = line.partition(b";")[0].strip()
        if not line.endswith(b"\r\n") or not _CHUNK_SIZE.fullmatch(digits):
            raise MalformedResponseError(f"invalid chunk size {digits[:50]!r}")
        self._missing = int(digits, 16)
        self._in_trailers = not self._missing
        self._is_after_chunk = not self._in_trailers
        return False


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    headers: Mapping[str, str]
    keeps_alive: bool
    chunked: bool
    #: Length of the body in bytes; None if its end is marked in another way.
    length: int | None


def _parse_head(head: bytes) -> _Head:
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    status = rest.partition(" ")[0]
    if protocol not in {"HTTP/1.1", "HTTP/1.0"} or not _STATUS.fullmatch(status):
        raise MalformedResponseError(f"a response cannot begin with {first[:50]!r}")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    connection = {option.strip() for option in headers.get("connection", "").lower().split(",")}
    return _Head(
        status=int(status),
        headers=headers,
        keeps_alive="close" not in connection if protocol == "HTTP/1.1" else "keep-alive" in connection,
        chunked=chunked,
        length=None if chunked else _length_of(int(status), headers),
    )


def _length_of(status: int, headers: Mapping[str, str]) -> int | None:
    if status in _BODILESS:
        return 0
    length = headers.get("content-length")
    if length is None:
        return None
    if not _LENGTH.fullmatch(length):
        raise MalformedResponseError(f"invalid Content-Length {length[:50]!r}")
    return int(length)

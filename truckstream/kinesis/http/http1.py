"""HTTP/1.1 without IO, as far as the service's requests need it: write a request's header, parse a response.

Why this is not left to aiohttp stands at the head of `connection_pool.py`.

The rules are those of RFC 9112. The length of a response's body is given by Content-Length or by its chunks, or the
body lasts until the connection ends. Interim responses (100 to 199) are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HttpResponse", "MalformedResponseError", "ResponseReader", "header_lines"]

#: The service's responses have at most 400 kB (a page of 1,000 shards), and their heads 500 bytes.
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 8 * 1024 * 1024

_BODILESS: Final = {204, 304}
_LENGTH: Final = re.compile("[0-9]{1,19}", re.ASCII)
_CHUNK_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,8}")
_STATUS: Final = re.compile("[1-5][0-9][0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete response. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
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
    """Parses one response from bytes as they come."""

    __slots__ = ("_buffer", "_head", "keeps_alive")

    def __init__(self) -> None:
        self._buffer = b""
        self._head: _Head | None = None
        #: Whether the connection may be used again after this response.
        self.keeps_alive = False

    def feed(self, data: bytes) -> HttpResponse | None:
        """Add bytes; return the response once it is complete.

        Raises:
            MalformedResponseError: the bytes are not a response, or more than one.
        """
        self._buffer = self._buffer + data if self._buffer else data
        while self._head is None:
            head = self._read_head()
            if head is None:
                return None
            self._head = head if head.status >= 200 else None  # noqa: PLR2004 - 1xx is interim
        if len(self._buffer) > MAX_BODY_BYTES:
            raise MalformedResponseError(f"the response has over {MAX_BODY_BYTES} bytes")
        return self._read_body(self._head)

    def feed_end(self) -> HttpResponse | None:
        """Note that the connection has ended; return the response if that completes it."""
        if self._head is None or self._head.chunked or self._head.length is not None:
            return None
        return HttpResponse(self._head.status, self._head.headers, self._buffer)

    def _read_head(self) -> _Head | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise MalformedResponseError(f"no end of the headers within {MAX_HEAD_BYTES} bytes")
            return None
        head, self._buffer = _parse_head(self._buffer[:end]), self._buffer[end + 4 :]
        return head

    def _read_body(self, head: _Head) -> HttpResponse | None:
        body = self._buffer
        if head.chunked:
            joined = _join_chunks(body)
            if joined is None:
                return None
            body, beyond = joined
        elif head.length is None:
            return None  # until the end of the connection
        elif len(body) < head.length:
            return None
        else:
            beyond = len(body) - head.length
        if beyond:
            raise MalformedResponseError(f"{beyond} bytes follow the response")
        self.keeps_alive = head.keeps_alive
        return HttpResponse(head.status, head.headers, body)


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
    if not _LENGTH.fullmatch(length) or int(length) > MAX_BODY_BYTES:
        raise MalformedResponseError(f"invalid Content-Length {length[:50]!r}")
    return int(length)


def _join_chunks(data: bytes) -> tuple[bytes, int] | None:
    """Return the body that came in chunks and the number of bytes after it; None until the body is complete.

    Trailers are skipped.
    """
    chunks: list[bytes] = []
    start = 0
    while (end := data.find(b"\r\n", start)) >= 0:
        digits = data[start:end].partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(digits):
            raise MalformedResponseError(f"invalid chunk size {digits[:50]!r}")
        size = int(digits, 16)
        if size == 0:
            last = data.find(b"\r\n\r\n", end)
            return None if last < 0 else (b"".join(chunks), len(data) - last - 4)
        start = end + 2 + size + 2
        if start > len(data):
            return None
        if data[start - 2 : start] != b"\r\n":
            raise MalformedResponseError("a chunk is longer than its size")
        chunks.append(data[end + 2 : start - 2])
    return None

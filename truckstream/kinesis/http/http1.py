"""HTTP/1.1 as far as a request of the service needs it: the head of a request, and its answer from bytes as they come.

RFC 9112. An answer's body has the length that Content-Length tells, or comes in chunks, or lasts until the connection
ends. Interim answers (100 to 199) are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HttpResponse", "MalformedResponseError", "ResponseReader", "header_lines"]

#: Answers of the service are of 60 kB at most, and their heads of 500 bytes.
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 64 * 1024 * 1024

_BODILESS: Final = {204, 304}
_LENGTH: Final = re.compile("[0-9]{1,19}", re.ASCII)
_CHUNK_SIZE: Final = re.compile(rb"[0-9a-fA-F]{1,8}")
_STATUS: Final = re.compile("[1-5][0-9][0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer with its body read. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class MalformedResponseError(ValueError):
    """What came is no HTTP answer."""


def header_lines(headers: Mapping[str, str]) -> bytes:
    """The header lines of a request.

    Raises:
        ValueError: a value has a line break in it, or is no Latin-1 text.
    """
    for name, value in headers.items():
        if "\n" in value or "\r" in value:
            raise ValueError(f"the header {name} has a line break in its value")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("latin-1")


class ResponseReader:
    """One answer, from bytes as they come."""

    __slots__ = ("_buffer", "_head", "keeps_alive")

    def __init__(self) -> None:
        self._buffer = b""
        self._head: _Head | None = None
        #: Whether the connection may be used again after this answer.
        self.keeps_alive = False

    def feed(self, data: bytes) -> HttpResponse | None:
        """Take bytes; the answer once it is complete.

        Raises:
            MalformedResponseError: this is no answer, or there is more than one.
        """
        self._buffer = self._buffer + data if self._buffer else data
        while self._head is None:
            head = self._read_head()
            if head is None:
                return None
            self._head = head if head.status >= 200 else None  # noqa: PLR2004 - 1xx is interim
        return self._read_body(self._head)

    def feed_end(self) -> HttpResponse | None:
        """The connection has ended; the answer, if that is what completes it."""
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
            raise MalformedResponseError(f"{beyond} bytes after the answer")
        self.keeps_alive = head.keeps_alive
        return HttpResponse(head.status, head.headers, body)


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    headers: Mapping[str, str]
    keeps_alive: bool
    chunked: bool
    #: Of the body; None where its end is told otherwise.
    length: int | None


def _parse_head(head: bytes) -> _Head:
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    status = rest.partition(" ")[0]
    if protocol not in {"HTTP/1.1", "HTTP/1.0"} or not _STATUS.fullmatch(status):
        raise MalformedResponseError(f"an answer cannot begin with {first[:50]!r}")
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
    told = headers.get("content-length")
    if told is None:
        return None
    if not _LENGTH.fullmatch(told) or int(told) > MAX_BODY_BYTES:
        raise MalformedResponseError(f"a Content-Length of {told[:50]!r}")
    return int(told)


def _join_chunks(data: bytes) -> tuple[bytes, int] | None:
    """The body that came in chunks, and how many bytes follow it; None as long as its end has not come.

    Trailers are passed over.
    """
    chunks: list[bytes] = []
    start = 0
    while (end := data.find(b"\r\n", start)) >= 0:
        told = data[start:end].partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(told):
            raise MalformedResponseError(f"a chunk of size {told[:50]!r}")
        size = int(told, 16)
        if size == 0:
            last = data.find(b"\r\n\r\n", end)
            return None if last < 0 else (b"".join(chunks), len(data) - last - 4)
        start = end + 2 + size + 2
        if start > len(data):
            return None
        if data[start - 2 : start] != b"\r\n":
            raise MalformedResponseError("a chunk that is longer than it says")
        chunks.append(data[end + 2 : start - 2])
    return None

"""The messages that an `Http2Connection` exchanges with the endpoint in HTTP/1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

__all__ = ["read_response_body", "read_response_head", "request_head"]

#: Headers of a request that belong to its connection, and those that are written anew.
_NOT_FORWARDED: Final = {"connection", "expect", "host", "te", "transfer-encoding"}
_PIECE: Final = 64 * 1024


def request_head(headers: list[tuple[str, str]], *, is_chunked: bool) -> bytes:
    """Return the head of a request in HTTP/1.1."""
    found = dict(headers)
    host = found.get(":authority", found.get("host", ""))
    lines = [f"{found[':method']} {found[':path']} HTTP/1.1", f"host: {host}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in headers if name[0] != ":" and name not in _NOT_FORWARDED]
    if is_chunked:
        lines.append("transfer-encoding: chunked")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def read_response_head(reader: asyncio.StreamReader) -> list[tuple[str, str]]:
    """Read the head of a response, and return it in the form of HTTP/2."""
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    pairs = [line.split(": ", 1) for line in lines]
    return [(":status", status.split(" ")[1])] + [(name.lower(), value) for name, value in pairs]


async def read_response_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """Read the body of a response, piece by piece."""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readuntil(b"\r\n"), 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        return
    left = int(headers.get("content-length", 0))
    while left:
        piece = await reader.read(min(left, _PIECE))
        if not piece:
            raise EOFError
        left -= len(piece)
        yield piece

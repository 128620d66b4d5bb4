"""Requests in HTTP/1.1 byte by byte, also malformed ones, and their responses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from truckstream.local import LocalKinesis

JSON = "application/x-amz-json-1.1"


def port_of(kinesis: LocalKinesis) -> int:
    return int(kinesis.endpoint_url.rpartition(":")[2])


def request(
    body: bytes = b"{}",
    *,
    path: str = "/",
    operation: str = "ListStreams",
    content_type: str = JSON,
    length: Any = None,
    keep_alive: bool = False,
    **headers: str,
) -> bytes:
    """Return the bytes of a request; `Content_Encoding="gzip"` adds a header."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        *(() if keep_alive else ("Connection: close",)),
        f"X-Amz-Target: Kinesis_20131202.{operation}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body) if length is None else length}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(port: int, sent: bytes, *, half_closed: bool = False) -> tuple[str, bytes]:
    """Send bytes, and return the status line and the body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        if half_closed:
            writer.write_eof()
        head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return head.partition(b"\r\n")[0].decode(), body

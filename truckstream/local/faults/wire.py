"""What faults do to a connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from truckstream.local.protocol.protocol import ServiceResponse

__all__ = ["answer_half", "hang", "read_half", "reset"]

#: SO_LINGER on, for no time: closing sends a reset, and what was not sent yet is thrown away.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset(request: web.BaseRequest) -> web.Response:
    """Reset the connection. What is returned is for the server's form; nobody gets it."""
    transport = request.transport
    if transport is not None:
        endpoint: socket.socket | None = transport.get_extra_info("socket")
        if endpoint is not None:
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response()


async def read_half(request: web.BaseRequest) -> None:
    """Take half of the request's body from the connection."""
    left = (request.content_length or 0) // 2
    while left > 0 and (piece := await request.content.read(left)):
        left -= len(piece)


async def answer_half(
    request: web.BaseRequest, answer: ServiceResponse, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send the head and half of the body, and close the connection."""
    cut = web.StreamResponse(status=answer.status, headers=headers)
    cut.content_length = max(len(answer.body), 1)
    await cut.prepare(request)
    await cut.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return cut


async def hang() -> NoReturn:
    """Never answer. The server cancels its handlers when the client has gone, or when it closes."""
    await asyncio.Event().wait()
    raise AssertionError  # pragma: no cover - nobody sets it

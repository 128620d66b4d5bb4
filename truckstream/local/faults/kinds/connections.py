"""Faults of the connection: it is reset during the request, or the response is missing or incomplete."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import web

from truckstream.local.faults.kinds.kind import RequestKind

if TYPE_CHECKING:
    from typing import NoReturn

    from truckstream.local.faults.kinds.kind import ExchangeSteps, FaultOptions

__all__ = ["KINDS"]

#: SO_LINGER on, with a timeout of 0: closing the socket sends a reset and discards the data that is still to be sent.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class _ResetBefore(RequestKind, frozen=True):
    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        return _reset(exchange.request)


class _ResetRequest(RequestKind, frozen=True):
    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        await exchange.receive_half()
        return _reset(exchange.request)


class _Stall(RequestKind, frozen=True):
    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        await exchange.receive()
        await _hang()


class _ResetAfter(RequestKind, frozen=True):
    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        await exchange.receive()
        exchange.respond()
        return _reset(exchange.request)


class _ResetAnswer(RequestKind, frozen=True):
    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        await exchange.receive()
        return await exchange.send_half(exchange.respond())


class _StallAfter(RequestKind, frozen=True):
    async def serve(self, exchange: ExchangeSteps, options: FaultOptions) -> web.StreamResponse:
        await exchange.receive()
        exchange.respond()
        await _hang()


def _reset(request: web.BaseRequest) -> web.Response:
    """Reset the connection. aiohttp expects a response, but cannot send it any more."""
    transport = request.transport
    if transport is not None:
        endpoint: socket.socket | None = transport.get_extra_info("socket")
        if endpoint is not None:
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response()


async def _hang() -> NoReturn:
    """Never return. aiohttp cancels the handler when the client disconnects or the server closes."""
    await asyncio.Event().wait()
    raise AssertionError  # pragma: no cover - nothing sets the event


KINDS: Final = (
    _ResetBefore(
        "reset-before",
        "The connection is reset after the request's head, before the body is read.",
        "Nothing is stored, but it cannot know.",
    ),
    _ResetRequest(
        "reset-request",
        "The connection is reset after half of the request's body.",
        "Nothing is stored, but it cannot know unless it was still sending.",
    ),
    _Stall(
        "stall",
        "The request is read, not carried out and never answered, until the client gives up.",
        "Nothing is stored, but it cannot know.",
    ),
    _ResetAfter(
        "reset-after",
        "The request is carried out, and the connection is reset without a response.",
        "Stored, but it cannot know. A retry makes copies.",
    ),
    _ResetAnswer(
        "reset-answer",
        "The request is carried out, and the connection is closed in the middle of the response.",
        "Stored, but it cannot know which records. A retry makes copies.",
    ),
    _StallAfter(
        "stall-after",
        "The request is carried out and never answered, until the client gives up.",
        "Stored, but it cannot know. A retry makes copies.",
    ),
)

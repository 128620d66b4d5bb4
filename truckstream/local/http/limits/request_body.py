"""Reads the body of a request within the limits of size, memory and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self, TypeVar, cast

from aiohttp import web

from truckstream.local.protocol.api_call import MAX_BODY
from truckstream.local.service.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Hashable
    from types import TracebackType

    from truckstream.local.http.limits.memory_budget import MemoryBudget
    from truckstream.local.http.server import RequestProtocol

__all__ = ["RequestBody", "too_large"]

_T = TypeVar("_T")


class RequestBody:
    """The body of a request, as a context manager: when it is left, the memory counts as free.

    Args:
        request: the request, whose head has been read.
        budget: the memory of all bodies.
        seconds: how long the body may take to arrive.
    """

    def __init__(self, request: web.BaseRequest, budget: MemoryBudget, seconds: float) -> None:
        self._request = request
        self._budget = budget
        self._seconds = seconds
        self._connection: Hashable = cast("RequestProtocol", request.protocol).connection
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._budget.give_back(self._connection, self._size)

    async def read(self) -> bytes:
        """Read the whole body.

        Raises:
            RefusedError: it is too large, does not fit into the memory of all bodies, takes too long, or cannot be
                decompressed as its Content-Encoding says.
        """
        return await self._in_time(self._read())

    async def skip(self, size: int) -> None:
        """Read so many bytes, or all if there are fewer, and drop them.

        Raises:
            RefusedError: they take too long, or cannot be decompressed as the Content-Encoding says.
        """
        await self._in_time(self._skip(size))

    async def _in_time(self, reading: Awaitable[_T]) -> _T:
        try:
            if self._request.content.is_eof():  # it has arrived with the head, as most bodies do
                return await reading
            async with asyncio.timeout(self._seconds):
                return await reading
        except TimeoutError:
            text = f"The body of the request has not arrived within {self._seconds:g} s."
            raise RefusedError("RequestTimeout", text) from None
        except web.RequestPayloadError:
            encoding = self._request.headers.get("Content-Encoding", "")
            text = f"The body is not {encoding}, as Content-Encoding says."
            raise RefusedError("SerializationException", text) from None

    async def _read(self) -> bytes:
        pieces = []
        while piece := await self._request.content.readany():
            if self._size + len(piece) > MAX_BODY:
                raise too_large()
            if not self._budget.take(self._connection, len(piece)):
                raise RefusedError(
                    "ServiceUnavailable",
                    "The local Kinesis receives so many large requests that their bodies fill its memory for them. "
                    "Retry, or send fewer at a time.",
                )
            self._size += len(piece)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _skip(self, left: int) -> None:
        while left > 0 and (piece := await self._request.content.read(left)):
            left -= len(piece)


def too_large() -> RefusedError:
    """Return the error for a body that is too large."""
    return RefusedError("RequestEntityTooLarge", f"The body of a request has at most {MAX_BODY} bytes.")

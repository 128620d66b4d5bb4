"""Read standard input or a file without blocking the event loop, until its end or until the user stops the command."""

from __future__ import annotations

import asyncio
import os
import select
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["InputReader"]

#: A pipe of Linux holds this many bytes.
CHUNK_BYTES: Final = 64 * 1024


class InputReader:
    """Reads chunks of a file descriptor in threads. Every kind of input works: pipes, files, terminals, sockets.

    Registering the descriptor with the event loop would not do: epoll takes no regular files, and libuv makes the
    descriptor non-blocking, which a terminal would share with the shell that started the command.

    Args:
        descriptor: the input. It stays open.
        stop: ends the input early, also while a read waits.
    """

    def __init__(self, descriptor: int, stop: asyncio.Event) -> None:
        self._descriptor = descriptor
        self._stop = stop
        self._reading: asyncio.Future[bytes] | None = None

    async def __aenter__(self) -> Self:
        #: Written to when no read may wait any longer.
        self._wake_reader, self._wake_writer = os.pipe()
        self._waking = asyncio.create_task(self._wake_on_stop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waking.cancel()
        self._wake()
        if self._reading:  # its thread uses the descriptors
            await asyncio.wait([self._reading])
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    async def read(self) -> bytes:
        """Return the next bytes as soon as there are any; none at the end of the input and after `stop`."""
        if self._stop.is_set():
            return b""
        self._reading = asyncio.ensure_future(asyncio.to_thread(self._read))
        return await asyncio.shield(self._reading)

    def _read(self) -> bytes:
        ready, _, _ = select.select([self._descriptor, self._wake_reader], [], [])
        return b"" if self._wake_reader in ready else os.read(self._descriptor, CHUNK_BYTES)

    async def _wake_on_stop(self) -> None:
        await self._stop.wait()
        self._wake()

    def _wake(self) -> None:
        os.write(self._wake_writer, b"\0")

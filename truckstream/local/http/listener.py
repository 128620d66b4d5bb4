"""Listens for connections, and accepts them one by one.

asyncio's own server accepts up to a hundred at once before it asks anybody, and does not show connections whose TLS
handshake hangs. So a few silent clients could use up the files of the process.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Listener"]

_log: Final = logging.getLogger(__name__)
#: Number of connections that the system keeps until they are accepted.
_BACKLOG: Final = 128
#: The process or the system has no file or memory for a connection.
_SHORTAGES: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
#: Pause after such an error, in which connections are closed.
_PAUSE_SECONDS: Final = 0.05


class Listener:
    """Listens on all addresses of a host.

    Args:
        on_connection: called with each accepted socket.
        on_shortage: called if there is no file or memory for a connection; closes another one.
    """

    def __init__(self, on_connection: Callable[[socket.socket], None], on_shortage: Callable[[], None]) -> None:
        self._on_connection = on_connection
        self._on_shortage = on_shortage
        self._sockets: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: it cannot listen on any address, or the port is taken.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        unavailable: OSError | None = None
        for family, address in dict.fromkeys((family, address) for family, *_, address in found):
            # All addresses get the port that the first one takes, if it is to be a free one.
            try:
                listening = socket.create_server((address[0], port, *address[2:]), family=family, backlog=_BACKLOG)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:  # an IPv6 address on a machine without IPv6
                    unavailable = error
                    continue
                self._close_sockets()
                raise
            listening.setblocking(False)
            self._sockets.append(listening)
            port = listening.getsockname()[1]
        if not self._sockets and unavailable is not None:
            raise unavailable
        self._tasks = [asyncio.ensure_future(self._accept(listening)) for listening in self._sockets]
        return port

    async def close(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._close_sockets()

    def _close_sockets(self) -> None:
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in _SHORTAGES:
                    _log.warning("cannot accept a connection: %s. Closing one that is idle.", error.strerror)
                    self._on_shortage()
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                self._on_connection(accepted)
                await asyncio.sleep(0)  # a connection that was closed to make room gives its file back

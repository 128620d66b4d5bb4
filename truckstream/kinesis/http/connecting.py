"""Connect to the service, and translate what can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Final

from aiohappyeyeballs import start_connection

from truckstream.kinesis.failures import FailureKind, RequestFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["connected_socket"]

#: Seconds before the next of a host's addresses is tried in parallel (RFC 8305).
NEXT_ADDRESS_SECONDS: Final = 0.25


@contextlib.asynccontextmanager
async def connected_socket(host: str, port: int, seconds: float) -> AsyncIterator[socket.socket]:
    """Yield a connected socket. The handshakes that follow in the context are within these seconds, too.

    Raises:
        RequestFailedError: there is no connection in time, or it is not safe; nothing was sent.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            connected = await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, loop=loop)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            yield connected
    except ssl.SSLCertVerificationError as error:
        raise RequestFailedError(FailureKind.PERMANENT, type(error).__name__, str(error)) from error
    except (OSError, TimeoutError) as error:
        text = f"{host}:{port}: {str(error) or 'the connection timed out'}"
        raise RequestFailedError(FailureKind.NOT_SENT, type(error).__name__, text) from error

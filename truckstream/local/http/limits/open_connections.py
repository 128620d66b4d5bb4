"""The open connections of the server: closes those that the table names, when it names them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from truckstream.local.http.limits.connection_table import ConnectionTable

if TYPE_CHECKING:
    from truckstream.local.http.limits.server_limits import ServerLimits

__all__ = ["Connection", "OpenConnections"]


class Connection:
    """An accepted connection, during and after its TLS handshake."""

    def __init__(self) -> None:
        #: Creates the transport. With TLS, that takes as long as the handshake.
        self.opening: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None

    def abort(self) -> None:
        """Close it at once. To close it properly would wait for a client that does not read."""
        if self.transport is not None:
            self.transport.abort()
        elif self.opening is not None:
            self.opening.cancel()


class OpenConnections:
    """The accepted connections, with a timer for the next one that has been idle for too long."""

    def __init__(self, limits: ServerLimits) -> None:
        self._loop = asyncio.get_running_loop()
        self._table: ConnectionTable[Connection] = ConnectionTable(limits.connections, limits.idle_seconds)
        self._timer: asyncio.TimerHandle | None = None

    def admit(self, connection: Connection) -> bool:
        """Add a connection, if necessary in place of an idle one. Return whether it may stay."""
        closed = self._table.open(connection, self._loop.time())
        if closed is connection:
            return False
        if closed is not None:
            closed.abort()
        self._wake_at_next_expiry()
        return True

    def close_idlest(self) -> None:
        """Close the connection that has been idle longest, if one is."""
        connection = self._table.remove_idlest()
        if connection is not None:
            connection.abort()

    def begin_request(self, connection: Connection) -> None:
        """Note that the head of a request has been read."""
        self._table.begin_request(connection)

    def end_request(self, connection: Connection) -> None:
        """Note that a response has been sent, or will not be."""
        self._table.end_request(connection, self._loop.time())
        self._wake_at_next_expiry()

    def remove(self, connection: Connection) -> None:
        """Note that a connection is closed."""
        self._table.remove(connection)

    def abort_all(self) -> None:
        """Close all connections, because the server closes."""
        if self._timer is not None:
            self._timer.cancel()
        for connection in self._table:
            connection.abort()

    def _wake_at_next_expiry(self) -> None:
        if self._timer is None and (moment := self._table.next_expiry()) is not None:
            self._timer = self._loop.call_at(moment, self._close_expired)

    def _close_expired(self) -> None:
        self._timer = None
        for connection in self._table.expire(self._loop.time()):
            connection.abort()
        self._wake_at_next_expiry()

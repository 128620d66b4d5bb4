"""Which connections may stay open: a maximum number, and a maximum time without a request.

A connection is busy from the head of a request until its response is sent, and idle otherwise: before its first request
(however slowly that arrives), and between two requests. A stalled response and a subscription are busy, for as long as
they take. When a new connection would exceed the maximum, the one that has been idle longest makes room, so that idle
connections never keep others out. Only if all are busy is the new one refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

__all__ = ["ConnectionTable"]

_C = TypeVar("_C", bound="Hashable")


class ConnectionTable(Generic[_C]):
    """The open connections.

    Args:
        maximum: number of connections.
        idle_seconds: how long a connection may be idle.
    """

    def __init__(self, maximum: int, idle_seconds: float) -> None:
        self._maximum = maximum
        self._idle_seconds = idle_seconds
        #: Idle connection -> since when, the one that has been idle longest first.
        self._idle: dict[_C, float] = {}
        #: Busy connection -> number of its requests; one with HTTP/1.1, any number with HTTP/2.
        self._busy: dict[_C, int] = {}

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    def __iter__(self) -> Iterator[_C]:
        return iter((*self._idle, *self._busy))

    def open(self, connection: _C, now: float) -> _C | None:
        """Add a new connection.

        Returns:
            The connection to close in return: an idle one, the new one if it was not added, or None.
        """
        closed = None
        if len(self) >= self._maximum:
            closed = self.remove_idlest()
            if closed is None:
                return connection
        self._idle[connection] = now
        return closed

    def remove_idlest(self) -> _C | None:
        """Remove and return the connection that has been idle longest; None if all are busy."""
        connection = next(iter(self._idle), None)
        if connection is not None:
            del self._idle[connection]
        return connection

    def begin_request(self, connection: _C) -> None:
        """Make a connection busy."""
        self._idle.pop(connection, None)
        self._busy[connection] = self._busy.get(connection, 0) + 1

    def end_request(self, connection: _C, now: float) -> None:
        """Make a connection idle again, if this was its only request."""
        left = self._busy.pop(connection, 0) - 1
        if left > 0:
            self._busy[connection] = left
        elif left == 0:
            self._idle[connection] = now

    def remove(self, connection: _C) -> None:
        """Remove a connection that is closed; nothing if it is not in the table."""
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)

    def expire(self, now: float) -> list[_C]:
        """Remove and return the connections that have been idle for too long."""
        expired = []
        for connection, since in self._idle.items():
            if now < since + self._idle_seconds:
                break
            expired.append(connection)
        for connection in expired:
            del self._idle[connection]
        return expired

    def next_expiry(self) -> float | None:
        """Return when the next connection expires; None while none is idle."""
        since = next(iter(self._idle.values()), None)
        return None if since is None else since + self._idle_seconds

"""The records on their way from the threads that put them to the thread of the event loop.

Waking a loop from another thread takes a system call, so the records of many puts cross together: the first one wakes
the loop, and those that follow until it takes them share the way. Putters wait while the records on the way have
`max_bytes`, and the loop takes the next ones when the producer's buffer has accepted the last, so the wait is that for
room in the buffer.
"""

from __future__ import annotations

import math
import threading
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from truckstream.blocking.loop_thread import STEP_SECONDS
from truckstream.errors import BufferFullError, ProducerClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HandOver"]

T = TypeVar("T")


class HandOver(Generic[T]):
    """A queue between threads, bounded in bytes.

    Args:
        max_bytes: no more is put while so many bytes are on the way.
        wake: has the loop call `take` soon. It is called for the first item after each `take`.
        may_wait: returns False in the loop's own thread, which would wait for itself. It never waits for room.
    """

    def __init__(self, max_bytes: int, wake: Callable[[], object], may_wait: Callable[[], bool]) -> None:
        self._max_bytes = max_bytes
        self._wake = wake
        self._may_wait = may_wait
        self._items: list[T] = []
        self._bytes = 0
        #: Why nothing more is accepted.
        self._closed = "the producer is not open: use it as `with Producer(...) as producer`, or call open()"
        self._make_lock()

    def _make_lock(self) -> None:
        # A thread may take it twice: its signal handlers and finalizers may put records too.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def open(self) -> None:
        """Accept items."""
        self._closed = ""

    def put(self, item: T, size: int, timeout: float | None) -> None:
        """Append an item of `size` bytes; wait for room first, `timeout` seconds at most.

        Raises:
            BufferFullError: there was no room within `timeout`.
            ProducerClosedError: the queue is closed.
        """
        with self._lock:
            if self._bytes >= self._max_bytes and self._may_wait():
                self._wait_for_room(size, timeout)
            if self._closed:
                raise ProducerClosedError(self._closed)
            if not self._items:
                self._wake()  # first, or Ctrl-C in between would leave items for which nothing wakes the loop
            self._items.append(item)
            self._bytes += size

    def _wait_for_room(self, size: int, timeout: float | None) -> None:
        deadline = math.inf if timeout is None else monotonic() + timeout
        while self._bytes >= self._max_bytes and not self._closed:
            remaining = deadline - monotonic()
            if remaining <= 0:
                raise BufferFullError(size, 0)
            self._changed.wait(min(STEP_SECONDS, remaining))

    def take(self) -> list[T]:
        """Return the items that were put since the last call."""
        with self._changed:
            items, self._items, self._bytes = self._items, [], 0
            self._changed.notify_all()
        return items

    def close(self, reason: str) -> None:
        """Accept no more items, and raise `ProducerClosedError` with `reason` to those that wait."""
        with self._changed:
            self._closed = reason
            self._changed.notify_all()

    def leave_to_parent(self, reason: str) -> None:
        """Forget the items in a forked process, where the lock may be held for ever by a thread that is not there."""
        self._make_lock()
        self._items, self._bytes, self._closed = [], 0, reason

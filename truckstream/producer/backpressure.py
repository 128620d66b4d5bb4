"""Who waits for room in the buffer: first come, first served, and a large record is not overtaken by small ones."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truckstream.errors import ProducerClosedError

if TYPE_CHECKING:
    from truckstream.producer.core import ProducerCore

__all__ = ["Room"]


@dataclass(slots=True, eq=False)
class _Waiter:
    size: int
    granted: asyncio.Future[None]


class Room:
    """The line for the core's budget. While there is one, nobody may reserve past it."""

    __slots__ = ("_core", "line")

    def __init__(self, core: ProducerCore) -> None:
        self._core = core
        self.line: deque[_Waiter] = deque()

    async def wait(self, size: int) -> None:
        """Wait for the room of a record of `size` bytes; it is reserved when this returns.

        Raises:
            ProducerClosedError: by `refuse`.
        """
        waiter = _Waiter(size, asyncio.get_running_loop().create_future())
        self.line.append(waiter)
        try:
            await waiter.granted
        except BaseException:
            if waiter in self.line:
                self.line.remove(waiter)
            elif not waiter.granted.cancelled() and waiter.granted.exception() is None:
                self._core.release(size)  # granted and cancelled in the same turn
            self.give()  # whoever is next may need less
            raise

    def give(self) -> None:
        """Reserve for those at the head of the line as much as there is."""
        while self.line and self._core.reserve(self.line[0].size):
            waiter = self.line.popleft()
            if waiter.granted.done():  # cancelled: its own clean-up has not run yet
                self._core.release(waiter.size)
            else:
                waiter.granted.set_result(None)

    def refuse(self) -> None:
        """Send everybody away: the producer is closed."""
        while self.line:
            waiter = self.line.popleft()
            if not waiter.granted.done():
                waiter.granted.set_exception(ProducerClosedError("the producer was closed while put waited for room"))

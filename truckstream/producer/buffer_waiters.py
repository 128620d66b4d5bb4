"""Callers that wait for room in the buffer, first come, first served: small records do not overtake a large one."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from truckstream.errors import ProducerClosedError

if TYPE_CHECKING:
    from truckstream.producer.queueing.buffer_budget import BufferBudget

__all__ = ["BufferWaiters"]


@dataclass(slots=True, eq=False)
class _Waiter:
    size: int
    granted: asyncio.Future[None]


class BufferWaiters:
    """The line of callers that wait for room. While there is one, nobody else may reserve room."""

    __slots__ = ("_budget", "line")

    def __init__(self, budget: BufferBudget) -> None:
        self._budget = budget
        self.line: deque[_Waiter] = deque()

    async def wait(self, size: int) -> None:
        """Wait for room for a record of `size` bytes. The room is reserved when this returns.

        Raises:
            ProducerClosedError: by `reject_all`.
        """
        waiter = _Waiter(size, asyncio.get_running_loop().create_future())
        self.line.append(waiter)
        try:
            await waiter.granted
        except BaseException:
            if waiter in self.line:
                self.line.remove(waiter)
            elif not waiter.granted.cancelled() and waiter.granted.exception() is None:
                self._budget.release(size)  # granted and cancelled in the same turn
            self.grant()  # the next caller may need less
            raise

    def grant(self) -> None:
        """Reserve room for the callers at the head of the line, as far as there is any."""
        while self.line and self._budget.reserve(self.line[0].size):
            waiter = self.line.popleft()
            if waiter.granted.done():  # cancelled: its own clean-up has not run yet
                self._budget.release(waiter.size)
            else:
                waiter.granted.set_result(None)

    def reject_all(self) -> None:
        """Raise `ProducerClosedError` to every caller in the line."""
        while self.line:
            waiter = self.line.popleft()
            if not waiter.granted.done():
                waiter.granted.set_exception(ProducerClosedError("the producer was closed while put waited for room"))

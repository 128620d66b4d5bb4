"""Callers that wait for room in the buffer, first come, first served: small records do not overtake a large one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from truckstream.errors import ProducerClosedError

if TYPE_CHECKING:
    from truckstream.producer.queueing.buffer_budget import BufferBudget

__all__ = ["BufferWaiters"]

#: The most callers that are woken and have not run yet. A hundred thousand may be in the line when an outage ends; if
#: all of them were woken at once, their tasks would fill one turn of the event loop for seconds.
MAX_WOKEN: Final = 500


class BufferWaiters:
    """The line of callers that wait for room. While there are `callers`, nobody else may reserve room.

    A caller whose room is granted stays one of them until its task runs again, so that a newer record cannot be put
    before its record is. Each caller that runs wakes the next one.
    """

    __slots__ = ("_budget", "_is_closed", "_line", "callers")

    def __init__(self, budget: BufferBudget) -> None:
        self._budget = budget
        self.callers: set[asyncio.Future[None]] = set()
        #: Those without room yet, with the costs of their records, in the order in which they came.
        self._line: OrderedDict[asyncio.Future[None], int] = OrderedDict()
        self._is_closed = False

    async def wait(self, cost: int) -> None:
        """Wait for room for a record that takes `cost` bytes. The room is reserved when this returns.

        Raises:
            ProducerClosedError: by `reject_all`.
        """
        granted = asyncio.get_running_loop().create_future()
        self.callers.add(granted)
        self._line[granted] = cost
        try:
            await granted
        except BaseException:
            self._line.pop(granted, None)
            if not granted.cancelled() and granted.exception() is None:
                self._budget.release(cost)  # granted and cancelled in the same turn
            raise
        finally:
            self.callers.remove(granted)
            self.grant()  # there may be room for the next caller, which came meanwhile or needs less

    def grant(self) -> None:
        """Reserve room for the callers at the head of the line, as far as there is any."""
        while self._line and len(self.callers) - len(self._line) < MAX_WOKEN:
            granted, cost = next(iter(self._line.items()))
            if not granted.done():  # or it is cancelled, and its own clean-up has not run yet
                if self._is_closed:
                    granted.set_exception(ProducerClosedError("the producer was closed while put waited for room"))
                elif self._budget.reserve(cost):
                    granted.set_result(None)
                else:
                    return
            del self._line[granted]

    def reject_all(self) -> None:
        """Raise `ProducerClosedError` to every caller in the line, from now on."""
        self._is_closed = True
        self.grant()

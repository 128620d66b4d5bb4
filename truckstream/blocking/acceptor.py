"""The part of a blocking producer that runs on the thread of the loop, and drives the asyncio producer there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from truckstream.errors import TruckstreamError
from truckstream.producer import fork_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from truckstream import producer as aio
    from truckstream.blocking.delivery import Delivery
    from truckstream.blocking.hand_over import HandOver

__all__ = ["Acceptor"]


class Acceptor:
    """Passes the records that were handed over to the producer, batch after batch, in the order in which they came."""

    def __init__(self, producer: aio.Producer, hand_over: HandOver[Delivery]) -> None:
        self._producer = producer
        self._hand_over = hand_over
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open the producer."""
        await self._producer.open()
        # The child of a fork must not touch what this thread may have been changing at that moment.
        fork_hook.remove(self._producer)

    def start(self) -> asyncio.Task[None]:
        """Accept the records that are on the way, in a task that nobody cancels: they would be lost."""
        task = asyncio.get_running_loop().create_task(self._accept())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self) -> None:
        async with self._one_at_a_time:
            for delivery in self._hand_over.take():
                try:
                    accepted = await self._producer.put(
                        delivery.data, delivery.partition_key, delivery.explicit_hash_key
                    )
                except TruckstreamError as error:
                    delivery.refuse(error)
                else:
                    delivery.accept(accepted)

    async def flush(self) -> None:
        """Accept the records that are on the way, and flush the producer."""
        await asyncio.shield(self.start())
        await self._producer.flush()

    async def close(
        self,
        timeout: float | None,  # noqa: ASYNC109 - a bound on draining
        closing: Callable[[float | None], Coroutine[Any, Any, object]],
    ) -> None:
        """Accept the records that are on the way, and close the producer by `closing`, within `timeout` in all."""
        now = asyncio.get_running_loop().time
        deadline = None if timeout is None else now() + timeout
        accepting = self.start()
        await asyncio.wait({accepting}, timeout=timeout)
        try:
            await closing(None if deadline is None else max(0.0, deadline - now()))
        finally:
            await accepting  # a producer that closes accepts or refuses each record at once

    async def give_up(self) -> None:
        """Close the producer at once. Every delivery has an outcome then."""
        await self._producer.close(timeout=0)
        await asyncio.wait({self.start(), *self._tasks})

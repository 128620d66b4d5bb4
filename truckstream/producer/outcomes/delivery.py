"""What the caller holds of a record: a Delivery to await, and the Ack that it gives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from truckstream.producer.queueing.queued_record import Entry

if TYPE_CHECKING:
    from collections.abc import Generator

    from truckstream.producer.loop_binding import Home
    from truckstream.producer.outcomes.unawaited_failures import Surplus

__all__ = ["Ack", "Delivery"]


@dataclass(frozen=True, slots=True)
class Ack:
    """The service stored the record."""

    #: The shard that took it, such as `shardId-000000000000`.
    shard_id: str
    #: Its place in the shard: up to 128 bits in decimal. Compare as integers.
    sequence_number: str
    #: Requests that carried it.
    attempts: int
    #: True if an earlier attempt ended without an answer, so that the stream may hold a second copy.
    maybe_duplicate: bool


class Delivery(Entry):
    """A record on its way. Await it for its `Ack`; it may be awaited any number of times, or never.

    Awaiting raises what became of the record when it was not acknowledged: `DeliveryTimeoutError`,
    `DeliveryUnknownError`, `ProducerClosedError`, or a `ServiceError` with the service's own words. Cancelling the
    wait is safe: the record goes on. Waiting on another event loop than the producer's raises `WrongEventLoopError`.
    """

    _awaited: bool = False
    #: No Future until somebody awaits.
    waiters: list[asyncio.Future[None]] | None = None
    #: It failed, and is only counted among those that nobody awaited.
    surplus: Surplus | None = None

    def __await__(self) -> Generator[Any, None, Ack]:
        if not self.settled:
            yield from self._wait().__await__()
        return self.result()

    def done(self) -> bool:
        """Whether the record has its outcome."""
        return self.settled

    def result(self) -> Ack:
        """The Ack of a record that is done.

        Raises:
            asyncio.InvalidStateError: it is not done yet.
            TruckstreamError: it was not acknowledged.
        """
        if self.error is not None:
            self._notice()
            raise self.error
        if self.answer is None:
            raise asyncio.InvalidStateError("the record has no outcome yet: await its delivery")
        return Ack(
            shard_id=self.answer.shard_id or "",
            sequence_number=self.answer.sequence_number or "",
            attempts=self.attempts,
            maybe_duplicate=self.maybe_duplicate,
        )

    @property
    def unnoticed_failure(self) -> bool:
        """Whether it failed and nobody awaited it."""
        return self.error is not None and not self._awaited

    def wake(self) -> None:
        """Tell those who await that the outcome is there."""
        for waiter in self.waiters or ():
            if not waiter.done():
                waiter.set_result(None)
        self.waiters = None

    def _notice(self) -> None:
        self._awaited = True
        if self.surplus is not None:
            self.surplus.count -= 1
            self.surplus = None

    async def _wait(self) -> None:
        cast("Home", self.outbox.home).check()
        self._awaited = True
        waiter = asyncio.get_running_loop().create_future()
        if self.waiters is None:
            self.waiters = []
        self.waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if self.waiters is not None:  # who stopped waiting will not hear of a failure
                self.waiters.remove(waiter)
                self._awaited = bool(self.waiters)
            raise

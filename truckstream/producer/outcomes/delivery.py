"""The caller's side of a record: a `Delivery` to await, and the `Ack` that it returns."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truckstream.producer.queueing.outbox import QueuedRecord

if TYPE_CHECKING:
    from collections.abc import Generator

    from truckstream.errors import TruckstreamError
    from truckstream.producer.loop_binding import LoopBinding

__all__ = ["Ack", "Delivery", "FailureCount"]


@dataclass(frozen=True, slots=True)
class Ack:
    """The service stored the record."""

    #: The shard that stored it, such as `shardId-000000000000`.
    shard_id: str
    #: Its place in the shard: up to 128 bits in decimal. Compare as integers.
    sequence_number: str
    #: The number of requests that carried it.
    attempts: int
    #: True if the stream may hold a second copy: an earlier attempt ended without a response, or was stored in an
    #: aggregate that was divided by a reshard, which the KCL discards and other readers do not.
    maybe_duplicate: bool


@dataclass(slots=True)
class FailureCount:
    """Failures that are only counted, and the error of the first one."""

    count: int = 0
    first_error: TruckstreamError | None = None


class Delivery(QueuedRecord):
    """A record's delivery. Await it for the record's `Ack`, any number of times, or never.

    If the record was not acknowledged, awaiting raises the reason: `DeliveryTimeoutError`, `DeliveryUnknownError`,
    `ProducerClosedError`, or a `ServiceError` with the service's own message. Cancelling the wait is safe: the record
    is still delivered. Awaiting on another event loop than the producer's raises `WrongEventLoopError`.
    """

    loop_binding: LoopBinding | None = None
    _awaited: bool = False
    #: One for each caller that awaits; None, and no list, until somebody does.
    waiters: list[asyncio.Future[None]] | None = None
    #: It failed, and is counted here among the failures that nobody awaited.
    counted_in: FailureCount | None = None

    def __await__(self) -> Generator[Any, None, Ack]:
        if not self.settled:
            yield from self._wait().__await__()
        return self.result()

    def done(self) -> bool:
        """Return whether the record has its outcome."""
        return self.settled

    def result(self) -> Ack:
        """Return the `Ack` of a record that is done.

        Raises:
            asyncio.InvalidStateError: it is not done yet.
            TruckstreamError: it was not acknowledged.
        """
        if (error := self.error) is not None:
            self._mark_awaited()
            raise error
        if self.response is None:
            raise asyncio.InvalidStateError("the record has no outcome yet: await its delivery")
        return Ack(
            shard_id=self.response.shard_id or "",
            sequence_number=self.response.sequence_number or "",
            attempts=self.attempts,
            maybe_duplicate=self.maybe_duplicate,
        )

    @property
    def has_unawaited_failure(self) -> bool:
        """Whether the record failed and nobody awaited it."""
        return self.failure is not None and not self._awaited

    def wake(self) -> None:
        """Wake the callers that await the outcome."""
        for waiter in self.waiters or ():
            if not waiter.done():
                waiter.set_result(None)
        self.waiters = None

    def _mark_awaited(self) -> None:
        self._awaited = True
        if self.counted_in is not None:
            self.counted_in.count -= 1
            self.counted_in = None

    async def _wait(self) -> None:
        if self.loop_binding is not None:
            self.loop_binding.check()
        self._awaited = True
        waiter = asyncio.get_running_loop().create_future()
        if self.waiters is None:
            self.waiters = []
        self.waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if self.waiters is not None:  # a caller that stops waiting does not get the failure
                self.waiters.remove(waiter)
                self._awaited = bool(self.waiters)
            raise

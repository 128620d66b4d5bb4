"""The caller's side of a record: a `Delivery` to await, and the `Ack` that it returns."""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from truckstream.producer.queueing.outbox import QueuedRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from truckstream.errors import TruckstreamError
    from truckstream.producer.loop_binding import LoopBinding

    # A Delivery has the methods of a future that asyncio needs of one; this lets type checkers accept it as one.
    class _FutureLike(QueuedRecord, asyncio.Future["Ack"]):
        pass

else:
    _FutureLike = QueuedRecord

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
    #: Its position in the aggregate or envelope that has the sequence number; None if the record was not wrapped.
    subsequence_number: int | None = None


@dataclass(slots=True)
class FailureCount:
    """Failures that are only counted, and the error of the first one."""

    count: int = 0
    first_error: TruckstreamError | None = None


class _Callback(NamedTuple):
    """A function to call with the delivery when that is done."""

    function: Callable[[Delivery], object]
    context: contextvars.Context


#: The attributes for callers: `dir(delivery)`.
PUBLIC: Final = (
    *("add_done_callback", "attempts", "cancel", "cancelled", "data", "done", "exception", "explicit_hash_key"),
    *("maybe_duplicate", "partition_key", "remove_done_callback", "result"),
)


class Delivery(_FutureLike):
    """A record's delivery. Await it for the record's `Ack`, any number of times, or never.

    If the record was not acknowledged, awaiting raises the reason: `DeliveryTimeoutError`, `DeliveryUnknownError`,
    `ProducerClosedError`, or a `ServiceError` with the service's own message. Cancelling the wait is safe: the record
    is still delivered. Awaiting on another event loop than the producer's raises `WrongEventLoopError`.

    `asyncio.wait`, `as_completed`, `wait_for`, `gather` and `shield` take it as they take a future.
    """

    loop_binding: LoopBinding | None = None
    _awaited: bool = False
    #: Those that wait for the outcome; None, and no list, until somebody does.
    waiters: list[asyncio.Future[None] | _Callback] | None = None
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
            subsequence_number=self.subsequence_number,
        )

    def exception(self) -> TruckstreamError | None:
        """Return the error of a record that is done; None if it was acknowledged.

        Raises:
            asyncio.InvalidStateError: it is not done yet.
        """
        if self.failure is None:
            self.result()  # which raises if there is no outcome
            return None
        self._mark_awaited()
        return self.error

    def cancel(self, msg: object = None) -> bool:
        """Return False: a record that was accepted is delivered, and nothing can be cancelled."""
        del msg
        return False

    def cancelled(self) -> bool:
        """Return False: a delivery ends with an `Ack` or an error."""
        return False

    def add_done_callback(
        self, fn: Callable[[Delivery], object], /, *, context: contextvars.Context | None = None
    ) -> None:
        """Call `fn(delivery)` soon after the record is done, on the producer's event loop.

        A failure still counts as one that nobody awaited, unless the function asks for it by `exception` or `result`.
        """
        callback = _Callback(fn, contextvars.copy_context() if context is None else context)
        if self.settled:
            self._call_soon(callback)
        elif self.waiters is None:
            self.waiters = [callback]
        else:
            self.waiters.append(callback)

    def remove_done_callback(self, fn: Callable[[Delivery], object], /) -> int:
        """Do not call `fn`, and return how often it was to be called."""
        before = self.waiters or []
        kept = [each for each in before if not (isinstance(each, _Callback) and each.function == fn)]
        if len(kept) < len(before):
            self.waiters = kept
        return len(before) - len(kept)

    def __dir__(self) -> list[str]:
        return list(PUBLIC)

    @property
    def has_unawaited_failure(self) -> bool:
        """Whether the record failed and nobody awaited it."""
        return self.failure is not None and not self._awaited

    def wake(self) -> None:
        """Wake the callers that await the outcome."""
        waiters, self.waiters = self.waiters or (), None
        for waiter in waiters:
            if isinstance(waiter, _Callback):
                self._call_soon(waiter)
            elif not waiter.done():
                waiter.set_result(None)

    def _call_soon(self, callback: _Callback) -> None:
        loop = self.loop_binding.loop if self.loop_binding else None
        (loop or asyncio.get_running_loop()).call_soon(callback.function, self, context=callback.context)

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

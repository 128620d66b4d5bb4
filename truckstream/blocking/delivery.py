"""The delivery of one record, for threads that wait for it."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from truckstream.errors import DeliveryUnknownError, ProducerClosedError, TruckstreamError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream import producer as aio
    from truckstream.blocking.loop_thread import LoopThread

__all__ = ["Delivery"]

_logger = logging.getLogger("truckstream.producer")


class Delivery:
    """A record's delivery. `result()` waits for its `Ack`, in any thread, any number of times, or never.

    Its methods are those of `concurrent.futures.Future`, but a record that was accepted cannot be cancelled.
    """

    # A Future would take as long to make as the whole rest of a put, for a lock that hardly any delivery needs.
    __slots__ = ("_accepted", "_aio", "_error", "_thread", "data", "explicit_hash_key", "partition_key")

    def __init__(self, data: bytes, partition_key: str, explicit_hash_key: str | None, thread: LoopThread) -> None:
        #: The record's data as it is sent.
        self.data = data
        self.partition_key = partition_key
        self.explicit_hash_key = explicit_hash_key
        self._thread = thread
        # One of these is set on the loop's thread: the delivery there, or the reason why there is none.
        self._aio: aio.Delivery | None = None
        self._error: TruckstreamError | None = None
        #: For those on the loop that wait for one of them.
        self._accepted: asyncio.Future[None] | None = None

    def done(self) -> bool:
        """Return whether the record has its outcome."""
        return self._error is not None or (self._aio is not None and self._aio.done()) or self._thread.has_ended

    def result(self, timeout: float | None = None) -> aio.Ack:
        """Wait until the record has its outcome, `timeout` seconds at most, and return its `Ack`.

        Raises:
            TimeoutError: it has none yet. It is still delivered.
            TruckstreamError: the record was not acknowledged; see the producer's page.
        """
        if self._aio is None or self._aio.response is None:
            if error := self.exception(timeout):
                raise error
            assert self._aio is not None  # noqa: S101 - or there is an error
        return self._aio.result()

    def exception(self, timeout: float | None = None) -> TruckstreamError | None:
        """Wait as `result`, and return the error of the record; None if it was acknowledged."""
        if self._error is None:
            try:
                self._thread.run(self._wait(), timeout)
            except ProducerClosedError:  # the thread has ended, and each record had its outcome before
                if self._aio is None or not self._aio.done():
                    return self._error or _unknown_after_fork()
        return self._error or (self._aio.exception() if self._aio else None)

    def add_done_callback(self, fn: Callable[[Delivery], object], /) -> None:
        """Call `fn(delivery)` when the record is done, in the producer's thread. It must not wait there."""

        def call(_: object) -> None:
            try:
                fn(self)
            except Exception:
                _logger.exception("a callback of a delivery failed")

        try:
            self._thread.call(self._add_callback, call)
        except ProducerClosedError:
            call(None)

    def cancel(self) -> bool:
        """Return False: a record that was accepted is delivered."""
        return False

    def cancelled(self) -> bool:
        """Return False: a delivery ends with an `Ack` or an error."""
        return False

    def running(self) -> bool:
        """Return whether the record has no outcome yet."""
        return not self.done()

    def __repr__(self) -> str:
        outcome = repr(self._aio) if self._aio else repr(self._error) if self._error else "on the way"
        return f"<blocking.Delivery for {self.partition_key!r}: {outcome}>"

    # --- On the loop's thread ---------------------------------------------------------------------

    def accept(self, delivery: aio.Delivery) -> None:
        """Note that the producer has accepted the record."""
        self._aio = delivery
        if self._accepted:
            self._accepted.set_result(None)

    def refuse(self, error: TruckstreamError) -> None:
        """Note that the producer has not accepted the record, and never will."""
        self._error = error
        if self._accepted:
            self._accepted.set_result(None)

    async def accepted(self) -> None:
        """Wait until the producer has accepted the record, or raise the reason why it does not."""
        if self._aio is None and self._error is None:
            await asyncio.shield(self._acceptance())
        if self._error is not None:
            raise self._error

    async def _wait(self) -> None:
        """Wait for the outcome. A failure counts as awaited then."""
        if self._aio is None and self._error is None:
            await asyncio.shield(self._acceptance())
        if self._aio is not None:
            try:
                await self._aio
            except TruckstreamError:
                return  # the caller's thread raises it

    def _add_callback(self, call: Callable[[object], None]) -> None:
        if self._aio is not None:
            self._aio.add_done_callback(call)
        elif self._error is not None:
            call(None)
        else:
            self._acceptance().add_done_callback(lambda _: self._add_callback(call))

    def _acceptance(self) -> asyncio.Future[None]:
        if self._accepted is None:
            self._accepted = asyncio.get_running_loop().create_future()
        return self._accepted


def _unknown_after_fork() -> TruckstreamError:
    text = "this process was forked while the record was under way: its producer is in the parent"
    return DeliveryUnknownError(text, attempts=0, may_be_stored=True)

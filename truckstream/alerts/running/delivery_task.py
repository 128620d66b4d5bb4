"""The task that sends one shard's events to one target."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from truckstream.errors import AlertTargetError

if TYPE_CHECKING:
    from truckstream.alerts.alert_event import AlertEvent
    from truckstream.alerts.delivery.target import AlertTarget
    from truckstream.alerts.shard.outbox import EventOutbox

__all__ = ["DeliveryTask"]

_logger = logging.getLogger("truckstream.alerts")

#: Seconds between two log lines about a target that goes on failing.
_LOG_SECONDS: Final = 60.0


class DeliveryTask:
    """Sends what waits in an outbox, until it is cancelled.

    Args:
        target: the target.
        outbox: the events of one shard that wait for it.
    """

    def __init__(self, target: AlertTarget, outbox: EventOutbox) -> None:
        self._target = target
        self._outbox = outbox
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._logged_at = -_LOG_SECONDS
        self.sent = 0
        #: Events that the target refused for good.
        self.refused = 0
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Note that events were added."""
        self._idle.clear()
        self._wake.set()

    async def wait_idle(self) -> None:
        """Return when nothing waits any more.

        Raises:
            Exception: a defect ended the task.
        """
        idle = asyncio.ensure_future(self._idle.wait())
        try:
            await asyncio.wait((idle, self._task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            idle.cancel()
        self.check()

    def check(self) -> None:
        """Raise the exception that ended the task, if one did: that of a defective target."""
        if self._task.done():
            self._task.result()

    def cancel(self) -> None:
        """Stop. The events of an attempt that is under way stay in the outbox."""
        self._task.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = self._outbox.due_time
            if due is None:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            elif due > loop.time():
                await asyncio.sleep(due - loop.time())
            else:
                await self._attempt(self._outbox.take(loop.time()))

    async def _attempt(self, events: list[AlertEvent]) -> None:
        loop = asyncio.get_running_loop()
        failed: list[AlertEvent] = []
        try:
            failed = list(await self._target.send(events))
            if failed:
                self._log_failure(f"{len(failed)} of {len(events)} alerts were not accepted")
        except AlertTargetError as error:
            if error.retryable:
                failed = events
                self._log_failure(str(error))
            else:
                self.refused += len(events)
                names = ", ".join(event.key for event in events)
                text = "%s refused alerts, which are given up: %s (%s)"
                _logger.error(text, self._target.name, names, error)  # noqa: TRY400 - the cause is in the text
                self._outbox.settle(events, (), loop.time())
                return
        self.sent += len(events) - len(failed)
        self._outbox.settle(events, failed, loop.time())

    def _log_failure(self, text: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LOG_SECONDS:
            self._logged_at = now
            _logger.warning(
                "%s fails, and is tried again; %d alerts wait: %s", self._target.name, len(self._outbox), text
            )

"""Alerts to another Kinesis stream: one record an event, with the truck as partition key."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from truckstream.errors import AlertTargetError, DeliveryError, TruckstreamError
from truckstream.producer import Producer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from truckstream.alerts.alert_event import AlertEvent

__all__ = ["EventStreamTarget"]


class EventStreamTarget:
    """Puts each event as JSON into a stream. The events of a truck come in order.

    Args:
        stream: the stream's name or ARN. It must not be the stream that the rules are evaluated on.
        options: those of the `Producer`, such as `region_name`, `endpoint_url` and `session`.
    """

    batch = 100

    def __init__(self, stream: str, **options: Any) -> None:
        self.name = f"stream {stream}"
        self._producer = Producer(stream, ordered=True, **options)
        self._resources = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._resources.enter_async_context(self._producer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._resources.aclose()

    async def send(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        """Put the events, and wait until all of them are acknowledged or have failed."""
        try:
            deliveries = [
                await self._producer.put(event.to_json(), partition_key=event.truck_id or event.id) for event in events
            ]
        except TruckstreamError as error:
            raise AlertTargetError(type(error).__name__, str(error)) from error
        outcomes = await asyncio.gather(*deliveries, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, DeliveryError):
                raise outcome
        failed = [event for event, each in zip(events, outcomes, strict=True) if isinstance(each, DeliveryError)]
        if len(failed) == len(events):
            raise AlertTargetError(type(outcomes[0]).__name__, str(outcomes[0]))
        return failed

"""Processes a lane of a shard: polls the shard, invokes the function, and reports discarded batches.

A shard has one lane, or as many as the parallelization factor. The decisions are those of the lane's `ShardPoller`.

Unlike Lambda's, these reads do not count against the shard's read quota. One poll a second stays below 5 calls and
2 MiB/s anyway, except while a backlog is read, and a test need not wait for that.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Final

from truckstream.local.mapping.function.batch_outcome import UNHANDLED_ERROR, outcome_of
from truckstream.local.mapping.function.invoker import FunctionError
from truckstream.local.mapping.mapping_settings import PAYLOAD_BYTES
from truckstream.local.service.identifiers.hash_key import hash_of
from truckstream.local.service.quotas import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.local.mapping.failure_destination import FailureDestination
    from truckstream.local.mapping.function.batch_outcome import BatchOutcome
    from truckstream.local.mapping.function.invoker import Invoker
    from truckstream.local.mapping.function.lambda_event import EventMaker
    from truckstream.local.mapping.mapping_settings import MappingSettings
    from truckstream.local.mapping.shard_poller import ShardPoller
    from truckstream.local.service.state.shard import LocalShard, Record

__all__ = ["ShardLane"]

_log: Final = logging.getLogger(__name__)


class ShardLane:
    """One lane of a shard.

    Args:
        shard: the shard.
        number: the lane's number, from 0.
        settings: the mapping's settings.
        poller: decides for this lane.
        events: makes the shard's events.
        invoker: calls the function.
        destination: gets the discarded batches.
        clock: returns the service's time.
    """

    def __init__(
        self,
        shard: LocalShard,
        number: int,
        settings: MappingSettings,
        *,
        poller: ShardPoller,
        events: EventMaker,
        invoker: Invoker,
        destination: FailureDestination,
        clock: Callable[[], float],
    ) -> None:
        self.shard = shard
        self.poller = poller
        self._number = number
        self._settings = settings
        self._events = events
        self._invoker = invoker
        self._destination = destination
        self._clock = clock

    async def process(self, *, draining: bool) -> float | None:
        """Poll if it is time, and invoke the function if a batch is due.

        Args:
            draining: do not wait for polls and windows.

        Returns:
            Seconds until there may be more to do; None after an invocation, or if the lane is finished.
        """
        now = self._clock()
        if self.poller.wants_poll(now, draining=draining):
            self._poll(now)
        records = self.poller.next_batch(now, draining=draining)
        await self._report_discarded("")
        if records is not None:
            request_id = str(uuid.uuid4())
            outcome = await self._invoke(records, request_id)
            self.poller.settle(outcome, self._clock())
            await self._report_discarded(request_id)
            return None
        return None if self.poller.is_finished else self.poller.next_time(now) - now

    def _poll(self, now: float) -> None:
        shard, poller, lanes = self.shard, self.poller, self._settings.parallelization_factor
        records = shard.read(poller.read_from, limits.GET_RECORDS, limits.GET_BYTES)
        read_to = records[-1].place + 1 if records else max(poller.read_from, shard.first_place)
        ended = not shard.is_open and read_to >= shard.next_place
        if lanes > 1:
            records = [record for record in records if hash_of(record.partition_key) % lanes == self._number]
        poller.receive(records, now, read_to=read_to, shard_ended=ended)

    async def _invoke(self, records: list[Record], request_id: str) -> BatchOutcome:
        if self._events.frame_bytes() + self._events.size_of(records[0]) > PAYLOAD_BYTES:
            _log.warning("record %s does not fit into an event of 6 MB", records[0].sequence_number)
            return UNHANDLED_ERROR
        try:
            response = await self._invoker.invoke(lambda: self._events.make(records), request_id)
        except FunctionError as error:
            _log.warning("the function failed with %d records", len(records), exc_info=error)
            return UNHANDLED_ERROR
        numbers = [record.sequence_number for record in records]
        return outcome_of(response, numbers, reports_item_failures=self._settings.reports_item_failures)

    async def _report_discarded(self, request_id: str) -> None:
        batches, self.poller.discarded = self.poller.discarded, []
        for batch in batches:
            await self._destination.report(batch, self.shard.shard_id, self._events, request_id)

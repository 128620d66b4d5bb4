"""What the core notes for an observer, until the shell tells it.

Whole requests are noted, with counts that the core has in its hands anyway. No hook is called from within a decision,
so that it finds the producer in order and may use it. Where nobody watches the journal notes nothing, which costs some
calls a request that do nothing.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

from truckstream.errors import ServiceError
from truckstream.kinesis.failures import RequestFailedError
from truckstream.producer.queueing.outbox import records_in
from truckstream.producer.watching.observer import (
    BatchFailed,
    BatchSent,
    MapRefreshed,
    RecordsAcknowledged,
    RecordsFailed,
    RecordsRetried,
    RecordsThrottled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from truckstream.kinesis.responses import RecordResponse
    from truckstream.producer.outcomes.delivery import Delivery
    from truckstream.producer.queueing.outbox import Outbox, Parcel
    from truckstream.producer.queueing.queued_record import Entry
    from truckstream.producer.queueing.request import Request
    from truckstream.producer.watching.observer import ByShard, ProducerEvent

__all__ = ["NO_JOURNAL", "EventJournal", "Journal"]

_put_at: Callable[[Entry], float] = attrgetter("put_at")


class Journal:
    """Notes nothing. All calls come after what they tell."""

    __slots__ = ()

    def sent(self, request: Request, repeated: int, in_flight: int) -> None:
        """A request goes out, beside others: `in_flight` with it. Of its parcels so many were sent before."""

    def request_failed(self, request: Request, failure: RequestFailedError, now: float) -> None:
        """It failed as a whole."""

    def acknowledged(
        self,
        request: Request,
        stored: Sequence[Entry],
        by_outbox: Mapping[Outbox, int],
        size: int,
        doubtful: int,
        now: float,
    ) -> None:
        """Of its records those were stored, `size` bytes; `doubtful` of them perhaps twice."""

    def throttled(self, by_outbox: Mapping[Outbox, int]) -> None:
        """So many parcels of one request were refused for a quota."""

    def retried(
        self, parcels: Mapping[Outbox, Sequence[Parcel]], why: Sequence[RecordResponse] | RequestFailedError
    ) -> None:
        """Parcels of one request go again."""

    def failed(self, entry: Entry) -> None:
        """A record was given up."""

    def shards_listed(self, before: Sequence[str], after: Sequence[str]) -> None:
        """The stream's open shards, as they were known and as they are."""


NO_JOURNAL: Final = Journal()


class EventJournal(Journal):
    """Keeps events in the order in which they happened."""

    __slots__ = ("_events", "_failed", "_stream")

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._events: list[ProducerEvent] = []
        # Records given up since the last event: they are told together.
        self._failed: list[Entry] = []

    def take(self) -> list[ProducerEvent]:
        """The events since the last call."""
        self._close_failed()
        events, self._events = self._events, []
        return events

    def sent(self, request: Request, repeated: int, in_flight: int) -> None:
        self._note(
            BatchSent(
                stream=self._stream,
                records=request.records,
                shards=_by_shard(request.by_outbox),
                kinesis_records=len(request.entries),
                repeated=repeated,
                bytes=request.size,
                requests_in_flight=in_flight,
            )
        )

    def request_failed(self, request: Request, failure: RequestFailedError, now: float) -> None:
        self._note(
            BatchFailed(
                stream=self._stream,
                records=request.records,
                shards=_by_shard(request.by_outbox),
                kind=failure.kind.value,
                code=failure.code,
                message=failure.message,
                seconds=now - request.sent_at,
            )
        )

    def acknowledged(
        self,
        request: Request,
        stored: Sequence[Entry],
        by_outbox: Mapping[Outbox, int],
        size: int,
        doubtful: int,
        now: float,
    ) -> None:
        if not stored:
            return
        self._note(
            RecordsAcknowledged(
                stream=self._stream,
                records=len(stored),
                shards=_by_shard(by_outbox),
                bytes=size,
                maybe_duplicates=doubtful,
                seconds=now - request.sent_at,
                oldest_seconds=now - min(map(_put_at, stored)),
                deliveries=cast("Sequence[Delivery]", stored),  # only deliveries are put by whoever watches
            )
        )

    def throttled(self, by_outbox: Mapping[Outbox, int]) -> None:
        if by_outbox:
            shards = _by_shard(by_outbox)
            self._note(RecordsThrottled(stream=self._stream, records=sum(shards.values()), shards=shards))

    def retried(
        self, parcels: Mapping[Outbox, Sequence[Parcel]], why: Sequence[RecordResponse] | RequestFailedError
    ) -> None:
        if not parcels:
            return
        codes = (
            {why.code: sum(map(len, parcels.values()))}
            if isinstance(why, RequestFailedError)
            else dict(Counter(answer.error_code for answer in why if answer.error_code))
        )
        shards = _by_shard({outbox: sum(map(records_in, waiting)) for outbox, waiting in parcels.items()})
        self._note(RecordsRetried(stream=self._stream, records=sum(shards.values()), shards=shards, codes=codes))

    def failed(self, entry: Entry) -> None:
        self._failed.append(entry)

    def shards_listed(self, before: Sequence[str], after: Sequence[str]) -> None:
        opened = tuple(shard_id for shard_id in after if shard_id not in before)
        closed = tuple(shard_id for shard_id in before if shard_id not in after)
        self._note(MapRefreshed(stream=self._stream, shards=tuple(after), opened=opened, closed=closed))

    def _note(self, event: ProducerEvent) -> None:
        self._close_failed()
        self._events.append(event)

    def _close_failed(self) -> None:
        if not self._failed:
            return
        failed, self._failed = self._failed, []
        self._events.append(
            RecordsFailed(
                stream=self._stream,
                records=len(failed),
                shards=_by_shard(Counter(entry.outbox for entry in failed)),
                codes=dict(Counter(_code_of(entry) for entry in failed)),
                deliveries=cast("Sequence[Delivery]", failed),
            )
        )


def _by_shard(by_outbox: Mapping[Outbox, int]) -> ByShard:
    by_shard: dict[str | None, int] = {}
    for outbox, count in by_outbox.items():  # two may stand for one shard, if its stream was made anew
        by_shard[outbox.shard_id] = by_shard.get(outbox.shard_id, 0) + count
    return by_shard


def _code_of(entry: Entry) -> str:
    error = entry.error
    if error is not None and isinstance(error.__cause__, ServiceError):  # refused after an attempt in doubt
        error = error.__cause__
    return error.code if isinstance(error, ServiceError) else type(error).__name__

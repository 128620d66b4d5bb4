"""Events for an observer, from the moment when the core reports them until the shell calls the hooks.

No hook is called while the core decides. So a hook finds the producer in a consistent state and may use it.
"""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, cast

from truckstream.errors import DeliveryError, ServiceError
from truckstream.kinesis.failures import RequestFailedError
from truckstream.producer.queueing.outbox import count_records
from truckstream.producer.watching.event_sink import EventSink
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
    from truckstream.producer.queueing.outbox import Outbox, Parcel, QueuedRecord
    from truckstream.producer.queueing.request import Request
    from truckstream.producer.watching.observer import ByShard, ProducerEvent

__all__ = ["EventBuffer"]

_outbox: Callable[[QueuedRecord], Outbox] = attrgetter("outbox")
_put_at: Callable[[QueuedRecord], float] = attrgetter("put_at")


class EventBuffer(EventSink):
    """Keeps events in the order in which they happened."""

    __slots__ = ("_events", "_failed", "_stream")

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._events: list[ProducerEvent] = []
        # Records given up since the last event: they make one event together.
        self._failed: list[QueuedRecord] = []

    def take(self) -> list[ProducerEvent]:
        """Return the events since the last call."""
        self._add_failed_records()
        events, self._events = self._events, []
        return events

    def sent(self, request: Request, repeated: int, in_flight: int) -> None:
        self._add(
            BatchSent(
                stream=self._stream,
                records=request.records,
                shards=_by_shard(request.records_by_outbox()),
                kinesis_records=len(request.parcels),
                repeated=repeated,
                bytes=request.size,
                requests_in_flight=in_flight,
            )
        )

    def request_failed(self, request: Request, failure: RequestFailedError, now: float) -> None:
        self._add(
            BatchFailed(
                stream=self._stream,
                records=request.records,
                shards=_by_shard(request.records_by_outbox()),
                kind=failure.kind.value,
                code=failure.code,
                message=failure.message,
                seconds=now - request.sent_at,
            )
        )

    def acknowledged(
        self,
        stored: Sequence[QueuedRecord],
        size: int,
        duplicates: int,
        sent_at: float,
        now: float,
    ) -> None:
        if not stored:
            return
        self._add(
            RecordsAcknowledged(
                stream=self._stream,
                records=len(stored),
                shards=_by_shard(Counter(map(_outbox, stored))),
                bytes=size,
                maybe_duplicates=duplicates,
                seconds=now - sent_at,
                oldest_seconds=now - min(map(_put_at, stored)),
                deliveries=cast("Sequence[Delivery]", stored),  # the shell puts nothing else
            )
        )

    def throttled(self, by_outbox: Mapping[Outbox, int]) -> None:
        if by_outbox:
            shards = _by_shard(by_outbox)
            self._add(RecordsThrottled(stream=self._stream, records=sum(shards.values()), shards=shards))

    def retried(
        self, parcels: Mapping[Outbox, Sequence[Parcel]], why: Sequence[RecordResponse] | RequestFailedError
    ) -> None:
        if not parcels:
            return
        codes = (
            {why.code: sum(map(len, parcels.values()))}
            if isinstance(why, RequestFailedError)
            else dict(Counter(response.error_code for response in why if response.error_code))
        )
        shards = _by_shard({outbox: sum(map(count_records, waiting)) for outbox, waiting in parcels.items()})
        self._add(RecordsRetried(stream=self._stream, records=sum(shards.values()), shards=shards, codes=codes))

    def failed(self, records: Sequence[QueuedRecord]) -> None:
        self._failed += records

    def shards_listed(self, before: Sequence[str], after: Sequence[str]) -> None:
        was_open, is_open = {*before}, {*after}
        opened = tuple(shard_id for shard_id in after if shard_id not in was_open)
        closed = tuple(shard_id for shard_id in before if shard_id not in is_open)
        self._add(MapRefreshed(stream=self._stream, shards=tuple(after), opened=opened, closed=closed))

    def _add(self, event: ProducerEvent) -> None:
        self._add_failed_records()
        self._events.append(event)

    def _add_failed_records(self) -> None:
        if not self._failed:
            return
        failed, self._failed = self._failed, []
        self._events.append(
            RecordsFailed(
                stream=self._stream,
                records=len(failed),
                shards=_by_shard(Counter(map(_outbox, failed))),
                codes=dict(Counter(_code_of(record) for record in failed)),
                deliveries=cast("Sequence[Delivery]", failed),
            )
        )


def _by_shard(by_outbox: Mapping[Outbox, int]) -> ByShard:
    by_shard: dict[str | None, int] = {}
    for outbox, count in by_outbox.items():  # two may belong to one shard id, if the stream was created anew
        by_shard[outbox.shard_id] = by_shard.get(outbox.shard_id, 0) + count
    return by_shard


def _code_of(record: QueuedRecord) -> str:
    error = record.error
    if type(error) is DeliveryError and isinstance(error.__cause__, ServiceError):
        error = error.__cause__  # rejected after an ambiguous attempt
    return error.code if isinstance(error, ServiceError) else type(error).__name__

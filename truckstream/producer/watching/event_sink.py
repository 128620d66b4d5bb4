"""Where the core reports what happens.

It reports whole requests, with counts that it has at hand anyway. This base class discards them, for producers without
an observer: some calls a request that do nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from truckstream.kinesis.failures import RequestFailedError
    from truckstream.kinesis.responses import RecordResponse
    from truckstream.producer.queueing.outbox import Outbox, Parcel, QueuedRecord
    from truckstream.producer.queueing.request import Request

__all__ = ["EventSink"]


class EventSink:
    """Discards events. The core calls each method after the event has happened."""

    __slots__ = ()

    def sent(self, request: Request, repeated: int, in_flight: int) -> None:
        """A request is sent; with it `in_flight` are in flight. `repeated` of its parcels were sent before."""

    def request_failed(self, request: Request, failure: RequestFailedError, now: float) -> None:
        """A request failed as a whole."""

    def acknowledged(
        self,
        stored: Sequence[QueuedRecord],
        size: int,
        duplicates: int,
        sent_at: float,
        now: float,
    ) -> None:
        """Records sent at `sent_at` were stored, `size` bytes in all; `duplicates` of them may be stored twice."""

    def throttled(self, by_outbox: Mapping[Outbox, int]) -> None:
        """Parcels of one request were throttled; their number for each outbox."""

    def retried(
        self, parcels: Mapping[Outbox, Sequence[Parcel]], why: Sequence[RecordResponse] | RequestFailedError
    ) -> None:
        """Parcels of one request will be sent again."""

    def failed(self, records: Sequence[QueuedRecord]) -> None:
        """Records were given up."""

    def shards_listed(self, before: Sequence[str], after: Sequence[str]) -> None:
        """The stream's open shards were listed: those known before, and those known now."""

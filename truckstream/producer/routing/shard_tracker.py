"""Follows the stream's shards while records are sent to them, and does what a reshard demands.

- A new map opens outboxes and closes others, whose records are moved (`relocation.py`).
- A response that names another shard than the map does puts the shard in doubt (`shard_doubts.py`) and asks for the map
  again. A stored bundle of several keys is held until the map proves who reads it (`unproven_bundles.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truckstream.kinesis.responses import RecordResponse
from truckstream.producer.pacing.refresh_schedule import RefreshSchedule
from truckstream.producer.queueing.outbox import count_records, mark_maybe_duplicate
from truckstream.producer.routing.relocation import Relocation
from truckstream.producer.routing.shard_doubts import ShardDoubts
from truckstream.producer.routing.unproven_bundles import UnprovenBundles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from truckstream.kinesis.shard_map import Shard
    from truckstream.producer.options import ProducerOptions
    from truckstream.producer.outcomes.settlement import Settlement
    from truckstream.producer.queueing.outbox import Outbox, Parcel
    from truckstream.producer.queueing.request import Request
    from truckstream.producer.routing.router import Router
    from truckstream.producer.routing.unproven_bundles import StoredBundle
    from truckstream.producer.watching.event_sink import EventSink

__all__ = ["ShardTracker"]

#: The code by which observers see that a bundle is sent again because another shard stored it. Not the service's own.
OTHER_SHARD_CODE: Final = "StoredInOtherShard"


class ShardTracker:
    """The shards, and the records that a reshard affects.

    Like all of the core's work, this is done in steps: a `limit` is a number of records. A method returns the part of
    it that is left, 0 or less if there may be more to do.
    """

    def __init__(self, options: ProducerOptions, router: Router, settlement: Settlement, events: EventSink) -> None:
        self._aggregates = options.aggregate
        self._router = router
        self._settlement = settlement
        self._events = events
        #: When to list the shards again.
        self.refresh = RefreshSchedule()
        #: The records of closed shards that have not been moved yet.
        self.relocation = Relocation(router)
        self._doubts = ShardDoubts()
        self._unproven = UnprovenBundles(options.delivery_timeout)

    @property
    def next_at(self) -> float:
        """When `step` has to be called at the latest; infinity if no time matters."""
        return self._unproven.next_at

    def on_shards(self, shards: Iterable[Shard], now: float, limit: int) -> None:
        """Adopt a new map, and do the first step of moving and judging records by it."""
        before = self._router.shard_ids
        resharded = self._router.set_shards(shards, now)
        self.refresh.done(now, changed=resharded is not None)
        self._doubts.on_listing(now)
        if not self._unproven.shard_ids <= self._router.listed.keys():
            self.refresh.request()
        if resharded:
            self.relocation.add(resharded)
        self.step(now, limit)
        self._events.shards_listed(before, self._router.shard_ids)

    def step(self, now: float, limit: int) -> int:
        """Move records of closed shards, then judge held bundles."""
        return self._judge_unproven(now, self.move(limit))

    def move(self, limit: int) -> int:
        """Move records of closed shards to open ones."""
        return self.relocation.step(limit)

    def return_parcels(self, outbox: Outbox, parcels: Iterable[Parcel]) -> None:
        """Let `parcels` wait for another attempt, after they have been moved if their shard is closed."""
        for parcel in parcels:
            outbox.return_parcel(parcel)
        if outbox.is_closed:
            self.relocation.add_returned(outbox)

    def on_stored(
        self, request: Request, parcels: Sequence[Parcel], responses: Sequence[RecordResponse], now: float
    ) -> tuple[Sequence[Parcel], Sequence[RecordResponse]]:
        """Compare the map with the shards that stored `parcels`. Return those to acknowledge now; the rest is held."""
        expected = [parcel.outbox.shard_id for parcel in parcels]
        if not self._doubts and expected == [response.shard_id for response in responses]:
            return parcels, responses
        self._compare(request, parcels, responses)
        return self._unproven.hold(request, parcels, responses, now) if self._aggregates else (parcels, responses)

    def take_unproven(self, limit: int) -> list[Parcel]:
        """Remove held bundles, until they have `limit` records."""
        return [stored.bundle for stored in self._unproven.take(limit)]

    def _compare(self, request: Request, parcels: Sequence[Parcel], responses: Sequence[RecordResponse]) -> None:
        """Find out which shards are in doubt, and whether to list the shards again."""
        contradicted: list[Outbox] = []
        pairs = zip(parcels, responses, strict=True)
        for outbox, shard_id in dict.fromkeys((parcel.outbox, response.shard_id) for parcel, response in pairs):
            if shard_id == outbox.shard_id:
                self._doubts.on_stored(outbox, request.sent_at)
            elif not outbox.is_closed:
                contradicted.append(outbox)
            elif shard_id not in self._router.listed:  # otherwise a map that came meanwhile agrees with the response
                self.refresh.request()
        for outbox in contradicted:
            is_new = outbox.shard_id is not None and self._doubts.begin(outbox)
            self.refresh.request(at_once=is_new)

    def _judge_unproven(self, now: float, limit: int) -> int:
        """Acknowledge bundles that the KCL reads. Send those again that it discards, or that waited long enough."""
        if limit <= 0 or not self._unproven.shard_ids:
            return limit
        readable, discarded = self._unproven.take_judged(self._router.listed, limit)
        limit -= _count_records(readable) + _count_records(discarded)
        due = self._unproven.take_due(now, limit)
        if readable:
            bundles = [stored.bundle for stored in readable]
            sent_at = min(stored.sent_at for stored in readable)
            self._settlement.acknowledge(bundles, [stored.response for stored in readable], sent_at, now)
        self._send_again([*discarded, *due])
        return limit - _count_records(due)

    def _send_again(self, stored: Sequence[StoredBundle]) -> None:
        """Send the records of stored bundles again, because the KCL may discard them. Other readers get them twice."""
        by_outbox: dict[Outbox, list[Parcel]] = {}
        for bundle, _, _ in stored:
            mark_maybe_duplicate(bundle)
            by_outbox.setdefault(bundle.outbox, []).append(bundle)
        for outbox, bundles in by_outbox.items():
            self.return_parcels(outbox, bundles)
        self._events.retried(by_outbox, [RecordResponse(error_code=OTHER_SHARD_CODE)] * len(stored))


def _count_records(stored: Iterable[StoredBundle]) -> int:
    return sum(count_records(bundle) for bundle, _, _ in stored)

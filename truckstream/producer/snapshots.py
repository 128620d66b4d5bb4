"""Takes the snapshots of the statistics, from the parts of the core."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, fields
from operator import attrgetter
from typing import TYPE_CHECKING

from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND
from truckstream.producer.stats import Counters, ProducerStats

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from truckstream.producer.outcomes.settlement import Settlement
    from truckstream.producer.queueing.arrivals import Arrivals
    from truckstream.producer.queueing.buffer_budget import BufferBudget
    from truckstream.producer.queueing.outbox import Outbox
    from truckstream.producer.queueing.request import Request
    from truckstream.producer.routing.relocation import Relocation
    from truckstream.producer.routing.router import Router
    from truckstream.producer.stats import ShardStats

__all__ = ["Snapshots"]


_counts: Callable[[Counters], tuple[int, ...]] = attrgetter(*(field.name for field in fields(Counters)))


class Snapshots:
    """Takes snapshots of the statistics.

    An observer gets one each second. While nothing happens it is the same one, because a new one looks at every shard.
    """

    def __init__(
        self,
        router: Router,
        relocation: Relocation,
        settlement: Settlement,
        counters: Counters,
        budget: BufferBudget,
        arrivals: Arrivals,
    ) -> None:
        self._router = router
        self._relocation = relocation
        self._settlement = settlement
        self._counters = counters
        self._budget = budget
        self._arrivals = arrivals
        self._last: ProducerStats | None = None
        # Differs if anything has happened since.
        self._last_mark: object = None

    def take(self, in_flight: Collection[Request], now: float) -> ProducerStats:
        """Return the statistics; the records of `in_flight` are on their way."""
        counters, pending = self._counters, self._settlement.epochs.pending + self._arrivals.records
        mark = (pending, len(in_flight), self._budget.used_bytes, self._router.shard_ids, _counts(counters))
        if self._last and mark == self._last_mark and not in_flight:
            return self._last
        records_in_flight = sum(request.records for request in in_flight)
        shards = self._shards(in_flight, now)
        stats = ProducerStats(
            buffered=pending - records_in_flight,
            buffered_bytes=self._budget.used_bytes,
            in_flight=records_in_flight,
            requests_in_flight=len(in_flight),
            put=pending + counters.acked + counters.failed,
            shards=shards,
            **asdict(counters),
        )
        # A rate that a shard's throttles lowered grows again without any record, and records move after a reshard.
        is_moving = self._relocation.outboxes or self._relocation.fronts
        self._last = stats if not is_moving and all(map(_has_full_rate, shards.values())) else None
        self._last_mark = mark
        return stats

    def _shards(self, in_flight: Collection[Request], now: float) -> dict[str | None, ShardStats]:
        waiting: Counter[Outbox] = Counter()
        for front in (*(group.front for group in self._router.groups), *self._relocation.fronts):
            waiting.update(front.count_by_outbox())
        sent: Counter[Outbox] = Counter()
        for request in in_flight:
            sent.update(request.records_by_outbox())
        acked = self._settlement.acked
        outboxes = [box for box in self._relocation.outboxes if box.waiting or box in waiting]
        outboxes += (
            box
            for box in self._router.outboxes
            if box.shard_id is not None or box.waiting or box in waiting or box in sent or box in acked
        )
        return {
            box.shard_id: box.stats(
                now, in_front=waiting.get(box, 0), in_flight=sent.get(box, 0), acked=acked.get(box, 0)
            )
            for box in outboxes
        }


def _has_full_rate(stats: ShardStats) -> bool:
    return stats.records_per_second is None or stats.records_per_second >= SHARD_RECORDS_PER_SECOND

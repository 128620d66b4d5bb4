"""Producers' cores against shards with the service's quotas, on simulated time: a minute passes in a second.

The quotas are those of the local Kinesis, which shares no code with the producer.
"""

from __future__ import annotations

import heapq
import itertools
from random import Random
from typing import TYPE_CHECKING, Any

from tests.producer.support import put
from truckstream.kinesis.responses import RecordResponse, StreamSummary
from truckstream.kinesis.shard_map import Shard, ShardMap
from truckstream.local.service.quotas.shard_quota import WriteQuota
from truckstream.producer.core import ProducerCore
from truckstream.producer.options import ProducerOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from truckstream.producer.queueing.request import Request

RECORD = bytes(498)
THROTTLED = RecordResponse(
    error_code="ProvisionedThroughputExceededException", error_message="Rate exceeded for shard …"
)


class QuotaService:
    """Shards that throttle records over their quotas; `scale` multiplies the quotas."""

    def __init__(self, shards: Sequence[Shard], *, scale: float = 1.0) -> None:
        self.shards = ShardMap(shards)
        self.quotas = {shard.shard_id: WriteQuota(0.0) for shard in shards}
        self.scale = scale
        self._numbers = itertools.count(1)

    def respond(self, request: Request, now: float) -> list[RecordResponse]:
        for quota in self.quotas.values():
            quota.refill(now * self.scale)
        return [self._respond(parcel) for parcel in request.parcels]

    def _respond(self, parcel: Any) -> RecordResponse:
        shard_id = parcel.outbox.shard_id
        if not self.quotas[shard_id].take(parcel.size):
            return THROTTLED
        return RecordResponse(shard_id=shard_id, sequence_number=str(next(self._numbers)))


class Feeder:
    """One producer that always has a backlog for every shard."""

    def __init__(
        self,
        number: int,
        shards: Sequence[Shard],
        *,
        starts: float = 0.0,
        backlog: int = 1_500,
        on_demand: bool = False,
        trucks: int = 1,
        **options: Any,
    ) -> None:
        defaults = {"buffer_bytes": 64 << 20, "linger": 0.1, "delivery_timeout": 120.0, "max_in_flight": 10}
        self.core = ProducerCore(ProducerOptions(**defaults | options), Random(number))
        self.core.on_summary(StreamSummary(on_demand=on_demand))
        self.core.on_shards(shards, starts)
        self.starts = starts
        self.keys = [str(shard.starting_hash_key) for shard in shards]
        self.backlog = backlog
        self._trucks = itertools.cycle([f"TRUCK_{number:03}" for number in range(trucks)])

    def feed(self, now: float) -> None:
        for shard, key in zip(self.core.stats(now).shards.values(), self.keys, strict=False):
            for _ in range(self.backlog - shard.buffered - shard.in_flight):
                put(self.core, RECORD, now, next(self._trucks), key)


class Sample:
    """The producers' counters at one time."""

    def __init__(self, feeders: Sequence[Feeder], now: float) -> None:
        stats = [feeder.core.stats(now) for feeder in feeders]
        self.acked = [each.acked for each in stats]
        self.sent = sum(each.sent for each in stats)
        self.throttled = sum(each.throttled for each in stats)
        self.now = now

    def since(self, before: Sample) -> tuple[list[float], float]:
        seconds = self.now - before.now
        rates = [(now - then) / seconds for now, then in zip(self.acked, before.acked, strict=True)]
        return rates, (self.throttled - before.throttled) / (self.sent - before.sent)


def simulate(
    service: QuotaService,
    feeders: Sequence[Feeder],
    *,
    until: float,
    sample_at: Sequence[float],
    seed: int = 1,
    delay: float = 0.02,
) -> list[Sample]:
    """Run `feeders` against `service`; a `Sample` at each of `sample_at` and at the end."""
    dice, ties, samples = Random(seed), itertools.count(), []
    events = [(feeder.starts, next(ties), "feed", feeder, None) for feeder in feeders]
    events += [(at, next(ties), "sample", None, None) for at in (*sample_at, until)]
    heapq.heapify(events)

    def push(at: float, what: str, feeder: Feeder | None = None, request: Any = None) -> None:
        heapq.heappush(events, (at, next(ties), what, feeder, request))

    while len(samples) <= len(sample_at):
        now, _, what, feeder, request = heapq.heappop(events)
        if what == "sample":
            samples.append(Sample(feeders, now))
            continue
        if what == "arrive":
            request = (request, service.respond(request, now))
            push(now + delay / 2 * dice.uniform(0.5, 2), "respond", feeder, request)
            continue
        if what == "feed":
            feeder.feed(now)
            push(now + 0.05, "feed", feeder)
        if what == "respond":
            feeder.core.on_responses(*request, now)
            feeder.core.take_settled()
        for due in feeder.core.requests_due(now):
            push(now + delay / 2 * dice.uniform(0.5, 2), "arrive", feeder, due)
        if what != "feed" and (wakeup := feeder.core.next_wakeup(now)) is not None:
            push(max(wakeup, now + 1e-6), "wake", feeder)
    return samples

"""Producers' cores against shards with the service's quotas, on simulated time: a minute passes in a second.

The quotas are those of the local Kinesis, which shares no code with the producer.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

from tests.producer.support import hash_of, put
from truckstream.kinesis.responses import RecordResponse, StreamSummary
from truckstream.kinesis.shard_map import Shard, ShardMap
from truckstream.local.service.quotas.shard_quota import WriteQuota
from truckstream.producer.core import ProducerCore
from truckstream.producer.options import ProducerOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.producer.queueing.request import Request

RECORD = bytes(498)
THROTTLED = RecordResponse(
    error_code="ProvisionedThroughputExceededException", error_message="Rate exceeded for shard …"
)


class QuotaService:
    """Shards that throttle records over their quotas.

    `scale` multiplies the quotas. `refused` is the part of records that is throttled whatever the rate, at random.
    """

    def __init__(self, shards: Sequence[Shard], *, scale: float = 1.0, refused: float = 0.0, seed: int = 1) -> None:
        self.shards = ShardMap(shards)
        self.quotas = {shard.shard_id: WriteQuota(0.0) for shard in shards}
        self.scale = scale
        self._refused = refused
        self._dice = Random(seed)
        self._numbers = itertools.count(1)

    def respond(self, request: Request, now: float) -> list[RecordResponse]:
        return [self._respond(parcel, now) for parcel in request.parcels]

    def take(self, shard_id: str, size: int, now: float) -> bool:
        """Store a record of `size` bytes, if the quota allows it."""
        quota = self.quotas[shard_id]
        quota.refill(now * self.scale)
        return quota.take(size)

    def _respond(self, parcel: Any, now: float) -> RecordResponse:
        shard_id = parcel.outbox.shard_id or self._shard_of(parcel)
        if self._dice.random() < self._refused or not self.take(shard_id, parcel.size, now):
            return THROTTLED
        return RecordResponse(shard_id=shard_id, sequence_number=str(next(self._numbers)))

    def _shard_of(self, parcel: Any) -> str:
        shard = self.shards.shard_of(hash_of(parcel.partition_key, parcel.explicit_hash_key))
        assert shard is not None
        return shard.shard_id


class UnpacedWriter:
    """Another program that writes to the first shard, without pacing, and sends what was throttled again at once.

    It sends requests of 500 records, one about each `pause` seconds, from `starts` to `ends`. As measured with botocore
    and the local Kinesis, the time between two varies (nine in ten are between half of the usual time and twice as
    much), and while the service handles one, requests of others wait.
    """

    #: How long the service is busy with one of its requests.
    SERVED_SECONDS = 0.003

    def __init__(self, *, pause: float, starts: float = 0.0, ends: float = math.inf) -> None:
        self.pause = pause
        self.starts = starts
        self.ends = ends
        self.stored = 0

    def write(self, service: QuotaService, now: float) -> None:
        shard_id = service.shards.shards[0].shard_id
        self.stored += sum(service.take(shard_id, len(RECORD), now) for _ in range(500))


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
        listed: bool = True,
        trucks: int = 1,
        **options: Any,
    ) -> None:
        defaults = {"buffer_bytes": 64 << 20, "linger": 0.1, "delivery_timeout": 120.0, "max_in_flight": 10}
        self.core = ProducerCore(ProducerOptions(**defaults | options), Random(number))
        self.core.on_summary(StreamSummary(on_demand=on_demand))
        if listed:
            self.core.on_shards(shards, starts)
        self.starts = starts
        #: The time of the next wake-up that was set.
        self.wakes_at = math.inf
        # Outboxes and keys: without a list of shards, one outbox has the records of all.
        self.keys = [(shard.shard_id if listed else None, str(shard.starting_hash_key)) for shard in shards]
        self._keys_of = Counter(shard_id for shard_id, _ in self.keys)
        self.backlog = backlog
        self._trucks = itertools.cycle([f"TRUCK_{number:03}" for number in range(trucks)])

    def feed(self, now: float) -> None:
        stats = self.core.stats(now).shards
        for shard_id, key in self.keys:
            queued = stats[shard_id].buffered + stats[shard_id].in_flight if shard_id in stats else 0
            for _ in range(self.backlog - queued // self._keys_of[shard_id]):
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
    writers: Sequence[UnpacedWriter] = (),
) -> list[Sample]:
    """Run `feeders` and `writers` against `service`; a `Sample` at each of `sample_at` and at the end."""
    simulation = Simulation(service, Random(seed), delay)
    for feeder in feeders:
        simulation.at(feeder.starts, simulation.feed, feeder)
    for writer in writers:
        simulation.at(writer.starts, simulation.write, writer)
    samples: list[Sample] = []
    for at in (*sample_at, until):
        simulation.run(at)
        samples.append(Sample(feeders, at))
    return samples


class Simulation:
    """Events on a clock of their own. A request arrives, and its response returns, after about half of `delay` each."""

    def __init__(self, service: QuotaService, dice: Random, delay: float) -> None:
        self.now = 0.0
        self._service = service
        self._dice = dice
        self._delay = delay
        self._busy_until = 0.0
        self._ties = itertools.count()
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []

    def at(self, time: float, what: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self._events, (time, next(self._ties), what, arguments))

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, what, arguments = heapq.heappop(self._events)
            what(*arguments)

    def feed(self, feeder: Feeder) -> None:
        feeder.feed(self.now)
        self.at(self.now + 0.05, self.feed, feeder)
        self._pump(feeder)

    def write(self, writer: UnpacedWriter) -> None:
        writer.write(self._service, self.now)
        self._busy_until = self.now + writer.SERVED_SECONDS
        if self.now + writer.pause < writer.ends:
            self.at(self.now + writer.pause * self._dice.lognormvariate(0.0, 0.4), self.write, writer)

    def _pump(self, feeder: Feeder) -> None:
        for request in feeder.core.requests_due(self.now):
            self.at(self._later(), self._arrive, feeder, request)
        wakeup = feeder.core.next_wakeup(self.now)
        if wakeup is not None and wakeup < feeder.wakes_at:
            feeder.wakes_at = max(wakeup, self.now + 1e-6)
            self.at(feeder.wakes_at, self._wake, feeder)

    def _wake(self, feeder: Feeder) -> None:
        if feeder.wakes_at == self.now:  # or an earlier wake-up has set another
            feeder.wakes_at = math.inf
            self._pump(feeder)

    def _arrive(self, feeder: Feeder, request: Request) -> None:
        if self.now < self._busy_until:
            self.at(self._busy_until, self._arrive, feeder, request)
            return
        self.at(self._later(), self._return, feeder, request, self._service.respond(request, self.now))

    def _return(self, feeder: Feeder, request: Request, responses: list[RecordResponse]) -> None:
        feeder.core.on_responses(request, responses, self.now)
        feeder.core.take_settled()
        if feeder.core.start_listing(self.now):  # responses name shards that the producer may not list
            feeder.core.on_shards_failure(self.now)
        self._pump(feeder)

    def _later(self) -> float:
        return self.now + self._delay / 2 * self._dice.uniform(0.5, 2)

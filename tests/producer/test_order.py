"""While nothing fails, records of one key are stored in the order of put, whatever the responses' times are."""

import heapq
import itertools
from collections import Counter, defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.producer.support import Service, even_shards, put
from truckstream.producer.core import ProducerCore
from truckstream.producer.options import ProducerOptions
from truckstream.producer.pacing.concurrency_limit import ConcurrencyLimit
from truckstream.producer.queueing.shard_group import OVERTAKEN_SECONDS


class Run:
    """A producer and a service that stores each request at any time before its response, on a clock of their own."""

    def __init__(self, seed, *, shards, slowest, **options):
        self.dice = Random(seed)
        defaults = {"buffer_bytes": 64 << 20, "linger": 0.1, "delivery_timeout": 120.0, "max_in_flight": 10}
        self.core = ProducerCore(ProducerOptions(**defaults | options), Random(seed))
        self.core.on_shards(even_shards(shards), 0.0)
        self.padding = bytes(60) if options.get("compression") else b""
        self.service, self.slowest = Service(even_shards(shards)), slowest
        self.events, self.ties, self.most_in_flight = [], itertools.count(), 0

    def at(self, time, what, *arguments):
        heapq.heappush(self.events, (time, next(self.ties), what, arguments))

    def put(self, now, key, number):
        put(self.core, number.to_bytes(4, "big") + self.padding, now, key)
        self.pump(now)

    def pump(self, now):
        for request in self.core.requests_due(now):
            stored_at, responded_at = sorted(now + self.dice.uniform(0, self.slowest) for _ in range(2))
            self.at(stored_at, self.store, request, responded_at)
        wakeup = self.core.next_wakeup(now)
        if wakeup is not None:
            self.at(wakeup, self.pump)
        self.most_in_flight = max(self.most_in_flight, self.core.stats(now).requests_in_flight)

    def store(self, _now, request, responded_at):
        self.at(responded_at, self.respond, request, self.service.respond(request))

    def respond(self, now, request, responses):
        self.core.on_responses(request, responses, now)
        self.core.take_settled()
        self.pump(now)

    def run(self, records, keys, seconds):
        """Put `records` records during `seconds`, and return the numbers that each key has in the stream."""
        for number, at in enumerate(sorted(self.dice.uniform(0, seconds) for _ in range(records))):
            self.at(at, self.put, self.dice.choice(keys), number)
        last_pump = -1.0
        while self.events:
            now, _, what, arguments = heapq.heappop(self.events)
            if what == self.pump:
                if now == last_pump:
                    continue
                last_pump = now
            what(now, *arguments)
        assert len(self.service.stored) == records
        found = defaultdict(list)
        for _, _, members in self.service.log:
            for key, _, data in members:
                found[key].append(int.from_bytes(data[:4], "big"))
        return found


KEYS = [f"TRUCK_{number:03}" for number in range(40)]


@pytest.mark.parametrize(
    "options",
    [{}, {"aggregate": True}, {"aggregate": True, "compression": "zstd"}, {"max_in_flight": 2}],
    ids=str,
)
@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    shards=st.sampled_from([1, 2, 4, 30]),
    records=st.integers(1, 600),
    seconds=st.sampled_from([0.1, 1.0, 3.0]),
    keys=st.integers(1, 40),
    slowest=st.sampled_from([0.001, 0.05, OVERTAKEN_SECONDS - 0.01]),
)
def test_records_of_a_key_keep_the_order_of_put(options, seed, shards, records, seconds, keys, slowest):
    run = Run(seed, shards=shards, slowest=slowest, max_batch_records=50, **options)
    found = run.run(records, KEYS[:keys], seconds)
    assert all(numbers == sorted(numbers) for numbers in found.values())


def test_requests_of_several_shards_are_in_flight_together():
    """Otherwise the order would cost the speed of all shards but one."""
    run = Run(1, shards=8, slowest=0.3)
    run.run(8_000, KEYS, 2.0)
    assert run.most_in_flight >= 4


def test_a_request_of_more_than_half_a_second_is_overtaken():
    """The shard would lose a part of its quota otherwise."""
    run = Run(1, shards=1, slowest=2.0)
    found = run.run(600, KEYS[:2], 3.0)
    assert any(numbers != sorted(numbers) for numbers in found.values())


def test_busy_shards_take_turns_however_many_idle_ones_lie_between():
    """A request is full with the records of one group. Only one is in flight, because the service was in trouble."""
    options = ProducerOptions(
        buffer_bytes=64 << 20, linger=0.0, delivery_timeout=120.0, max_in_flight=64, max_batch_records=10
    )
    core = ProducerCore(options, Random(1))
    core.on_shards(even_shards(64), 0.0)
    core._concurrency = ConcurrencyLimit(1, core._backoff)
    for _ in range(200):
        for shard in (5, 6):
            put(core, b"x", 0.0, explicit_hash_key=str(2**122 * shard))
    turns = Counter()
    for _ in range(20):
        [request] = core.requests_due(0.1)
        turns.update(outbox.shard_id for outbox in request.parcels_by_outbox())
        core.on_responses(request, Service(even_shards(64)).respond(request), 0.1)
    assert sorted(turns.values()) == [10, 10]


def test_without_pacing_requests_do_not_wait_for_each_other():
    run = Run(1, shards=1, slowest=0.3, pacing=False, max_batch_records=50)
    run.run(2_000, KEYS, 0.5)
    assert run.most_in_flight >= 4

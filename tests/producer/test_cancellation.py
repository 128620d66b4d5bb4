"""Tasks that put, flush and await are cancelled at random: nothing leaks, and every count adds up."""

import asyncio
import contextlib
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import virtual_time
from tests.producer.shell import Client, request_error
from tests.producer.support import even_shards, throttled
from tests.producer.watching.test_observer import Recorder
from truckstream.errors import BufferFullError, DeliveryErrorGroup, ProducerClosedError
from truckstream.kinesis.failures import FailureKind
from truckstream.producer import Producer


class Crowd:
    """Tasks that use one producer, while its service fails at random and the tasks are cancelled."""

    def __init__(self, seed, options):
        self.dice = Random(seed)
        self.client = Client(shards=2)
        self.watcher = Recorder()
        self.producer = Producer(
            self.client, observer=self.watcher, buffer_bytes=8_000, delivery_timeout=20.0, linger=0.05, **options
        )
        self.deliveries = []
        self.client.put_records, self.store = self.put_records, self.client.put_records

    async def put_records(self, records):
        self.client.latency = self.dice.choice([None, 0.01, 1.0])
        chance = self.dice.random()
        if chance < 0.2:
            await asyncio.sleep(0.01)
            raise request_error("Any", self.dice.choice(list(FailureKind)))
        if chance < 0.4:
            return [throttled() if self.dice.random() < 0.5 else self.client.service.store(each) for each in records]
        return await self.store(records)

    async def member(self):
        with contextlib.suppress(ProducerClosedError, DeliveryErrorGroup, BufferFullError):
            for _ in range(self.dice.randrange(1, 6)):
                await self.act(f"TRUCK_{self.dice.randrange(6)}")

    async def act(self, key):
        what = self.dice.randrange(6)
        if what == 0:
            self.deliveries.append(self.producer.try_put(b"x", key))
        elif what == 1:
            self.deliveries.append(await self.producer.put(bytes(self.dice.randrange(2_000)), key))
        elif what == 2:
            self.deliveries += await self.producer.put_many([(b"many", key)] * self.dice.randrange(20))
        elif what == 3:
            await self.producer.flush()
        elif what == 4 and self.deliveries:
            await asyncio.gather(self.dice.choice(self.deliveries), return_exceptions=True)
        else:
            await asyncio.sleep(self.dice.random())

    async def live(self):
        await self.producer.open()
        tasks = []
        for turn in range(60):
            tasks.append(asyncio.create_task(self.member()))
            await asyncio.sleep(self.dice.choice([0, 0, 0.01, 0.3]))
            for _ in range(self.dice.randrange(3)):
                self.dice.choice(tasks).cancel()
            if turn == 30:
                self.client.service.shards.__init__(even_shards(3, first=10))
                self.client.listed = even_shards(3, first=10)
        closing = asyncio.create_task(self.producer.close(self.dice.choice([None, 0, 1.0])))
        if self.dice.random() < 0.3:
            await asyncio.sleep(self.dice.random())
            closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        async with asyncio.timeout(10.0):
            await asyncio.gather(*tasks, return_exceptions=True)

    def assert_true(self):
        stats = self.producer.stats
        assert (stats.buffered, stats.in_flight, stats.requests_in_flight, stats.buffered_bytes) == (0, 0, 0, 0)
        assert stats.put == stats.acked + stats.failed >= len(self.deliveries)
        assert all(delivery.done() and not delivery.waiters for delivery in self.deliveries)
        counts = {kind: sum(event.records for event in self.watcher.of(kind)) for kind in KINDS}
        assert counts == {
            "RecordsAcknowledged": stats.acked,
            "RecordsFailed": stats.failed,
            "RecordsThrottled": stats.throttled,
        }
        assert len(self.watcher.of("BatchSent")) == stats.requests
        assert not self.producer._tasks


KINDS = ("RecordsAcknowledged", "RecordsFailed", "RecordsThrottled")


modes = pytest.mark.parametrize(
    "options", [{}, {"ordered": True}, {"aggregate": True}, {"ordered": True, "aggregate": True}]
)


def check_history(options, seed):
    crowd = Crowd(seed, options)

    async def main():
        await crowd.live()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual_time.run(main())
    crowd.assert_true()


@modes
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_cancelled_tasks_leak_nothing_and_every_count_adds_up(options, seed):
    check_history(options, seed)


@pytest.mark.slow
@modes
@settings(max_examples=100)
@given(seed=st.integers(0, 2**32))
def test_cancelled_tasks_leak_nothing_in_more_histories(options, seed):
    check_history(options, seed)

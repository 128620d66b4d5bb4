"""Room in the buffer under random puts, cancellations and responses: never exceeded or lost, granted in order."""

import asyncio
import contextlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import virtual_time
from tests.producer.shell import Client, request_error
from tests.producer.support import failed_inside, throttled
from truckstream.errors import BufferFullError, DeliveryErrorGroup, ProducerClosedError
from truckstream.kinesis.failures import FailureKind
from truckstream.producer import Producer
from truckstream.producer.queueing.buffer_budget import cost_of

BUFFER_BYTES = 6_000
SIZES = st.sampled_from([0, 1, 100, 500, 1_500, 3_000])
KEYS = st.sampled_from(["a", "b", "c"])

STEPS = st.one_of(
    st.tuples(st.just("put"), SIZES, KEYS),
    st.tuples(st.just("try_put"), SIZES, KEYS),
    st.tuples(st.just("cancel"), st.integers(0, 50)),
    st.tuples(st.just("cancel_all")),
    st.tuples(st.just("sleep"), st.sampled_from([0.0, 0.001, 0.05, 0.3, 3.0])),
    st.tuples(st.just("flush")),
    st.tuples(st.just("respond"), st.sampled_from(["throttle", "fail", "ambiguous", "slow", "permanent", "poison"])),
)


def responses_of(client):
    """Return the effect of each "respond" step on the client's next request."""

    async def slow(records):
        await asyncio.sleep(8.0)
        return [client.service.store(record) for record in records]

    return {
        "throttle": lambda records: [throttled() for _ in records],
        "fail": lambda records: [failed_inside(), *map(client.service.store, records[1:])],
        "ambiguous": request_error("ReadTimeout", FailureKind.AMBIGUOUS),
        "permanent": request_error("AccessDeniedException"),
        "poison": request_error("ValidationException", FailureKind.POISONED),
        "slow": slow,
    }


class Callers:
    """One producer, the callers that wait for room, and their deliveries."""

    def __init__(self, producer, client):
        self.producer = producer
        self.client = client
        self.responses = responses_of(client)
        self.deliveries = []
        #: The callers in the order in which they came, and in which they got room.
        self.waiting = []
        self.came = []
        self.served = []

    async def put(self, size, key):
        number = len(self.came)
        self.came.append(number)

        async def put():
            delivery = await self.producer.put(bytes(size), key)
            self.served.append(number)
            self.deliveries.append(delivery)

        self.waiting.append(asyncio.create_task(put()))
        await asyncio.sleep(0)

    async def try_put(self, size, key):
        anybody_waits = bool(self.producer._buffer_waiters.callers)
        free = self.producer._core.budget.free_bytes
        try:
            self.deliveries.append(self.producer.try_put(bytes(size), key))
        except BufferFullError:
            assert anybody_waits or free < cost_of(size + 1)
        else:
            assert not anybody_waits

    async def cancel(self, number):
        unfinished = [task for task in self.waiting if not task.done()]
        if unfinished:
            unfinished[number % len(unfinished)].cancel()

    async def cancel_all(self):
        for task in self.waiting:
            task.cancel()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)

    async def flush(self):
        self.waiting.append(asyncio.create_task(self._flush()))

    async def _flush(self):
        with contextlib.suppress(DeliveryErrorGroup):
            await self.producer.flush()

    async def respond(self, name):
        self.client.script.append(self.responses[name])

    def check(self):
        stats = self.producer.stats
        unsettled = [delivery for delivery in self.deliveries if not delivery.done()]
        assert 0 <= stats.buffered_bytes <= BUFFER_BYTES
        assert stats.buffered_bytes >= sum(delivery.cost for delivery in unsettled)
        assert stats.put == stats.acked + stats.failed + stats.buffered + stats.in_flight


@settings(max_examples=300)
@given(
    steps=st.lists(STEPS, min_size=3, max_size=60),
    ending=st.sampled_from([None, 0.0, 2.0]),
    options=st.fixed_dictionaries({"ordered": st.booleans(), "aggregate": st.booleans(), "pacing": st.booleans()}),
)
def test_room_is_never_exceeded_never_lost_and_granted_in_order(steps, ending, options):
    async def main():
        client = Client()
        producer = Producer(client, buffer_bytes=BUFFER_BYTES, delivery_timeout=20.0, max_in_flight=3, **options)
        await producer.open()
        callers = Callers(producer, client)
        for name, *arguments in steps:
            await getattr(callers, name)(*arguments)
            callers.check()
        await producer.close(ending)
        results = await asyncio.gather(*callers.waiting, return_exceptions=True)
        for result in results:
            assert result is None or isinstance(result, (asyncio.CancelledError, ProducerClosedError)), result
        callers.check()
        stats = producer.stats
        assert (stats.buffered_bytes, stats.buffered, stats.in_flight, stats.requests_in_flight) == (0, 0, 0, 0)
        assert all(delivery.done() for delivery in callers.deliveries)
        assert stats.acked == sum(delivery.error is None for delivery in callers.deliveries)
        assert callers.served == sorted(callers.served)

    virtual_time.run(main())


def test_a_caller_that_stops_waiting_lets_the_next_one_in_at_once():
    async def main():
        client = Client()
        client.latency = 5.0
        async with Producer(client, buffer_bytes=BUFFER_BYTES, linger=0.0) as producer:
            await producer.put(bytes(3_000), "key")
            large = asyncio.create_task(producer.put(bytes(3_000), "key"))
            small = asyncio.create_task(producer.put(b"small", "key"))
            await asyncio.sleep(0.1)
            large.cancel()
            await asyncio.wait_for(small, 0.1)

    virtual_time.run(main())


def test_all_waiting_callers_may_stop_in_the_same_turn():
    async def main():
        async with Producer(Client(), buffer_bytes=BUFFER_BYTES, linger=50.0) as producer:
            await producer.put(bytes(3_000), "key")
            waiting = [asyncio.create_task(producer.put(bytes(size), "key")) for size in (3_000, 0, 3_000, 0)]
            await asyncio.sleep(0.1)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            assert all(task.cancelled() for task in waiting)
            assert producer.stats.buffered_bytes == cost_of(3_003)

    virtual_time.run(main())


def test_a_new_put_does_not_overtake_a_caller_whose_room_was_just_granted():
    """A cancelled caller passes its place on to the second, whose task runs after that of the newest put."""

    async def main():
        client = Client()
        async with Producer(client, buffer_bytes=BUFFER_BYTES, ordered=True) as producer:
            await producer.put(bytes(3_000), "key")
            head = asyncio.create_task(producer.put(bytes(3_000), "key"))
            second = asyncio.create_task(producer.put(b"second", "key"))
            await asyncio.sleep(0)
            head.cancel()
            newest = asyncio.create_task(producer.put(b"newest", "key"))
            await asyncio.gather(second, newest)
        assert [data for request in client.requests for data in request][1:] == [b"second", b"newest"]

    virtual_time.run(main())


def test_a_large_record_is_not_starved_by_small_ones():
    async def main():
        client = Client()
        client.latency = 0.1
        async with Producer(client, buffer_bytes=BUFFER_BYTES, linger=0.0, pacing=False) as producer:
            small = asyncio.create_task(keep_putting(producer))
            await asyncio.sleep(1.0)
            async with asyncio.timeout(1.0):
                await producer.put(bytes(3_000), "large")
            small.cancel()
            await asyncio.gather(small, return_exceptions=True)

    async def keep_putting(producer):
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(put_small_ones(producer))

    async def put_small_ones(producer):
        while True:
            await producer.put(b"small", "key")

    virtual_time.run(main())


def test_room_is_held_from_put_to_the_outcome_through_every_retry():
    async def main():
        client = Client()
        client.script = [
            lambda records: [throttled() for _ in records],
            request_error("ReadTimeout", FailureKind.AMBIGUOUS),
            request_error("ConnectError", FailureKind.NOT_SENT),
            lambda records: [failed_inside() for _ in records],
        ]
        async with Producer(client) as producer:
            delivery = await producer.put(bytes(1_000), "key")
            while not delivery.done():
                assert producer.stats.buffered_bytes == delivery.cost == cost_of(1_003)
                await asyncio.sleep(0.005)
            assert producer.stats.buffered_bytes == 0
            assert delivery.result().attempts == 5

    virtual_time.run(main())


@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"aggregate": True}])
def test_the_cost_of_records_covers_their_memory(options):
    async def main():
        async with Producer(Client(), linger=50.0, **options) as producer:
            await producer.put(b"", "key")
            before, costs = tracemalloc.get_traced_memory()[0], producer.stats.buffered_bytes
            for _ in range(1_000):
                producer.try_put(bytes(498), "key")
            taken = tracemalloc.get_traced_memory()[0] - before
            assert taken <= producer.stats.buffered_bytes - costs

    tracemalloc.start()
    try:
        virtual_time.run(main())
    finally:
        tracemalloc.stop()

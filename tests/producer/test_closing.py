"""Closing, cancelling, other loops and other processes: a clear error or a clean end, and never a hang."""

import asyncio
import concurrent.futures
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import virtual_time
from tests.producer.shell import KEY, Client, on_virtual_time, request_error
from tests.producer.support import even_shards, throttled
from truckstream.errors import (
    DeliveryError,
    DeliveryErrorGroup,
    InvalidArgumentError,
    ProducerClosedError,
    WrongEventLoopError,
)
from truckstream.kinesis.failures import FailureKind
from truckstream.producer import Producer, ProducerObserver
from truckstream.producer.producer import PUTS_PER_TURN
from truckstream.producer.queueing.buffer_budget import cost_of

ROOT = Path(__file__).parents[2]


# --- Cancellation -----------------------------------------------------------------------------------


@on_virtual_time
async def test_records_survive_a_program_that_cancels_every_task():
    """A common way to stop a program. The records of a cancelled request may be stored, and are sent again."""
    client = Client()
    client.latency = 1.0
    async with Producer(client, linger=0.0) as producer:
        delivery = await producer.put(b"a", KEY)
        await asyncio.sleep(0.5)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        ack = await delivery
        assert (ack.attempts, ack.maybe_duplicate) == (2, True)
        assert producer.stats.requests_in_flight == 0


@on_virtual_time
async def test_a_request_that_is_cancelled_before_its_task_began_is_sent_again():
    """The loop creates the task in one turn and runs it in the next."""
    client = Client()
    async with Producer(client, linger=0.0) as producer:
        delivery = await producer.put(b"a", KEY)
        await asyncio.sleep(0)
        [task] = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
        assert (await asyncio.wait_for(delivery, 10.0)).attempts == 2
    assert client.service.stored == [b"a"]


@on_virtual_time
async def test_a_listing_that_is_cancelled_or_broken_is_repeated():
    client = Client()
    async with Producer(client, linger=0.0) as producer:
        client.service.shards.__init__(even_shards(2, first=1))
        listed = ["hangs", TypeError("a defect"), even_shards(2, first=1)]

        async def list_shards():
            step = listed.pop(0)
            if isinstance(step, Exception):
                raise step
            if step == "hangs":
                await asyncio.sleep(1_000)
            return step

        client.list_shards = list_shards
        await (await producer.put(b"a", KEY))
        await asyncio.sleep(1.5)
        [listing] = asyncio.all_tasks() - {asyncio.current_task()}
        listing.cancel()
        for _ in range(10):
            await (await producer.put(b"a", KEY))
            await asyncio.sleep(2.0)
        assert producer.shard_of(KEY) == "shardId-000000000002"
        assert not listed


@on_virtual_time
async def test_a_reshard_while_closing_neither_spins_nor_hangs():
    client = Client()
    client.latency = 1.0
    producer = Producer(client, max_in_flight=1, max_batch_records=10, pacing=False)
    await producer.open()
    deliveries = await producer.put_many((b"%d" % index, f"TRUCK_{index}") for index in range(100))
    client.service.shards.__init__(even_shards(2, first=1))
    client.listed = even_shards(2, first=1)
    await producer.close()
    assert {delivery.result().shard_id for delivery in deliveries} == {"shardId-000000000001", "shardId-000000000002"}
    assert set(producer.stats.shards) >= {"shardId-000000000001", "shardId-000000000002"}


@on_virtual_time
async def test_a_close_that_is_cancelled_twice_still_lets_go():
    client = Client()
    client.latency = 1_000.0
    stubborn = asyncio.Event()

    async def put_records(_records):
        try:
            await asyncio.sleep(1_000)
        except asyncio.CancelledError:
            await stubborn.wait()
            raise

    client.put_records = put_records
    producer = Producer(client, linger=0.0)
    await producer.open()
    delivery = await producer.put(b"a", KEY)
    await asyncio.sleep(1.0)
    closing = asyncio.create_task(producer.close())
    second = asyncio.create_task(producer.close())
    for _ in range(2):
        await asyncio.sleep(1.0)
        closing.cancel()
    await asyncio.sleep(1.0)
    assert (closing.cancelled(), client.closed, delivery.done()) == (True, True, True)
    assert (await second).failed == 1
    stubborn.set()
    await asyncio.sleep(0)


@on_virtual_time
async def test_cancelling_flush_leaves_the_records_and_other_flushes_alone():
    client = Client()
    client.latency = 5.0
    async with Producer(client) as producer:
        delivery = await producer.put(b"a", KEY)
        cancelled, other = asyncio.create_task(producer.flush()), asyncio.create_task(producer.flush())
        await asyncio.sleep(1.0)
        cancelled.cancel()
        await other
        assert cancelled.cancelled()
        assert delivery.result()


@on_virtual_time
async def test_put_many_that_is_cancelled_has_put_a_prefix():
    client = Client()
    cost = cost_of(1 + len(KEY))
    async with Producer(client, buffer_bytes=3 * cost) as producer:
        client.put_records, working = _unreachable, client.put_records
        putting = asyncio.create_task(producer.put_many((b"%d" % index, KEY) for index in range(10)))
        await asyncio.sleep(1.0)
        putting.cancel()
        await asyncio.gather(putting, return_exceptions=True)
        client.put_records = working
    assert client.service.stored == [b"0", b"1", b"2"]
    assert (producer.stats.put, producer.stats.buffered_bytes) == (3, 0)


async def _unreachable(_records):
    raise request_error("ConnectError", FailureKind.NOT_SENT)


async def _opening():
    """A producer whose open() has waited a second for a listing of the shards that does not end."""
    client = Client()

    async def list_shards():
        await asyncio.sleep(1_000)

    client.list_shards = list_shards
    producer = Producer(client)
    opening = asyncio.create_task(producer.open())
    await asyncio.sleep(1.0)
    return client, producer, opening


@on_virtual_time
async def test_opening_can_be_cancelled_and_lets_go():
    client, producer, opening = await _opening()
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)
    assert (opening.cancelled(), client.closed) == (True, True)
    await producer.close()
    with pytest.raises(ProducerClosedError):
        await producer.put(b"a", KEY)


@on_virtual_time
async def test_closing_while_it_opens_ends_the_opening():
    client, producer, opening = await _opening()
    await producer.close()
    with pytest.raises(ProducerClosedError, match="while it was opening"):
        await opening
    assert client.closed
    assert asyncio.get_running_loop().time() == pytest.approx(1.0)


@pytest.mark.parametrize("turns", range(6))
@on_virtual_time
async def test_a_close_at_any_turn_of_an_opening_ends_all_of_it(turns):
    """Also in the turn between the last response and the end of `open`."""
    listing, samples = asyncio.Event(), []
    client = Client()

    async def list_shards():
        await listing.wait()
        return even_shards(1)

    class Watcher(ProducerObserver):
        def stats_sampled(self, event):
            samples.append((asyncio.get_running_loop().time(), event.is_last))

    client.list_shards = list_shards
    producer = Producer(client, observer=Watcher())
    opening = asyncio.create_task(producer.open())
    await asyncio.sleep(1.0)
    listing.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    await producer.close()
    [ended] = await asyncio.gather(opening, return_exceptions=True)
    await asyncio.sleep(5.0)
    assert ended is None or "while it was opening" in str(ended)
    assert samples[-1] == (1.0, True)
    assert [is_last for _, is_last in samples].count(True) == 1
    assert client.closed


@on_virtual_time
async def test_a_producer_that_is_still_opening_takes_no_records():
    client = Client()

    async def list_shards():
        await asyncio.sleep(5.0)
        return even_shards(1)

    client.list_shards = list_shards
    producer = Producer(client)
    opening = asyncio.create_task(producer.open())
    await asyncio.sleep(1.0)
    for use in (producer.put(b"a", KEY), producer.put_many([(b"a", KEY)]), producer.flush()):
        with pytest.raises(ProducerClosedError, match="not open"):
            await use
    with pytest.raises(ProducerClosedError, match="only once"):
        await producer.open()
    assert "not open" in repr(producer)
    await opening
    assert await (await producer.put(b"a", KEY))
    await producer.close()


@on_virtual_time
async def test_a_second_close_with_a_timeout_gives_up_the_records_that_the_first_waits_for():
    client = Client()
    client.put_records = _unreachable
    producer = Producer(client)
    await producer.open()
    delivery = await producer.put(b"a", KEY)
    first = asyncio.create_task(producer.close())
    await asyncio.sleep(2.0)
    stats = await producer.close(timeout=1.0)
    assert (stats.failed, stats.buffered_bytes, client.closed) == (1, 0, True)
    assert (await first).failed == 1
    with pytest.raises(DeliveryError, match="closed before attempt"):
        delivery.result()
    assert asyncio.get_running_loop().time() == pytest.approx(3.0)


@on_virtual_time
async def test_leaving_by_an_error_delivers_the_records_and_keeps_the_error():
    client = Client()

    async def body():
        async with Producer(client, linger=50.0) as producer:
            await producer.put(b"a", KEY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert client.service.stored == [b"a"]


@on_virtual_time
async def test_leaving_by_a_timeout_during_an_outage_ends_when_the_records_do():
    client = Client()
    client.put_records = _unreachable

    async def body():
        async with asyncio.timeout(1.0), Producer(client, delivery_timeout=20.0) as producer:
            await producer.put(b"a", KEY)
            await asyncio.sleep(1_000)

    with pytest.raises(TimeoutError):
        await body()
    assert asyncio.get_running_loop().time() == pytest.approx(20.0, abs=1.0)


# --- Before opening and after closing -----------------------------------------------------------


@on_virtual_time
async def test_a_producer_that_was_never_opened_raises_and_can_be_closed():
    client = Client()
    producer = Producer(client)
    assert repr(producer).startswith("<Producer not open: 0 shards, 0 buffered")
    assert producer.stats.put == 0
    for use in (producer.put(b"a", KEY), producer.put_many([(b"a", KEY)]), producer.flush()):
        with pytest.raises(ProducerClosedError, match="not open: use it as"):
            await use
    with pytest.raises(ProducerClosedError, match="not open"):
        producer.try_put(b"a", KEY)
    assert (await producer.close(timeout=1.0)).put == 0
    with pytest.raises(ProducerClosedError, match="only once"):
        await producer.open()


@on_virtual_time
async def test_a_closed_producer_raises_and_its_deliveries_keep_their_outcome():
    producer = Producer(Client())
    async with producer:
        delivery = await producer.put(b"a", KEY)
    for use in (producer.put(b"a", KEY), producer.put_many([(b"a", KEY)]), producer.flush(), producer.open()):
        with pytest.raises(ProducerClosedError):
            await use
    with pytest.raises(ProducerClosedError, match="is closed"):
        producer.try_put(b"a", KEY)
    assert (await delivery).attempts == 1
    assert "closed" in repr(producer)
    assert (await producer.close()).acked == 1


@pytest.mark.parametrize("seconds", [-1, float("nan"), "10", True])
@on_virtual_time
async def test_an_invalid_timeout_is_rejected_and_closes_nothing(seconds):
    async with Producer(Client()) as producer:
        with pytest.raises(InvalidArgumentError, match="timeout is"):
            await producer.close(seconds)
        assert await (await producer.put(b"a", KEY))


@on_virtual_time
async def test_a_close_without_time_resolves_at_once():
    client = Client()
    client.latency = 1_000.0
    producer = Producer(client)
    await producer.open()
    deliveries = await producer.put_many([(b"x", KEY)] * 1_000)
    await producer.close(timeout=0)
    assert all(delivery.done() for delivery in deliveries)
    assert producer.stats.buffered_bytes == 0


# --- Another loop -------------------------------------------------------------------------------------


def uses(producer, delivery):
    """Every use of a producer that could wait, by name."""

    async def wait():
        return await delivery

    async def try_put():
        return producer.try_put(b"b", KEY)

    return {
        "put": lambda: producer.put(b"b", KEY),
        "put_many": lambda: producer.put_many([(b"b", KEY)]),
        "try_put": try_put,
        "flush": producer.flush,
        "close": producer.close,
        "delivery": wait,
    }


@pytest.mark.parametrize("use", ["put", "put_many", "try_put", "flush", "close", "delivery"])
def test_every_use_raises_after_the_loop_has_ended(use):
    made = {}

    async def open_and_forget():
        producer = Producer(Client(), linger=50.0)
        await producer.open()
        made.update(producer=producer, delivery=await producer.put(b"a", KEY))

    asyncio.run(open_and_forget())
    used = made["producer"].stats.buffered_bytes

    async def elsewhere():
        with pytest.raises(WrongEventLoopError, match="has ended without closing it"):
            await asyncio.wait_for(uses(made["producer"], made["delivery"])[use](), 10)

    asyncio.run(elsewhere())
    assert made["producer"].stats.buffered_bytes == used

    def forget():
        made.clear()
        gc.collect()

    with pytest.warns(ResourceWarning, match="never closed"):
        forget()


@pytest.mark.parametrize("use", ["put", "put_many", "try_put", "flush", "close", "delivery"])
def test_every_use_on_a_loop_of_another_thread_raises_and_does_no_harm(use):
    async def main():
        client = Client()
        async with Producer(client, linger=50.0) as producer:
            delivery = await producer.put(b"a", KEY)
            await asyncio.sleep(0.05)
            raised = await asyncio.to_thread(asyncio.run, caught(uses(producer, delivery)[use]))
            assert "another event loop or thread" in str(raised)
            assert (producer.stats.put, producer.stats.buffered_bytes) == (1, delivery.cost)
        assert client.service.stored == [b"a"]

    async def caught(use):
        with pytest.raises(WrongEventLoopError) as raised:
            await asyncio.wait_for(use(), 10)
        return raised.value

    asyncio.run(main())


@pytest.mark.parametrize("loop_of_thread", [False, True])
def test_a_thread_is_rejected_also_in_a_turn_that_has_put_records(loop_of_thread):
    """The first put of a turn schedules the sending; a check only there let later ones of a thread through."""

    async def main():
        client = Client()
        async with Producer(client, linger=50.0) as producer:
            await producer.put(b"a", KEY)

            async def on_its_loop():
                return producer.try_put(b"b", KEY)

            def in_thread():
                return asyncio.run(on_its_loop()) if loop_of_thread else producer.try_put(b"b", KEY)

            with concurrent.futures.ThreadPoolExecutor(1) as threads:
                assert isinstance(threads.submit(in_thread).exception(10), WrongEventLoopError)
        assert client.service.stored == [b"a"]

    asyncio.run(main())


def test_a_loop_that_was_stopped_in_a_turn_with_puts_is_missed_by_the_next_turn_at_the_latest():
    """Within a turn only the thread of a put is compared on Python 3.11, because asking for the loop takes too long."""
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    producer = Producer(Client(), linger=0.01)

    def put_and_stop():
        first.stop()
        producer.try_put(b"a", KEY)

    async def put_many():
        for _ in range(1_000):
            await producer.put(b"a", KEY)

    first.run_until_complete(producer.open())
    first.call_soon(put_and_stop)
    first.run_forever()
    with pytest.raises(WrongEventLoopError):
        second.run_until_complete(put_many())
    assert producer.stats.put <= PUTS_PER_TURN
    first.run_until_complete(producer.close())
    assert not producer.stats.buffered
    first.close()
    second.close()


def test_the_loop_may_go_on_in_another_thread():
    """A program may open the producer first, and then let a thread of its own run the loop."""
    loop = asyncio.new_event_loop()
    producer = Producer(client := Client(), linger=0.01)
    loop.run_until_complete(producer.open())

    async def use():
        await (await producer.put(b"a", KEY))
        await producer.put_many([(b"b", KEY)])
        await producer.close()

    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        threads.submit(loop.run_until_complete, use()).result(10)
    loop.close()
    assert client.service.stored == [b"a", b"b"]


def test_waiting_for_room_on_another_loop_raises():
    async def main():
        async with Producer(Client(), linger=50.0, buffer_bytes=cost_of(1 + len(KEY))) as producer:
            await producer.put(b"a", KEY)
            await asyncio.sleep(0.05)
            with pytest.raises(WrongEventLoopError):
                await asyncio.to_thread(asyncio.run, asyncio.wait_for(producer.put(b"b", KEY), 10))

    asyncio.run(main())


def test_from_a_thread_records_come_by_way_of_the_producers_loop():
    async def main():
        client = Client()
        async with Producer(client) as producer:
            loop = asyncio.get_running_loop()

            def work():
                delivery = asyncio.run_coroutine_threadsafe(producer.put(b"a", KEY), loop).result(10)
                return asyncio.run_coroutine_threadsafe(result_of(delivery), loop).result(10)

            assert (await asyncio.to_thread(work)).attempts == 1

    async def result_of(delivery):
        return await delivery

    asyncio.run(main())


def test_each_loop_may_have_a_producer_of_its_own():
    stored = []

    def work():
        async def main():
            client = Client()
            async with Producer(client) as producer:
                await producer.put_many([(b"x", KEY)] * 50)
            stored.extend(client.service.stored)

        asyncio.run(main())

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: work(), range(3)))
    assert len(stored) == 150


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="tasks cannot be eager before Python 3.12")
@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"aggregate": True}])
@on_virtual_time
async def test_tasks_may_be_eager_and_a_client_may_respond_without_waiting(options):
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    client = Client()
    client.latency = None
    client.script = [
        lambda records: [throttled() for _ in records],
        request_error("ReadTimeout", FailureKind.AMBIGUOUS),
    ] * 3
    async with Producer(client, pacing=False, max_batch_records=10, **options) as producer:
        await producer.put_many((b"%d" % index, f"TRUCK_{index % 20}") for index in range(10_000))
    assert len({*client.service.stored}) == producer.stats.acked == 10_000


# --- Another process ----------------------------------------------------------------------------------

IN_MEMORY = """
import asyncio, os, sys
from tests.producer.shell import KEY, Client
from truckstream.errors import DeliveryUnknownError, ProducerClosedError
from truckstream.producer import Producer

def expect(error, use, message):
    try:
        asyncio.run(asyncio.wait_for(use(), 10))
    except error as raised:
        assert message in str(raised), raised
    else:
        raise AssertionError("no error")

async def wait(delivery):
    return await delivery

async def try_put(producer):
    producer.try_put(b"b", KEY)

async def anew():
    client = Client()
    async with Producer(client) as producer:
        await producer.put(b"c", KEY)
    assert client.service.stored == [b"c"]

def in_child(producer, in_flight, waiting):
    for use in (lambda: producer.put(b"b", KEY), lambda: try_put(producer), producer.flush):
        expect(ProducerClosedError, use, "this process was forked")
    for delivery in (in_flight, waiting):
        assert delivery.done()
        expect(DeliveryUnknownError, lambda: wait(delivery), "its producer is in the parent")
    assert asyncio.run(producer.close()).buffered == 0
    asyncio.run(anew())

async def main():
    client = Client()
    client.latency = 0.5
    async with Producer(client, linger=0.0, max_in_flight=1) as producer:
        in_flight = await producer.put(b"a", KEY)
        await asyncio.sleep(0.1)
        waiting = await producer.put(b"b", KEY)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                in_child(producer, in_flight, waiting)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert (await in_flight).attempts == (await waiting).attempts == 1
    assert client.service.stored == [b"a", b"b"]
    print("both are well")

asyncio.run(main())
"""

ON_UVLOOP = IN_MEMORY.replace("import asyncio, os, sys", "import asyncio, os, sys, uvloop").replace(
    "\nasyncio.run(main())", "\nuvloop.run(main())"
)

OVER_HTTP = """
import asyncio, multiprocessing, sys
from truckstream import Producer
from truckstream.errors import ProducerClosedError
from truckstream.local import LocalKinesis

shared = {}

def work(endpoint_url):
    try:
        shared["producer"].try_put(b"theirs", "key")
    except ProducerClosedError:
        asyncio.run(anew(endpoint_url))

async def anew(endpoint_url):
    async with Producer("trucks", region_name="us-east-1", endpoint_url=endpoint_url, pacing=False) as producer:
        await producer.put_many((b"child %d" % index, str(index)) for index in range(100))

async def main():
    async with LocalKinesis(stream="trucks", own_process=True, quotas=False) as kinesis:
        url = kinesis.endpoint_url
        options = {"linger": 0.01, "pacing": False}
        async with Producer("trucks", region_name="us-east-1", endpoint_url=url, **options) as producer:
            shared["producer"] = producer
            deliveries = await producer.put_many((b"before %d" % index, str(index)) for index in range(2_000))
            child = multiprocessing.get_context("fork").Process(target=work, args=(url,))
            child.start()
            deliveries += await producer.put_many((b"after %d" % index, str(index)) for index in range(2_000))
            await asyncio.to_thread(child.join, 60)
            assert child.exitcode == 0, child.exitcode
            deliveries += await producer.put_many((b"later %d" % index, str(index)) for index in range(2_000))
            for delivery in deliveries:
                await delivery
        stored = sorted([record.data async for record in kinesis.stored()])
    expected = [b"%s %d" % (word, index) for word in (b"before", b"after", b"later") for index in range(2_000)]
    assert stored == sorted([*expected, *(b"child %d" % index for index in range(100))]), len(stored)
    print("both are well")

asyncio.run(main())
"""


@pytest.mark.timeout(150)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("script", [IN_MEMORY, ON_UVLOOP, OVER_HTTP], ids=["in memory", "uvloop", "over HTTP"])
def test_a_forked_process_raises_and_does_the_parent_no_harm(script, fake_credentials):
    del fake_credentials
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "both are well\n"), done.stderr


def test_a_producer_can_be_made_before_a_fork_and_opened_after_it():
    async def main():
        async with producer:
            return await (await producer.put(b"a", KEY))

    producer = Producer(Client())
    assert virtual_time.run(main()).attempts == 1


@on_virtual_time
async def test_failures_of_a_closed_producer_are_raised_once():
    client = Client()
    client.script = [request_error("AccessDeniedException")]
    producer = Producer(client)
    with pytest.raises(DeliveryErrorGroup):
        async with producer:
            await producer.put(b"a", KEY)
    await producer.close()

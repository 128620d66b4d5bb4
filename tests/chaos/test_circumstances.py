"""A producer in adverse circumstances: a shared quota, a deleted stream, an early close, a long outage."""

import asyncio
import contextlib
import tracemalloc

import pytest

from tests.chaos.support import MODES, ProducerHistory, on_put
from tests.chaos.test_faults import PLANS
from truckstream.errors import BufferFullError, StreamNotFoundError
from truckstream.local import FaultPlan, LocalKinesis
from truckstream.producer import Producer

pytestmark = [pytest.mark.usefixtures("fake_credentials"), pytest.mark.timeout(600)]


OTHER_MODES = [mode for mode in MODES if mode not in {"plain", "ordered-envelope"}]


@pytest.mark.parametrize("mode", ["plain", pytest.param("ordered", marks=pytest.mark.slow)])
@pytest.mark.parametrize("pacing", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_two_producers_share_the_quota(mode, pacing, seed):
    """Both are paced, or neither: then they send four times the shards' burst at once."""
    async with LocalKinesis(shards=2, quotas=1.0 if pacing else 0.5, own_process=True) as kinesis:
        histories = [ProducerHistory(kinesis, seed, mode, name=name, pacing=pacing) for name in range(2)]
        await asyncio.gather(*(history.run(3_000) for history in histories))
        for history in histories:
            await history.check()
            assert history.stats.failed == 0
        assert pacing or (await kinesis.stats()).records_throttled > 0


@pytest.mark.parametrize("mode", ["plain", pytest.param("ordered-aggregate", marks=pytest.mark.slow)])
async def test_the_stream_is_deleted_and_created_again(mode, seed, records):
    """The old stream's records are lost, and those sent while there was no stream. All later records are stored."""
    async with LocalKinesis(shards=3, quotas=False, own_process=True) as kinesis:
        history = ProducerHistory(kinesis, seed, mode)
        check_options = {}

        async def create_again():
            await kinesis.call("DeleteStream", StreamName=kinesis.stream_name)
            await asyncio.sleep(0.2)
            await kinesis.call("CreateStream", StreamName=kinesis.stream_name, ShardCount=5)
            check_options["lost_before"] = len(history.deliveries)

        try:
            await history.run(records // 4, halfway=create_again)
        except* StreamNotFoundError:
            pass
        await history.check(**check_options)
        shards = {delivery.result().shard_id for delivery in history.deliveries[-1_000:]}
    assert len(shards) == 5


@pytest.mark.parametrize("mode", ["plain", *(pytest.param(mode, marks=pytest.mark.slow) for mode in OTHER_MODES)])
async def test_closing_early_reports_every_record_that_may_be_stored(mode, seed, records):
    faults = FaultPlan(*PLANS["everything"], on_put("latency", seconds=0.1, jitter=0.9), seed=seed)
    async with LocalKinesis(shards=4, quotas=False, faults=faults, own_process=True) as kinesis:
        history = ProducerHistory(kinesis, seed, mode, buffer_bytes=64 << 20)
        producer = history.client.producer = Producer(history.client, **history.options)
        await producer.open()
        for number in range(records // 10):
            history.deliveries.append(producer.try_put(b"0/%d" % number, f"TRUCK_{number % 1_000}"))
        await asyncio.sleep(0.3)
        history.stats = await producer.close(timeout=0.2)
        await asyncio.sleep(0.5)  # records in flight may still be stored
        await history.check()
    assert history.stats.failed > 0


@pytest.mark.parametrize(
    "keys",
    [pytest.param(1_000, marks=pytest.mark.slow, id="1,000 keys"), pytest.param(1_000_000, id="a key each")],
)
@pytest.mark.parametrize("mode", ["plain", *(pytest.param(mode, marks=pytest.mark.slow) for mode in OTHER_MODES)])
async def test_memory_stays_within_the_budget_while_the_service_is_away(mode, keys):
    """Put records until the buffer is full, against a service that returns errors only."""
    budget = 16 << 20
    faults = FaultPlan(on_put("error-before"))
    async with LocalKinesis(shards=4, quotas=False, faults=faults, own_process=True) as kinesis:
        history = ProducerHistory(kinesis, 1, mode, buffer_bytes=budget, delivery_timeout=30.0)
        producer = history.client.producer = Producer(history.client, **history.options)
        await producer.open()
        await asyncio.sleep(0)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for number in range(1_000_000):
                with contextlib.suppress(BufferFullError):
                    producer.try_put(b"%498d" % number, f"TRUCK_{number % keys}")
                    continue
                break
            else:
                pytest.fail("the buffer never became full")
            await asyncio.sleep(3.0)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        await producer.close(timeout=0)
    assert producer.stats.requests > 3
    assert most - before <= budget * 1.2

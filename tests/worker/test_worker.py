"""The Worker stores all shards of a stream, reports its health, and hands over within its time."""

import asyncio

import pytest
from obstore.exceptions import GenericError

from tests.batcher.support import ARN, ScriptedStore
from tests.virtual_time import run
from tests.worker.model_consumer import ModelConsumer
from tests.worker.support import many, stored_numbers
from truckstream.batcher import Batcher
from truckstream.errors import ConfigurationError, InvalidArgumentError, StreamNotFoundError
from truckstream.local import LocalKinesis
from truckstream.worker import Worker
from truckstream.worker.stream_arn import find_stream_arn

SHARDS = {f"shardId-00000000000{n}": many(130, 1000 * n) for n in range(3)}


def make_worker(store, consumer, **options):
    return Worker(ARN, Batcher(store, schema=dict, batch_size=40), consumer=consumer, **options)


EXPECTED = sorted(n + 1000 * shard for shard in range(3) for n in range(130))


def test_it_stores_every_shard_and_hands_over():
    async def main():
        store, consumer = ScriptedStore(), ModelConsumer(SHARDS)
        async with make_worker(store, consumer) as worker:
            running = asyncio.create_task(worker.run())
            await asyncio.sleep(1)
            assert len(worker.health.shards) == 3
            assert worker.health.is_ready
            assert [shard.records_held for shard in worker.health.shards] == [10, 10, 10]
            assert repr(worker).startswith("<Worker of arn:aws:kinesis")
            worker.stop()
            assert await running is True
            assert worker.health.shards == []
        assert not consumer.is_open
        assert stored_numbers(store) == EXPECTED
        assert all(lease.pending is None for lease in consumer.leases.values())

    run(main())


def test_it_stores_closed_shards_to_their_end():
    async def main():
        store, consumer = ScriptedStore(), ModelConsumer(SHARDS, is_closed=True)
        async with make_worker(store, consumer) as worker:
            running = asyncio.create_task(worker.run())
            await asyncio.sleep(1)
            assert stored_numbers(store) == EXPECTED
            worker.stop()
            await running

    run(main())


def test_groups_of_all_shards_share_the_limit():
    async def main():
        store = ScriptedStore(lambda *_: asyncio.sleep(1))
        async with make_worker(store, ModelConsumer(SHARDS, is_closed=True), max_in_flight=2) as worker:
            running = asyncio.create_task(worker.run())
            await asyncio.sleep(100)
            assert store.most_in_flight == 2
            assert stored_numbers(store) == EXPECTED
            worker.stop()
            await running

    run(main())


def test_a_store_that_is_down_makes_it_unhealthy_and_ends_the_hand_over_in_time(caplog):
    async def main():
        loop = asyncio.get_running_loop()
        store = ScriptedStore(lambda verb, _: GenericError("down") if verb == "put" else None)
        consumer = ModelConsumer(SHARDS)
        async with make_worker(store, consumer, grace=10, stuck_after=300) as worker:
            running = asyncio.create_task(worker.run())
            await asyncio.sleep(200)
            assert worker.health.is_healthy
            await asyncio.sleep(200)
            assert not worker.health.is_healthy
            assert "shardId-000000000000 has been storing the same records for 400 s" in worker.health.reason
            assert "down" in worker.health.reason
            before = loop.time()
            worker.stop()
            assert await running is False
            assert loop.time() - before == 10
        assert all(lease.pending for lease in consumer.leases.values())

    run(main())
    assert "not handed over within 10 s: shardId-000000000000" in caplog.text


def test_an_error_of_the_consumer_ends_it():
    async def main():
        consumer = ModelConsumer({})
        consumer.error = StreamNotFoundError("ResourceNotFoundException", "deleted")
        async with make_worker(ScriptedStore(), consumer) as worker:
            with pytest.raises(StreamNotFoundError):
                await worker.run()
        assert not consumer.is_open

    run(main())


def test_cancelling_it_closes_the_consumer():
    async def main():
        consumer = ModelConsumer(SHARDS)
        worker = make_worker(ScriptedStore(), consumer)

        async def work():
            async with worker:
                await worker.run()

        task = asyncio.create_task(work())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not consumer.is_open
        await asyncio.sleep(1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"max_wait": 0}, "max_wait"),
        ({"max_group_bytes": 0}, "max_group_bytes"),
        ({"max_group_bytes": 1.5}, "max_group_bytes"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"grace": -1}, "grace"),
        ({"stuck_after": 0}, "stuck_after"),
    ],
)
def test_options_are_checked(options, argument):
    with pytest.raises(InvalidArgumentError, match=f"^{argument} is"):
        make_worker(ScriptedStore(), ModelConsumer({}), **options)


def test_groups_have_a_fixed_size():
    with pytest.raises(InvalidArgumentError, match="batch_size is 'auto'"):
        Worker(ARN, Batcher("memory:///", batch_size="auto"), consumer=ModelConsumer({}))


def test_a_store_may_be_a_url():
    assert "memory" in repr(Worker(ARN, "memory:///", consumer=ModelConsumer({}))).lower()
    with pytest.raises(ConfigurationError):
        Worker(ARN, "ftp://nowhere", consumer=ModelConsumer({}))


@pytest.mark.usefixtures("fake_credentials")
async def test_the_streams_arn_is_found():
    async with LocalKinesis("trucks", own_process=True) as kinesis:
        where = {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}
        found = await find_stream_arn("trucks", **where)
        assert found.startswith("arn:aws:kinesis:us-east-1:")
        assert found.endswith(":stream/trucks")
        with pytest.raises(StreamNotFoundError):
            await find_stream_arn("vans", **where)
    assert await find_stream_arn(ARN) == ARN

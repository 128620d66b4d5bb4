"""Loops over batches and records: what is finished, what comes again, and in which order."""

import asyncio
import gc

import pytest

from tests.consumer.support import HeldShard, record, records
from truckstream.consumer.leases.lease import Checkpoint
from truckstream.consumer.processing.batch_queue import BatchQueue
from truckstream.consumer.processing.iteration import BatchIterator, IterationProcessor, RecordIterator
from truckstream.errors import InvalidArgumentError, LeaseLostError


def nothing():
    """No error has ended the consumer."""


async def turns(count=10):
    for _ in range(count):
        await asyncio.sleep(0)


class Loops:
    """A queue, and shards that offer their records to it."""

    def __init__(self, *, checkpoints_after=True):
        self.queue = BatchQueue()
        self.checkpoints_after = checkpoints_after
        self.tasks = []

    def shard(self, *pages, shard_id="a"):
        shard = HeldShard(shard_id)
        shard.processor = IterationProcessor(shard, self.queue, checkpoints_after=self.checkpoints_after)

        async def feed():
            for page in pages:
                await shard.processor.process(page, 0)

        self.tasks.append(asyncio.create_task(feed()))
        shard.task = self.tasks[-1]
        return shard

    def __aiter__(self):
        return BatchIterator(self.queue, nothing)

    def records(self):
        return RecordIterator(BatchIterator(self.queue, nothing))


def numbers(batch):
    return [int(each.sequence_number) for each in batch]


async def test_a_batch_is_checkpointed_when_its_loop_asks_for_the_next_one():
    loops = Loops()
    shard = loops.shard(records(1, 4), records(4, 6))
    loop = aiter(loops)
    assert numbers(await anext(loop)) == [1, 2, 3]
    assert shard.noted == []
    assert numbers(await anext(loop)) == [4, 5]
    assert shard.noted == [Checkpoint("3")]


async def test_without_automatic_checkpoints_only_the_application_writes_them():
    loops = Loops(checkpoints_after=False)
    shard = loops.shard(records(1, 4), records(4, 6))
    loop = aiter(loops)
    await anext(loop)
    batch = await anext(loop)
    assert shard.noted == shard.saved == []
    await batch.checkpoint()
    assert shard.saved == [Checkpoint("5")]


async def test_a_shard_has_one_batch_out_at_a_time_however_many_loops_there_are():
    loops = Loops()
    loops.shard(records(1, 3), records(3, 5), shard_id="a")
    loops.shard(records(7, 9), shard_id="b")
    first, second, third = aiter(loops), aiter(loops), aiter(loops)
    assert numbers(await anext(first)) == [1, 2]
    assert numbers(await anext(second)) == [7, 8]
    waiting = asyncio.ensure_future(anext(third))
    await turns()
    assert not waiting.done()
    next_of_first = asyncio.ensure_future(anext(first))
    assert numbers(await waiting) == [3, 4]
    loops.queue.end()
    with pytest.raises(StopAsyncIteration):
        await next_of_first


async def test_a_batch_whose_loop_was_left_comes_again_and_is_not_checkpointed():
    loops = Loops()
    shard = loops.shard(records(1, 3), records(3, 5))
    async for batch in loops:
        assert numbers(batch) == [1, 2]
        break
    gc.collect()
    await turns()
    assert shard.noted == []
    assert numbers(await anext(aiter(loops))) == [1, 2]


async def test_a_batch_that_was_checkpointed_before_its_loop_was_left_does_not_come_again():
    loops = Loops()
    loops.shard(records(1, 3), records(3, 5))
    async for batch in loops:
        await batch.checkpoint()
        break
    gc.collect()
    await turns()
    assert numbers(await anext(aiter(loops))) == [3, 4]


async def test_a_checkpoint_in_the_middle_of_a_batch_does_not_finish_it():
    loops = Loops()
    shard = loops.shard(records(1, 4))
    async for batch in loops:
        await batch.checkpoint(batch.records[1])
        break
    gc.collect()
    await turns()
    assert shard.saved == [Checkpoint("2")]
    assert numbers(await anext(aiter(loops))) == [1, 2, 3]


async def test_an_error_in_a_loop_loses_no_record():
    loops = Loops()
    shard = loops.shard(records(1, 3))

    async def loop():
        async for _ in loops:
            raise ValueError("no such truck")

    with pytest.raises(ValueError, match="no such truck"):
        await loop()
    gc.collect()
    await turns()
    assert shard.noted == []
    assert numbers(await anext(aiter(loops))) == [1, 2]


async def test_a_loop_over_records_goes_on_with_the_record_it_was_left_at():
    loops = Loops()
    shard = loops.shard(records(1, 5))
    seen = []
    async for each in loops.records():
        seen.append(int(each.sequence_number))
        if len(seen) == 3:
            break
    gc.collect()
    await turns()
    assert seen == [1, 2, 3]
    assert shard.noted == []
    loop = loops.records()
    assert [int((await anext(loop)).sequence_number) for _ in range(2)] == [3, 4]
    loops.queue.end()
    with pytest.raises(StopAsyncIteration):
        await anext(loop)
    await turns()
    assert shard.noted == [Checkpoint("4")]


async def test_a_cancelled_loop_gives_its_batch_back():
    loops = Loops()
    waiting = asyncio.ensure_future(anext(aiter(loops)))
    await turns()
    loops.shard(records(1, 3))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert numbers(await anext(aiter(loops))) == [1, 2]


async def test_the_end_withdraws_batches_that_no_loop_has_and_lets_the_others_finish():
    loops = Loops()
    taken = loops.shard(records(1, 3), shard_id="a")
    loop = aiter(loops)
    await anext(loop)
    offered = loops.shard(records(5, 7), shard_id="b")
    await turns()
    loops.queue.end()
    await offered.task
    assert offered.noted == []
    assert not taken.task.done()
    with pytest.raises(StopAsyncIteration):
        await anext(loop)
    await taken.task
    assert taken.noted == [Checkpoint("2")]


async def test_after_the_end_no_batch_is_delivered():
    loops = Loops()
    loops.queue.end()
    shard = loops.shard(records(1, 3))
    await shard.task
    assert shard.noted == []
    with pytest.raises(StopAsyncIteration):
        await anext(aiter(loops))


async def test_a_shard_that_ends_soon_takes_its_waiting_batch_back():
    loops = Loops()
    shard = loops.shard(records(1, 3), records(3, 5))
    await turns()
    shard.processor.end_soon()
    await shard.task
    assert shard.noted == []
    loops.shard(records(9, 10), shard_id="b")
    assert numbers(await anext(aiter(loops))) == [9]


async def test_a_checkpoint_of_a_lost_lease_is_refused():
    loops = Loops()
    shard = loops.shard(records(1, 3))
    batch = await anext(aiter(loops))
    shard.is_held = False
    assert not batch.is_held
    with pytest.raises(LeaseLostError, match="does not have the lease of a any more"):
        await batch.checkpoint()


async def test_a_checkpoint_names_a_record_of_the_batch():
    loops = Loops()
    loops.shard(records(1, 3))
    loop = aiter(loops)
    batch = await anext(loop)
    with pytest.raises(InvalidArgumentError, match=r"must be one of batch\.records"):
        await batch.checkpoint(record(1))


async def test_the_checkpoint_of_a_user_record_has_its_subsequence_number():
    loops = Loops()
    shard = loops.shard([record(1, subsequence=0), record(1, subsequence=1), record(1, subsequence=2)])
    loop = aiter(loops)
    batch = await anext(loop)
    await batch.checkpoint(batch.records[1])
    assert shard.saved == [Checkpoint("1", 1)]


async def test_empty_pages_are_no_batches():
    loops = Loops()
    loops.shard([], records(1, 2), [])
    assert numbers(await anext(aiter(loops))) == [1]


async def test_a_batch_that_waited_while_its_lease_was_lost_is_not_delivered():
    loops = Loops()
    lost, held = loops.shard(records(1, 4), shard_id="a"), loops.shard(records(1, 4), shard_id="b")
    await turns()
    lost.is_held = False
    loop = aiter(loops)
    assert (await anext(loop)).shard_id == "b"
    await lost.task
    assert lost.noted == []
    await loop.aclose()
    held.processor.abandon()


async def test_a_lease_that_is_lost_before_a_waiting_loop_wakes_up_delivers_nothing():
    loops = Loops()
    waiting = asyncio.create_task(anext(aiter(loops)))
    await turns()
    lost = loops.shard(records(1, 4), shard_id="a")
    await asyncio.sleep(0)  # the batch is passed to the loop, which has not run yet
    lost.is_held = False
    await turns()
    assert not waiting.done()
    await lost.task
    loops.queue.end()
    with pytest.raises(StopAsyncIteration):
        await waiting

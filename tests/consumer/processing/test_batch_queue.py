"""The queue of batches under any sequence of offers, loops, breaks, cancellations and its end."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import virtual_time
from tests.consumer.support import HeldShard, record
from truckstream.consumer.processing.batch import Batch
from truckstream.consumer.processing.batch_queue import BatchQueue, OfferedBatch

STEPS = st.lists(
    st.tuples(st.sampled_from(["offer", "take", "finish", "break", "save and break", "cancel"]), st.integers(0, 50)),
    max_size=60,
)


class Model:
    """The queue, the loops that wait for a batch, and the batches that loops have."""

    def __init__(self):
        self.queue = BatchQueue()
        self.offered = []
        self.waiting = []
        self.held = []
        self.delivered = 0

    async def step(self, name, at):
        if name == "offer":
            self.offered.append(self.queue.offer(Batch(HeldShard(), [record(len(self.offered) + 1)], 0)))
        elif name == "take":
            self.waiting.append(asyncio.ensure_future(self.queue.take()))
        elif name == "cancel" and self.waiting:
            task = self.waiting.pop(at % len(self.waiting))
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif self.held and name in ("finish", "break", "save and break"):
            item = self.held.pop(at % len(self.held))
            if name == "save and break":
                await item.batch.checkpoint()
            if name == "finish":
                item.finish()
            else:
                self.queue.put_back(item)
        await asyncio.sleep(0)
        self.collect()

    def collect(self):
        """Move what the waiting loops got to the batches that loops have."""
        for task in [task for task in self.waiting if task.done()]:
            self.waiting.remove(task)
            self.held.append(task.result())

    def check(self):
        assert len({id(item) for item in self.held}) == len(self.held), "two loops have one batch"
        assert not any(item.finished.done() for item in self.held), "a loop has a batch that is finished"
        open_items = [item for item in self.offered if not item.finished.done() and item not in self.held]
        assert not (open_items and self.waiting), "a loop waits while a batch does"


@given(STEPS)
@settings(max_examples=300)
def test_each_batch_is_with_one_loop_or_waits_until_it_is_finished(steps):
    async def main():
        model = Model()
        for name, at in steps:
            await model.step(name, at)
            model.check()
        unfinished = [item for item in model.offered if not item.finished.done()]
        model.queue.end()
        await asyncio.sleep(0)
        assert all(task.done() and task.result() is None for task in model.waiting), "a loop waits after the end"
        for item in unfinished:
            assert item in model.held or item.finished.result() is False, "a batch that no loop has is not withdrawn"
        model.queue.give_up()
        await asyncio.sleep(0)
        assert all(item.finished.done() for item in model.offered)
        assert not any(item.finished.result() for item in unfinished), "a batch counts as processed, and nobody said so"

    virtual_time.run(main())


def test_a_batch_is_withdrawn_unless_a_loop_has_it_or_has_finished_it():
    async def main():
        waiting, taken, done = (OfferedBatch(Batch(HeldShard(), [record(number)], 0)) for number in (1, 2, 3))
        assert taken.take()
        assert done.take()
        done.finish()
        for item in (waiting, taken, done):
            item.withdraw()
        assert (waiting.finished.result(), taken.finished.done(), done.finished.result()) == (False, False, True)
        assert not waiting.take()
        taken.give_up()
        assert taken.finished.result() is False

    virtual_time.run(main())

"""Workers that were killed end with the loop, whatever they were doing."""

import asyncio

from tests.consumer.freezing_loop import FreezingLoop


async def spin(turns):
    while True:
        turns.append(None)
        await asyncio.sleep(0)


def test_a_worker_that_is_killed_before_its_next_step_ends_with_the_loop():
    turns = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.in_worker("worker", spin(turns))
        await asyncio.sleep(0)
        loop.kill("worker")  # its next step is due
        count = len(turns)
        await asyncio.sleep(1)
        assert len(turns) == count
        loop.bury()
        return count

    with asyncio.Runner(loop_factory=FreezingLoop) as runner:
        count = runner.run(main())
    assert len(turns) == count

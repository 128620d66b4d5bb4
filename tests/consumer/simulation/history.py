"""One history of workers, shards and faults, made from a seed, on virtual time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from tests.consumer.freezing_loop import FreezingLoop
from tests.consumer.simulation.oracle import Oracle, WatchedTable
from tests.consumer.simulation.stream import SimulatedStream
from tests.consumer.simulation.worker import SimulatedWorker
from truckstream.consumer.leases.options import LeaseOptions

MOST_WORKERS = 8
MOST_SHARDS = 32

#: Seconds of faults, and the most that may pass after them until all is in balance.
FAULTS = 36.0
SETTLING = 400.0
#: Seconds without a move that prove the balance.
QUIET = 12.0


class History:
    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        size = self.rng.random() ** 3 if self.rng.random() < 0.98 else 4.0  # most histories are small, some full
        self.stream = SimulatedStream(min(MOST_SHARDS, 1 + int(size * MOST_SHARDS * self.rng.random())))
        self.table = WatchedTable()
        self.loop = FreezingLoop()
        self.oracle = Oracle(self.stream, self.table, lambda name: name not in self.loop.killed)
        self.options = LeaseOptions()
        self.workers: dict[str, SimulatedWorker] = {}
        self.joined = 0
        self.first_workers = min(MOST_WORKERS, 1 + int(size * (MOST_WORKERS - 1) * self.rng.random() + 0.5))
        self.events: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        self.loop.set_exception_handler(self._on_error)
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._run())
        if self.oracle.errors:
            raise self.oracle.errors[0]
        return self.events

    def _on_error(self, _loop: asyncio.AbstractEventLoop, context: dict) -> None:
        if "exception" in context:  # without one it reports a task of a killed worker
            self.oracle.errors.append(context["exception"])

    async def _run(self) -> None:
        for _ in range(self.first_workers):
            self.join()
        end = FAULTS * self.rng.random()
        try:
            while self.loop.time() < end:
                await asyncio.sleep(self.rng.expovariate(1 / 5))
                self._something_happens()
            await self._settle()
        finally:
            self.loop.bury()

    # --- Events ---------------------------------------------------------------------------------

    def _something_happens(self) -> None:
        event = self.rng.choice(
            (self.split, self.merge, self.split, self.merge, self.kill, self.pause, self.trouble, self.join, self.leave)
        )
        event()

    @property
    def live(self) -> list[str]:
        return [name for name in self.workers if name not in self.loop.killed]

    def split(self) -> None:
        if len(self.stream.open_shards) < MOST_SHARDS:
            self.stream.split(self.rng.choice(self.stream.open_shards), self.loop.time())
            self.events["split"] += 1

    def merge(self) -> None:
        shards = self.stream.open_shards
        if len(shards) > 1:
            left = self.rng.randrange(len(shards) - 1)
            self.stream.merge(shards[left], shards[left + 1], self.loop.time())
            self.events["merge"] += 1

    def join(self) -> None:
        if len(self.live) < MOST_WORKERS:
            self.joined += 1
            name = f"worker-{self.joined}"
            worker = self.workers[name] = SimulatedWorker(name, self.oracle, self.options, self.rng)
            self.loop.in_worker(name, worker.run())
            self.events["join"] += 1

    def kill(self) -> None:
        if self.live:
            name = self.rng.choice(self.live)
            self.loop.kill(name)
            self.loop.frozen.pop(name, None)
            self.events["kill"] += 1

    def pause(self) -> None:
        name = self.rng.choice(self.live or [""])
        if name and name not in self.loop.frozen:
            self.loop.freeze(name)
            self.loop.call_later(self.rng.choice((1, 8, 12, 40)) * self.rng.random(), self.loop.wake, name)
            self.events["pause"] += 1

    def trouble(self) -> None:
        """Make a worker's connection fail for a while, in one of three ways."""
        if not self.live:
            return
        name = self.rng.choice(self.live)
        table = self.workers[name].table
        kind = self.rng.choice(("throttled", "lost", "down"))
        if kind == "down":
            table.is_down = True
        else:
            setattr(table, kind, self.rng.random())
        table.delay = self.rng.choice((0.02, 0.5))
        self.loop.call_later(self.rng.choice((3, 30)) * self.rng.random(), self._calm, name)
        self.events[kind] += 1

    def _calm(self, name: str) -> None:
        if name not in self.workers:
            return
        table = self.workers[name].table
        table.throttled = table.lost = 0.0
        table.delay, table.is_down = 0.02, False

    def leave(self) -> None:
        names = [name for name in self.live if name not in self.loop.frozen]
        if len(names) > 1:
            name = self.rng.choice(names)
            self.loop.in_worker(name, self._stop(name))
            self.events["leave"] += 1

    async def _stop(self, name: str) -> None:
        worker = self.workers.pop(name)
        await worker.stop()

    # --- The end --------------------------------------------------------------------------------

    async def _settle(self) -> None:
        for name in self.workers:
            self.loop.wake(name)
            self._calm(name)
        if not self.live:
            self.join()
        deadline = self.loop.time() + SETTLING
        while True:
            moves = self.table.changes_of_hands
            await asyncio.sleep(QUIET)
            try:
                self.oracle.check_end(self.loop.time(), set(self.live))
                assert moves == self.table.changes_of_hands, "leases still move"
            except AssertionError:
                if self.loop.time() > deadline:
                    raise
            else:
                break
        self.events["refused late"] += sum(worker.refused for worker in self.workers.values())
        self.events["seconds"] += int(self.loop.time())


def run_history(seed: str) -> Counter[str]:
    """Run the history of a seed; return the number of its events by their kind."""
    try:
        return History(seed).run()
    except BaseException as error:
        error.add_note(f"history {seed!r}")
        raise

"""Workers that make windows of a local stream on virtual time, with a store, a sink and a table that can kill them.

Every operation that leaves the process is counted. At a chosen one, the worker is killed before it is carried out; or
after it, before the worker learns of it; or the worker is paused before it, and carries it out when it wakes.
"""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tests.consumer.freezing_loop import FreezingLoop
from tests.consumer.freezing_loop import worker as running_worker
from tests.consumer.local_client import EPOCH, STREAM, LocalClient, LocalStream
from tests.windows.support import MemorySink, plan_of
from truckstream.consumer.consumer import Consumer
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.windows import Windowed
from truckstream.windows.running import windowed
from truckstream.windows.running.shard_processor import WindowProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from truckstream.consumer.leases.lease import Lease
    from truckstream.windows import WindowPlan, WindowResult

LEASE_SECONDS = 3.0


Mode = Literal["kill before", "kill after", "pause"]


class Killer:
    """Kills or pauses the worker that does the operation with a certain number."""

    def __init__(self, at: int | None = None, mode: Mode = "kill before") -> None:
        self.at = at
        self.mode = mode
        self.operations: list[str] = []
        #: The worker that was killed or paused, and the operation.
        self.victim: str | None = None
        self.operation: str | None = None

    async def around(self, operation: str, act: Callable[[], Any]) -> Any:
        """Carry out an operation, unless its worker is killed before."""
        self.operations.append(operation)
        is_chosen = self.at == len(self.operations)
        await asyncio.sleep(0.005)
        if is_chosen and self.mode != "kill after":
            await self._strike(operation)
        result = act()
        if is_chosen and self.mode == "kill after":
            await self._strike(operation)
        await asyncio.sleep(0.005)
        return result

    async def _strike(self, operation: str) -> None:
        self.victim, self.operation = running_worker.get(), operation
        loop, victim = asyncio.get_running_loop(), self.victim
        assert isinstance(loop, FreezingLoop)
        assert victim is not None
        if self.mode == "pause":
            loop.freeze(victim)
        else:
            loop.kill(victim)
        await asyncio.sleep(0)  # returns when the worker wakes, or never

    def wake(self) -> None:
        """Let the paused worker go on."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, FreezingLoop)
        if self.mode == "pause" and self.victim is not None:
            loop.wake(self.victim)


class MemoryStates:
    """A state store in memory."""

    def __init__(self, killer: Killer) -> None:
        self.states: dict[str, bytes] = {}
        self._killer = killer

    async def save(self, name: str, state: bytes) -> None:
        await self._killer.around(f"save {name}", lambda: self.states.__setitem__(name, state))

    async def load(self, name: str) -> bytes | None:
        return await self._killer.around(f"load {name}", lambda: self.states.get(name))

    async def names(self, folder: str) -> list[str]:
        return await self._killer.around(
            "list", lambda: [each for each in self.states if each.startswith(f"{folder}/")]
        )

    async def delete(self, names: list[str]) -> None:
        for name in names:
            await self._killer.around(f"delete {name}", lambda name=name: self.states.pop(name, None))


class SharedSink:
    """One sink of all workers."""

    def __init__(self, killer: Killer) -> None:
        self.memory = MemorySink()
        self._killer = killer

    async def write(self, results: Sequence[WindowResult]) -> None:
        await self._killer.around("write", lambda: self.memory.write(results))


class CountedTable(MemoryTable):
    """A lease table whose checkpoints are operations. Renewals are none: they are many, and change nothing here."""

    def __init__(self, killer: Killer) -> None:
        super().__init__()
        self._killer = killer

    async def replace(self, before: Lease, after: Lease) -> bool:
        if before.checkpoint == after.checkpoint:
            return await super().replace(before, after)
        written: list[bool] = []
        await self._killer.around("checkpoint", lambda: written.append(self._write(before, after)))
        return written[0]

    def _write(self, before: Lease, after: Lease) -> bool:
        coroutine = super().replace(before, after)
        try:
            coroutine.send(None)
        except StopIteration as done:
            return bool(done.value)
        raise AssertionError("the table in memory waits for nothing")


class Simulation:
    """A stream, and the workers that make its windows."""

    def __init__(self, plan: WindowPlan | None = None, *, killer: Killer | None = None, seed: int = 1) -> None:
        self.killer = killer or Killer()
        self.stream = LocalStream()
        self.states = MemoryStates(self.killer)
        self.sink = SharedSink(self.killer)
        self.table = CountedTable(self.killer)
        self.rng = random.Random(seed)
        #: What was put: (event time after the epoch of the stream, truck, speed).
        self.put_records: list[tuple[float, str, float]] = []
        self._plan = plan or plan_of()
        self._workers = 0

    def begin_worker(self) -> tuple[str, asyncio.Task[None]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, FreezingLoop)
        self._workers += 1
        name = f"worker-{self._workers}"
        return name, loop.in_worker(name, self._run(name))

    async def _run(self, name: str) -> None:
        consumer = Consumer(
            LocalClient(self.stream),
            application="speeds",
            leases=self.table,
            worker_id=name,
            lease_duration=LEASE_SECONDS,
            max_batch_records=self.rng.choice([3, 10, None]),
        )
        async with consumer:
            await Windowed(consumer, self._plan, sink=self.sink, state=self.states, checkpoint_interval=0.5).run()

    def put(self, count: int) -> None:
        """Put records of some trucks, whose event times are the present or some seconds ago."""
        for _ in range(count):
            time = asyncio.get_running_loop().time() - self.rng.choice([0, 0, 0, 1, 3, 8])
            truck = self.rng.choice("abcdefgh")
            speed = float(self.rng.randrange(100))
            self.put_records.append((time, truck, speed))
            data = msgspec.json.encode({"truck_id": truck, "timestamp": EPOCH + time, "speed": speed})
            self.stream.call("PutRecord", StreamName=STREAM, Data=data, PartitionKey=truck)

    def open_shards(self) -> list[str]:
        return [
            shard["ShardId"]
            for shard in self.stream._shards()
            if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]

    @property
    def is_finished(self) -> bool:
        """Whether each record is in a result: allowed_lateness is long, so none is dropped."""
        return sum(row.values["records"] for row in self.sink.memory.rows) == len(self.put_records)

    def expected(self, size: int) -> dict[tuple[str, float], tuple[int, float]]:
        """The number and the mean of each truck's window, computed from the records that were put."""
        groups: dict[tuple[str, float], list[float]] = {}
        for time, truck, speed in self.put_records:
            groups.setdefault((truck, (EPOCH + time) // size * size), []).append(speed)
        return {key: (len(speeds), sum(speeds) / len(speeds)) for key, speeds in groups.items()}

    def found(self) -> dict[tuple[str, float], tuple[int, float]]:
        """The same, as the sink has it. A window with two rows would be counted twice."""
        rows = self.sink.memory.rows
        found = {(row.key, row.start.timestamp()): tuple(row.values.values()) for row in rows}
        assert len(found) == len(rows), "a truck's window has two rows"
        return found


def use_virtual_clock(monkeypatch: Any) -> None:
    """Have processors read the time of day from the event loop."""
    on_virtual_time = partial(WindowProcessor, wall_clock=lambda: EPOCH + asyncio.get_running_loop().time())
    monkeypatch.setattr(windowed, "WindowProcessor", on_virtual_time)

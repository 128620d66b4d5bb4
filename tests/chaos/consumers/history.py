"""One history of worker processes on a stream: records, reshards, deaths and freezes by a seed, and its check."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.chaos.consumers.fleet import Fleet
from tests.chaos.consumers.oracle import Oracle, StoredStream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.chaos.consumers.fleet import WorkerProcess
    from truckstream.local import LocalKinesis

#: Seconds within which the workers that are left have processed everything after the last fault.
SETTLING_SECONDS = 150.0


class ConsumerHistory:
    """Worker processes, and what happens to them.

    Args:
        kinesis: the stream, with its faults.
        folder: for the logs, and for the table if it is a file.
        seed: decides everything but the timing.
        dynamodb: the endpoint of DynamoDB; a SQLite file by default.
        lease_duration: in seconds.
        table_faults: the part of the calls that a worker's SQLite table throttles, and of the responses that it loses.
        most_workers, least_shards, most_shards: limits.
        rate: records a second.
    """

    def __init__(
        self,
        kinesis: LocalKinesis,
        folder: Path,
        seed: int,
        *,
        dynamodb: str = "",
        lease_duration: float = 3.0,
        table_faults: float = 0.12,
        most_workers: int = 8,
        least_shards: int = 2,
        most_shards: int = 40,
        rate: int = 300,
    ) -> None:
        self.kinesis = kinesis
        #: Chooses the steps and whom they concern.
        self.rng = random.Random(f"steps/{seed}")
        self._records_rng = random.Random(f"records/{seed}")
        self.lease_duration = lease_duration
        self._limits = most_workers, least_shards, most_shards
        self._rate = rate
        self._is_over = False
        self._keys: dict[int, str] = {}
        self.counts: Counter[str] = Counter()
        settings = {
            "stream": kinesis.stream_name,
            "endpoint_url": kinesis.endpoint_url,
            "application": f"chaos-{seed}",
            "sqlite": "" if dynamodb else str(folder / "leases.sqlite"),
            "dynamodb": dynamodb,
            "table_faults": table_faults,
            "lease_duration": lease_duration,
        }
        self.fleet = Fleet(folder, settings, kinesis.environment(), random.Random(f"workers/{seed}"))

    async def start(self, workers: int) -> None:
        """Start so many workers, and wait until they work."""
        for _ in range(workers):
            await self.join()
        for _ in range(10):
            await self._put(self._rate // 2)  # a backlog, so that all workers are busy
        await self._until(lambda: len(self.fleet.active) == workers, "the workers have opened")

    async def run(self, steps: list[str], pauses: tuple[float, ...]) -> Counter[str]:
        """Take the steps, with a pause after each, let the workers finish, and check all that they have done."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._put_until_the_end())
                for step in steps:
                    await getattr(self, step)()
                    self.fleet.read_logs()
                    await asyncio.sleep(self.rng.choice(pauses))
                self._is_over = True
            await self._finish()
        finally:
            self.fleet.end()
        await self._check()
        return self.counts

    # --- Steps ------------------------------------------------------------------------------------

    async def nothing(self) -> None:
        """Let the workers work."""

    async def join(self) -> None:
        if len(self.fleet.running) < self._limits[0]:
            self.fleet.join()
            self.counts["joins"] += 1

    async def leave(self) -> None:
        self.fleet.leave(await self._one_of_several())
        self.counts["leaves"] += 1

    async def kill(self) -> None:
        self.fleet.kill(await self._one_of_several())
        self.counts["kills"] += 1

    async def freeze(self) -> None:
        """Stop a worker, mostly for longer than its leases last."""
        worker = await self._one_of_several()
        self.fleet.freeze(worker)
        seconds = self.rng.choice([0.5, 1.5, 1.5, 2.5]) * self.lease_duration
        asyncio.get_running_loop().call_later(seconds, self.fleet.thaw, worker)
        self.counts["freezes"] += 1

    async def split(self) -> None:
        shards = await self._open_shards()
        if len(shards) < self._limits[2]:
            shard = self.rng.choice(shards)
            middle = sum(_hash_range(shard)) // 2 + 1
            self.counts["splits"] += 1
            await self._call("SplitShard", ShardToSplit=shard["ShardId"], NewStartingHashKey=str(middle))

    async def merge(self) -> None:
        shards = await self._open_shards()
        if len(shards) > self._limits[1]:
            at = self.rng.randrange(len(shards) - 1)
            left, right = (each["ShardId"] for each in shards[at : at + 2])
            self.counts["merges"] += 1
            await self._call("MergeShards", ShardToMerge=left, AdjacentShardToMerge=right)

    async def _one_of_several(self) -> WorkerProcess:
        """Return an active worker, when another one is active too."""
        while len(self.fleet.running) < 2:
            await self.join()
        await self._until(lambda: len(self.fleet.active) > 1, "two workers are active")
        return self.rng.choice(self.fleet.active)

    # --- The stream ---------------------------------------------------------------------------------

    async def _put_until_the_end(self) -> None:
        while not self._is_over:
            await self._put(self._records_rng.choice([0, 1, 1, 4]) * self._rate // 15)
            await asyncio.sleep(0.1)

    async def _put(self, count: int) -> None:
        numbers = range(len(self._keys), len(self._keys) + count)
        self._keys.update((number, f"TRUCK_{self._records_rng.randrange(200)}") for number in numbers)
        records = [{"Data": b"%d" % number, "PartitionKey": self._keys[number]} for number in numbers]
        if records:
            response = await self._call("PutRecords", Records=records)
            assert not response["FailedRecordCount"], "the history writes faster than its shards allow"

    async def _open_shards(self) -> list[dict[str, Any]]:
        shards = (await self._call("ListShards"))["Shards"]
        is_open = (each for each in shards if "EndingSequenceNumber" not in each["SequenceNumberRange"])
        return sorted(is_open, key=_hash_range)

    async def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        return await self.kinesis.call(operation, StreamName=self.kinesis.stream_name, **members)

    async def _stored(self) -> StoredStream:
        shards = (await self._call("ListShards"))["Shards"]
        named = ("ParentShardId", "AdjacentParentShardId")
        parents = {each["ShardId"]: [each[name] for name in named if each.get(name)] for each in shards}
        stream = StoredStream({shard: [] for shard in parents}, parents, self._keys, {})
        async for record in self.kinesis.stored():
            numbers = stream.numbers[record.shard_id]
            numbers.append(int(record.data))
            stream.covered[record.shard_id, record.sequence_number] = len(numbers)
        return stream

    # --- The end ----------------------------------------------------------------------------------

    async def _finish(self) -> None:
        self.counts["faults"] = sum((await self.kinesis.stats()).faults.values())
        await self.kinesis.clear_faults()
        await self._until(lambda: len(self.fleet.processed) == len(self._keys), "all records are processed")
        await self._until(lambda: self.fleet.active == self.fleet.running, "all workers are active")
        for worker in self.fleet.active:
            self.fleet.leave(worker)
        await self._until(
            lambda: all(worker.process.poll() is not None for worker in self.fleet.workers), "all workers have left"
        )
        self.fleet.read_logs()

    async def _until(self, condition: Callable[[], bool], text: str) -> None:
        deadline = loop_time() + SETTLING_SECONDS
        while not condition():
            self.fleet.read_logs()
            assert loop_time() < deadline, f"{text}: not within {SETTLING_SECONDS} s"
            await asyncio.sleep(0.1)

    async def _check(self) -> None:
        oracle = Oracle(await self._stored(), self.lease_duration, self.fleet.trouble)
        self.counts += oracle.replay(self.fleet.events)
        self.counts["records"] = len(self._keys)


def loop_time() -> float:
    return asyncio.get_running_loop().time()


def _hash_range(shard: dict[str, Any]) -> tuple[int, int]:
    keys = shard["HashKeyRange"]
    return int(keys["StartingHashKey"]), int(keys["EndingHashKey"])

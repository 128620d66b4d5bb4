"""Workers of one application: one joins, one is killed, and the table is watched meanwhile.

Measured are the seconds until each shard was read by its new worker, the largest number of leases that were in
hand-over at the same moment, and the calls to DynamoDB while no lease changes hands: without records, and while
each shard gets records.
"""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from aiobotocore.session import get_session
from support.contestant_process import environment
from support.filled_stream import fill

from truckstream import Producer
from truckstream.local import LocalKinesis

WATCH_SECONDS = 0.1
#: A smaller group for the calls with records: calls a shard do not depend on the number of workers.
TRAFFIC_WORKERS, TRAFFIC_SHARDS = 2, 8
#: Records that each of its shards gets every tenth of a second.
RECORDS_AT_A_TIME = 2
#: Seconds that a change may take before the run is given up.
PATIENCE = 180


class Worker:
    """A worker's process, and what it has reported."""

    def __init__(self, process):
        self.process = process
        #: The shards that it reads, and since when.
        self.reading = {}
        #: Set when it reads its first shard, or has ended.
        self.has_begun = asyncio.Event()
        #: (seconds, counts of calls to DynamoDB), once a second.
        self.counts = []

    @classmethod
    async def start(cls, job):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            Path(__file__).with_name("worker.py"),
            json.dumps(job),
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def follow(self):
        """Take in its reports until it ends."""
        async for line in self.process.stdout:
            at, event, value = json.loads(line)
            if event == "reading":
                self.reading[value] = at
                self.has_begun.set()
            elif event in {"released", "lost"}:
                self.reading.pop(value, None)
            elif event == "counts":
                self.counts.append((at, value))
        self.has_begun.set()

    def kill(self):
        """End it as a crash does: nothing is finished, and nothing released."""
        self.process.kill()
        self.reading = {}


class Group:
    """The running workers of one application."""

    def __init__(self, job, shards):
        self._job = job
        self._shards = shards
        self.workers = []
        self._following = []

    async def join(self):
        worker = await Worker.start(self._job)
        self.workers.append(worker)
        self._following.append(asyncio.create_task(worker.follow()))
        return worker

    async def kill(self, worker):
        self.workers.remove(worker)
        worker.kill()
        await worker.process.wait()

    async def close(self):
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.process.terminate()
        for worker in self.workers:
            await worker.process.wait()
        await asyncio.gather(*self._following)

    async def balanced(self):
        """Wait until each shard is read, and the loads differ by one at most; return when that was reached."""
        until = time.monotonic() + PATIENCE
        while not self._is_balanced():
            if any(worker.process.returncode is not None for worker in self.workers):
                raise RuntimeError("a worker has ended; its error is above")
            if time.monotonic() > until:
                raise TimeoutError(f"the shards are not shared: {[len(each.reading) for each in self.workers]}")
            await asyncio.sleep(WATCH_SECONDS / 2)
        return max(at for worker in self.workers for at in worker.reading.values())

    def _is_balanced(self):
        loads = [len(worker.reading) for worker in self.workers]
        shards = {shard for worker in self.workers for shard in worker.reading}
        return len(shards) == sum(loads) == self._shards and max(loads) - min(loads) <= 1


class TableWatch:
    """Looks at the lease table ten times a second: how many leases are in hand-over at the same moment?"""

    def __init__(self, client):
        self._client = client
        self.most_moving = 0

    async def run(self):
        while True:
            items = (await self._client.scan(TableName="benchmark", ConsistentRead=True))["Items"]
            self.most_moving = max(self.most_moving, sum("checkpointOwner" in item for item in items))
            await asyncio.sleep(WATCH_SECONDS)


async def start_group(stack, kinesis, dynamodb_url, workers, shards, **options):
    """Return a group of workers that share all shards. `options` are fields of `worker.Job`."""
    job = {"kinesis_url": kinesis.endpoint_url, "dynamodb_url": dynamodb_url, "stream": kinesis.stream_name, **options}
    group = Group(job, shards)
    stack.push_async_callback(group.close)
    for _ in range(workers):
        await group.join()
    await group.balanced()
    return group


async def measure(dynamodb_url, *, workers, shards, lease_duration, seconds):
    """Return the figures of one group of workers."""
    async with AsyncExitStack() as stack:
        kinesis = await stack.enter_async_context(LocalKinesis(shards=shards, own_process=True))
        await fill(kinesis, 1)
        session = get_session()
        session.set_credentials("none", "none")
        client = await stack.enter_async_context(
            session.create_client("dynamodb", region_name="us-east-1", endpoint_url=dynamodb_url)
        )
        group = await start_group(stack, kinesis, dynamodb_url, workers - 1, shards, lease_duration=lease_duration)

        watch = TableWatch(client)
        watching = asyncio.create_task(watch.run())
        stack.callback(watching.cancel)
        began = time.monotonic()
        newest = await group.join()
        await newest.has_begun.wait()
        joined = await group.balanced() - min(newest.reading.values())
        ready = min(newest.reading.values()) - began
        most_moving = watch.most_moving
        watching.cancel()

        calls = await count_calls(group, shards, lease_duration, seconds)
        victim = group.workers[0]
        died = time.monotonic()
        await group.kill(victim)
        taken_over = await group.balanced() - died
    return {
        "workers": workers,
        "shards": shards,
        "lease_seconds": lease_duration,
        "first_shard_after_join_seconds": ready,
        "balanced_after_join_seconds": joined,
        "most_leases_moving": most_moving,
        "taken_over_after_kill_seconds": taken_over,
        **calls,
    }


async def measure_traffic(dynamodb_url, *, saves_each_batch, lease_duration, seconds):
    """Return the calls to DynamoDB a minute and a shard while each shard gets records all the time."""
    async with AsyncExitStack() as stack:
        kinesis = await stack.enter_async_context(LocalKinesis(shards=TRAFFIC_SHARDS, own_process=True))
        hash_keys = await fill(kinesis, 1)
        putting = asyncio.create_task(put_forever(kinesis, hash_keys))
        stack.callback(putting.cancel)
        options = {
            "application": f"traffic-{'each' if saves_each_batch else 'automatic'}",
            "saves_each_batch": saves_each_batch,
            "lease_duration": lease_duration,
        }
        group = await start_group(stack, kinesis, dynamodb_url, TRAFFIC_WORKERS, TRAFFIC_SHARDS, **options)
        calls = await count_calls(group, TRAFFIC_SHARDS, lease_duration, seconds)
        if putting.done():
            putting.result()
    return {"saves_each_batch": saves_each_batch, **calls}


async def put_forever(kinesis, hash_keys):
    async with Producer(kinesis.stream_name, region_name="us-east-1", endpoint_url=kinesis.endpoint_url) as producer:
        while True:
            for hash_key in hash_keys:
                for _ in range(RECORDS_AT_A_TIME):
                    await producer.put(b"0123456789", "TRUCK_001", explicit_hash_key=hash_key)
            await asyncio.sleep(0.1)


async def count_calls(group, shards, lease_duration, seconds):
    """Return the calls to DynamoDB, and the batches, a minute and a shard, of all workers, while no lease moves."""
    await asyncio.sleep(lease_duration)
    before = {worker: worker.counts[-1] for worker in group.workers}
    await asyncio.sleep(seconds)
    total, minutes = Counter(), 0.0
    for worker, (at, counts) in before.items():
        at_end, counts_at_end = worker.counts[-1]
        total.update({name: counts_at_end[name] - counts[name] for name in counts})
        minutes += (at_end - at) / 60 / len(before)
    return {f"{name}_per_minute_and_shard": count / minutes / shards for name, count in total.items()}

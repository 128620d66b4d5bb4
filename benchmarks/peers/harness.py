"""The parts that every contestant shares: the records, the clock, and the line of JSON that it prints.

A contestant is a script that calls `compete(open_sender)`. It runs in a process and an environment of its own, and it
may import nothing of this repository but this file, which needs only the standard library.

`open_sender(job)` is an async context manager, or a plain one for a blocking client. It returns a function
`send(records)` that sends all records in full batches, `job.connections` requests at a time, and returns when every
record is acknowledged.
"""

import asyncio
import gc
import inspect
import json
import random
import resource
import string
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle, islice

RECORD_BYTES = 498
KEYS = [f"TRUCK_{number:03}" for number in range(100)]
WARM_UP_RECORDS = 5_000
#: The warm-up uses each key once, if there are no more of them: a producer may remember them.
MOST_WARM_KEYS = 20_000


@dataclass
class Job:
    """The work of one run."""

    endpoint_url: str
    #: How long to send after the warm-up, approximately.
    seconds: float
    connections: int = 10
    batch: int = 500
    #: The form in which the contestant competes, if it has several.
    form: str = ""
    #: If the stream has quotas, the number of records to send while keeping to them; otherwise 0.
    records: int = 0
    stream: str = "trucks"
    #: The number of different partition keys.
    keys: int = 100


def make_records(count, keys=100):
    """Return `count` pairs of data (498 bytes, a thousand different ones) and key, over and over."""
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits
    made = ["".join(chance.choices(letters, k=RECORD_BYTES)).encode() for _ in range(1_000)]
    names = [f"TRUCK_{number:03}" for number in range(min(keys, count))]
    return list(islice(zip(cycle(made), cycle(names)), count))


def compete(open_sender, packages):
    """Run the job on the command line, and print its figures with the versions of `packages`."""
    job = Job(**json.loads(sys.argv[1]))
    if inspect.isasyncgenfunction(getattr(open_sender, "__wrapped__", open_sender)):
        import uvloop  # noqa: PLC0415 - blocking clients do without it

        figures = uvloop.run(_compete(open_sender, job))
    else:
        figures = _compete_blocking(open_sender, job)
    print(json.dumps({**figures, "versions": {name: version(name) for name in packages}}))


async def _compete(open_sender, job):
    async with open_sender(job) as send:
        return await _measure(job, send)


def _compete_blocking(open_sender, job):
    with open_sender(job) as send:

        async def send_blocking(batch):
            send(batch)

        return asyncio.run(_measure(job, send_blocking))


async def _measure(job, send):
    if job.records:
        count = job.records
    else:
        warm_up = max(WARM_UP_RECORDS, min(job.keys, MOST_WARM_KEYS))
        _, wall = await _timed(send, warm_up, job.keys)
        # As many records as fill the time at the rate of the warm-up, which is somewhat slower.
        count = max(job.batch * 20, int(warm_up / wall * job.seconds) // job.batch * job.batch)
    cpu, wall = await _timed(send, count, job.keys)
    return {
        "records": count,
        "cpu_us_per_record": cpu / count * 1e6,
        "records_per_second": count / wall,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def _timed(send, count, keys):
    records = make_records(count, keys)
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await send(records)
    return time.process_time() - cpu, time.perf_counter() - wall


def batches(records, size):
    """Cut records into batches of `size`."""
    return [records[start : start + size] for start in range(0, len(records), size)]


def entries(batch):
    """Return a batch in botocore's form."""
    return [{"Data": data, "PartitionKey": key} for data, key in batch]


async def in_parallel(send_batch, records, job):
    """Send full batches, `job.connections` at a time."""
    waiting = iter(batches(records, job.batch))

    async def send_next():
        for batch in waiting:
            await send_batch(batch)

    await asyncio.gather(*(send_next() for _ in range(job.connections)))


async def until_stored(put, batch):
    """Send a batch through a bare `put_records`, and retry only the rejected records, with backoff and full jitter.

    AWS advises this to callers of PutRecords.
    """
    for attempt in range(1_000):
        batch = rejected(batch, await put(entries(batch)))
        if not batch:
            return
        await asyncio.sleep(backoff(attempt))


def rejected(batch, response):
    """Return the records of a batch that were not stored."""
    assert len(response["Records"]) == len(batch)
    if not response["FailedRecordCount"]:
        return []
    return [record for record, outcome in zip(batch, response["Records"], strict=True) if "ErrorCode" in outcome]


def backoff(attempt):
    """Return the seconds to wait after a failed attempt, counted from 0."""
    return random.uniform(0, min(5.0, 0.1 * 2**attempt))

"""What every contestant of producers.py shares: the records, the clock, and the line of JSON that it prints.

A contestant is a script that calls `compete(open_sender)`. It runs in a process and an environment of its own and may
import nothing from here but this file, which needs only the standard library.

`open_sender(job)` is an async context manager (or, for a blocking client, a plain one) that gives `send(records)`:
send all of them, full batches, `job.connections` requests at a time, and return when every one is acknowledged.
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


@dataclass
class Job:
    """What one run is to do."""

    endpoint_url: str
    #: Aim at this many seconds of sending, after a warm-up.
    seconds: float
    connections: int = 10
    batch: int = 500
    #: Which form of the contestant, where it has several.
    form: str = ""
    #: The stream has quotas: send `records` of them and keep to the quotas as well as may be.
    records: int = 0
    stream: str = "trucks"


def records(count: int) -> list[tuple[bytes, str]]:
    """`count` pairs of 498 bytes and a key; a thousand different ones, over and over."""
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits
    made = [
        ("".join(chance.choices(letters, k=RECORD_BYTES)).encode(), KEYS[number % len(KEYS)]) for number in range(1_000)
    ]
    return list(islice(cycle(made), count))


def compete(open_sender, packages: list[str]) -> None:
    """Run the contestant as the command line says, and print what it took."""
    job = Job(**json.loads(sys.argv[1]))
    if inspect.isasyncgenfunction(getattr(open_sender, "__wrapped__", open_sender)):
        import uvloop  # noqa: PLC0415 - not for blocking clients

        figures = uvloop.run(_compete(open_sender, job))
    else:
        figures = _compete_blocking(open_sender, job)
    print(json.dumps({**figures, "versions": {name: version(name) for name in packages}}))


async def _compete(open_sender, job):
    async with open_sender(job) as send:
        if job.records:
            return _figures(job.records, *(await _timed(send, job.records)))
        count = _count(job, *(await _timed(send, WARM_UP_RECORDS)))
        return _figures(count, *(await _timed(send, count)))


def _compete_blocking(open_sender, job):
    async def run():
        with open_sender(job) as send:

            async def sent(batch):
                send(batch)

            if job.records:
                return _figures(job.records, *(await _timed(sent, job.records)))
            count = _count(job, *(await _timed(sent, WARM_UP_RECORDS)))
            return _figures(count, *(await _timed(sent, count)))

    return asyncio.run(run())


async def _timed(send, count):
    batch = records(count)
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await send(batch)
    return time.process_time() - cpu, time.perf_counter() - wall


def _count(job, _cpu, wall):
    """As many records as fill the time, going by the warm-up, which is somewhat slower."""
    return max(job.batch * 20, int(WARM_UP_RECORDS / wall * job.seconds) // job.batch * job.batch)


def _figures(count, cpu, wall):
    return {
        "records": count,
        "cpu_us_per_record": cpu / count * 1e6,
        "records_per_second": count / wall,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def batches(batch, size):
    """Pieces of `size` records."""
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def entries(batch):
    """Records as botocore wants them."""
    return [{"Data": data, "PartitionKey": key} for data, key in batch]


async def in_parallel(send_batch, batch, job):
    """Send full batches, `job.connections` at a time."""
    waiting = iter(batches(batch, job.batch))

    async def work():
        for one in waiting:
            await send_batch(one)

    await asyncio.gather(*(work() for _ in range(job.connections)))


async def until_stored(put, batch):
    """Send one batch through a bare `put_records`, and what is refused again: only that, with backoff and full jitter.

    This is what AWS advises those to do who call PutRecords themselves.
    """
    for attempt in range(1_000):
        answer = await put(entries(batch))
        batch = refused(batch, answer)
        if not batch:
            return
        await asyncio.sleep(backoff(attempt))


def refused(batch, answer):
    """The records of a batch that were not stored."""
    assert len(answer["Records"]) == len(batch)
    if not answer["FailedRecordCount"]:
        return []
    return [record for record, outcome in zip(batch, answer["Records"], strict=True) if "ErrorCode" in outcome]


def backoff(attempt):
    """Seconds to wait after a failed attempt, counted from 0."""
    return random.uniform(0, min(5.0, 0.1 * 2**attempt))

"""What memory does a producer take while the service is away?

One local Kinesis with the service's quotas, in a process of its own; one producer, offered records of 498 bytes at the
full rate of the shards. After some seconds the service refuses every request with a 500, for 60 seconds, and then is
there again. Shown are the budget (`buffer_bytes`), the most that records and requests took beyond what was there before
the first put (tracemalloc, in a run of its own, for it slows the producer down; and the process's resident memory), how
long `put` waited for room, and that every record was acknowledged in the end.

    uv run python benchmarks/outage.py [--seconds 60] [--shards 4] [--buffer-mib 64] [--json FILE]
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import sys
import time
import tracemalloc
from importlib.metadata import version
from pathlib import Path

import uvloop

from truckstream.kinesis.limits import MIB, SHARD_RECORDS_PER_SECOND
from truckstream.local import Fault, LocalKinesis
from truckstream.producer import Producer

KEYS = [f"TRUCK_{number:03}" for number in range(100)]
BEFORE_SECONDS = 3.0
AFTER_SECONDS = 3.0


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Meter:
    """The most memory above where it began."""

    def __init__(self, read):
        self._read = read
        self._at_first = read()
        self.most = 0

    def sample(self):
        self.most = max(self.most, self._read() - self._at_first)


async def offer(producer, rate, waited):
    """Put records at `rate` a second, or as fast as there is room, for ever; each with data of its own."""
    began, count = time.monotonic(), 0
    while True:
        for _ in range(int((time.monotonic() - began) * rate) - count):
            at = time.monotonic()
            await producer.put(os.urandom(498), KEYS[count % len(KEYS)])
            waited[0] += time.monotonic() - at
            count += 1
        await asyncio.sleep(0.01)


async def watch(meter):
    while True:
        meter.sample()
        await asyncio.sleep(0.05)


async def measure(shards, seconds, buffer_bytes, read):
    """The figures of one outage, with memory as `read` gives it."""
    options = {"region_name": "us-east-1", "buffer_bytes": buffer_bytes, "delivery_timeout": 10 * seconds}
    waited = [0.0]
    async with (
        LocalKinesis(shards=shards, own_process=True) as kinesis,
        Producer(kinesis.stream_name, endpoint_url=kinesis.endpoint_url, **options) as producer,
    ):
        await producer.put(b"", KEYS[0])
        await producer.flush()  # what the first request alone loads and keeps
        gc.collect()
        meter = Meter(read)
        rate = shards * SHARD_RECORDS_PER_SECOND
        tasks = [asyncio.create_task(offer(producer, rate, waited)), asyncio.create_task(watch(meter))]
        await asyncio.sleep(BEFORE_SECONDS)
        await kinesis.inject(Fault("error-before"))
        await asyncio.sleep(seconds)
        held = producer.stats
        await kinesis.clear_faults()
        await asyncio.sleep(AFTER_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stats = await producer.close()
    return {
        "most_mib": round(meter.most / MIB, 1),
        "of_the_budget": round(meter.most / buffer_bytes, 3),
        "held_records": held.buffered + held.in_flight,
        "held_of_the_budget": round(held.buffered_bytes / buffer_bytes, 3),
        "waited_for_room_seconds": round(waited[0], 1),
        "requests": stats.requests,
        "put": stats.put,
        "acked": stats.acked,
    }


async def main(options):
    rows = []
    budget = options.buffer_mib * MIB
    print(f"{options.shards} shards, {options.seconds:g} s without the service, a budget of {options.buffer_mib} MiB")
    for name, read in (("resident", resident_bytes), ("tracemalloc", lambda: tracemalloc.get_traced_memory()[0])):
        if name == "tracemalloc":
            tracemalloc.start()
        row = {"memory": name, **await measure(options.shards, options.seconds, budget, read)}
        rows.append(row)
        print(
            "{memory:11}: at most {most_mib} MiB, {of_the_budget:.0%} of the budget; {held_records:,} records held, "
            "{held_of_the_budget:.0%} of the budget; put waited {waited_for_room_seconds} s for room; "
            "{requests:,} requests; {acked:,} of {put:,} acknowledged".format(**row),
            flush=True,
        )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of the outage")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--buffer-mib", type=int, default=64)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "NO_PROXY": "127.0.0.1"}
    rows = uvloop.run(main(options))
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "truckstream": version("truckstream")}
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    sys.exit(any(row["acked"] != row["put"] for row in rows))

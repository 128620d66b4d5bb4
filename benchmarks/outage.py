"""How much memory does a producer take while the service is unavailable?

A local Kinesis with the service's quotas runs in a process of its own. One producer is offered records of 498 bytes at
the full rate of the shards. After some seconds the service responds to every request with status 500, for 60 seconds,
and then works again. Shown are the budget (`buffer_bytes`); the most memory that records and requests took, beyond the
memory in use before the first put; how long `put` waited for room; and that every record was acknowledged in the end.
Memory is measured in two runs: as the process's resident memory, and with tracemalloc, which slows the producer down.

    uv run python benchmarks/outage.py [--seconds 60] [--shards 4] [--buffer-mib 64] [--json FILE]
        [--html FILE]
"""

import asyncio
import gc
import os
import sys
import time
import tracemalloc
from pathlib import Path

import support.prerequisites  # noqa: F401 - reports a missing package
import uvloop
from support.command_line import make_parser, publish

from truckstream.charts import Axis, LimitLine, Span, lines
from truckstream.kinesis.limits import MIB, SHARD_RECORDS_PER_SECOND
from truckstream.local import Fault, LocalKinesis
from truckstream.producer import Producer

KEYS = [f"TRUCK_{number:03}" for number in range(100)]
BEFORE_SECONDS = 3.0
AFTER_SECONDS = 3.0
#: Parts of a run whose memory a chart shows.
COURSE_PARTS = 150


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class MemorySeries:
    """The memory that `read` returns, above its value at the start: its peak, and its course."""

    def __init__(self, read):
        self._read = read
        self._at_start = read()
        self.bytes = 0
        #: Pairs of seconds and MiB: the most of each part of a second.
        self.course = []

    async def keep_sampling(self, part_seconds):
        began = time.monotonic()
        while True:
            used = self._read() - self._at_start
            self.bytes = max(self.bytes, used)
            part = int((time.monotonic() - began) / part_seconds)
            if len(self.course) <= part:
                self.course.append([round(part * part_seconds, 2), 0.0])
            self.course[-1][1] = max(self.course[-1][1], round(used / MIB, 2))
            await asyncio.sleep(0.05)


class Offer:
    """Puts records with data of their own at `rate` a second, or as fast as there is room."""

    def __init__(self, producer, rate):
        self._producer = producer
        self._rate = rate
        self.waited_seconds = 0.0

    async def keep_putting(self):
        began, count = time.monotonic(), 0
        while True:
            for _ in range(int((time.monotonic() - began) * self._rate) - count):
                before = time.monotonic()
                await self._producer.put(os.urandom(498), KEYS[count % len(KEYS)])
                self.waited_seconds += time.monotonic() - before
                count += 1
            await asyncio.sleep(0.01)


async def measure(shards, seconds, buffer_bytes, read_memory):
    """Return the figures of one outage."""
    options = {"region_name": "us-east-1", "buffer_bytes": buffer_bytes, "delivery_timeout": 10 * seconds}
    async with (
        LocalKinesis(shards=shards, own_process=True) as kinesis,
        Producer(kinesis.stream_name, endpoint_url=kinesis.endpoint_url, **options) as producer,
    ):
        await producer.put(b"", KEYS[0])
        await producer.flush()  # the first request loads and keeps things that later ones do not
        gc.collect()
        memory = MemorySeries(read_memory)
        offer = Offer(producer, shards * SHARD_RECORDS_PER_SECOND)
        part_seconds = (BEFORE_SECONDS + seconds + AFTER_SECONDS) / COURSE_PARTS
        sampling = memory.keep_sampling(part_seconds)
        tasks = [asyncio.create_task(offer.keep_putting()), asyncio.create_task(sampling)]
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
        "most_mib": round(memory.bytes / MIB, 1),
        "of_the_budget": round(memory.bytes / buffer_bytes, 3),
        "held_records": held.buffered + held.in_flight,
        "held_of_the_budget": round(held.buffered_bytes / buffer_bytes, 3),
        "waited_for_room_seconds": round(offer.waited_seconds, 1),
        "requests": stats.requests,
        "put": stats.put,
        "acked": stats.acked,
        "memory_course": memory.course,
    }


async def main(options):
    rows = []
    budget = options.buffer_mib * MIB
    print(f"{options.shards} shards, an outage of {options.seconds:g} s, a budget of {options.buffer_mib} MiB")
    for name, read_memory in (("resident", resident_bytes), ("tracemalloc", traced_bytes)):
        if name == "tracemalloc":
            tracemalloc.start()
        row = {"memory": name, **await measure(options.shards, options.seconds, budget, read_memory)}
        rows.append(row)
        print(
            "{memory:11}: at most {most_mib} MiB, {of_the_budget:.0%} of the budget; {held_records:,} records held, "
            "{held_of_the_budget:.0%} of the budget; put waited {waited_for_room_seconds} s for room; "
            "{requests:,} requests; {acked:,} of {put:,} acknowledged".format(**row),
            flush=True,
        )
    return rows


def charts(rows, budget_mib, seconds):
    return [
        lines(
            "Memory of a producer in an outage",
            [
                {"time": second, "MiB": mib, "memory": row["memory"]}
                for row in rows
                for second, mib in row["memory_course"]
            ],
            x=Axis("time", "since the first put, s", ",.1f"),
            y=Axis("MiB", "beyond the start, MiB", ",.1f"),
            series="memory",
            rules=[LimitLine(budget_mib, f"budget: {budget_mib} MiB")],
            span=Span(BEFORE_SECONDS, BEFORE_SECONDS + seconds, "every request fails"),
            caption="Resident memory of the process, and in another run tracemalloc's figure. The most of each moment.",
        )
    ]


def traced_bytes():
    return tracemalloc.get_traced_memory()[0]


if __name__ == "__main__":
    parser = make_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the outage (default: %(default)s)")
    parser.add_argument("--shards", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--buffer-mib", type=int, default=64, help="the producer's buffer_bytes (default: %(default)s)")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "NO_PROXY": "127.0.0.1"}
    rows = uvloop.run(main(options))
    publish(options, charts=charts(rows, options.buffer_mib, options.seconds), rows=rows)
    sys.exit(any(row["acked"] != row["put"] for row in rows))

"""What does a producer deliver through a shard that throttles it?

A local Kinesis with one shard runs in a process of its own, and one producer with default options always has a backlog
for it. Each row is one reason for throttles: at random, a lower quota, a program without pacing that writes to the same
shard (a loop around botocore's put_records, in a process of its own), a second producer, and a producer that may not
list the shards. Shown over the steady part are the records a second that the producer delivered, the share of its sends
that was throttled, and what the row allows at best: the quota without the records that were throttled at random, or an
equal part of the shard.

    uv run python benchmarks/throttled_shard.py [--seconds 20] [--only random,half,…] [--json FILE] [--html FILE]
"""

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from support.command_line import make_parser, publish, selected

from truckstream.charts import Axis, bars
from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND
from truckstream.local import Fault, FaultPlan, LocalKinesis
from truckstream.producer import Producer

RECORD = b"x" * 498
BACKLOG = 2_000
WARM_UP_SECONDS = 8.0
WRITER = Path(__file__).parent / "support" / "unpaced_writer.py"


@dataclass(frozen=True)
class Case:
    name: str
    best: float
    server: dict = field(default_factory=dict)
    producers: int = 1
    unpaced_writer: bool = False


def with_fault(name, best, fault):
    return Case(name, best, {"faults": FaultPlan(Fault.parse(fault))})


def at_random(part):
    return with_fault(f"random {part:.1%}", SHARD_RECORDS_PER_SECOND * (1 - part), f"throttle:rate={part}")


CASES = [
    *map(at_random, (0.001, 0.01, 0.05, 0.1, 0.3)),
    Case("half of the quota", SHARD_RECORDS_PER_SECOND / 2, {"quotas": 0.5}),
    Case("unpaced writer beside it", SHARD_RECORDS_PER_SECOND / 2, unpaced_writer=True),
    Case("second producer beside it", SHARD_RECORDS_PER_SECOND / 2, producers=2),
    with_fault("no list of shards", SHARD_RECORDS_PER_SECOND, "access-denied:operations=ListShards"),
]


async def feed(producer):
    """Keep a backlog until cancelled."""
    number = 0
    while True:
        stats = producer.stats
        for _ in range(BACKLOG - stats.buffered - stats.in_flight):
            number += 1
            await producer.put(RECORD, f"TRUCK_{number % 100:03}")
        await asyncio.sleep(0.02)


@asynccontextmanager
async def unpaced_writer(kinesis):
    process = await asyncio.create_subprocess_exec(sys.executable, WRITER, kinesis.endpoint_url, kinesis.stream_name)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def measure(case, seconds):
    """Return one row of the table."""
    async with LocalKinesis(shards=1, own_process=True, **case.server) as kinesis, AsyncExitStack() as stack:
        options = {"endpoint_url": kinesis.endpoint_url, "region_name": "us-east-1"}
        producers = [Producer(kinesis.stream_name, **options) for _ in range(case.producers)]
        for producer in producers:
            await producer.open()
            stack.push_async_callback(producer.close, timeout=0)
        tasks = [asyncio.create_task(feed(producer)) for producer in producers]
        if case.unpaced_writer:
            await stack.enter_async_context(unpaced_writer(kinesis))
        await asyncio.sleep(WARM_UP_SECONDS)
        befores, began = [producer.stats for producer in producers], time.monotonic()
        await asyncio.sleep(seconds)
        afters, took = [producer.stats for producer in producers], time.monotonic() - began
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    before, after = befores[0], afters[0]
    others = [late.acked - early.acked for early, late in zip(befores[1:], afters[1:], strict=True)]
    return {
        "case": case.name,
        "others_records_per_second": [round(count / took, 1) for count in others],
        "records_per_second": round((after.acked - before.acked) / took, 1),
        "best": case.best,
        "throttled_share": round((after.throttled - before.throttled) / (after.sent - before.sent), 4),
        "requests_per_second": round((after.requests - before.requests) / took, 1),
        "failed": after.failed,
    }


def charts(rows):
    shares = [row | {"of the best": row["records_per_second"] / row["best"]} for row in rows]
    return [
        bars(
            "Delivered through the shard",
            shares,
            name="case",
            value=Axis("of the best", "records/s, of the best that is possible", ".1%"),
            caption="The best: the quota without the records throttled at random, or an equal part of the shard.",
        ),
        bars("Throttled", rows, name="case", value=Axis("throttled_share", "of the records sent", ".2%")),
    ]


async def main(options):
    rows = []
    print(f"{'':28}{'records/s':>10}{'of the best':>12}{'throttled':>11}{'requests/s':>12}{'failed':>8}", flush=True)
    for case in selected(CASES, options):
        row = await measure(case, options.seconds)
        rows.append(row)
        rate, best = row["records_per_second"], row["best"]
        print(
            f"{case.name:28}{rate:10,.0f}{rate / best:12.1%}{row['throttled_share']:11.2%}"
            f"{row['requests_per_second']:12.0f}{row['failed']:8}",
            *(f"  the other: {other:,.0f}/s" for other in row["others_records_per_second"]),
            flush=True,
        )
    publish(options, charts=charts(rows), rows=rows)


if __name__ == "__main__":
    parser = make_parser(__doc__, only="cases")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the steady part (default: %(default)s)")
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "NO_PROXY": "127.0.0.1"}
    uvloop.run(main(parser.parse_args()))

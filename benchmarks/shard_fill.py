"""How much of its shards' quota does the producer reach?

A local Kinesis with the service's quotas runs in a process of its own. One producer is fed with records of 498 bytes
for every shard, as fast as it takes them. Shown for each number of shards are the share of the quota over the steady
part (after two seconds), the least full shard, the share of the sent records that were throttled, and the CPU time a
record of the process with the producer and the feeding.

With `--producers 2`, two producers that do not know of each other fill the same shards. Also shown is each one's share
of the records that both stored. The first ten seconds, in which they find their rates, count only for the throttled
records.

With `--peers`, the other Python ways to PutRecords fill the same shards, each in a process and an environment of its
own. The bare clients run ten loops that send batches of 500 and retry the rejected records with backoff and full
jitter; the producers use their own limits. Shown are figures of the local Kinesis over the steady part: the share of
the quota that it stored, and the share of the sent records that it throttled.

Bias: the quota is the local server's token bucket (1,000 records/s with one second of burst). AWS does not publish how
its own smooths bursts.

    uv run python benchmarks/shard_fill.py [--seconds 10] [--shards 1,2,4,8] [--producers 2] [--peers]
        [--json FILE] [--html FILE]
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import msgspec
import support.prerequisites
import uvloop
from support.command_line import make_parser, publish

sys.path.insert(0, str(Path(__file__).parent / "peers"))
from contestants import CONTESTANTS, environment
from harness import Job

from truckstream.charts import Axis, bars, panels
from truckstream.demo.accounting.shard_rate import ShardRateMeter
from truckstream.demo.accounting.timeline import shard_rates
from truckstream.kinesis.limits import SHARD_RECORDS_PER_SECOND
from truckstream.local import LocalKinesis
from truckstream.producer import Producer, ProducerObserver

RECORD = b"x" * 498
WARM_UP_SECONDS = 2.0
SHARING_WARM_UP_SECONDS = 10.0
#: The service's token buckets are full at the start and allow a second of burst, which no client can keep up.
PEER_WARM_UP_SECONDS = 4.0
#: truckstream's client alone retries nothing. Aggregated records are so few that the byte quota would decide.
NO_PEERS = {"truckstream client", "truckstream aggregated", "aiokpl aggregated", "async-kinesis unthrottled"}
BACKLOG = 1_000


def keys_by_shard(producer):
    """Return one partition key for each shard."""
    keys = {}
    for number in range(10_000):
        keys.setdefault(producer.shard_of(f"TRUCK_{number:03}"), f"TRUCK_{number:03}")
    return keys


async def keep_shards_full(producer, keys):
    """Keep a backlog for every shard until cancelled."""
    while True:
        shards = producer.stats.shards
        for shard_id, key in keys.items():
            waiting = shards[shard_id].buffered + shards[shard_id].in_flight
            for _ in range(BACKLOG - waiting):
                await producer.put(RECORD, key)
        await asyncio.sleep(0.05)


class RateObserver(ProducerObserver):
    """Measures the rate at which one producer fills each shard."""

    def __init__(self):
        self._acked = Counter()
        self._meters = defaultdict(ShardRateMeter)

    def records_acknowledged(self, event):
        now = time.monotonic()
        for shard_id, records in event.shards.items():
            self._acked[shard_id] += records
            self._meters[shard_id].sample(now, self._acked[shard_id])

    def begin(self, shard_ids, now):
        """Note that no record is acknowledged yet."""
        for shard_id in shard_ids:
            self._meters[shard_id].sample(now, 0)

    def course(self, start, end):
        """Return the rates of each shard in steps of a second."""
        return [msgspec.to_builtins(rate) for rate in shard_rates(self._meters, start, end)]

    def rates(self, shard_ids, start, end):
        """Return the records a second of each shard."""
        return [self._meters[shard_id].rate(start, end) for shard_id in shard_ids]


async def measure(shards, seconds, producers):
    """Return one row of the table."""
    warm_up = WARM_UP_SECONDS if producers == 1 else SHARING_WARM_UP_SECONDS
    async with LocalKinesis(shards=shards, own_process=True) as kinesis, AsyncExitStack() as stack:
        options = {"endpoint_url": kinesis.endpoint_url, "region_name": "us-east-1"}
        observers = [RateObserver() for _ in range(producers)]
        opened = [
            await stack.enter_async_context(Producer(kinesis.stream_name, observer=observer, **options))
            for observer in observers
        ]
        cpu, started = -time.process_time(), time.monotonic()
        for observer, producer in zip(observers, opened, strict=True):
            observer.begin(producer.stats.shards, started)
        tasks = [asyncio.create_task(keep_shards_full(producer, keys_by_shard(producer))) for producer in opened]
        await asyncio.sleep(warm_up + seconds)
        ended = time.monotonic()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stats = [await producer.close() for producer in opened]
        cpu += time.process_time()
    rates = [observer.rates(stats[0].shards, started + warm_up, ended) for observer in observers]
    per_shard, total = [sum(of_each) for of_each in zip(*rates, strict=True)], sum(map(sum, rates))
    return {
        "shards": shards,
        "records_per_second": round(total, 1),
        "quota_share": round(total / shards / SHARD_RECORDS_PER_SECOND, 4),
        "least_full_shard": round(min(per_shard) / SHARD_RECORDS_PER_SECOND, 4),
        "throttled_share": round(sum(one.throttled for one in stats) / sum(one.sent for one in stats), 5),
        "cpu_us_per_record": round(cpu * 1e6 / sum(one.acked for one in stats), 1),
        "records_per_request": round(sum(one.sent for one in stats) / sum(one.requests for one in stats)),
        "shares": [round(sum(rate) / total, 3) for rate in rates],
        "shard_rates": [observer.course(started, ended) for observer in observers],
    }


async def measure_peer(contestant, shards, seconds):
    """Return one row of the peers' table: the peer sends until it is killed, and the service counts."""
    async with LocalKinesis(shards=shards, own_process=True) as kinesis:
        records = int((seconds + PEER_WARM_UP_SECONDS + 5) * shards * SHARD_RECORDS_PER_SECOND)
        job = Job(kinesis.endpoint_url, seconds, form=contestant.form, records=records, stream=kinesis.stream_name)
        peer = await asyncio.create_subprocess_exec(
            *contestant.command,
            json.dumps(asdict(job)),
            env=environment(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # uv runs the contestant as a child of its own
        )
        try:
            while not (await kinesis.stats()).records_in:  # noqa: ASYNC110 - another process cannot set an event
                await asyncio.sleep(0.05)
            await asyncio.sleep(PEER_WARM_UP_SECONDS)
            before, began = await kinesis.stats(), time.monotonic()
            await asyncio.sleep(seconds)
            after, took = await kinesis.stats(), time.monotonic() - began
        finally:
            os.killpg(peer.pid, signal.SIGKILL)
            await peer.wait()
    stored = after.records_in - before.records_in
    throttled = after.records_throttled - before.records_throttled
    return {
        "contestant": contestant.name,
        "shards": shards,
        "quota_share": round(stored / took / shards / SHARD_RECORDS_PER_SECOND, 4),
        "wasted_share": round(throttled / (stored + throttled), 5),
    }


async def compare_peers(options):
    """Print and return the peers' table."""
    support.prerequisites.find_uv()  # exits now, and not after the first rows, if it is missing
    rows = []
    print("shards  contestant               of quota  throttled", flush=True)
    for shards in options.shards:
        for contestant in CONTESTANTS:
            if contestant.name in NO_PEERS:
                continue
            row = await measure_peer(contestant, shards, options.seconds)
            rows.append(row)
            print("{shards:6}  {contestant:22}  {quota_share:9.2%}  {wasted_share:9.3%}".format(**row), flush=True)
    return rows


async def fill_shards(options):
    """Print and return the table of truckstream's producer."""
    rows = []
    print("shards  records/s  of quota  least full shard  throttled  CPU µs/record  records/request", flush=True)
    for shards in options.shards:
        row = await measure(shards, options.seconds, options.producers)
        rows.append(row)
        print(
            "{shards:6}  {records_per_second:9,.0f}  {quota_share:8.2%}  {least_full_shard:16.2%}  "
            "{throttled_share:9.3%}  {cpu_us_per_record:13.1f}  {records_per_request:15}".format(**row),
            *([f"  each {', '.join(f'{share:.0%}' for share in row['shares'])}"] if options.producers > 1 else []),
            flush=True,
        )
    return rows


def charts(rows):
    if "contestant" in rows[0]:
        return [chart for shards in dict.fromkeys(row["shards"] for row in rows) for chart in peer_charts(rows, shards)]
    return [course_chart(row, number) for row in rows for number in range(len(row["shard_rates"]))]


def course_chart(row, number):
    """Return how full each shard was over time, by one of the producers."""
    whose = f" by producer {number + 1}" if len(row["shard_rates"]) > 1 else ""
    return panels(
        f"Throughput of {row['shards']} shard{'s' * (row['shards'] > 1)}{whose}; dashed: the quota of a shard",
        [
            {
                "time": (rate["start"] + rate["end"]) / 2,
                "records/s": rate["records_per_second"],
                "shard": rate["shard_id"],
            }
            for rate in row["shard_rates"][number]
        ],
        x=Axis("time", "since the first put, s", ",.1f"),
        y=Axis("records/s", "records/s", ",.0f"),
        panel="shard",
        limit=SHARD_RECORDS_PER_SECOND,
        caption="Acknowledged records. A shard that was idle takes a burst of one more second's records at the start.",
    )


def peer_charts(rows, shards):
    """Return how much of the quota each contestant filled, and how much it sent for that in vain."""
    rows = [row for row in rows if row["shards"] == shards]
    where = f"{shards} shard{'s' * (shards > 1)}"
    filled, wasted = Axis("quota_share", "of the quota", ".1%"), Axis("wasted_share", "of the records sent", ".1%")
    common = {"name": "contestant", "highlight": "truckstream", "half": True}
    return [
        bars(f"Stored, {where}", rows, value=filled, **common),
        bars(f"Throttled, {where}", rows, value=wasted, **common),
    ]


if __name__ == "__main__":
    parser = make_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the steady part (default: %(default)s)")
    parser.add_argument("--shards", type=lambda text: [int(part) for part in text.split(",")], default=[1, 2, 4, 8])
    parser.add_argument("--producers", type=int, default=1, help="number of producers that fill the same shards")
    parser.add_argument("--peers", action="store_true", help="compare the contestants of producers.py")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "NO_PROXY": "127.0.0.1"}
    rows = uvloop.run(compare_peers(options) if options.peers else fill_shards(options))
    publish(options, charts=charts(rows), packages={"aiobotocore": version("aiobotocore")}, rows=rows)

"""How many truck records a second go through one shard: plain, aggregated and compressed?

A local Kinesis with the service's quotas, 1,000 Kinesis records and 1 MiB a second, runs in a process of its own. One
producer puts the reports of 5,000 different trucks into its one shard, in each of three forms:

- as fast as the shard takes them. Shown are the records a second after two seconds, the CPU time a record of the
  process with the producer and the feeding, the bytes a record in the stream, and the cost of a month of 1,000 records
  a second.
- at four fifths of that rate, with a linger of 0.1 and of 1 s. Shown is the time from put to acknowledgement.

Then the Batcher gets the stream's records as Lambda delivers them. Shown is its CPU time a record, without S3.

The cost is that of full shards at the list prices of us-east-1: 0.015 dollars for an hour of a shard, and 0.014 for a
million units of 25 KB. A month has 730 hours.

Bias: the reports of a truck follow each other after a second. Trucks that report ten times a second compress to 20
bytes a record, because their signals hardly move. The quota of the local Kinesis is a token bucket with a second of
burst. The processes share the cores of the machine.

    uv run python benchmarks/compression.py [--seconds 8] [--json FILE] [--html FILE]
"""

import asyncio
import base64
import itertools
import math
import os
import statistics
import time
from importlib.metadata import version

import support.prerequisites  # noqa: F401 - reports a missing package
import uvloop
from support.command_line import make_parser, publish, selected

from truckstream.batcher import Batcher
from truckstream.charts import Axis, bars
from truckstream.envelope import is_envelope, read
from truckstream.fleet import Fleet
from truckstream.fleet.release_schedule import ReleaseSchedule
from truckstream.kinesis.limits import SHARD_BYTES_PER_SECOND
from truckstream.kpl import decode, is_aggregate
from truckstream.local import LocalKinesis
from truckstream.producer import Producer, ProducerObserver

TRUCKS = 5_000
#: Reports that are made before the measurement, 12 for each truck, and put again and again.
REPORTS = 60_000
WARM_UP_SECONDS = 2.0
LINGERS = (0.1, 1.0)
SHARE_FOR_LATENCY = 0.8
TICK_SECONDS = 0.01
#: A Lambda event has 6 MB at most, in base64.
EVENT_BYTES = 4_000_000
FUNCTION_SECONDS = 2.0

HOURS, SHARD_HOUR, MILLION_UNITS, UNIT_BYTES = 730, 0.015, 0.014, 25 * 1024


class Form:
    """A way to send records, and how many of them wait for the full shard."""

    def __init__(self, name, backlog, **options):
        self.name, self.backlog, self.options = name, backlog, options


FORMS = [
    Form("plain", 1_000),
    Form("aggregated", 2_000, aggregate=True),
    Form("compressed", 10_000, aggregate=True, compression="zstd"),
]


class AckObserver(ProducerObserver):
    """Counts acknowledged records, and measures the time from put to acknowledgement if it is wanted."""

    def __init__(self, *, measures=False):
        self.acked, self.seconds, self._measures = 0, [], measures

    def records_acknowledged(self, event):
        self.acked += event.records
        if self._measures:
            now = asyncio.get_running_loop().time()
            self.seconds += [now - delivery.put_at for delivery in event.deliveries]


async def keep_full(producer, reports, backlog):
    """Keep a backlog for the shard until cancelled."""
    while True:
        stats = producer.stats
        for report in itertools.islice(reports, max(0, backlog - stats.buffered - stats.in_flight)):
            await producer.put(report.data, report.truck_id)
        await asyncio.sleep(TICK_SECONDS)


async def put_at_rate(producer, reports, rate):
    """Put `rate` records a second until cancelled."""
    loop = asyncio.get_running_loop()
    schedule = ReleaseSchedule(rate, loop.time())
    while True:
        for report in itertools.islice(reports, schedule.release(loop.time())):
            await producer.put(report.data, report.truck_id)
        await asyncio.sleep(TICK_SECONDS)


async def run_for(seconds, work):
    task = asyncio.create_task(work)
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def fill(form, reports, seconds):
    """Return the figures of a full shard, and the Kinesis records that it took."""
    observer = AckObserver()
    async with (
        LocalKinesis(shards=1, own_process=True) as kinesis,
        Producer(kinesis.stream_name, observer=observer, **network(kinesis), **form.options) as producer,
    ):
        feeding = asyncio.create_task(keep_full(producer, reports, form.backlog))
        await asyncio.sleep(WARM_UP_SECONDS)
        before, cpu, began = observer.acked, time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        acked, cpu, took = observer.acked - before, time.process_time() - cpu, time.monotonic() - began
        feeding.cancel()
        stats = await producer.close()
        stored = [record async for record in kinesis.stored()]
    sizes = [len(record.data) + len(record.partition_key) for record in stored]
    units = sum(math.ceil(size / UNIT_BYTES) for size in sizes) / stats.acked
    return {
        "form": form.name,
        "records_per_second": round(acked / took),
        "of_the_quota_in_bytes": round(acked / took * sum(sizes) / stats.acked / SHARD_BYTES_PER_SECOND, 3),
        "throttled_share": round(stats.throttled / stats.sent, 4),
        "cpu_us_per_record": round(cpu * 1e6 / acked, 1),
        "bytes_per_record": round(sum(sizes) / stats.acked, 1),
        "dollars": round(dollars_a_month(acked / took, units), 2),
    }, stored


def dollars_a_month(records_per_second, units):
    """Return what 1,000 records a second cost if a shard takes so many, and a record so many payload units."""
    shards = 1_000 / records_per_second * HOURS * SHARD_HOUR
    return shards + units * 1_000 * HOURS * 3_600 / 1e6 * MILLION_UNITS


async def measure_latency(form, reports, seconds, rate, linger):
    """Return the median and the 99th percentile of the time from put to acknowledgement, in milliseconds."""
    observer = AckObserver(measures=True)
    async with (
        LocalKinesis(shards=1, own_process=True) as kinesis,
        Producer(kinesis.stream_name, observer=observer, linger=linger, **network(kinesis), **form.options) as producer,
    ):
        await run_for(WARM_UP_SECONDS, put_at_rate(producer, reports, rate))
        observer.seconds.clear()
        await run_for(seconds, put_at_rate(producer, reports, rate))
    percentiles = statistics.quantiles(observer.seconds, n=100)
    name = f"linger_{linger:g}_s"
    return {f"{name}_p50_ms": round(percentiles[49] * 1e3), f"{name}_p99_ms": round(percentiles[98] * 1e3)}


def network(kinesis):
    return {"endpoint_url": kinesis.endpoint_url, "region_name": "us-east-1"}


class ListStore:
    """A store that drops the objects."""

    async def put_async(self, _path, file, **_):
        pass

    async def get_async(self, path, **_):
        raise AssertionError(f"{path} was read: every object is new")


async def measure_function(stored):
    """Return the CPU time of the Batcher for a record of an event with as much of `stored` as it may have."""
    ends = itertools.accumulate(len(record.data) for record in stored)
    event = [as_event(record) for record, end in zip(stored, ends, strict=True) if end <= EVENT_BYTES][:10_000]
    records = sum(map(count_records, stored[: len(event)]))
    batcher, rounds = Batcher(ListStore()), 0
    await batcher.process(event)
    cpu = time.process_time()
    while time.process_time() - cpu < FUNCTION_SECONDS:
        await batcher.process(event)
        rounds += 1
    return round((time.process_time() - cpu) * 1e6 / rounds / records, 2)


def as_event(record):
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": record.sequence_number,
            "data": base64.b64encode(record.data).decode(),
            "approximateArrivalTimestamp": record.arrival,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{record.shard_id}:{record.sequence_number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/trucks",
    }


def count_records(record):
    if is_envelope(record.data):
        return len(read(record.data))
    return len(decode(record.data)) if is_aggregate(record.data) else 1


async def measure(options):
    """Print and return the rows of the table."""
    fleet = Fleet(trucks=TRUCKS, rate=TRUCKS, seed=1)
    reports = itertools.cycle(list(itertools.islice(fleet, REPORTS)))
    rows = []
    for form in selected(FORMS, options):
        row, stored = await fill(form, reports, options.seconds)
        row["function_cpu_us_per_record"] = await measure_function(stored)
        for linger in LINGERS:
            rate = row["records_per_second"] * SHARE_FOR_LATENCY
            row |= await measure_latency(form, reports, options.seconds, rate, linger)
        rows.append(row)
        print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in row.items()), flush=True)
    return rows


def charts(rows):
    common = {"name": "form", "highlight": "compressed", "half": True}
    latency = [
        {"form": row["form"], "linger": f"linger {linger:g} s", "p99": row[f"linger_{linger:g}_s_p99_ms"]}
        for row in rows
        for linger in LINGERS
    ]
    return [
        bars("Through one shard", rows, value=Axis("records_per_second", "records/s", ",.0f"), **common),
        bars("A month of 1,000 records/s", rows, value=Axis("dollars", "dollars", ",.2f"), **common),
        bars("CPU time in the producer", rows, value=Axis("cpu_us_per_record", "µs a record", ",.1f"), **common),
        bars(
            "CPU time in the function",
            rows,
            value=Axis("function_cpu_us_per_record", "µs a record", ",.1f"),
            **common,
        ),
        bars(
            "From put to acknowledgement, 99 % within",
            latency,
            name="form",
            series="linger",
            value=Axis("p99", "ms", ",.0f"),
            caption="At four fifths of the rate that the shard takes.",
        ),
    ]


if __name__ == "__main__":
    parser = make_parser(__doc__, only="forms")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each run (default: %(default)s)")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "NO_PROXY": "127.0.0.1"}
    rows = uvloop.run(measure(options))
    packages = {name: version(name) for name in ("aiobotocore", "backports-zstd")}
    publish(options, charts=charts(rows), packages=packages, rows=rows)

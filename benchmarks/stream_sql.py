"""What does a record cost a SQL query on the stream, with reading and decoding, at 20,000 records a second?

A fleet of 500 trucks reports 20,000 times a second of event time, in records of 498 bytes over 16 shards of a local
Kinesis without quotas in another process. The windows are 10 s long and tumble. The stream is read as fast as the
consumer's pacing allows, and the steps come so often that there is one for some 20,000 records, as there is with steps
of 1 s. Shown are the CPU time a record of the whole process, DuckDB's threads included, the records a CPU-second that
follow from it, the records a step, the longest step, and the peak memory. The consumer that only counts is for
comparison.

Bias in our favour: there is no TLS. Bias against us: a stream that is read faster than it grows has fewer, larger
pages, but its shards drift apart, so that more windows are open.

    uv run python benchmarks/stream_sql.py [--records 400000] [--only WORD,…] [--json FILE] [--html FILE]
"""

import asyncio
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

import msgspec
import support.prerequisites  # noqa: F401 - names a missing package
import uvloop
from support.command_line import make_parser, publish, selected
from support.cost_charts import cpu_bars

from truckstream.consumer import Consumer
from truckstream.fleet import Fleet
from truckstream.local import LocalKinesis
from truckstream.producer import Producer
from truckstream.record import FIELDS
from truckstream.stream_sql import SqlStream

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
STREAM, SHARDS, TRUCKS, RATE = "truck-sensor-stream", 16, 500, 20_000.0
#: Seconds between two steps: at some 65,000 records a second, one for 20,000 records.
EVERY = 0.3

PER_TRUCK = "SELECT truck_id, avg(engine_temp) AS mean, max(engine_temp) AS most FROM records GROUP BY truck_id"
MAXIMA = ", ".join(f"max({field.name}) AS {field.name}" for field in FIELDS if field.kind is not str)
ALL_COLUMNS = f"SELECT truck_id, {MAXIMA}, max(health_status) AS health FROM records GROUP BY truck_id"


class Case(NamedTuple):
    name: str
    sql: str | None
    emit: str = "final"
    slide: float | None = None


CASES = [
    Case("the consumer alone", None),
    Case("per truck, final", PER_TRUCK),
    Case("per truck, changes", PER_TRUCK, "changes"),
    Case("per truck, sliding by 1 s, final", PER_TRUCK, slide=1.0),
    Case("all columns, changes", ALL_COLUMNS, "changes"),
    Case("a filter, final", "SELECT truck_id, speed FROM records WHERE health_status = 'URGENT'"),
]


async def fill(kinesis, records):
    fleet = Fleet(TRUCKS, rate=RATE, start=datetime(2025, 1, 15, tzinfo=UTC))
    network = {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}
    async with Producer(STREAM, pacing=False, **network) as producer:
        for _ in range(records // 10_000):
            for report in fleet.take(10_000):
                await producer.put(report.data, report.truck_id)


async def count_records(network, records):
    read = 0
    async with Consumer(STREAM, **network) as consumer:
        async for batch in consumer:
            read += len(batch)
            if read >= records:
                return {"steps": 0, "results": 0, "longest_step_ms": 0.0}
    raise AssertionError("the consumer ended")


async def ask(case, network, records):
    options = {"window": 10, "slide": case.slide, "every": EVERY, "emit": case.emit, "start": "TRIM_HORIZON"}
    steps, longest = [], 0.0
    async with SqlStream(STREAM, case.sql, **options, **network) as stream:

        async def watch():
            nonlocal longest
            while stream.stats.read < records:
                await asyncio.sleep(EVERY / 3)
                longest = max(longest, stream.stats.step_seconds)
            stream.stop()

        watching = asyncio.create_task(watch())
        windows = set()
        began = time.monotonic()
        async for result in stream:
            windows.add(result.window_start)
        steps = (time.monotonic() - began) / EVERY
        await watching
        assert stream.stats.late == 0
    return {"steps": round(steps), "windows": len(windows), "longest_step_ms": longest * 1000}


async def measure(case, endpoint, records):
    network = {"region_name": "us-east-1", "endpoint_url": endpoint}
    before, began = time.process_time(), time.monotonic()
    figures = await (ask(case, network, records) if case.sql else count_records(network, records))
    cpu, seconds = time.process_time() - before, time.monotonic() - began
    return {
        "case": case.name,
        "records": records,
        "cpu_us_per_record": cpu / records * 1e6,
        "records_per_second": records / seconds,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **figures,
    }


def measure_in_process(case, endpoint, records):
    """Measure a case in a process of its own."""
    command = [sys.executable, __file__, "--measure", case.name, endpoint, "--records", str(records)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout)


def charts(rows):
    caption = "At 20,000 records a second a core has 50 µs for each."
    return [cpu_bars("CPU time a record of a query", rows, "case", caption=caption)]


async def compare(options):
    rows = []
    heads = (
        f"{'CPU µs/record':>14}{'records/CPU-s':>15}{'records/s':>11}",
        f"{'records/step':>14}{'longest ms':>12}{'peak MiB':>10}",
    )
    print(f"{'':34}{''.join(heads)}")
    async with LocalKinesis(STREAM, shards=SHARDS, quotas=False, own_process=True) as kinesis:
        await fill(kinesis, options.records)
        for case in selected(CASES, options):
            row = await asyncio.to_thread(measure_in_process, case, kinesis.endpoint_url, options.records)
            per_step = options.records / row["steps"] if row["steps"] else 0
            print(
                f"{case.name:34}{row['cpu_us_per_record']:14.2f}{1e6 / row['cpu_us_per_record']:15,.0f}"
                f"{row['records_per_second']:11,.0f}{per_step:14,.0f}{row['longest_step_ms']:12.0f}{row['peak_mib']:10.0f}",
                flush=True,
            )
            rows.append(row)
    return rows


def main(options):
    os.environ.update(CREDENTIALS)
    if options.measure:
        name, endpoint = options.measure
        [case] = [each for each in CASES if each.name == name]
        print(msgspec.json.encode(uvloop.run(measure(case, endpoint, options.records))).decode())
        return
    rows = uvloop.run(compare(options))
    packages = {name: version(name) for name in ("arro3-core", "duckdb", "msgspec", "uvloop")}
    publish(options, charts=charts(rows), packages=packages, rows=rows)


if __name__ == "__main__":
    parser = make_parser(__doc__, only="cases")
    parser.add_argument("--records", type=int, default=400_000, help="records in the stream (default: 400,000)")
    parser.add_argument("--measure", nargs=2, metavar=("CASE", "ENDPOINT"), help="measure one case in this process")
    sys.exit(main(parser.parse_args()))

"""What does a day's query cost before and after the compaction, and what does the compaction itself cost?

A fully used shard makes 123,429 objects of 700 records a day, 5,143 an hour. Here are the objects of a part of an hour
(1,000 by default), in a directory, made by the batcher from the reports of 500 simulated trucks. Two queries run on
them in DuckDB, before and after: the average and the highest engine temperature of each truck, and all of one truck's
temperatures. Shown for each query:

- Requests and bytes: what DuckDB asks of a file system that counts, as it would ask S3. The footers of Parquet are
  separate requests.
- Seconds: with DuckDB's own reader of local files. On S3 each request takes some 30 ms more, many at a time.
- A day of the shard in Athena: the bytes times the hours and the share of an hour that is missing, at $5 a TB, and a
  request to S3 for each object and each part of a Parquet file, at $0.40 a million (us-east-1, November 2026). The
  requests of the compacted day are those of 24 files.

Bias in our favour: the simulated values change slowly, and so compress well. Bias against us: a file of a whole hour
has more rows, so that a query for one truck would skip a larger share of it.

    uv run python benchmarks/compaction.py [--objects 1000] [--only ndjson,gzip,parquet] [--json FILE]
"""

import asyncio
import base64
import resource
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import duckdb
import support.prerequisites  # noqa: F401 - reports a missing package
from fsspec.implementations.local import LocalFileSystem
from support.command_line import make_parser, publish, selected

from truckstream import Batcher, Fleet, compact
from truckstream.charts import Axis, bars

OBJECTS_A_DAY = 123_429
RECORDS = 700
BEGIN = datetime(2025, 1, 15, 14, tzinfo=UTC)
ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"

#: Athena bills a query for at least 10 MB.
LEAST_SCANNED = 10_000_000

#: Dollars in us-east-1.
SCANNED_TB = 5.0
MILLION_GETS = 0.4


class Kind(NamedTuple):
    """A kind of sources."""

    name: str
    options: dict
    #: What DuckDB reads.
    relation: str


JSON = (
    "read_json('{}/sensor_data/batch_*', format='newline_delimited', "
    "columns={{truck_id: 'VARCHAR', engine_temp: 'DOUBLE'}})"
)
KINDS = [
    Kind("ndjson", {}, JSON),
    Kind("gzip", {"compression": "gzip"}, JSON),
    Kind("parquet", {"format": "parquet"}, "read_parquet('{}/sensor_data/batch_*.parquet')"),
]
COMPACTED = "read_parquet('{}/compacted/**/*.parquet')"
QUERIES = {
    "each truck": "SELECT truck_id, avg(engine_temp), max(engine_temp) FROM {} GROUP BY truck_id",
    "one truck": "SELECT engine_temp FROM {} WHERE truck_id = 'TRUCK_250'",
}


class CountingFiles(LocalFileSystem):
    """Counts the requests that a store would get."""

    protocol = "counted"
    requests = 0
    bytes = 0

    def _open(self, path, mode="rb", **options):
        file = super()._open(path, mode, **options)
        read = file.f.read

        def count(*args):
            content = read(*args)
            type(self).requests += bool(content)
            type(self).bytes += len(content)
            return content

        file.read = count
        return file


async def fill(folder, kind, objects):
    """Store reports of the fleet."""
    batcher = Batcher(folder.as_uri(), **kind.options)
    fleet = Fleet(500, rate=1000, seed=1, start=BEGIN)
    for number in range(objects):
        reports = fleet.take(RECORDS)
        await batcher.process([record(number * RECORDS + n, report.data) for n, report in enumerate(reports)])


def record(number, data):
    return {
        "kinesis": {
            "partitionKey": "k",
            "sequenceNumber": str(49590338271490256608559692538361571095921575989136588898 + number),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": BEGIN.timestamp() + number / 1000 % 3600,
        },
        "eventSource": "aws:kinesis",
        "eventID": f"shardId-000000000000:{number}",
        "eventSourceARN": ARN,
    }


def connected():
    """Return a database that prints no progress."""
    database = duckdb.connect()
    database.execute("SET enable_progress_bar = false").fetchall()
    return database


def ask(relation, query):
    """Return the requests, the bytes and the seconds of a query."""
    counting = CountingFiles(skip_instance_cache=True)
    CountingFiles.requests = CountingFiles.bytes = 0
    with connected() as database:
        database.register_filesystem(counting)
        database.execute(query.format(relation.replace("('", "('counted://"))).fetchall()
    began = time.perf_counter()
    with connected() as database:
        database.execute(query.format(relation)).fetchall()
    return {
        "requests": CountingFiles.requests,
        "bytes": CountingFiles.bytes,
        "seconds": time.perf_counter() - began,
    }


def compact_in_process(folder, connection):
    """Compact, and send what it took."""
    began, cpu = time.perf_counter(), time.process_time()
    report = asyncio.run(compact(folder))
    connection.send(
        {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "records": report.records,
            "bytes": sum(each.size for each in report.files),
            "files": len(report.files),
        }
    )


def measure(kind, objects):
    """Return the figures of one kind of sources."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(fill(folder, kind, objects))
        size = sum(path.stat().st_size for path in folder.rglob("batch_*"))
        before = {query: ask(kind.relation.format(folder), sql) for query, sql in QUERIES.items()}
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=compact_in_process, args=(folder, theirs))
        process.start()
        compaction = ours.recv()
        process.join()
        after = {query: ask(COMPACTED.format(folder), sql) for query, sql in QUERIES.items()}
    return {"kind": kind.name, "bytes": size, "compaction": compaction, "before": before, "after": after}


def day_in_athena(figures, objects, *, compacted):
    """Return the dollars of a query on a day of a shard."""
    scale = OBJECTS_A_DAY / objects
    requests = figures["requests"] * (24 if compacted else scale)
    scanned = max(figures["bytes"] * scale, LEAST_SCANNED)
    return scanned / 1e12 * SCANNED_TB + requests / 1e6 * MILLION_GETS


def show(row, objects):
    done = row["compaction"]
    records = done["records"]
    print(
        f"\n{row['kind']}: {objects:,} objects, {records:,} records, {row['bytes'] / records:.0f} bytes a record; "
        f"compacted {done['bytes'] / records:.0f} ({done['bytes'] / row['bytes']:.3f}) in {done['files']} file\n"
        f"the compaction: {done['seconds']:.1f} s, {1e6 * done['cpu_seconds'] / records:.1f} µs of CPU a record, "
        f"peak {done['peak_mib']:.0f} MiB"
    )
    print(f"{'':24}{'requests':>10}{'MB read':>10}{'seconds':>10}{'$ a day':>10}")
    for query in QUERIES:
        for when in ("before", "after"):
            figures = row[when][query]
            figures["dollars_a_day"] = day_in_athena(figures, objects, compacted=when == "after")
            print(
                f"{query + ', ' + when:24}{figures['requests']:10,}{figures['bytes'] / 1e6:10.2f}"
                f"{figures['seconds']:10.3f}{figures['dollars_a_day']:10.5f}",
                flush=True,
            )


def charts(rows):
    """Return a chart of the bytes of each query, before and after."""
    return [
        bars(
            f"MB read from {row['kind']}",
            [
                {"case": f"{query}, {when}", "MB": row[when][query]["bytes"] / 1e6}
                for query in QUERIES
                for when in ("before", "after")
            ],
            name="case",
            value=Axis("MB", "MB", ",.2f"),
        )
        for row in rows
    ]


def main():
    parser = make_parser(__doc__, only="kinds of objects")
    parser.add_argument("--objects", type=int, default=1000, help="objects of 700 records")
    options = parser.parse_args()
    rows = []
    for kind in selected(KINDS, options):
        rows.append(measure(kind, options.objects))
        show(rows[-1], options.objects)
    publish(options, charts=charts(rows), packages={"duckdb": duckdb.__version__}, objects=options.objects, rows=rows)


if __name__ == "__main__":
    main()

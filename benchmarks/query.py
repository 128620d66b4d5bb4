"""How long does a question to a million stored records take, compared with DuckDB alone?

The records are a fleet's, stored by the Batcher in objects of 700 in each format. The question is the mean and the
maximum of two columns for each truck. Every row is the best of some runs, each in a process of its own, without the
start of Python:

- truckstream: `open_tables`, which lists the objects and makes the tables, and the query.
- truckstream, through a store: likewise, but from an obstore store, as for S3: DuckDB does not open the files itself.
- DuckDB alone: `read_json_auto` or `read_parquet` with a wildcard. It guesses the types, and has one format a query.

Bias in our favour: the directory is in the page cache. Bias against us: the peer does not compute the columns of
rejected records, nor the key of each row's object, and asks one table of one format.

    uv run python benchmarks/query.py [--records 1000000] [--runs 3] [--only ndjson] [--json FILE]
        [--html FILE]
"""

import asyncio
import base64
import json
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import support.prerequisites  # noqa: F401 - reports a missing package
from support.command_line import make_parser, publish, selected

from truckstream import Batcher, Fleet
from truckstream.charts import Axis, bars

QUESTION = "SELECT truck_id, avg(engine_temp), max(speed) FROM {} GROUP BY truck_id"

#: Seconds that a question to 1,000,000 records may take on two cores.
LIMITS = {"ndjson": 3.0, "parquet": 0.5}

PROGRAM = """
import sys, json, time, resource, re
way, folder, question = sys.argv[1:]
import duckdb
if way == "DuckDB alone":
    def ask():
        reader = "read_parquet" if folder.endswith("parquet") else "read_json_auto"
        alone = duckdb.connect()
        alone.execute("SET enable_progress_bar_print = false")
        return alone.sql(question.format(f"{reader}('{folder}/sensor_data/*')")).fetchall()
else:
    import obstore.store
    from truckstream.data.query import open_tables
    where = obstore.store.LocalStore(folder) if "store" in way else folder
    def ask():
        return open_tables(where, tables=["records"]).sql(question.format("records")).fetchall()
started = time.perf_counter()
rows = ask()
seconds = time.perf_counter() - started
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"rows": len(rows), "seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime,
    "peak_mib": int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024}))
"""


class Format(NamedTuple):
    """A way to store records."""

    name: str
    options: dict


FORMATS = (
    Format("ndjson", {}),
    Format("ndjson-gzip", {"compression": "gzip"}),
    Format("ndjson-zstd", {"compression": "zstd"}),
    Format("array", {"format": "json"}),
    Format("parquet", {"format": "parquet"}),
)
WAYS = ("truckstream", "truckstream, through a store", "DuckDB alone")


def event_of(reports, first):
    """Return a Lambda event of these reports."""
    shard = "shardId-000000000000"
    return [
        {
            "eventSource": "aws:kinesis",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/trucks",
            "eventID": f"{shard}:{10**55 + first + n}",
            "kinesis": {
                "sequenceNumber": str(10**55 + first + n),
                "partitionKey": report.truck_id,
                "approximateArrivalTimestamp": 1_736_951_425.0 + (first + n) / 1_000,
                "data": base64.b64encode(report.data).decode(),
            },
        }
        for n, report in enumerate(reports)
    ]


async def store(folder, formats, records):
    """Store a fleet's records in each format."""
    batchers = [Batcher((folder / each.name).as_uri(), **each.options) for each in formats]
    reports = iter(Fleet(trucks=500, rate=1_000.0, seed=1).take(records))
    stored = 0
    while chunk := list(islice(reports, 4_900)):
        event = event_of(chunk, stored)
        for batcher in batchers:
            result = await batcher.process(event)
            assert result.stored == len(chunk), result
        stored += len(chunk)


def measure(way, folder, runs):
    """Return the figures of the best run."""
    command = [sys.executable, "-c", PROGRAM, way, str(folder), QUESTION]
    done = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(runs)]
    return min((json.loads(each.stdout) for each in done), key=lambda figures: figures["seconds"])


def charts(rows):
    return [
        bars(
            f"A question to a million records: {name}",
            [row for row in rows if row["format"] == name],
            name="way",
            value=Axis("cpu_seconds", "CPU time, s", ",.2f"),
            highlight="truckstream",
        )
        for name in dict.fromkeys(row["format"] for row in rows)
    ]


def main(options):
    formats = selected(FORMATS, options)
    with tempfile.TemporaryDirectory(prefix="truckstream-benchmark-") as name:
        asyncio.run(store(Path(name), formats, options.records))
        print(f"{options.records:,} records\n{'':42}{'s':>8}{'CPU s':>8}{'peak MiB':>10}{'limit s':>9}")
        rows = []
        for each in formats:
            for way in WAYS:
                figures = measure(way, Path(name) / each.name, options.runs)
                limit = LIMITS.get(each.name) if way == "truckstream" and options.records == 1_000_000 else None
                title = f"{each.name}: {way}"
                numbers = f"{figures['seconds']:8.2f}{figures['cpu_seconds']:8.2f}{figures['peak_mib']:10,.0f}"
                print(f"{title:42}{numbers}{limit or '':>9}", flush=True)
                rows.append({"format": each.name, "way": way, "limit": limit, **figures})
    publish(options, charts=charts(rows), rows=rows, records=options.records)
    return 1 if any(row["limit"] and row["seconds"] > row["limit"] for row in rows) else 0


if __name__ == "__main__":
    parser = make_parser(__doc__, only="formats")
    parser.add_argument("--records", type=int, default=1_000_000, help="records of each format (default: 1,000,000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the best counts (default: 3)")
    sys.exit(main(parser.parse_args()))

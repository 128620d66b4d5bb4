"""How many records a second go into windows on one core?

Records of 500 trucks, of which 5 % come up to 3 s late, are decoded and counted in windows of 10 s, with mean, least
and greatest value of one field for each truck. They come in batches, as from a stream. Every row is the best of some
runs, each in a process of its own, in CPU time without the start of Python and without making the records:

- truckstream: `ShardWindows`, with records decoded into a struct of the fields that are needed.
- truckstream, whole records: with `TruckRecord`, which checks all 22 fields. This is the default.
- truckstream, percentiles: also p50, p95 and p99 of the field, and the counts by health.
- truckstream, sliding: windows of 10 s that begin every 5 s, so that each record is in two.
- truckstream, sessions: windows that end when a truck is silent for 10 s.
- plain Python: the same answer by a loop over a dictionary. It has no watermark, no late records and no state to save.
- DuckDB: each batch is decoded by msgspec, becomes an Arrow table, and is added to the groups of a table by SQL;
  windows that have ended are read and deleted.

Bias against us: plain Python and DuckDB cut the texts of event times instead of parsing them, and neither decides about
late records or can correct a result.

    uv run python benchmarks/windows.py [--records 300000] [--batch 5000] [--runs 3] [--only sliding] [--json FILE]
        [--html FILE]
"""

import json
import subprocess
import sys
from typing import NamedTuple

import support.prerequisites  # noqa: F401 - reports a missing package
from support.command_line import make_parser, publish, selected

from truckstream.charts import Axis, bars

#: Records a CPU-second of the first way, on a quiet core.
AIM = 300_000

RECORDS = """
import json, sys, time, random
import msgspec
from truckstream import TruckRecord
from truckstream.kinesis.reading.shard_record import ShardRecord
way, count, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng, T0 = random.Random(1), 1_736_949_600
fields = dict(tire_pressure_fl=32.5, tire_pressure_fr=31.8, tire_pressure_rl=33.2, tire_pressure_rr=32.1,
    oil_pressure=45.3, fuel_level=78.9, brake_temp=85.2, transmission_temp=82.4, battery_voltage=13.8,
    coolant_temp=88.1, speed=65.4, engine_rpm=2150, miles_since_maintenance=12450, ambient_temp=22.3,
    vibration_level=0.3, fuel_consumption_rate=8.7, latitude=27.717234, longitude=85.324567)
records = []
for number in range(count):
    time_ = T0 + number / 1_000
    measured = int(time_ - (3 * rng.random() if rng.random() < 0.05 else 0))
    report = TruckRecord(truck_id=f"TRUCK_{number % 500:03}", engine_temp=round(rng.uniform(80, 110), 1),
        timestamp=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(measured)),
        health_status=rng.choice(["NORMAL"] * 8 + ["WARNING", "URGENT"]), **fields)
    records.append(ShardRecord(report.to_json(), report.truck_id, str(10**55 + number), time_ + 1))
class Few(msgspec.Struct, gc=False):
    truck_id: str
    timestamp: str
    engine_temp: float
    health_status: str
decode = msgspec.json.Decoder(Few).decode
batches = [records[start:start + batch] for start in range(0, count, batch)]
"""

TRUCKSTREAM = """
from truckstream.windows import *
plan = WindowPlan({window}, aggregates={{"records": Count(), "mean": Mean("engine_temp"), "low": Min("engine_temp"),
    "high": Max("engine_temp"), {more}}}, {options})
windows = ShardWindows(plan, "shard", now=0.0)
started = time.process_time()
kept = {{}}
for each in batches:
    windows.add(each, 0.0)
    kept |= {{(each.key, each.start): each.values.get("records", 0) for each in windows.take_results(0.0)}}
seconds = time.process_time() - started
windows.reach_tip(2e9)
kept |= {{(each.key, each.start): each.values.get("records", 0) for each in windows.take_results(2e9)}}
counted = sum(kept.values())
snapshot_started = time.process_time()
state = windows.snapshot()
snapshot_ms = 1_000 * (time.process_time() - snapshot_started)
"""

PLAIN = """
started = time.process_time()
groups = {}
for each in batches:
    for record in each:
        report = decode(record.data)
        key = report.truck_id, report.timestamp[:18]
        value = report.engine_temp
        group = groups.get(key)
        if group is None:
            groups[key] = [1, value, value, value]
        else:
            group[0] += 1
            group[1] += value
            if value < group[2]:
                group[2] = value
            if value > group[3]:
                group[3] = value
seconds = time.process_time() - started
counted, state, snapshot_ms = sum(group[0] for group in groups.values()), b"", 0.0
"""

DUCKDB = """
import calendar, duckdb, pyarrow
database = duckdb.connect()
database.execute("SET threads = 1")
database.execute('CREATE TABLE groups (truck TEXT, start TEXT, n BIGINT, total DOUBLE, low DOUBLE, high DOUBLE)')
started = time.process_time()
counted, newest = 0, ""
for each in batches:
    reports = [decode(record.data) for record in each]
    arrived = pyarrow.table({"truck": [r.truck_id for r in reports], "time": [r.timestamp for r in reports],
        "value": [r.engine_temp for r in reports]})
    database.execute("INSERT INTO groups SELECT truck, left(time, 18), count(*), sum(value), min(value), max(value) "
        "FROM arrived GROUP BY ALL")
    newest = max(newest, max(r.timestamp for r in reports))
    ended = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(
        calendar.timegm(time.strptime(newest, "%Y-%m-%d %H:%M:%S")) - 5))[:18]
    rows = database.execute("SELECT truck, start, sum(n), sum(total) / sum(n), min(low), max(high) FROM groups "
        "WHERE start < ? GROUP BY ALL", [ended]).fetchall()
    if rows:
        counted += sum(row[2] for row in rows)
        database.execute("DELETE FROM groups WHERE start < ?", [ended])
seconds = time.process_time() - started
counted += database.execute("SELECT sum(n) FROM groups").fetchone()[0]
state, snapshot_ms = b"", 0.0
"""

END = """
import re
print(json.dumps({"counted": counted, "records_per_cpu_second": count / seconds,
    "cpu_us_per_record": 1e6 * seconds / count, "state_kib": len(state) / 1024, "snapshot_ms": snapshot_ms,
    "peak_mib": int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024}))
"""


class Way(NamedTuple):
    """A way to make windows: its name, its program, and in how many windows a record is."""

    name: str
    program: str
    windows: int = 1


def truckstream(name, window="Tumbling(10)", more="", options="decode=decode", windows=1):
    """Return a way that uses the library."""
    return Way(name, TRUCKSTREAM.format(window=window, more=more, options=options), windows)


MORE = '"percentiles": Percentiles("engine_temp"), "health": CountBy("health_status")'
WAYS = (
    truckstream("truckstream"),
    truckstream("truckstream, whole records", options=""),
    truckstream("truckstream, percentiles", more=MORE),
    truckstream("truckstream, sliding", window="Sliding(10, 5)", windows=2),
    truckstream("truckstream, sessions", window="Session(10)"),
    Way("plain Python", PLAIN),
    Way("DuckDB", DUCKDB),
)


def measure(way, options):
    """Return the figures of the best run."""
    command = [sys.executable, "-c", RECORDS + way.program + END, way.name, str(options.records), str(options.batch)]
    done = [subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True) for _ in range(options.runs)]
    figures = min((json.loads(each.stdout) for each in done), key=lambda each: each["cpu_us_per_record"])
    expected = options.records * way.windows
    assert figures["counted"] == expected, f"{way.name} counted {figures['counted']} of {expected} records"
    return figures


def charts(rows):
    return [
        bars(
            "CPU time of a record in windows",
            rows,
            name="way",
            value=Axis("cpu_us_per_record", "CPU time a record, µs", ",.2f"),
            highlight="truckstream",
        )
    ]


def main(options):
    print(f"{options.records:,} records, {options.batch:,} a batch")
    print(f"{'':30}{'records/CPU s':>15}{'µs':>8}{'state KiB':>11}{'snapshot ms':>13}{'peak MiB':>10}")
    rows = []
    for way in selected(WAYS, options):
        figures = measure(way, options)
        numbers = f"{figures['records_per_cpu_second']:15,.0f}{figures['cpu_us_per_record']:8.2f}"
        state = f"{figures['state_kib']:11,.0f}{figures['snapshot_ms']:13.1f}{figures['peak_mib']:10,.0f}"
        print(f"{way.name:30}{numbers}{state}", flush=True)
        rows.append({"way": way.name, **figures})
    publish(options, charts=charts(rows), rows=rows, records=options.records, batch=options.batch)
    missed = [row for row in rows if row["way"] == "truckstream" and row["records_per_cpu_second"] < AIM]
    return 1 if missed else 0


if __name__ == "__main__":
    parser = make_parser(__doc__, only="ways")
    parser.add_argument("--records", type=int, default=300_000, help="records (default: 300,000)")
    parser.add_argument("--batch", type=int, default=5_000, help="records that are added at once (default: 5,000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the best counts (default: 3)")
    sys.exit(main(parser.parse_args()))

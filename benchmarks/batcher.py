"""What does a record cost from Lambda's event to an object in S3, beside the handlers that one would write otherwise?

Each handler runs in a process of its own and from a folder like Lambda's /var/task that holds its packages alone (uv
installs what its file pins; ours has what `truckstream package` takes). All get the same event of 4,900 reports, again
and again, in one run:

- to encoded objects: decode, check, group, encode; nothing is sent. CPU a record and records a CPU-second;
- to S3: the handler itself, against a bare endpoint in another process that answers a PUT after 0 and after 20 ms. CPU
  a record, records a second of wall-clock time, and the process's peak memory.

CPU is the handler's process, user and system time of all threads. Ratios are those of records a CPU-second.

Bias: for us, the rivals check by hand or with pydantic and then write what they parsed, where we keep a record's bytes;
nobody would write a decoder by hand in a handler, but one could (orjson, msgspec). Against us: ours quarantines, makes
deterministic keys and claims, sends SHA-256 and logs metrics; the rivals do nothing of that, and PUT under random keys.
JSON of the event to Python's objects is the runtime's work and in nobody's figures. No TLS.

    uv run python benchmarks/batcher.py [--quick] [--seconds 3] [--only truckstream,boto3] [--json FILE]
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "handlers"))
from builds import FORMATS, OURS, RIVALS, BareBucket, build, run
from events import write_event

RECORDS = 4_900
#: Records a CPU-second from event to encoded object, of the function as it comes.
FLOOR, AIM = 250_000, 500_000


def encoding(builds, event, seconds):
    """Rows: event to encoded objects."""
    print(f"\nto encoded objects\n{'':24}{'CPU µs/record':>14}{'records/CPU-s':>15}{'object bytes':>14}", flush=True)
    for handler, folder in builds.items():
        figures = run(handler, folder, "encode", event, endpoint_url="http://127.0.0.1:9", seconds=seconds)
        if "error" not in figures:
            cpu, size = figures["cpu_us_per_record"], figures["object_bytes"]
            print(f"{handler.name:24}{cpu:14.2f}{1e6 / cpu:15,.0f}{size:14,}", flush=True)
        else:
            print(f"{handler.name:24}{figures['error']}", flush=True)
        yield {"handler": handler.name, "question": "encode", **figures}


def delivery(builds, event, seconds, latency):
    """Rows: event to S3."""
    print(f"\nto S3, {latency * 1000:.0f} ms a PUT")
    print(f"{'':24}{'CPU µs/record':>14}{'records/CPU-s':>15}{'records/s':>12}{'peak MiB':>10}", flush=True)
    for handler, folder in builds.items():
        with BareBucket(latency) as url:
            figures = run(handler, folder, "deliver", event, endpoint_url=url, seconds=seconds)
        if "error" not in figures:
            cpu, rate, peak = (figures[key] for key in ("cpu_us_per_record", "records_per_second", "peak_mib"))
            print(f"{handler.name:24}{cpu:14.2f}{1e6 / cpu:15,.0f}{rate:12,.0f}{peak:10.0f}", flush=True)
        else:
            print(f"{handler.name:24}{figures['error']}", flush=True)
        yield {"handler": handler.name, "question": "deliver", "latency": latency, **figures}


def goals(rows):
    """Ours beside floor and aim, and its ratio to each rival."""
    print()
    for question, latency in dict.fromkeys((row["question"], row.get("latency")) for row in rows):
        cpu = {
            row["handler"]: row["cpu_us_per_record"]
            for row in rows
            if (row["question"], row.get("latency")) == (question, latency) and "error" not in row
        }
        ours = cpu.pop(OURS.name, None)
        if ours is None:
            continue
        where = "to encoded objects" if latency is None else f"to S3, {latency * 1000:.0f} ms"
        ratios = ", ".join(f"{theirs / ours:.1f} times {name}" for name, theirs in cpu.items() if OURS.name not in name)
        print(f"{where}, records a CPU-second: {1e6 / ours:,.0f} = {ratios}")
        if latency is None:
            print(f"    floor {FLOOR:,}, aim {AIM:,}")


def main(options):
    handlers = [one for one in (OURS, *FORMATS, *RIVALS) if any(only in one.name for only in options.only)]
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "truckstream": version("truckstream")}
    seconds = options.seconds or (0.5 if options.quick else 3.0)
    versions, builds = {}, {}
    with tempfile.TemporaryDirectory(prefix="truckstream-benchmark-") as name:
        for handler in handlers:
            builds[handler] = folder = Path(name) / handler.name.replace(" ", "-")
            folder.mkdir()
            versions |= {handler.name: build(handler, folder, bytecode=True)}
        event = Path(name) / "event.json"
        print(f"an event of {RECORDS:,} records, {write_event(event, RECORDS):,} bytes")
        rows = list(encoding(builds, event, seconds))
        for latency in [0.0] if options.quick else [0.0, 0.02]:
            rows += delivery(builds, event, seconds, latency)
    goals(rows)
    print("\n" + ", ".join(f"{name} {value}" for name, value in machine.items()))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "versions": versions, "rows": rows}, indent=2) + "\n")
    return 1 if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute: half a second each, no latency")
    parser.add_argument("--seconds", type=float, help="of work, for each run (default: 3, or 0.5 with --quick)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[""], help="handlers named like these")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    sys.exit(main(parser.parse_args()))

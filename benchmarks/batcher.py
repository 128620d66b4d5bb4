"""What does a record cost from Lambda's event to an object in S3, compared with other handlers?

Each handler runs in a process of its own, from a folder that, like Lambda's /var/task, contains only its packages. All
of them receive the same event of 4,900 reports, repeatedly, and are measured twice:

- To encoded objects: decode, check, group and encode; nothing is sent. Shown are the CPU time a record and the records
  a CPU-second.
- To S3: the whole handler, against a bare endpoint in another process that responds to a PUT after 0 or 20 ms. Shown
  are also the records a second of wall-clock time and the peak memory of the process.

CPU time is user and system time of all threads of the handler's process. Ratios compare records a CPU-second.

Bias in our favour: the rivals check by hand or with pydantic and write the parsed values, where truckstream keeps a
record's bytes. A handler could also parse faster (orjson, msgspec), but few do. Bias against us: truckstream
quarantines invalid records, makes deterministic keys and claims, sends a SHA-256 and logs metrics; the rivals do none
of this and PUT under random keys. Parsing the event's JSON is the runtime's work and is not measured. There is no TLS.

    uv run python benchmarks/batcher.py [--quick] [--seconds 3] [--only truckstream,boto3] [--json FILE]
        [--html FILE]
"""

import sys
import tempfile
from pathlib import Path

import support.prerequisites  # noqa: F401 - reports a missing package
from support.command_line import make_parser, publish, selected
from support.cost_charts import cpu_bars

sys.path.insert(0, str(Path(__file__).parent / "handlers"))
from builds import FORMATS, OURS, RIVALS, bare_s3, build, run
from events import write_event

RECORDS = 4_900
#: Records a CPU-second from event to encoded object, with the function's default settings.
FLOOR, AIM = 250_000, 500_000


def measure_encoding(builds, event, seconds):
    """Yield a row for each handler: from the event to encoded objects."""
    print(f"\nto encoded objects\n{'':24}{'CPU µs/record':>14}{'records/CPU-s':>15}{'object bytes':>14}", flush=True)
    for handler, folder in builds.items():
        figures = run(handler, folder, "encode", event, endpoint_url="http://127.0.0.1:9", seconds=seconds)
        if "error" not in figures:
            cpu, size = figures["cpu_us_per_record"], figures["object_bytes"]
            print(f"{handler.name:24}{cpu:14.2f}{1e6 / cpu:15,.0f}{size:14,}", flush=True)
        else:
            print(f"{handler.name:24}{figures['error']}", flush=True)
        yield {"handler": handler.name, "question": "encode", **figures}


def measure_delivery(builds, event, seconds, latency):
    """Yield a row for each handler: from the event to S3."""
    print(f"\nto S3, {latency * 1000:.0f} ms a PUT")
    print(f"{'':24}{'CPU µs/record':>14}{'records/CPU-s':>15}{'records/s':>12}{'peak MiB':>10}", flush=True)
    for handler, folder in builds.items():
        with bare_s3(latency) as url:
            figures = run(handler, folder, "deliver", event, endpoint_url=url, seconds=seconds)
        if "error" not in figures:
            cpu, rate, peak = (figures[key] for key in ("cpu_us_per_record", "records_per_second", "peak_mib"))
            print(f"{handler.name:24}{cpu:14.2f}{1e6 / cpu:15,.0f}{rate:12,.0f}{peak:10.0f}", flush=True)
        else:
            print(f"{handler.name:24}{figures['error']}", flush=True)
        yield {"handler": handler.name, "question": "deliver", "latency": latency, **figures}


def print_ratios(rows):
    """Print truckstream's rate with its ratio to each rival's, the floor and the aim."""
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
        title = "to encoded objects" if latency is None else f"to S3, {latency * 1000:.0f} ms"
        ratios = ", ".join(f"{theirs / ours:.1f} times {name}" for name, theirs in cpu.items() if OURS.name not in name)
        print(f"{title}, records a CPU-second: {1e6 / ours:,.0f}" + (f" = {ratios}" if ratios else ""))
        if latency is None:
            print(f"    floor {FLOOR:,}, aim {AIM:,}")


def charts(rows):
    measurements = dict.fromkeys((row["question"], row.get("latency")) for row in rows)
    return [
        cpu_bars(
            title_of(latency),
            [row for row in rows if (row["question"], row.get("latency")) == (question, latency)],
            "handler",
            caption="Of all threads of the handler's process.",
        )
        for question, latency in measurements
    ]


def title_of(latency):
    return "From event to encoded objects" if latency is None else f"From event to S3, {latency * 1000:.0f} ms a PUT"


def main(options):
    seconds = options.seconds or (0.5 if options.quick else 3.0)
    versions, builds = {}, {}
    with tempfile.TemporaryDirectory(prefix="truckstream-benchmark-") as name:
        for handler in selected((OURS, *FORMATS, *RIVALS), options):
            builds[handler] = Path(name) / handler.name.replace(" ", "-")
            versions[handler.name] = build(handler, builds[handler], bytecode=True)
        event = Path(name) / "event.json"
        print(f"an event of {RECORDS:,} records, {write_event(event, RECORDS):,} bytes")
        rows = list(measure_encoding(builds, event, seconds))
        for latency in [0.0] if options.quick else [0.0, 0.02]:
            rows += measure_delivery(builds, event, seconds, latency)
    print_ratios(rows)
    publish(options, charts=charts(rows), versions=versions, rows=rows)
    return 1 if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    parser = make_parser(__doc__, only="handlers")
    parser.add_argument("--quick", action="store_true", help="take under a minute: half a second each, no latency")
    parser.add_argument("--seconds", type=float, help="how long each run lasts (default: 3, or 0.5 with --quick)")
    sys.exit(main(parser.parse_args()))

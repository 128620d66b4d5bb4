"""What does a cold start cost: imports, the first client, the first call; beside the handlers of benchmarks/batcher.py?

Each handler runs in a process of its own and from a folder like Lambda's /var/task that holds its packages alone. The
clock starts in a bare interpreter that has loaded json, and stops when the handler is imported and has answered an
event without records, which makes its client; then again when it has stored a first event of 700 records, one object,
in a bare S3 endpoint in another process. CPU is user and system time of all threads; medians of the runs, the handlers
taking turns. Twice: with bytecode beside the modules, and without, as in a zip from which it was left out (uv leaves it
out, and so does `truckstream package`: Lambda's folder is read-only, so that each cold start compiles anew).

Bias: the parts of the standard library that Lambda's own runtime loads (logging, urllib) are in everybody's figures.
boto3 is taken from the folder and not from Lambda's image. Files are in the page cache. No TLS.

    uv run python benchmarks/cold_start.py [--quick] [--runs 9] [--only truckstream,aioboto3] [--json FILE]
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent / "handlers"))
from builds import OURS, RIVALS, BareBucket, build, run
from events import write_event

RECORDS = 700
COLUMNS = {
    "start_cpu_ms": "start CPU ms",
    "call_cpu_ms": "call CPU ms",
    "start_wall_ms": "start ms",
    "call_wall_ms": "call ms",
    "peak_mib": "peak MiB",
}
#: Import and first client, CPU, to the same with aioboto3.
RIVAL, FLOOR, AIM = "json + aioboto3", 1 / 4, 1 / 10


def measure(handlers, parent, event, runs, *, bytecode):
    """Rows: a handler's medians."""
    folders = {handler: parent / f"{handler.script}-{bytecode}" for handler in handlers}
    versions = {}
    for handler, folder in folders.items():
        folder.mkdir()
        versions[handler] = build(handler, folder, bytecode=bytecode)
    print(f"\n{'with' if bytecode else 'without'} bytecode")
    print(f"{'':24}" + "".join(f"{head:>14}" for head in COLUMNS.values()), flush=True)
    with BareBucket() as url:
        figures = [
            {handler: run(handler, folder, "cold", event, endpoint_url=url) for handler, folder in folders.items()}
            for _ in range(runs)
        ]
    for handler in handlers:
        row = {"handler": handler.name, "bytecode": bytecode, "versions": versions[handler]}
        errors = [each[handler]["error"] for each in figures if "error" in each[handler]]
        if errors:
            print(f"{handler.name:24}{errors[0]}")
            yield {**row, "error": errors[0]}
            continue
        medians = {column: median(each[handler][column] for each in figures) for column in COLUMNS}
        print(f"{handler.name:24}" + "".join(f"{value:14,.0f}" for value in medians.values()), flush=True)
        yield {**row, **medians}


def goals(rows):
    """Ours as a share of each rival's, beside floor and aim."""
    print(f"\nstart CPU, ours to theirs (of {RIVAL}: floor {FLOOR:.2f}, aim {AIM:.2f})")
    for bytecode in (True, False):
        cpu = {
            row["handler"]: row["start_cpu_ms"] for row in rows if row["bytecode"] is bytecode and "error" not in row
        }
        ours = cpu.pop(OURS.name, None)
        if ours is not None:
            shares = ", ".join(f"{ours / theirs:.2f} of {name}" for name, theirs in cpu.items())
            print(f"{'with' if bytecode else 'without'} bytecode: {shares}")


def main(options):
    handlers = [one for one in (OURS, *RIVALS) if any(only in one.name for only in options.only)]
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "truckstream": version("truckstream")}
    runs = options.runs or (3 if options.quick else 9)
    with tempfile.TemporaryDirectory(prefix="truckstream-benchmark-") as name:
        event = Path(name) / "event.json"
        write_event(event, RECORDS)
        rows = [row for each in (True, False) for row in measure(handlers, Path(name), event, runs, bytecode=each)]
    goals(rows)
    print("\n" + ", ".join(f"{name} {value}" for name, value in machine.items()))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    return 1 if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three runs each")
    parser.add_argument("--runs", type=int, help="of each handler (default: 9, or 3 with --quick)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[""], help="handlers named like these")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    sys.exit(main(parser.parse_args()))

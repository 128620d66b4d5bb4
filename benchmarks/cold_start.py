"""What does a cold start cost (imports, the first client, the first call), compared with other handlers?

The handlers are those of batcher.py. Each runs in a process of its own, from a folder that, like Lambda's /var/task,
contains only its packages. The clock starts in a bare interpreter that has loaded json. It stops when the handler is
imported and has processed an event without records, which creates its client; and again when it has stored a first
event of 700 records, one object, in a bare S3 endpoint in another process. CPU time is user and system time of all
threads. Shown are the medians of several runs, in which the handlers take turns. Everything is measured twice: with
bytecode beside the modules, as `truckstream package` packs it, and without, as uv and most tools leave it out: Lambda's
folder is read-only, so that each cold start then compiles the modules anew.

Bias: the parts of the standard library that Lambda's own runtime loads (logging, urllib) are in every handler's
figures. boto3 comes from the folder and not from Lambda's image. The files are in the page cache. There is no TLS.

    uv run python benchmarks/cold_start.py [--quick] [--runs 9] [--only truckstream,aioboto3] [--json FILE]
        [--html FILE]
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

import support.prerequisites  # noqa: F401 - reports a missing package
from support.command_line import make_parser, publish, selected
from support.cost_charts import measured

sys.path.insert(0, str(Path(__file__).parent / "handlers"))
from builds import OURS, RIVALS, bare_s3, build, run
from events import write_event

from truckstream.charts import Axis, bars

RECORDS = 700
COLUMNS = {
    "start_cpu_ms": "start CPU ms",
    "call_cpu_ms": "call CPU ms",
    "start_wall_ms": "start ms",
    "call_wall_ms": "call ms",
    "peak_mib": "peak MiB",
}
#: The CPU time of import and first client, as a share of this rival's.
RIVAL, FLOOR, AIM = "json + aioboto3", 1 / 4, 1 / 10


def measure(handlers, parent, event, runs, *, bytecode):
    """Yield a row for each handler: the medians of its runs."""
    folders = {handler: parent / f"{handler.script}-{bytecode}" for handler in handlers}
    versions = {handler: build(handler, folder, bytecode=bytecode) for handler, folder in folders.items()}
    print(f"\n{'with' if bytecode else 'without'} bytecode")
    print(f"{'':24}" + "".join(f"{head:>14}" for head in COLUMNS.values()), flush=True)
    with bare_s3() as url:
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


def print_shares(rows):
    """Print truckstream's start as a share of each rival's, with the floor and the aim."""
    print(f"\nCPU time of the start, truckstream's share of a rival's (of {RIVAL}: floor {FLOOR:.2f}, aim {AIM:.2f})")
    cpu = {(row["bytecode"], row["handler"]): row["start_cpu_ms"] for row in rows if "error" not in row}
    for title, own, their in (
        ("both with bytecode", True, True),
        ("both without", False, False),
        ("as they are packed: truckstream's with, the rival's without", True, False),
    ):
        ours = cpu.get((own, OURS.name))
        if ours is not None:
            rivals = [(name, each) for (bytecode, name), each in cpu.items() if bytecode is their and name != OURS.name]
            print(f"{title}: {', '.join(f'{ours / each:.2f} of {name}' for name, each in rivals)}")


def charts(rows):
    return [
        bars(
            title,
            [
                {
                    "handler": row["handler"],
                    "ms": row[column],
                    "bytecode": f"{'with' if row['bytecode'] else 'without'} bytecode",
                }
                for row in measured(rows)
            ],
            name="handler",
            value=Axis("ms", "CPU time, ms", ",.0f"),
            series="bytecode",
            caption=caption,
        )
        for title, column, caption in (
            ("CPU time of the start", "start_cpu_ms", "The import of the handler and its first client."),
            ("CPU time of the first call", "call_cpu_ms", "It stores one object of 700 records."),
        )
    ]


def main(options):
    handlers = selected((OURS, *RIVALS), options)
    runs = options.runs or (3 if options.quick else 9)
    with tempfile.TemporaryDirectory(prefix="truckstream-benchmark-") as name:
        event = Path(name) / "event.json"
        write_event(event, RECORDS)
        rows = [row for each in (True, False) for row in measure(handlers, Path(name), event, runs, bytecode=each)]
    print_shares(rows)
    publish(options, charts=charts(rows), rows=rows)
    return 1 if any("error" in row for row in rows) else 0


if __name__ == "__main__":
    parser = make_parser(__doc__, only="handlers")
    parser.add_argument("--quick", action="store_true", help="run each handler three times")
    parser.add_argument("--runs", type=int, help="how often each handler runs (default: 9, or 3 with --quick)")
    sys.exit(main(parser.parse_args()))

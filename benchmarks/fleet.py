"""How many records does the fleet make in a second of CPU time?

The CPU time is that of this process alone, over iteration without a clock or an event loop, so that it is the cost of
the physics, the rounding and the JSON and of nothing else. Each run uses a new fleet; its trucks are created and make
their first reports before the measurement starts. Bias: the reports are thrown away, where a program would keep them
for a while. How much a second of CPU time does depends on the other work of the machine, so compare the runs.

    uv run python benchmarks/fleet.py [--records N] [--trucks N] [--runs N] [--invalid SHARE] [--json FILE]
        [--html FILE]
"""

import statistics
import time
from collections import deque
from datetime import UTC, datetime
from itertools import islice

import support.prerequisites  # noqa: F401 - reports a missing package
from support.command_line import make_parser, publish

from truckstream.charts import Axis, bars
from truckstream.fleet import Fleet

START = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)
#: Reports of each truck in a simulated second.
CASES = {"each truck once a second": 1.0, "each truck ten times a second": 10.0}
FLOOR, AIM = 150_000, 400_000


def records_per_cpu_second(options, reports_per_second):
    fleet = Fleet(
        options.trucks, rate=options.trucks * reports_per_second, seed=7, invalid=options.invalid, start=START
    )
    deque(islice(fleet, 2 * options.trucks), maxlen=0)
    began = time.process_time()
    deque(islice(fleet, options.records), maxlen=0)
    return options.records / (time.process_time() - began)


def charts(rows):
    return [
        bars(
            "Records that the fleet makes in a second of CPU time",
            [{"case": row["case"], "records": row["records_per_cpu_second"]["median"]} for row in rows],
            name="case",
            value=Axis("records", "records a CPU-second", ",.0f"),
            caption="The median of the runs.",
        )
    ]


def main(options):
    rows = []
    print(f"{'records per CPU-second':32}{'min':>10}{'median':>10}{'max':>10}{'µs each':>10}")
    for case, reports_per_second in CASES.items():
        runs = [records_per_cpu_second(options, reports_per_second) for _ in range(options.runs)]
        figures = {"min": min(runs), "median": statistics.median(runs), "max": max(runs)}
        rows.append({"case": case, "records_per_cpu_second": figures})
        columns = "".join(f"{value:>10,.0f}" for value in figures.values())
        print(f"{case:32}{columns}{1e6 / figures['median']:>10.2f}", flush=True)
    print(f"floor {FLOOR:,}, aim {AIM:,}")
    publish(options, charts=charts(rows), trucks=options.trucks, records=options.records, rows=rows)


if __name__ == "__main__":
    parser = make_parser(__doc__)
    parser.add_argument("--records", type=int, default=200_000, help="records of each run (default: %(default)s)")
    parser.add_argument("--trucks", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--invalid", type=float, default=0.0, help="share of invalid records (default: %(default)s)")
    main(parser.parse_args())

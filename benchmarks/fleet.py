"""How many records does the fleet make in one second of CPU time?

    uv run python benchmarks/fleet.py [--records N] [--trucks N] [--runs N] [--invalid SHARE] [--json]

CPU time of this process alone, measured over `take`-like iteration without a clock or an event loop, so that it is
the cost of physics, rounding and JSON and of nothing else. Each run is a new fleet whose trucks are created and have
made their first reports outside the measured part. The bias: reports are thrown away, where a program would keep them
for a while, and one second of CPU is worth what the machine makes of it just then (compare the runs).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections import deque
from datetime import UTC, datetime
from itertools import islice

from truckstream.fleet import Fleet

START = datetime(2025, 1, 15, 14, 30, 25, tzinfo=UTC)
#: What is measured: reports a simulated second of each truck.
CASES = {"each truck once a second": 1.0, "each truck ten times a second": 10.0}
FLOOR, AIM = 150_000, 400_000


def records_per_cpu_second(trucks: int, each: float, records: int, invalid: float) -> float:
    fleet = Fleet(trucks, rate=trucks * each, seed=7, invalid=invalid, start=START)
    deque(islice(fleet, 2 * trucks), maxlen=0)
    began = time.process_time()
    deque(islice(fleet, records), maxlen=0)
    return records / (time.process_time() - began)


def measure(options: argparse.Namespace) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for name, each in CASES.items():
        runs = [
            records_per_cpu_second(options.trucks, each, options.records, options.invalid) for _ in range(options.runs)
        ]
        rows.append(
            {
                "case": name,
                "records_per_cpu_second": {"min": min(runs), "median": statistics.median(runs), "max": max(runs)},
            }
        )
    return rows


def machine() -> dict[str, str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a device file
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return {"python": platform.python_version(), "machine": platform.platform(), "cpu": names[0] if names else ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=200_000, help="a run (default: %(default)s)")
    parser.add_argument("--trucks", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--invalid", type=float, default=0.0, help="share of broken records (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    rows = measure(options)
    if options.json:
        print(json.dumps({**machine(), "trucks": options.trucks, "records": options.records, "cases": rows}, indent=2))
        return
    print(*machine().values(), sep=" · ")
    print(f"{'records per CPU-second':32}{'min':>10}{'median':>10}{'max':>10}{'µs each':>10}")
    for row in rows:
        figures: dict[str, float] = row["records_per_cpu_second"]  # type: ignore[assignment]
        columns = "".join(f"{figures[key]:>10,.0f}" for key in ("min", "median", "max"))
        print(f"{row['case']:32}{columns}{1e6 / figures['median']:>10.2f}")
    print(f"floor {FLOOR:,}, aim {AIM:,}")


if __name__ == "__main__":
    main()

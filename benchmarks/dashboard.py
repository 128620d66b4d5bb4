"""How much does the dashboard take with 1,000 trucks that report 10 times a second?

A process serves the page and observes 10,000 records a second, with their validation, the rules of alerts, and a
message ten times a second. A headless Chromium without a GPU shows the page. Shown are the shares of a core that the
server and all processes of the browser take, and the frames that the map draws in a second. The records are made
before, so that the simulation does not count; reading a stream does not count either (consumers.py measures that).

A machine with fewer free cores than these need draws fewer frames. It needs Chromium: apt-get install chromium.

    uv run --group dev python benchmarks/dashboard.py [--trucks 100,1000] [--seconds 10] [--json FILE] [--html FILE]
"""

import asyncio
import multiprocessing
import os
import shutil
import sys
import time
from pathlib import Path

import support.prerequisites  # noqa: F401 - reports a missing package
from playwright.sync_api import sync_playwright
from support.command_line import make_parser, publish

from truckstream.alerts import default_rules
from truckstream.charts import Axis, bars
from truckstream.dashboard import Dashboard, FleetView, ViewSource
from truckstream.fleet import Fleet

REPORTS_PER_SECOND = 10
SHARDS = 10
#: The records that are made before. Afterwards they come again: the trucks begin anew where they were.
PREPARED_SECONDS = 20
TICK = 0.1
#: As in the demo. Otherwise no truck moves by a visible distance, and the map has nothing to draw.
TIME_LAPSE = 60
#: The records between two turns of the event loop, as when a stream is read.
RECORDS_AT_ONCE = 200


def serve(trucks, pipe):
    """Run the server until the pipe has a message; answer each with the CPU time so far."""
    asyncio.run(_serve(trucks, pipe))


async def _serve(trucks, pipe):
    known = frozenset({"shards", "bytes", "throttles", "lag"})
    view = FleetView(ViewSource(title="benchmark", kind="stream", known=known), rules=default_rules())
    rate = trucks * REPORTS_PER_SECOND
    reports = Fleet(trucks, rate=rate / TIME_LAPSE, seed=1, invalid=0.001).take(rate * PREPARED_SECONDS)
    async with Dashboard(view, port=0) as page:
        pipe.send(page.address)
        feeding = asyncio.create_task(_feed(view, reports, int(rate * TICK)))
        while True:
            await asyncio.sleep(0.02)
            if pipe.poll():
                if pipe.recv() == "end":
                    break
                pipe.send((time.process_time(), view.traffic.records))
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


async def _feed(view, reports, count):
    due, place = time.monotonic(), 0
    while True:
        for start in range(place, place + count, RECORDS_AT_ONCE):
            now = time.time()
            for report in reports[start : start + min(RECORDS_AT_ONCE, count)]:
                view.observe(report.data, report.truck_id, f"shardId-{hash(report.truck_id) % SHARDS:012}", now, now)
            await asyncio.sleep(0)
        place = (place + count) % len(reports)
        due += TICK
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def browser_cpu():
    """Return the seconds of CPU time of all processes of the browsers that this one has started."""
    ticks = os.sysconf("SC_CLK_TCK")
    parents, times = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            is_browser = "chrom" in (folder / "cmdline").read_text(encoding="utf-8")
        except OSError:
            continue  # it has ended
        parents[int(folder.name)] = int(words[1])
        if is_browser:
            times[int(folder.name)] = (int(words[11]) + int(words[12])) / ticks
    return sum(seconds for process, seconds in times.items() if os.getpid() in _ancestors(process, parents))


def _ancestors(process, parents):
    while process in parents:
        yield process
        process = parents[process]


def measure(browser, trucks, seconds):
    pipe, end = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(trucks, end))
    process.start()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    try:
        page.goto(pipe.recv())
        page.wait_for_function("count => truckstream.fleet.trucks.size >= count", arg=trucks, timeout=60_000)
        page.wait_for_timeout(3_000)
        before = _sample(page, pipe)
        page.wait_for_timeout(seconds * 1_000)
        after = _sample(page, pipe)
    finally:
        page.close()
        pipe.send("end")
        process.join()
    passed = after["at"] - before["at"]
    rates = {name: (after[name] - before[name]) / passed for name in before if name != "at"}
    return {
        "trucks": trucks,
        "records_per_second": round(rates["records"]),
        "server_cpu": round(rates["server"], 3),
        "browser_cpu": round(rates["browser"], 3),
        "frames_per_second": round(rates["frames"], 1),
    }


def _sample(page, pipe):
    pipe.send("sample")
    server, records = pipe.recv()
    frames = page.evaluate("truckstream.map.frames")
    return {"at": time.monotonic(), "server": server, "records": records, "browser": browser_cpu(), "frames": frames}


def charts(rows):
    parts = [
        {"trucks": f"{row['trucks']:,} trucks, {part}", "share": row[f"{part}_cpu"]}
        for row in rows
        for part in ("server", "browser")
    ]
    return [
        bars(
            "Share of a core that the dashboard takes",
            parts,
            name="trucks",
            value=Axis("share", "share of a core", ".0%"),
            caption="Each truck reports ten times a second. The browser draws without a GPU.",
        )
    ]


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--trucks", default="100,1000", help="numbers of trucks, joined by commas")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each is measured")
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("This benchmark needs Chromium: apt-get install chromium")
    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        version = browser.version
        for trucks in map(int, options.trucks.split(",")):
            row = measure(browser, trucks, options.seconds)
            rows.append(row)
            print(
                f"{row['trucks']:>6,} trucks {row['records_per_second']:>7,} records/s   server {row['server_cpu']:.1%}"
                f"   browser {row['browser_cpu']:.1%}   {row['frames_per_second']:.0f} frames/s"
            )
        browser.close()
    publish(options, charts=charts(rows), packages={"chromium": version}, rows=rows)


if __name__ == "__main__":
    main()

"""What does it cost to open many producers on one event loop?

A local Kinesis runs in a process of its own. First one producer opens, which imports aiobotocore and parses its data
files; then the others open together. Shown are the seconds that this took, the longest callback and the longest turn of
the loop (all callbacks between two polls of the sockets), and the resident memory that each producer added.

    uv run python benchmarks/opening.py [--producers 100] [--shared-session] [--json FILE] [--html FILE]
"""

import asyncio
import os
import time
from pathlib import Path

import support.prerequisites  # noqa: F401 - reports a missing package
from support.command_line import make_parser, publish
from support.loop_watch import run_watched

from truckstream.charts import Axis, bars
from truckstream.kinesis.limits import MIB
from truckstream.local import LocalKinesis
from truckstream.producer import Producer


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def open_together(watch, producers):
    """Open `producers` and return the figures."""
    resident = resident_bytes()
    began = time.perf_counter()
    watch.reset()
    await asyncio.gather(*(producer.open() for producer in producers))
    figures = watch.milliseconds()
    return {
        "producers": len(producers),
        "seconds": round(time.perf_counter() - began, 2),
        **figures,
        "mib_each": round((resident_bytes() - resident) / MIB / len(producers), 2),
    }


def charts(rows):
    kinds = {"callback_ms": "longest callback", "turn_ms": "longest turn"}
    return [
        bars(
            "How long opening holds the event loop",
            [
                {"producers": name, "ms": row[field], "kind": kind}
                for name, row in zip(("the first", "the others"), rows, strict=True)
                for field, kind in kinds.items()
            ],
            name="producers",
            value=Axis("ms", "CPU time, ms", ",.1f"),
            series="kind",
            caption="A turn is all callbacks between two polls of the sockets.",
        )
    ]


async def main(watch, options):
    session = None
    if options.shared_session:
        from aiobotocore.session import get_session  # noqa: PLC0415 - without the option, the first producer imports it

        session = get_session()
    async with LocalKinesis(own_process=True) as kinesis:
        producers = [
            Producer(kinesis.stream_name, region_name="us-east-1", endpoint_url=kinesis.endpoint_url, session=session)
            for _ in range(options.producers)
        ]
        rows = [await open_together(watch, producers[:1]), await open_together(watch, producers[1:])]
        await asyncio.gather(*(producer.close() for producer in producers))
    print("| producers | seconds | longest callback, ms | longest turn, ms | MiB each |\n|---|---|---|---|---|")
    for row in rows:
        print("| {producers} | {seconds} | {callback_ms} | {turn_ms} | {mib_each} |".format(**row))
    return rows


if __name__ == "__main__":
    parser = make_parser(__doc__)
    parser.add_argument("--producers", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--shared-session", action="store_true", help="pass one session to all producers")
    options = parser.parse_args()
    os.environ |= {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "NO_PROXY": "127.0.0.1"}
    rows = run_watched(lambda watch: main(watch, options))
    publish(options, charts=charts(rows), rows=rows)

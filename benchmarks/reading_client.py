"""What does it cost the client to read a record, by GetRecords and by a subscription, compared with aiobotocore?

A bare endpoint in another process responds with the same page to every request, and a subscription's events come as
fast as the client takes them. Records have 498 bytes and 100 keys. Shown are the client's CPU time a record, the least
of all rounds because other processes can only add to it, and the records a CPU-second that follow from it. No record is
looked at. The frames of a subscription are of 16 KiB, HTTP/2's default, or as large as the client allows.

Bias: there is no TLS, and one response follows the other without a pause. aiobotocore's records are dictionaries, whose
arrival is a datetime.

    uv run python benchmarks/reading_client.py [--records 2000] [--pages 10] [--rounds 15] [--only WORD,…] [--json FILE]
        [--html FILE]
"""

import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version
from typing import NamedTuple

import support.prerequisites  # noqa: F401 - names a missing package
import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from support.bare_server import bare_server
from support.command_line import make_parser, publish, selected
from support.cost_charts import cpu_bars

from truckstream.kinesis.client import KinesisClient
from truckstream.kinesis.reading.position import Position

#: Values that any client accepts and nobody checks.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "bare", "AWS_SECRET_ACCESS_KEY": "bare"}


class Contestant(NamedTuple):
    name: str
    frame_bytes: int
    pages: Callable[[str], AsyncIterator[list]]
    floor: float | None
    aim: float | None


@contextlib.asynccontextmanager
async def our_client(url):
    client = KinesisClient("trucks", region_name="us-east-1", endpoint_url=url)
    await client.open()
    try:
        yield client
    finally:
        await client.close()


async def get_records(url):
    async with our_client(url) as client:
        while True:
            yield (await client.get_records("A" * 200, "shardId-000000000000")).records


async def subscribe(url):
    async with (
        our_client(url) as client,
        contextlib.aclosing(client.subscribe("arn", "shardId-000000000000", Position("LATEST"))) as pages,
    ):
        async for page in pages:
            yield page.records


async def aiobotocore_get_records(url):
    config = AioConfig(retries={"total_max_attempts": 1})
    async with get_session().create_client(
        "kinesis", region_name="us-east-1", endpoint_url=url, config=config
    ) as client:
        while True:
            yield (await client.get_records(ShardIterator="A" * 200))["Records"]


CONTESTANTS = [
    Contestant("truckstream get_records", 0, get_records, 1.5, 1.3),
    Contestant("truckstream subscribe, 16 KiB frames", 16 * 1024, subscribe, 5.0, None),
    Contestant("truckstream subscribe, large frames", 16 * 1024 * 1024, subscribe, 5.0, None),
    Contestant("aiobotocore get_records", 0, aiobotocore_get_records, None, None),
]


async def least_cpu(contestant, url, options):
    """Return the CPU µs a record in the cheapest round."""
    async with contextlib.aclosing(contestant.pages(url)) as pages:
        await anext(pages)  # opens the connection
        figures = []
        for _ in range(options.rounds):
            before, count = time.process_time(), 0
            for _ in range(options.pages):
                count += len(await anext(pages))
            figures.append((time.process_time() - before) / count * 1e6)
        return min(figures)


def charts(rows):
    caption = "The least of all rounds."
    return [cpu_bars("CPU time of reading a record", rows, "contestant", caption=caption)]


def main(options):
    os.environ.update(CREDENTIALS)
    print(f"{'':38}{'CPU µs/record':>14}{'records/CPU-s':>15}{'floor':>8}{'aim':>6}")
    rows = []
    for contestant in selected(CONTESTANTS, options):
        with bare_server("bare_reading", options.records, contestant.frame_bytes or 1) as port:
            cpu = uvloop.run(least_cpu(contestant, f"http://127.0.0.1:{port}", options))
        rows.append({"contestant": contestant.name, "cpu_us_per_record": cpu})
        goals = f"{contestant.floor or '':>8}{contestant.aim or '':>6}"
        print(f"{contestant.name:38}{cpu:14.2f}{1e6 / cpu:15,.0f}{goals}", flush=True)
    packages = {name: version(name) for name in ("aiobotocore", "h2", "msgspec", "uvloop")}
    publish(options, charts=charts(rows), packages=packages, rows=rows)


if __name__ == "__main__":
    parser = make_parser(__doc__, only="contestants")
    parser.add_argument("--records", type=int, default=2_000, help="records a page (default: 2,000)")
    parser.add_argument("--pages", type=int, default=10, help="pages a round (default: 10)")
    parser.add_argument("--rounds", type=int, default=15, help="rounds, of which the cheapest counts (default: 15)")
    sys.exit(main(parser.parse_args()))

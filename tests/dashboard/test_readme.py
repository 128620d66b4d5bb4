"""The page for users is true: its program runs, and its numbers are those of the code."""

import asyncio
import os
import re
import sys
from pathlib import Path

import aiohttp

from truckstream.dashboard.feeds.replay_table import MOST_RECORDS
from truckstream.dashboard.serving.server import MOST_VIEWERS
from truckstream.dashboard.view.figures.traffic import MOST_SHARDS, SERIES_POINTS
from truckstream.dashboard.view.incidents import MOST_INCIDENTS
from truckstream.dashboard.view.trucks.truck_entry import HISTORY_POINTS, TRAIL_POINTS
from truckstream.dashboard.view.trucks.truck_table import MOST_TRUCKS
from truckstream.local import LocalKinesis

PAGE = (Path(__file__).parent.parent.parent / "truckstream" / "dashboard" / "README.md").read_text(encoding="utf-8")
[PROGRAM] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


async def test_the_program_serves_a_page():
    async with LocalKinesis(stream="truck-sensor-stream", own_process=True) as kinesis:
        environment = {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_ENDPOINT_URL_KINESIS": kinesis.endpoint_url,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", PROGRAM),
            env=os.environ | environment,
            stdout=asyncio.subprocess.PIPE,
        )
        address = (await process.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession() as session, session.get(address) as response:
            assert "<title>truckstream</title>" in await response.text()
        process.kill()
        await process.communicate()


def test_the_numbers_are_those_of_the_code():
    text = " ".join(PAGE.split())
    for number, words in (
        (MOST_TRUCKS, "trucks with"),
        (TRAIL_POINTS, "points of trail"),
        (HISTORY_POINTS, "samples of their signals"),
        (SERIES_POINTS, "seconds of charts"),
        (MOST_SHARDS, "shards"),
        (MOST_INCIDENTS, "incidents"),
        (MOST_VIEWERS, "browsers can look"),
    ):
        assert f"{number:,} {words}" in text
    assert MOST_RECORDS == 5_000_000
    assert "five million records" in text

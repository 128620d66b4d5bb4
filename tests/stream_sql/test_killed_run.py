"""A query whose process is killed at any moment loses and doubles nothing in the windows that it stores."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from tests.commands.support import AWS, environment_of
from tests.stream_sql.support import BASE, line
from truckstream.local import LocalKinesis
from truckstream.producer import Producer
from truckstream.record import TruckRecord

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "stream_sql" / "programs" / "store_windows.py"

#: Seconds of event time that are put before each run; the last window of each is open.
PORTION = 35
#: After how many objects each run kills itself: in the middle of a step that stores several.
KILLS = (1, 2, 1)


def start(kinesis, folder, kill_after):
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), kinesis.endpoint_url, str(folder), "fleet", str(kill_after)],
        env=environment_of({**AWS, "PYTHONPATH": str(ROOT)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def reports(portion, random):
    """Return the reports of a portion, in the order of time."""
    seconds = sorted(random.uniform(portion * PORTION, (portion + 1) * PORTION) for _ in range(150))
    return [line(second, random.choice("ABC"), engine_rpm=random.randrange(5000)) for second in seconds]


async def put(kinesis, lines):
    async with Producer("truck-sensor-stream", endpoint_url=kinesis.endpoint_url, region_name="us-east-1") as producer:
        for number, data in enumerate(lines):
            await producer.put(data, "ABCDEFGH"[number % 8])


def windows_of(lines):
    """Return the figures of each window and truck: the number of records and the sum of a field."""
    figures = Counter()
    for data in lines:
        record = TruckRecord.from_json(data)
        seconds = _seconds(record.timestamp)
        figures[int(seconds // 10 * 10), record.truck_id, "n"] += 1
        figures[int(seconds // 10 * 10), record.truck_id, "rpm"] += record.engine_rpm
    return figures


def _seconds(text):
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() - BASE


def stored_in(folder):
    figures = Counter()
    for path in (folder / "windows").glob("*.json"):
        for row in map(json.loads, path.read_text().splitlines()):
            window = int(_seconds(row["window_start"]))
            figures[window, row["truck_id"], "n"] += row["n"]
            figures[window, row["truck_id"], "rpm"] += row["rpm"]
    return figures


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_run_that_is_killed_loses_and_doubles_nothing(tmp_path, monkeypatch):
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    random, put_lines = Random(16), []
    async with LocalKinesis(shards=2) as kinesis:
        for portion, kill_after in enumerate((*KILLS, None)):
            lines = reports(portion, random)
            put_lines += lines
            await put(kinesis, lines)
            process = start(kinesis, tmp_path, kill_after or 0)
            try:
                if kill_after is None:  # killed from outside, at a moment that may be any
                    await asyncio.sleep(random.uniform(1.5, 4.0))
                    process.kill()
                _, err = await asyncio.to_thread(process.communicate, timeout=60)
                assert process.returncode == -9, err
            finally:
                process.kill()
        expected = windows_of(put_lines)
        await put(kinesis, [line(10_000)] * 8)
        process = start(kinesis, tmp_path, 0)
        try:
            while stored_in(tmp_path).keys() < expected.keys():
                printed = await asyncio.to_thread(process.stdout.readline)
                assert printed, process.stderr.read()
                assert printed.split()[1] == "0", "no record is late"
        finally:
            process.kill()
            await asyncio.to_thread(process.communicate)
    assert stored_in(tmp_path) == expected
    assert len({window for window, _, _ in expected}) == len(list((tmp_path / "windows").iterdir()))

"""Processes that make windows are killed at random moments, through a split and a merge, on a local Kinesis.

The results in the sink are those that follow from the records.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import closing
from datetime import datetime
from pathlib import Path

import aiobotocore.session
import msgspec
import pytest

from truckstream.local import LocalKinesis
from truckstream.producer import Producer

PROGRAM = Path(__file__).parent / "programs" / "window_worker.py"
ROOT = Path(__file__).parent.parent.parent
AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
TRUCKS = [f"TRUCK_{number}" for number in range(12)]
EXPECTED = {
    "tumbling": lambda times: [int(time // 5 * 5) for time in times],
    "session": lambda times: session_starts(times, gap=4),
}


def session_starts(times, gap):
    """The start of the session that each time belongs to."""
    starts, previous, start = {}, None, None
    for time_ in sorted(set(times)):
        start = time_ if previous is None or time_ - previous >= gap else start
        starts[time_], previous = start, time_
    return [starts[time_] for time_ in times]


def start_worker(kinesis, folder, kind):
    settings = json.dumps({"endpoint_url": kinesis.endpoint_url, "folder": str(folder), "kind": kind})
    environment = {**os.environ, **AWS, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    return subprocess.Popen([sys.executable, str(PROGRAM), settings], env=environment, cwd=folder)


def rows(folder):
    """The results in the sink: the number of records, their sum and mean, by truck and start."""
    if not (folder / "results.sqlite").exists():
        return []
    with closing(sqlite3.connect(folder / "results.sqlite", timeout=30)) as database:
        found = database.execute(
            """SELECT key, start, json_extract("values", '$.records'), json_extract("values", '$.total'),
            json_extract("values", '$.mean') FROM windows WHERE NOT is_retracted"""
        ).fetchall()
    return sorted((key, int(datetime.fromisoformat(start).timestamp()), *values) for key, start, *values in found)


def expected(records, kind):
    by_truck = defaultdict(list)
    for time_, truck, speed in records:
        by_truck[truck].append((time_, speed))
    groups = defaultdict(list)
    for truck, reports in by_truck.items():
        starts = EXPECTED[kind]([time_ for time_, _ in reports])
        for start, (_, speed) in zip(starts, reports, strict=True):
            groups[truck, start].append(speed)
    return sorted(
        (truck, start, len(speeds), sum(speeds), sum(speeds) / len(speeds)) for (truck, start), speeds in groups.items()
    )


class Putter:
    """Puts records whose event times are whole seconds, some of them late."""

    def __init__(self, kinesis, rng):
        self.kinesis, self.rng, self.records = kinesis, rng, []

    async def put(self, count):
        made = []
        for _ in range(count):
            late = self.rng.choice([0, 0, 0, 0, 1, 2, 7])
            self.records.append((int(time.time()) - late, self.rng.choice(TRUCKS), float(self.rng.randrange(100))))
            made.append(self.records[-1])
        async with Producer("trucks", region_name="us-east-1", endpoint_url=self.kinesis.endpoint_url) as producer:
            await producer.put_many(
                (msgspec.json.encode({"truck_id": truck, "timestamp": time_, "speed": speed}), truck)
                for time_, truck, speed in made
            )


async def reshard(kinesis, step):
    session = aiobotocore.session.get_session()
    async with session.create_client("kinesis", region_name="us-east-1", endpoint_url=kinesis.endpoint_url) as client:
        if step == "split":
            await client.split_shard(
                StreamName="trucks", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
            )
        else:
            await client.merge_shards(
                StreamName="trucks",
                ShardToMerge="shardId-000000000001",
                AdjacentShardToMerge="shardId-000000000002",
            )


async def rounds(kinesis, folder, kind, putter, rng, kills):
    """Put records while workers come and are killed; the last one stays."""
    worker = start_worker(kinesis, folder, kind)
    try:
        for round_ in range(kills):
            await putter.put(60)
            if round_ in {kills // 3, 2 * kills // 3}:
                await reshard(kinesis, "split" if round_ == kills // 3 else "merge")
                await putter.put(40)
            await asyncio.sleep(rng.uniform(0.5, 4))
            worker.kill()
            worker.wait()
            worker = start_worker(kinesis, folder, kind)
        await putter.put(60)
        async with asyncio.timeout(100):
            while sum(row[2] for row in rows(folder)) < len(putter.records):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.3)
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, timeout=30) == 0
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "kills"),
    [
        ("tumbling", 3),
        pytest.param("session", 3, marks=pytest.mark.slow),
        pytest.param("tumbling", 15, marks=pytest.mark.slow),
    ],
)
async def test_killed_workers_lose_nothing_and_double_nothing(kind, kills, tmp_path, monkeypatch):
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    rng = random.Random(kills)
    async with LocalKinesis("trucks", 1) as kinesis:
        putter = Putter(kinesis, rng)
        await rounds(kinesis, tmp_path, kind, putter, rng, kills)
    assert rows(tmp_path) == expected(putter.records, kind)

"""The command on a local Kinesis: two processes share a stream, one ends, and each record is stored once."""

import asyncio
import json
import signal
import socket
from collections import Counter

import aiohttp
import pytest

from tests.commands.support import AWS, start
from truckstream.data.audit import audit
from truckstream.local import LocalKinesis
from truckstream.producer import Producer

RECORDS = 2_000


def worker(kinesis, tmp_path, **more):
    return start(
        *("worker", "--stream", "trucks", "--lease-table", f"sqlite:{tmp_path / 'leases.sqlite'}", "--max-wait", "1"),
        cwd=tmp_path,
        **AWS,
        STORE_URL=(tmp_path / "lake").as_uri(),
        SCHEMA="none",
        BATCH_SIZE="10",
        AWS_ENDPOINT_URL_KINESIS=kinesis.endpoint_url,
        NO_PROXY="127.0.0.1",
        **more,
    )


async def health(port):
    """Return the status of /readyz, and the report."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as response:
        return response.status, await response.json()


async def health_of(port, *, shards, seconds=40):
    """Wait until the worker has so many shards, and return the status of /readyz and the report."""
    async with asyncio.timeout(seconds):
        while len((found := await health(port))[1]["shards"]) < shards:  # noqa: ASYNC110 - another process takes them
            await asyncio.sleep(0.2)
    return found


def stored(tmp_path):
    files = (tmp_path / "lake" / "sensor_data").glob("*.json")
    return Counter(json.loads(line)["n"] for file in files for line in file.read_bytes().splitlines())


async def wait_for(tmp_path, count, seconds=40):
    async with asyncio.timeout(seconds):
        while len(stored(tmp_path)) < count:  # noqa: ASYNC110 - other processes write the files
            await asyncio.sleep(0.2)


async def put(kinesis, start_at, count):
    async with Producer("trucks", region_name="us-east-1", endpoint_url=kinesis.endpoint_url) as producer:
        await producer.put_many((json.dumps({"n": n}).encode(), str(n)) for n in range(start_at, start_at + count))


# The leases of a worker that was killed last for ten seconds.
@pytest.mark.parametrize("end", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
async def test_each_record_is_stored_once_although_a_worker_ends(end, tmp_path, monkeypatch):
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "lake").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with LocalKinesis("trucks", 4, own_process=True) as kinesis:
        await put(kinesis, 0, RECORDS // 2)
        first, second = worker(kinesis, tmp_path), worker(kinesis, tmp_path, HEALTH_PORT=str(port))
        try:
            await wait_for(tmp_path, RECORDS // 4)
            first.send_signal(end)
            await put(kinesis, RECORDS // 2, RECORDS // 2)
            await wait_for(tmp_path, RECORDS)
            status, report = await health_of(port, shards=4)  # the first may still be giving up an empty shard
            assert (status, report["reason"], len(report["shards"])) == (200, None, 4)
            second.send_signal(signal.SIGTERM)
            out, err = await asyncio.to_thread(second.communicate, timeout=30)
            assert second.returncode == 0, out + err
        finally:
            for process in (first, second):
                process.kill()
                process.communicate()
    assert stored(tmp_path) == Counter(range(RECORDS))
    report = await audit(tmp_path / "lake", settle=0)
    assert report.findings == ()
    assert [(shard.unproven_links, shard.begins_after) for shard in report.shards] == [(0, None)] * 4

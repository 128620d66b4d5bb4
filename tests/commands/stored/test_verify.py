"""`truckstream verify` on a worker's output of a local stream, whole and damaged."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from tests.batcher.support import record
from tests.commands.support import AWS, error_of, run
from tests.moto_server import running_moto
from truckstream.batcher import Batcher
from truckstream.commands.output.results import exit_status
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.local import LocalKinesis
from truckstream.producer import Producer
from truckstream.worker import Worker

RECORDS = 600


async def store_stream(kinesis, folder):
    """Put records, some of them in aggregates and some invalid, and store them with a worker."""
    options = {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}
    for aggregate in (False, True):
        async with Producer("trucks", aggregate=aggregate, **options) as producer:
            data = (b'{"n":%d}' % n if n % 50 else b"[%d]" % n for n in range(RECORDS // 2))
            await producer.put_many((each, str(n)) for n, each in enumerate(data))
    batcher = Batcher(folder.as_uri(), batch_size=50, schema=dict, compression="gzip", layout="hive")
    worker = Worker("trucks", batcher, max_wait=1.0, leases=MemoryTable(), **options)
    async with worker:
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(30):
            while _stored(worker) < RECORDS:  # noqa: ASYNC110 - the shards report no event
                await asyncio.sleep(0.05)
        worker.stop()
        await running


def _stored(worker):
    return sum(shard.status.records_stored + shard.status.records_rejected for shard in worker._running)


@pytest.fixture
async def lake(tmp_path, monkeypatch):
    """A function that verifies a store of two shards, and the store."""
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "an out"
    async with LocalKinesis("trucks", 2, own_process=True) as kinesis:
        await store_stream(kinesis, folder)

        async def verify(*flags, stream="trucks"):
            options = ("--stream", stream, "--endpoint-url", kinesis.endpoint_url, "--settle", "0", *flags)
            command = ("verify", str(folder), *options)
            return await asyncio.to_thread(run, *command, cwd=tmp_path, NO_PROXY="127.0.0.1")

        yield verify, folder


async def test_whole_and_damaged_output(lake):
    verify, folder = lake
    status, out, err = await verify()
    assert (status, err) == (0, ""), out
    assert re.search(r"shardId-000000000001: \d+ valid and \d+ rejected records in \d+ groups", out)
    assert "Rejected: 12 wrong_type." in out
    assert "Proved: 600 records that trucks still has were compared one by one." in out
    assert out.endswith("Nothing is missing, doubled or damaged, as far as the above proves it.\n")

    objects = sorted((folder / "sensor_data").rglob("*.json.gz"))
    edited, deleted = objects[0], objects[-1]
    edited.write_bytes(edited.read_bytes()[:-1] + b"?")
    deleted.unlink()
    status, out, _ = await verify("--json")
    report = json.loads(out)
    assert (status, report["exit_status"]) == (1, 1)
    named = {key for each in report["findings"] if each["kind"] == "damaged" for key in each["keys"]}
    assert named == {str(edited.relative_to(folder))}
    lost = [each for each in report["findings"] if each["kind"] in {"missing", "hole", "half_group", "waiting"}]
    assert lost
    assert all(each["shard"].startswith("shardId-") and each["first_sequence_number"].isdecimal() for each in lost)

    status, out, _ = await verify("--findings", "1")
    assert status == 1
    assert "more findings; --json prints all." in out
    assert "Something is missing, doubled or damaged: " in out


async def test_a_stream_that_does_not_exist_cannot_be_compared(lake):
    verify, _ = lake
    status, out, err = await verify(stream="nothing")
    assert (status, out) == (2, "")
    assert "aws kinesis create-stream --stream-name nothing" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "there is no such directory"),
        ([".", "--since", "yesterday"], "since is 'yesterday': must be a time such as"),
        ([".", "--settle", "-1"], "settle is -1.0"),
        ([".", "--findings", "-1"], "findings is -1"),
        ([".", "--prefix", "a//b"], "prefix is 'a//b'"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    error = error_of("verify", *arguments)
    assert (exit_status(error), message in str(error)) == (2, True), error


def test_a_store_that_cannot_be_listed_cannot_be_told(tmp_path):
    status, out, err = run("verify", "s3://trucks", "--endpoint-url", "http://127.0.0.1:9", cwd=tmp_path, **AWS)
    assert (status, out) == (2, "")
    assert "sensor_data/" in err


def test_an_empty_directory_proves_nothing(tmp_path):
    status, out, _ = run("verify", str(tmp_path), "--quick", cwd=tmp_path)
    assert status == 2
    assert out.startswith("0 objects, 0 bytes: not read; sizes and metadata compared.\n")
    assert out.endswith("It could not be told whether everything is there: 1 no_objects.\n")


def test_counts_are_held_against_cloudwatch(tmp_path, monkeypatch):
    """Moto keeps metrics; the stream took one record more in the second hour than the objects hold."""
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    begin = datetime(2025, 1, 15, 14, tzinfo=UTC)
    batcher = Batcher((tmp_path / "lake").as_uri(), schema=None)
    for n, minutes in enumerate((30, 90, 150)):
        arrival = (begin + timedelta(minutes=minutes)).timestamp()
        asyncio.run(batcher.process([record(b"{}", n, arrival=arrival)]))
    with running_moto() as url:
        metric = {"MetricName": "IncomingRecords", "Value": 2.0, "Timestamp": begin + timedelta(minutes=90)}
        dimensions = [{"Name": "StreamName", "Value": "truck-sensor-stream"}]
        boto3.client("cloudwatch", endpoint_url=url, region_name="us-east-1").put_metric_data(
            Namespace="AWS/Kinesis", MetricData=[{**metric, "Dimensions": dimensions}]
        )
        flags = ("--cloudwatch", "--endpoint-url", url)
        status, out, err = run("verify", "lake", *flags, cwd=tmp_path, **AWS, NO_PROXY="127.0.0.1")
    assert (status, err) == (1, ""), out
    assert "Compared: 1 hours with CloudWatch's IncomingRecords." in out
    assert "took 2 records in an hour, by CloudWatch, and the objects hold 1: records are missing" in out

"""`truckstream simulate`, run as a user runs it."""

import asyncio
import json
import re
import subprocess
import sys

import pytest

from tests.commands.support import AWS, environment_of, error_of, run
from truckstream.commands.output.results import exit_status
from truckstream.envelope import is_envelope, read
from truckstream.local import LocalKinesis
from truckstream.record import TruckRecord


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "--stream", "no such name"), "stream_name is 'no such name' (from --stream)"),
        (("simulate", "--trucks", "0"), "trucks is 0"),
        (("simulate", "--workers", "0"), "workers is 0"),
        (("simulate", "--seconds", "-1"), "seconds is -1"),
        (("simulate", "--seconds", "nan"), "seconds is nan"),
        (("simulate", "--dry-run", "--count", "-1"), "count is -1"),
        (("simulate",), "region is not set. Pass --region"),
    ],
)
def test_an_invalid_option_is_named(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)  # where there is no .env
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "REGION", "region", "STREAM_NAME", "stream_name"):
        monkeypatch.delenv(name, raising=False)
    error = error_of(*arguments)
    assert message in str(error)
    assert exit_status(error) == 2


def test_a_dry_run_prints_records_and_sends_nothing(tmp_path):
    first, second = (run("simulate", "--dry-run", "--count", "25", "--seed", "3", cwd=tmp_path) for _ in range(2))
    assert first[0] == second[0] == 0
    records = [TruckRecord.from_json(line) for line in first[1].splitlines()]
    assert len(records) == 25
    assert records[0].truck_id == "TRUCK_001"


@pytest.mark.usefixtures("fake_credentials")
def test_simulate_sends_from_several_processes_to_a_stream_in_moto(tmp_path, moto_url):
    import boto3  # noqa: PLC0415 - takes half a second, and only this test needs it

    kinesis = boto3.client("kinesis", region_name="us-east-1", endpoint_url=moto_url)
    kinesis.create_stream(StreamName="simulated", ShardCount=2)
    arguments = ("simulate", "--endpoint-url", moto_url, "--workers", "2", "--trucks", "10", "--rate", "200")
    status, out, err = run(*arguments, "--stream", "simulated", "--seconds", "2", cwd=tmp_path, **AWS)
    assert status == 0, err
    acknowledged = int(re.search(r"([\d,]+) acknowledged", out)[1].replace(",", ""))
    stored = []
    for shard in kinesis.list_shards(StreamName="simulated")["Shards"]:
        arguments = {"StreamName": "simulated", "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**arguments)["ShardIterator"]
        stored += kinesis.get_records(ShardIterator=iterator)["Records"]
    assert len(stored) == acknowledged > 0
    assert len({record["PartitionKey"] for record in stored}) == 10
    kinesis.close()


@pytest.mark.usefixtures("fake_credentials")
async def test_simulate_sends_compressed_records(tmp_path):
    async with LocalKinesis(stream="simulated") as kinesis:
        arguments = ("simulate", "--endpoint-url", kinesis.endpoint_url, "--stream", "simulated", "--json")
        options = ("--compression", "zstd", "--rate", "3000", "--seconds", "1")
        status, out, err = await asyncio.to_thread(run, *arguments, *options, cwd=tmp_path, **AWS)
        assert status == 0, err
        stored = [record.data async for record in kinesis.stored()]
    assert sum(len(read(data)) if is_envelope(data) else 1 for data in stored) == json.loads(out)["acked"] > 0
    assert any(map(is_envelope, stored))


def test_simulate_prints_the_error_of_a_missing_stream(tmp_path, moto_url):
    status, _, err = run("simulate", "--stream", "nowhere", "--endpoint-url", moto_url, cwd=tmp_path, **AWS)
    assert status == 1
    assert "Stream nowhere under account" in err


def test_missing_credentials_are_an_error_of_the_settings_as_for_the_commands_on_aws(tmp_path):
    status, out, err = run(
        *("simulate", "--stream", "trucks", "--region", "us-east-1"),
        cwd=tmp_path,
        HOME=str(tmp_path),
        AWS_EC2_METADATA_DISABLED="true",
    )
    assert (status, out) == (2, "")
    assert err.startswith("truckstream: credentials were not found. Log in")


def test_it_reports_why_it_waits_for_a_dead_server_and_ends_soon(tmp_path):
    endpoint = ("--endpoint-url", "http://127.0.0.1:9")
    status, out, err = run("simulate", "--stream", "trucks", *endpoint, "--seconds", "1", "--json", cwd=tmp_path)
    assert status == 1
    result = json.loads(out)
    assert (result["put"], result["seconds"]) == (0, 0.0)
    assert re.search("ConnectionRefusedError", result["errors"][0])
    assert err.splitlines()[0].startswith("waiting for the stream: ConnectionRefusedError: 127.0.0.1:9")
    assert "WARNING" not in err


def test_a_closed_pipe_ends_a_dry_run_without_a_traceback(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "truckstream", "simulate", "--dry-run", "--count", "1000000"],
        cwd=tmp_path,
        env=environment_of({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline()
    process.stdout.close()
    assert (process.wait(timeout=50), process.stderr.read()) == (0, b"")
    process.stderr.close()

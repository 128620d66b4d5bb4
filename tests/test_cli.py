"""`truckstream demo` and `truckstream simulate`, run as a user runs them."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from truckstream.record import REASONS, TruckRecord

KEY = re.compile(r"sensor_data/batch_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_[a-z0-9]{8,}\.json")


def command(*arguments, cwd, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "truckstream", *arguments],
        cwd=cwd,
        env=clean | {"COLUMNS": "200"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments, cwd, timeout=50, **environment):
    process = command(*arguments, cwd=cwd, **environment)
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def clean_report(path):
    """Read the report of a run in which every record was accounted for."""
    report = json.loads(path.read_text())
    assert report["lost"] == report["duplicated"] == report["misjudged"] == report["foreign"] == 0
    assert report["records_put"] == report["records_acked"] == report["records_stored"] + report["records_rejected"]
    return report


def test_the_demo_accounts_for_every_record(tmp_path):
    """With two shards and some invalid records, the report matches the objects in the directory."""
    arguments = ("demo", "--seconds", "4", "--shards", "2", "--invalid", "0.05", "--report", "r.json", "--seed", "7")
    status, out, err = run(*arguments, cwd=tmp_path)
    assert status == 0, err
    report = clean_report(tmp_path / "r.json")
    assert set(report) >= {
        *("records_put", "records_acked", "records_failed", "records_stored", "records_rejected", "lost"),
        *("duplicated", "out_of_order", "objects", "shards", "throttled_share", "seconds", "latency_ms"),
        *("cpu_us_per_record", "out", "seed"),
    }
    assert report["records_put"] > 1_000
    assert report["records_rejected"] == pytest.approx(report["records_put"] * 0.05, rel=0.5)
    assert [set(shard) for shard in report["shards"]] == [{"shard_id", "records_per_second", "quota_share"}] * 2
    assert set(report["latency_ms"]) == {"p50", "p99"}
    data = tmp_path / "truckstream-data"
    objects = sorted(data.glob("sensor_data/*.json"))
    assert len(objects) == report["objects"]
    assert all(KEY.fullmatch(str(path.relative_to(data))) for path in objects)
    records = [TruckRecord.from_json(line) for path in objects for line in path.read_bytes().splitlines()]
    assert len(records) == report["records_stored"]
    rejected = [json.loads(line) for path in data.glob("rejected/**/*.json") for line in path.read_text().splitlines()]
    assert len(rejected) == report["records_rejected"]
    assert {line["reason"] for line in rejected} <= set(REASONS)
    assert f"{report['records_put']:,} records were put" in out


def test_a_second_run_in_the_same_directory_counts_only_its_own_records(tmp_path):
    for name in ("first.json", "second.json"):
        status, _, err = run("demo", "--seconds", "1", "--rate", "300", "--report", name, cwd=tmp_path)
        assert status == 0, err
        clean_report(tmp_path / name)


def test_ctrl_c_drains_the_demo_and_counts_every_record(tmp_path):
    process = command("demo", "--seconds", "300", "--report", "r.json", cwd=tmp_path)
    log = tmp_path / "truckstream-data" / "demo.log"
    for _ in range(200):
        if log.exists() and process.poll() is None and list(tmp_path.glob("truckstream-data/sensor_data/*.json")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=40)
    assert process.returncode == 0, err
    assert clean_report(tmp_path / "r.json")["records_put"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("demo", "--seconds", "0"), "seconds is 0"),
        (("demo", "--shards", "0"), "shards is 0"),
        (("demo", "--invalid", "1.5"), "invalid is 1.5"),
        (("demo", "--out", "/dev/null/x"), "--out cannot be written to"),
        (("demo", "--out", "/proc"), "--out cannot be written to"),
        (("demo", "--report", "no/such/r.json"), "--report is 'no/such/r.json', which cannot be written to"),
        (("demo", "--report", "."), "--report is '.', which cannot be written to"),
        (("simulate", "--stream", "no such name"), "stream_name is 'no such name' (from --stream)"),
        (("simulate", "--trucks", "0"), "trucks is 0"),
        (("simulate", "--workers", "0"), "workers is 0"),
        (("simulate", "--seconds", "-1"), "seconds is -1"),
        (("simulate", "--seconds", "nan"), "seconds is nan"),
        (("simulate", "--dry-run", "--count", "-1"), "count is -1"),
        (("simulate",), "region is not set. Pass --region"),
    ],
)
def test_an_invalid_option_is_named(tmp_path, arguments, message):
    status, _, err = run(*arguments, cwd=tmp_path)
    assert (status, message in err) == (2, True), err
    assert "Traceback" not in err


def test_a_second_demo_in_the_same_directory_at_the_same_time_is_an_error(tmp_path):
    """Each would count the other's objects and report duplicated records."""
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    status, _, err = run("demo", "--seconds", "1", "--out", ".", cwd=tmp_path)
    os.close(held)
    assert (status, "where another demo is running" in err) == (2, True), err


def test_ctrl_c_while_the_command_loads_ends_it_without_a_traceback(tmp_path):
    """A `rich` that takes long to import holds up the command while it loads."""
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich" / "__init__.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(30)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "truckstream", "--version"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (-signal.SIGINT, "")


def test_importing_the_local_kinesis_without_its_extra_names_the_package_to_install(tmp_path):
    (tmp_path / "cbor2.py").write_text("raise ModuleNotFoundError(\"No module named 'cbor2'\", name='cbor2')\n")
    done = subprocess.run(
        [sys.executable, "-c", "import truckstream.local"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "truckstream.local needs the package cbor2: pip install 'truckstream[local]'" in done.stderr


def test_an_invalid_setting_in_dotenv_is_named(tmp_path):
    (tmp_path / ".env").write_text("STREAM_NAME=not a name\n")
    status, _, err = run("simulate", cwd=tmp_path)
    assert status == 2
    assert "stream_name is 'not a name' (from STREAM_NAME in .env)" in err


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
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    arguments = ("simulate", "--endpoint-url", moto_url, "--workers", "2", "--trucks", "10", "--rate", "200")
    status, out, err = run(*arguments, "--stream", "simulated", "--seconds", "2", cwd=tmp_path, **keys)
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


def test_simulate_prints_the_error_of_a_missing_stream(tmp_path, moto_url):
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    status, _, err = run("simulate", "--stream", "nowhere", "--endpoint-url", moto_url, cwd=tmp_path, **keys)
    assert status == 1
    assert "Stream nowhere under account" in err

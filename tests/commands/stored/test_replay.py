"""`truckstream replay` as a user runs it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections import Counter

import obstore.store
import pytest

from tests.batcher.support import SHARD, contents, truck, trucks
from tests.batcher.support import record as event_record
from tests.commands.support import AWS, error_of, run, start
from tests.data.replay.test_given_up_batches import give_up
from truckstream.batcher import Batcher
from truckstream.commands.output.results import exit_status
from truckstream.local import LocalKinesis

REPAIRS = """
import json, time

import msgspec

def fix(rejected):
    if rejected.field != "engine_temp":
        return None
    record = json.loads(rejected.data)
    record["engine_temp"] = 90.0
    return json.dumps(record).encode()

def hang(rejected):
    print("hanging", flush=True)
    while True:
        time.sleep(0.1)

class Any(msgspec.Struct):
    truck_id: str
"""


@pytest.fixture
async def lake(tmp_path):
    """A directory with five trucks, of which two are too hot to be valid, and one is no JSON."""
    (tmp_path / "repairs.py").write_text(REPAIRS)
    store = obstore.store.LocalStore(tmp_path / "lake", mkdir=True)
    hot = [event_record(truck(n, engine_temp=1e6), n) for n in (3, 4)]
    await Batcher(store).process([*trucks(3), *hot, event_record(b"?", 5)])
    return store


def trucks_in(store):
    found = [json.loads(line) for body in contents(store, "sensor_data").values() for line in body.splitlines()]
    return Counter(each["truck_id"] for each in found)


def replay(tmp_path, *arguments, **environment):
    return run("replay", "lake", *arguments, cwd=tmp_path, **environment)


@pytest.mark.usefixtures("lake")
def test_it_replays_what_the_function_repairs(tmp_path):
    store = obstore.store.LocalStore(tmp_path / "lake")
    code, out, err = replay(tmp_path, "--repair", "repairs:fix", "--dry-run")
    assert (code, err) == (1, "")
    assert out.startswith("Would be replayed: 2\n")
    assert sum(trucks_in(store).values()) == 3
    code, out, err = replay(tmp_path, "--repair", "repairs:fix")
    assert (code, err) == (1, "")
    assert out.startswith("Replayed: 2\nAlready replayed: 0\nStill refused: 1\n  malformed_json: 1, such as")
    assert f"The originals stay in {(tmp_path / 'lake').as_uri()}/rejected/ (1 read)." in out
    assert trucks_in(store) == Counter(f"TRUCK_{n:03}" for n in range(5))
    code, out, _ = replay(tmp_path, "--reason", "out_of_range", "--json")
    report = json.loads(out)
    assert (code, report["ok"], report["replayed"], report["already_replayed"]) == (0, True, 0, 2)


@pytest.mark.usefixtures("lake")
def test_filters_and_the_options_of_the_function(tmp_path):
    store = obstore.store.LocalStore(tmp_path / "lake")
    code, out, _ = replay(tmp_path, "--schema", "repairs:Any", "--shard", "1")
    assert (code, out.splitlines()[0]) == (0, "Replayed: 0")
    code, out, _ = replay(tmp_path, "--schema", "repairs:Any", "--until", "2025-01-15")
    assert (code, out.splitlines()[0]) == (0, "Replayed: 0")
    (key,) = contents(store, "rejected")
    code, out, _ = replay(
        *(tmp_path, "--schema", "repairs:Any", "--shard", "0", "--object", key, "--since", "2025-01-15T14:00"),
        COMPRESSION="gzip",
        LAYOUT="hive",
    )
    assert (code, out.splitlines()[0]) == (1, "Replayed: 2")
    (new,) = [each for each in contents(store, "sensor_data") if each.endswith(".gz")]
    assert new.startswith("sensor_data/year=2025/month=01/day=15/hour=14/batch_2025-01-15T14-30-25_")


@pytest.mark.usefixtures("lake")
def test_a_batch_that_lambda_gave_up(tmp_path):
    failed = obstore.store.LocalStore(tmp_path / "failed", mkdir=True)
    give_up(failed, trucks(5, start=10))
    code, out, _ = replay(tmp_path, "--given-up", "failed", "--reason", "RetryAttemptsExhausted")
    assert (code, out.splitlines()[0]) == (0, "Replayed: 5")
    assert sum(trucks_in(obstore.store.LocalStore(tmp_path / "lake")).values()) == 8


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--repair", "nothing:fix"], "repair is 'nothing:fix', and ModuleNotFoundError: No module named 'nothing'"),
        (["--repair", "repairs:nothing"], "has no attribute 'nothing'"),
        (["--repair", "repairs"], "repair is 'repairs'"),
        (["--repair", "json:__name__"], "repair is 'json': must be a function"),
        (["--schema", "nothing:Schema"], "SCHEMA is 'nothing:Schema'"),
        (["--since", "yesterday"], "since is 'yesterday'"),
        (["--object", "notes.json"], "object is 'notes.json'"),
        (["--stream", "trucks", "--given-up", "failed", "--region", "us-east-1"], "goes into the store"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, monkeypatch, arguments, error):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, value in {**AWS, "AWS_DEFAULT_REGION": "us-east-1"}.items():  # --region exports both regions
        monkeypatch.setenv(name, value)
    try:
        found = error_of("replay", "lake", *arguments)
    finally:
        sys.modules.pop("repairs", None)
    assert (exit_status(found), error in str(found)) == (2, True), found


def test_a_store_must_exist(tmp_path):
    code, _, err = replay(tmp_path)
    assert (code, "there is no such directory" in err) == (2, True)


@pytest.mark.usefixtures("lake")
def test_a_function_that_never_returns_can_be_interrupted(tmp_path):
    process = start("replay", "lake", "--repair", "repairs:hang", cwd=tmp_path)
    assert process.stdout.readline() == "hanging\n"
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)  # the second signal must not overtake the handling of the first
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.usefixtures("lake")
async def test_into_a_stream(tmp_path):
    async with LocalKinesis("trucks", quotas=False, own_process=True) as kinesis:
        arguments = ("--stream", "trucks", "--repair", "repairs:fix", "--endpoint-url", kinesis.endpoint_url)
        environment = {**AWS, "NO_PROXY": "127.0.0.1"}
        code, out, err = await asyncio.to_thread(replay, tmp_path, *arguments, **environment)
        assert (code, err, out.splitlines()[0]) == (1, "", "Replayed: 2")
        code, out, _ = await asyncio.to_thread(replay, tmp_path, *arguments, **environment)
        assert out.splitlines()[:2] == ["Replayed: 0", "Already replayed: 2"]
        assert sorted([each.partition_key async for each in kinesis.stored()]) == ["TRUCK_003", "TRUCK_004"]
        arguments = ("--stream", "nothing", "--endpoint-url", kinesis.endpoint_url)
        code, _, err = await asyncio.to_thread(replay, tmp_path, *arguments, **environment)
        assert (code, "lists the streams that exist" in err) == (1, True)
    assert SHARD not in out

"""`truckstream dashboard` and `truckstream demo --dashboard`, run as a user runs them."""

import json
import os
import re
import signal
import urllib.request
from datetime import UTC, datetime

import pytest

from tests.batcher.support import record
from tests.commands.support import AWS, error_of, run, start
from tests.dashboard.reports import report
from truckstream.batcher import Batcher
from truckstream.dashboard.feeds import replay_table as replay_table_module
from truckstream.errors import ConfigurationError, InvalidArgumentError
from truckstream.local import LocalKinesis


def address_of(process):
    """The address that a command prints first."""
    line = process.stdout.readline()
    found = re.search(r"^The dashboard is at (http://\S+)$", line)
    assert found, line + process.stderr.read()
    return found[1]


def messages(address):
    """The messages that a browser gets."""
    with urllib.request.urlopen(address + "events", timeout=20) as response:
        for line in response:
            if line.startswith(b"data: {"):
                yield json.loads(line.removeprefix(b"data: "))


def stop(process):
    """Press Ctrl-C, and return the exit status."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=50)
    return process.returncode


async def test_a_stream_is_shown_until_ctrl_c():
    async with LocalKinesis(stream="trucks", own_process=True) as kinesis:
        process = start("dashboard", "trucks", "--endpoint-url", kinesis.endpoint_url, "--port", "0", **AWS)
        message = next(messages(address_of(process)))
        assert message["source"]["title"] == "trucks"
        assert sorted(message["source"]["known"]) == ["bytes", "lag", "shards", "throttles"]
        assert stop(process) == 0


async def test_a_missing_stream_is_named_with_the_commands_that_help(tmp_path):
    async with LocalKinesis(stream="trucks", own_process=True) as kinesis:
        options = ("--endpoint-url", kinesis.endpoint_url, "--port", "0")
        status, _, err = run("dashboard", "tracks", *options, cwd=tmp_path, **AWS)
    assert status == 1
    assert "truckstream streams" in err


async def test_a_store_is_replayed(tmp_path):
    await Batcher(tmp_path.as_uri()).process([record(report("A"), 0)])
    process = start("dashboard", "--store", str(tmp_path), "--port", "0", "--speed", "5")
    for message in messages(address_of(process)):
        if message["trucks"]["rows"]:
            break
    assert message["replay"]["speed"] == 5
    assert stop(process) == 0


def test_the_demo_fills_its_shard_and_shows_trucks_and_an_alert(tmp_path):
    """After the run the page stays while it is looked at, and then the command ends by itself."""
    options = ("--seconds", "6", "--port", "0", "--invalid", "0.05", "--out", str(tmp_path))
    process = start("demo", "--dashboard", *options)
    address = address_of(process)
    trucks, alerts, moved, rejected = set(), [], 0, 0
    for message in messages(address):
        trucks |= {slot for slot, _ in message["trucks"]["ids"]}
        moved += len(message["trucks"]["rows"])
        alerts += message.get("incidents", [])
        rejected = max(rejected, message.get("totals", {}).get("rejected", 0))
        if "notice" in message:
            assert process.poll() is None
            break
    assert len(trucks) == 200
    assert moved > 200
    assert alerts
    assert rejected
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, err
    assert "0 lost, 0 duplicated" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "stream or --store must be given"),
        (("trucks", "--store", "."), "stream or --store must be given"),
        (("trucks", "--rules", "missing.toml"), "rules 'missing.toml' cannot be read"),
    ],
)
def test_options_that_do_not_fit_are_named(arguments, message):
    error = error_of("dashboard", *arguments)
    assert isinstance(error, ConfigurationError)
    assert message in str(error)


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "100001"])
def test_a_speed_must_be_possible(speed):
    assert isinstance(error_of("dashboard", "--store", ".", "--speed", speed), InvalidArgumentError)


@pytest.mark.parametrize(
    ("settings", "options", "network", "exported"),
    [
        ("", ("--endpoint-url", "http://127.0.0.1:9"), (None, "http://127.0.0.1:9"), ("local", None, "us-east-1")),
        ("AWS_REGION=eu-west-1\n", (), (None, None), (None, "eu-west-1", "eu-west-1")),
        ("AWS_REGION=eu-west-1\n", ("--region", "sa-east-1"), ("sa-east-1", None), (None, "sa-east-1", "sa-east-1")),
    ],
)
def test_a_store_is_read_with_the_settings_of_the_user(settings, options, network, exported, monkeypatch, tmp_path):
    """S3 is read by clients of their own, which find their keys and their region in the environment."""
    variables = ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION")
    for name in (*variables, "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.setenv(name, "")  # so that it is removed again after the test
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(settings)
    opened = []

    def replay_table(store, **given):
        opened.append((store, given, tuple(map(os.environ.get, variables))))
        raise ConfigurationError("store", "is not read here", "")

    monkeypatch.setattr(replay_table_module, "ReplayTable", replay_table)
    error_of("dashboard", "--store", "s3://lake", "--since", "2026-11-29T08:30", "--until", "2026-11-30", *options)
    times = {"since": datetime(2026, 11, 29, 8, 30, tzinfo=UTC), "until": datetime(2026, 11, 30, tzinfo=UTC)}
    region, endpoint = network
    assert opened == [("s3://lake", {**times, "region_name": region, "endpoint_url": endpoint}, exported)]

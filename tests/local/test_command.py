"""`truckstream local` as its user runs it."""

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.commands.support import error_of
from truckstream.commands.output.results import exit_status
from truckstream.local.faults import KINDS

CLIENT = """
import boto3
kinesis = boto3.client("kinesis")
print(kinesis.list_streams()["StreamNames"])
answer = kinesis.put_records(StreamName="trucks", Records=[{"Data": b"x", "PartitionKey": "k"}] * 10)
summary = kinesis.describe_stream_summary(StreamName="trucks")["StreamDescriptionSummary"]
print(answer["FailedRecordCount"], summary["OpenShardCount"])
kinesis.close()
"""


def command(*arguments, **options):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    line = [sys.executable, "-m", "truckstream", "local", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(line, env=clean | {"COLUMNS": "300"}, stdout=pipe, stderr=pipe, text=True, **options)


@pytest.mark.parametrize("secure", [(), ("--tls", "--check-signatures")], ids=["plain", "secure"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_client_can_use_the_printed_environment_and_ctrl_c_prints_a_summary(secure, number):
    arguments = ("--port=0", "--stream=trucks:2", "--stream=buses", "--shards=3", "--fault=throttle:count=4", *secure)
    process = command(*arguments)
    printed = ""
    while "Ctrl-C" not in printed:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        printed += line
    assert "with trucks (2 shards), buses (3 shards)." in printed
    environment = os.environ | dict(re.findall(r"export (\w+)=(\S+)", printed)) | {"NO_PROXY": "127.0.0.1"}
    client = subprocess.run(
        [sys.executable, "-c", CLIENT], env=environment, capture_output=True, text=True, check=False
    )
    assert (client.returncode, client.stdout) == (0, "['buses', 'trucks']\n4 2\n"), client.stderr
    process.send_signal(number)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
    assert rest == "6 records stored, 0 throttled by quotas, 0 read; faults: throttle 4.\n"


def test_it_lists_every_kind_of_fault():
    out, _ = command("--list-faults").communicate(timeout=20)
    for name, kind in KINDS.items():
        assert f"{name}: {kind.does}\n  The client: {kind.client}\n" in out


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--fault=gremlin", "kind is 'gremlin': must be one of throttle"),
        ("--fault=throttle:rate=7", "rate is 7.0: must be between 0 and 1"),
        ("--stream=trucks:many", "stream is 'trucks:many': must be NAME or NAME:SHARDS"),
        ("--shards=0", "shards is 0: must be at least 1"),
        ("--max-bytes=5", "max_bytes is 5: must be None or at least 16777216"),
        ("--port=99999", "port is 99999: must be from 0 to 65535"),
        ("--port=-1", "port is -1: must be from 0 to 65535"),
        ("--transition-seconds=-1", "transition_seconds is -1.0: must be at least 0"),
        ("--transition-seconds=nan", "transition_seconds is nan: must be at least 0"),
        ("--allow-host=http://x", "allowed_hosts is 'http://x': must be a host's name or address without a scheme"),
        ("--quota-scale=-1", "quotas is -1.0: must be True, False or a positive number"),
    ],
)
def test_a_bad_argument_is_named(argument, words):
    error = error_of("local", argument)
    assert words in str(error)
    assert exit_status(error) == 2


def test_an_error_is_printed_and_sets_the_exit_status():
    process = command("--shards=0")
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (2, "truckstream: shards is 0: must be at least 1\n")


def test_the_message_of_an_error_is_printed_whole():
    """With the brackets of a pattern, which a terminal's markup would swallow."""
    process = command("--port=0", "--stream=a/b")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Value 'a/b' at 'streamName' failed to satisfy constraint" in errors
    assert "[a-zA-Z0-9_.-]+" in errors


def test_it_starts_with_more_streams_than_are_created_in_a_second():
    process = command("--port=0", *(f"--stream=s{number}" for number in range(9)))
    assert "s7 (1 shard), s8 (1 shard)." in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == ""


def test_the_help_shows_no_empty_defaults():
    out, _ = command("--help").communicate(timeout=20)
    assert "[default: 4567]" in out
    assert "default: ()" not in out
    assert "default: False" not in out


@pytest.mark.parametrize(
    ("options", "words"),
    [('{"shards": 0}', "shards is 0: must be at least 1"), ('{"shards": "x"}', "Expected `int`"), ("{", "truncated")],
)
def test_invalid_options_of_a_parent_are_named(options, words):
    line = [sys.executable, "-m", "truckstream.local", f"--options={options}"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("truckstream.local: --options: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr

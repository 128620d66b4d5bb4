"""`truckstream tail` prints the records that were asked for, and ends when nobody reads its output."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cyclopts import App
from rich.console import Console

import truckstream.consumer
from tests.commands.stream.fake_consumer import FakeConsumer, record
from tests.commands.support import AWS, environment_of
from truckstream.commands.output import record_printer
from truckstream.commands.stream.tail import tail
from truckstream.errors import InvalidArgumentError, StreamNotFoundError

ROOT = Path(__file__).parents[3]
URL = "http://127.0.0.1:4567"


@pytest.fixture(autouse=True)
def consumer(monkeypatch, tmp_path):
    """Replace the consumer, and return the class that counts what was opened."""
    monkeypatch.chdir(tmp_path)
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(truckstream.consumer, "Consumer", FakeConsumer)
    monkeypatch.setattr(FakeConsumer, "opened", [])
    return FakeConsumer


def run(monkeypatch, capfdbinary, *words, records=()):
    """Run the command in this process, and return its exit status and the lines that it printed."""
    monkeypatch.setattr(FakeConsumer, "records_to_yield", list(records))
    status = App(default_command=tail)(["trucks", "--endpoint-url", URL, *words], result_action="return_value")
    return status, capfdbinary.readouterr().out


def test_records_are_lines_until_the_count(monkeypatch, capfdbinary, consumer):
    records = [record(b'{"a": 1}'), record(b"\xff"), record(b"text"), record(b"one too many")]
    assert run(monkeypatch, capfdbinary, "-n", "3", records=records) == (0, b'{"a":1}\nbase64:/w==\ntext\n')
    [opened] = consumer.opened
    assert not opened.open
    assert opened.stream == "trucks"
    options = {name: opened.options[name] for name in ("shards", "start", "endpoint_url")}
    assert options == {"shards": None, "start": "LATEST", "endpoint_url": URL}


def test_only_the_records_of_a_key_are_printed_and_counted(monkeypatch, capfdbinary):
    records = [record(b"%d" % number, key=f"truck-{number % 3}") for number in range(9)]
    assert run(monkeypatch, capfdbinary, "--key", "truck-1", "-n", "2", records=records) == (0, b"1\n4\n")


def test_shards_are_named_by_id_or_number(monkeypatch, capfdbinary, consumer):
    run(monkeypatch, capfdbinary, "--shard", "3", "--shard", "shardId-000000000012", "-n", "1", records=[record(b"x")])
    assert consumer.opened[0].options["shards"] == ["shardId-000000000003", "shardId-000000000012"]


def test_an_age_with_a_hyphen_is_no_option(monkeypatch, capfdbinary, consumer):
    for words in (("--from", "-15m"), ("--from=-15m",), ("--from", "15 minutes ago")):
        run(monkeypatch, capfdbinary, *words, "-n", "1", records=[record(b"x")])
        age = datetime.now(UTC) - consumer.opened[-1].options["start"]
        assert timedelta(minutes=15) <= age < timedelta(minutes=20)


def test_columns_and_raw_bytes(monkeypatch, capfdbinary):
    records = [record(b"\xff\x1b[2J", shard=2)]
    words = ("--show", "shard, key", "--raw", "-n", "1")
    expected = b"shardId-000000000002\ttruck-1\t\xff\x1b[2J\n"
    assert run(monkeypatch, capfdbinary, *words, records=records) == (0, expected)


def test_on_a_terminal_json_is_indented_and_coloured(monkeypatch, capfdbinary):
    monkeypatch.setattr(record_printer, "console", Console(force_terminal=True, color_system="standard", width=40))
    records = [record(b'{"a": "' + b"x" * 50 + b'"}'), record(b"\x1b[2J")]
    status, out = run(monkeypatch, capfdbinary, "-n", "2", "--show", "key,shard", records=records)
    text = out.decode()
    assert status == 0
    assert '"a"\x1b[0m: ' in text  # coloured, and not wrapped
    plain = "".join(part.partition("m")[2] if at else part for at, part in enumerate(text.split("\x1b[")))
    assert plain == (
        f'truck-1  shardId-000000000000\n{{\n  "a": "{"x" * 50}"\n}}\ntruck-1  shardId-000000000000  \\x1b[2J\n'
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-n", "0"), "count is 0: must be at least 1"),
        (("--from", "yesterday"), "from is 'yesterday': must be TRIM_HORIZON"),
        (("--show", "key,size"), "show is 'size': must be of shard, key, time, sequence"),
    ],
)
def test_an_invalid_option_is_named(monkeypatch, capfdbinary, words, message):
    with pytest.raises(InvalidArgumentError) as caught:
        run(monkeypatch, capfdbinary, *words)
    assert message in str(caught.value)


def test_a_missing_stream_names_the_command_that_lists_those_that_exist(monkeypatch, capfdbinary):
    error = StreamNotFoundError("ResourceNotFoundException", "Stream trucks not found.")
    with pytest.raises(StreamNotFoundError, match=f"truckstream streams --endpoint-url {URL} lists the streams"):
        run(monkeypatch, capfdbinary, records=[error])


# --- In a process of its own ------------------------------------------------------------------------


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.commands.stream.fake_consumer", "tail", "trucks", "--endpoint-url", URL, *words],
        cwd=ROOT,
        env=environment_of(AWS),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("count", [1, 100_000])
def test_a_closed_pipe_ends_the_command_quietly(count):
    """With one record, no write fails: the command notices that nobody waits for more."""
    process = start()
    process.stdin.write(b'{"a": 1}\n' * count)
    process.stdin.close()
    assert process.stdout.readline() == b'{"a":1}\n'
    process.stdout.close()
    assert (process.wait(50), process.stderr.read()) == (0, b"")
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_with_success(number):
    process = start()
    process.stdin.write(b"text\n")
    process.stdin.close()
    assert process.stdout.readline() == b"text\n"
    process.send_signal(number)
    assert (process.wait(50), process.stderr.read(), process.stdout.read()) == (0, b"", b"")
    process.stdout.close()
    process.stderr.close()

"""The Lambda handler: settings, warm calls, deadlines, responses and logs."""

import asyncio
import json
import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lambda_entry import handler
from tests.batcher.support import ARN, SHARD, number, record, truck, trucks
from truckstream.errors import ConfigurationError, UsageError

SETTINGS = [
    *re.findall(r"^    ([A-Z_0-9]+)[ ,]", handler.__doc__, re.MULTILINE),
    *("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_LAMBDA_FUNCTION_NAME"),
]


class InvocationContext:
    """The context object that Lambda passes with the event."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def __init__(self, seconds=300.0):
        self.seconds = seconds

    def get_remaining_time_in_millis(self):
        return int(self.seconds * 1000)


@pytest.fixture(autouse=True)
def cold(monkeypatch):
    """Start as a new execution environment: no batcher exists, and no variable is set."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    yield
    handler.lambda_handler.close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STORE_URL", tmp_path.as_uri())
    return tmp_path


def objects(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.json")}


def call(records, context=None):
    return handler.lambda_handler({"Records": records}, context or InvocationContext())


def test_the_records_of_an_event_become_objects(folder):
    assert call([*trucks(1_000), record(b"?", 1_000)]) == {"batchItemFailures": []}
    counts = sorted((key.split("/")[0], body.count(b"\n")) for key, body in objects(folder).items())
    assert counts == [("rejected", 1), ("sensor_data", 300), ("sensor_data", 700)]


def test_warm_calls_share_the_store_and_the_loop(folder):
    call(trucks(10))
    held = handler.lambda_handler._state
    loop = held._loop
    call(trucks(20))
    call(trucks(10, 20))
    assert handler.lambda_handler._state is held
    assert held._loop is loop
    assert not loop.is_closed()
    assert sorted(body.count(b"\n") for body in objects(folder).values()) == [10, 10, 10]


def test_calls_from_several_threads_take_turns(folder):
    responses = []
    threads = [threading.Thread(target=lambda at=at: responses.append(call(trucks(700, at * 700)))) for at in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert responses == [{"batchItemFailures": []}] * 5
    assert len(objects(folder)) == 5


def test_settings_reach_the_batcher(folder, monkeypatch):
    monkeypatch.setenv("PREFIX", "lake/trucks/")
    monkeypatch.setenv("REJECTED_PREFIX", "lake/rejected")
    monkeypatch.setenv("BATCH_SIZE", "auto")
    monkeypatch.setenv("LAYOUT", "hive")
    call([*trucks(60), record(b"?", 60)])
    partition = "year=2025/month=01/day=15/hour=14"
    assert sorted(str(Path(key).parent) for key in objects(folder)) == [
        f"lake/rejected/{partition}",
        f"lake/trucks/{partition}",
        f"lake/trucks/{partition}",
    ]


def test_a_corrected_setting_is_read_at_the_next_call(monkeypatch):
    with pytest.raises(ConfigurationError):
        call(trucks(1))
    monkeypatch.setenv("STORE_URL", "memory:///")
    assert call(trucks(1)) == {"batchItemFailures": []}


@pytest.mark.parametrize(
    "event", [{}, {"foo": 1}, None, [], "x", {"Records": None}, {"Records": [{"eventSource": "aws:sqs", "body": ""}]}]
)
def test_an_event_of_another_source_is_rejected(event, monkeypatch):
    monkeypatch.setenv("STORE_URL", "memory:///")
    with pytest.raises(UsageError, match="Kinesis"):
        handler.lambda_handler(event, InvocationContext())
    assert call(trucks(1)) == {"batchItemFailures": []}


def test_too_little_remaining_time_stores_nothing_and_reports_the_first_record(folder):
    assert call(trucks(10), InvocationContext(seconds=1.5)) == {"batchItemFailures": [{"itemIdentifier": number(0)}]}
    assert objects(folder) == {}
    assert call(trucks(10), InvocationContext(seconds=300.0)) == {"batchItemFailures": []}


def test_without_a_context_there_is_no_deadline(monkeypatch):
    monkeypatch.setenv("STORE_URL", "memory:///")
    assert handler.lambda_handler({"Records": trucks(1)}, None) == {"batchItemFailures": []}


def test_a_store_that_fails_is_reported_with_the_first_record(folder):
    (folder / "sensor_data").write_text("in the way")
    assert call(trucks(10)) == {"batchItemFailures": [{"itemIdentifier": number(0)}]}


WINDOW = {
    "window": {"start": "2025-01-15T14:30:00Z", "end": "2025-01-15T14:35:00Z"},
    "shardId": SHARD,
    "eventSourceARN": ARN,
    "isWindowTerminatedEarly": False,
}


def test_the_state_of_a_tumbling_window_is_returned(folder):
    event = {"Records": trucks(5), "state": {"seen": 7}, "isFinalInvokeForWindow": False, **WINDOW}
    assert handler.lambda_handler(event, InvocationContext()) == {"batchItemFailures": [], "state": {"seen": 7}}
    assert len(objects(folder)) == 1


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("state", [{}, None])
def test_the_last_call_of_a_window_may_have_no_records(state):
    event = {"state": state, "isFinalInvokeForWindow": True, **WINDOW}
    assert handler.lambda_handler(event, InvocationContext()) == {"batchItemFailures": [], "state": {}}


def test_a_window_with_records_that_are_not_stored_reports_them_with_its_state(folder):
    (folder / "sensor_data").write_text("in the way")
    event = {"Records": trucks(5), "state": {"seen": 7}, **WINDOW}
    assert handler.lambda_handler(event, InvocationContext()) == {
        "batchItemFailures": [{"itemIdentifier": number(0)}],
        "state": {"seen": 7},
    }


@pytest.mark.usefixtures("folder")
def test_a_window_of_another_source_is_rejected():
    event = {"state": {}, **WINDOW, "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1"}
    with pytest.raises(UsageError, match="Kinesis"):
        handler.lambda_handler(event, InvocationContext())


def test_in_lambda_each_call_logs_lines_of_json(folder, monkeypatch, capsys):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "trucks-to-s3")
    call([*trucks(9), record(truck(9, speed=555.5), 9)])
    call([record(b"?", n) for n in range(20, 23)])
    output = capsys.readouterr().out
    first, incident, second = map(json.loads, output.splitlines())
    assert (first["FunctionName"], first["RecordsStored"], first["RecordsRejected"]) == ("trucks-to-s3", 9, 1)
    assert {line["request_id"] for line in (first, incident, second)} == {InvocationContext.aws_request_id}
    assert "schema incident" in incident["message"]
    assert (second["level"], second["ObjectsCreated"]) == ("INFO", 1)
    assert "555.5" not in output
    assert len(objects(folder)) == 3


@pytest.mark.usefixtures("folder")
def test_outside_lambda_nothing_is_printed(capsys, caplog):
    with caplog.at_level(logging.INFO, logger="truckstream.function"):
        call(trucks(3))
    assert capsys.readouterr().out == ""
    assert "3 of 3 records stored" in caplog.text


def test_the_handler_runs_in_a_thread_beside_a_running_loop(folder):
    """The local event source mapping calls the handler in a thread, while its own loop runs."""

    async def main():
        return await asyncio.to_thread(call, trucks(5))

    assert asyncio.run(main()) == {"batchItemFailures": []}
    assert len(objects(folder)) == 1


async def test_a_call_on_a_running_loop_raises_an_error_that_names_to_thread(monkeypatch):
    monkeypatch.setenv("STORE_URL", "memory:///")
    with pytest.raises(UsageError, match="to_thread"):
        call(trucks(1))


def test_the_import_loads_no_aws_client():
    code = "import sys, lambda_entry.handler; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    unwanted = {"aiohttp", "botocore", "boto3", "aiobotocore", "uvloop", "truckstream.producer", "truckstream.local"}
    assert "truckstream.batcher" in loaded
    assert not loaded & unwanted

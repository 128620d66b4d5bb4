"""`truckstream alerts` checks rules, evaluates a stream until Ctrl-C, and shows no secret."""

import asyncio
import json

import pytest

from tests.alerts.support import record
from tests.commands.support import error_of, run, start
from truckstream.alerts import DEFAULT_RULES
from truckstream.commands.app import app
from truckstream.errors import ConfigurationError, InvalidArgumentError
from truckstream.local import LocalKinesis

SECRET = "s3cret"


def test_the_default_rules_that_are_printed_pass_the_check(tmp_path, capsys):
    app(["alerts", "--print-default-rules"], result_action="return_value")
    printed = capsys.readouterr().out
    assert printed == DEFAULT_RULES
    (tmp_path / "rules.toml").write_text(printed, encoding="utf-8")
    assert app(["alerts", "--check", str(tmp_path / "rules.toml")], result_action="return_value") == 0
    table = capsys.readouterr().out
    assert "tyre-loss         tyre_loss  critical  0 s    1 min" in table


def test_a_rule_that_is_wrong_ends_with_2_before_anything_is_read(tmp_path):
    (tmp_path / "rules.toml").write_text('[rules.hot]\nkind = "threshold"\nfeild = "speed"\n')
    for words in (("--check", "rules.toml"), ("trucks", "--rules", "rules.toml", "--region", "us-east-1")):
        status, out, err = run("alerts", *words, cwd=tmp_path)
        assert (status, out) == (2, "")
        assert "rules.toml: rule 'hot' has the unknown key 'feild'." in err
        assert "Do you mean field?" in err


def test_a_file_that_is_not_there_is_named(tmp_path):
    error = error_of("alerts", "--check", str(tmp_path / "rules.toml"))
    assert isinstance(error, ConfigurationError)
    assert "rules.toml' cannot be read" in str(error)


def test_a_stream_is_needed():
    assert str(error_of("alerts")) == "stream is missing. Name it: truckstream alerts STREAM."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to-stream", "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"), "must be another stream"),
        (("--webhook", f"http://example.com/{SECRET}"), "must be https"),
        (("--sns", "alerts"), "must be the ARN of a topic"),
    ],
)
def test_targets_are_checked_before_anything_is_read(words, message, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    error = error_of("alerts", "trucks", "--endpoint-url", "http://127.0.0.1:9", *words)
    assert isinstance(error, InvalidArgumentError)
    assert message in str(error)
    assert SECRET not in str(error)


async def test_events_are_lines_of_json_until_ctrl_c_and_go_on_after_it(tmp_path):
    async with LocalKinesis("trucks") as kinesis:
        where = ("trucks", "--endpoint-url", kinesis.endpoint_url)
        environment = {"XDG_STATE_HOME": str(tmp_path), "ALERTS_WEBHOOK_TOKEN": SECRET}
        webhook = ("--webhook", f"http://127.0.0.1:9/{SECRET}")  # nobody listens there
        found = []
        for state, health in (("begun", "URGENT"), ("ended", "NORMAL")):
            second = len(found) * 200
            lines = b"\n".join(record("A", second + more, health_status=health) for more in (0, 100))
            (tmp_path / "lines.jsonl").write_bytes(lines + b"\n")
            await asyncio.to_thread(run, "put", *where, "lines.jsonl", "--key-field", "truck_id", cwd=tmp_path)
            process = start("alerts", *where, "--from", "TRIM_HORIZON", *webhook, cwd=tmp_path, **environment)
            try:
                found.append(json.loads(await asyncio.to_thread(process.stdout.readline)))
                process.send_signal(2)
                out, err = await asyncio.to_thread(process.communicate)
            finally:
                process.kill()
                await asyncio.to_thread(process.communicate)
            assert found[-1]["state"] == state
            assert (process.returncode, out) == (0, "")
            assert "webhook 127.0.0.1:9 fails, and is tried again" in err
            assert "alerts wait in the state: " in err
            assert SECRET not in err
    assert found[0]["id"] == found[1]["id"]
    assert {key: found[0][key] for key in ("rule", "truck_id", "severity", "ended", "value")} == {
        "rule": "urgent-health",
        "truck_id": "A",
        "severity": "critical",
        "ended": None,
        "value": None,
    }


async def test_a_stream_that_does_not_exist_is_named_with_a_hint(tmp_path):
    async with LocalKinesis("trucks") as kinesis:
        words = ("alerts", "lorries", "--endpoint-url", kinesis.endpoint_url)
        status, _, err = await asyncio.to_thread(run, *words, cwd=tmp_path, XDG_STATE_HOME=str(tmp_path))
    assert status == 1
    assert "truckstream streams" in err


async def test_a_closed_pipe_ends_the_command_although_no_event_comes(tmp_path):
    async with LocalKinesis("trucks") as kinesis:
        process = start("alerts", "trucks", "--endpoint-url", kinesis.endpoint_url, XDG_STATE_HOME=str(tmp_path))
        try:
            process.stdout.close()
            assert await asyncio.to_thread(process.wait, 50) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
            process.stderr.close()

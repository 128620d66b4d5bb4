"""What the command lines of `provision` and `deploy` set, and what they leave to the stack."""

import pytest

from truckstream.commands import deploy as commands
from truckstream.commands.app import app


@pytest.fixture
def options_of(monkeypatch, tmp_path):
    """Return a function from a command line, the environment and `.env` to the options of the deployment."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "STREAM_NAME", "BUCKET_NAME", "stream_name", "bucket_name"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    found = []
    monkeypatch.setattr(commands, "_deploy", lambda _aws, _settings, options, **_: found.append(options) or 0)

    def options_of(*words, dotenv="", **environment):
        (tmp_path / ".env").write_text(dotenv)
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            app(words, result_action="return_value")
        return found.pop()

    return options_of


@pytest.mark.parametrize("command", ["provision", "deploy"])
def test_without_flags_nothing_is_set(options_of, command):
    options = options_of(command)
    assert (options.parameters, options.new_stack_parameters) == ({}, {})
    kept = (options.architecture, options.python, options.leave_out, options.artifact_bucket)
    assert kept == (None, None, None, None)
    assert (options.stack, options.adopt, options.dry_run) == ("truckstream", False, False)


@pytest.mark.parametrize("command", ["provision", "deploy"])
def test_names_of_flags_are_given_and_those_of_the_settings_are_for_a_new_stack(options_of, command):
    options = options_of(command, "--stream", "trucks", dotenv="bucket_name=acme-truck-data\nSTREAM_NAME=other\n")
    assert (options.parameters, options.new_stack_parameters) == (
        {"StreamName": "trucks"},
        {"BucketName": "acme-truck-data"},
    )
    assert options_of(command, STREAM_NAME="trucks").new_stack_parameters == {"StreamName": "trucks"}


def test_the_default_name_counts_if_a_flag_gives_it(options_of):
    """A stack with another stream would otherwise keep it silently."""
    assert options_of("deploy", "--stream", "truck-sensor-stream").parameters == {"StreamName": "truck-sensor-stream"}


def test_of_an_arn_cloudformation_gets_the_name(options_of):
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"
    assert options_of("deploy", "--stream", arn).parameters == {"StreamName": "trucks"}


def test_flags_set_parameters_and_choices(options_of):
    options = options_of(
        *("deploy", "--memory", "1024", "--shards", "4", "--email", "a@example.com", "--parameter", "Layout=hive"),
        *("--python", "3.12", "--leave-out", "TwiceQuery", "--leave-out", "HealthQuery", "--adopt"),
    )
    expected = {"MemorySize": "1024", "ShardCount": "4", "AlarmEmail": "a@example.com", "Layout": "hive"}
    assert options.parameters == expected
    assert (options.architecture, options.python) == (None, "3.12")
    assert (options.leave_out, options.adopt) == (("TwiceQuery", "HealthQuery"), True)


def test_none_brings_back_what_was_left_out(options_of):
    assert options_of("deploy", "--leave-out", "none").leave_out == ()


def test_policies_are_for_the_stream_of_an_arn(options_of, capsys):  # noqa: ARG001 - runs in a directory without .env
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/trucks"
    words = ("policies", "--of", "deploy", "--region", "us-east-1", "--stream", arn)
    assert app(words, result_action="return_value") == 0
    assert f'"{arn}"' in capsys.readouterr().out

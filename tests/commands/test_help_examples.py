"""The help of every command ends with an example that can be pasted, and that the command accepts."""

import io
import shlex
import subprocess
import sys

import pytest
from rich.console import Console

from tests.commands.support import environment_of
from truckstream.commands.app import app
from truckstream.local import BlockingKinesis

COMMANDS = sorted(name for name in app if name not in app.help_flags + app.version_flags)


def example_of(command):
    """Return the lines at the end of a command's help, as a terminal of 80 columns shows them."""
    out = io.StringIO()
    app([command, "--help"], console=Console(file=out, width=80), result_action="return_value")
    text, separator, example = out.getvalue().partition("\nExample:")
    assert separator, f"{command}: no section Example in the docstring"
    assert "Example:" not in text
    return [line.strip() for line in example.splitlines() if line.strip()]


def plain(line):
    """Split a line as a shell does, and leave out pipes and redirections."""
    words = shlex.split(line)
    words = words[words.index("truckstream") + 1 :]
    return words[: words.index(">")] if ">" in words else words


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_accepts_its_example(command):
    lines = example_of(command)
    assert 1 <= len(lines) <= 2
    for line in lines:
        [name, *options] = plain(line)
        assert name == command
        function, bound, _ = app.parse_args([name, *options], exit_on_error=False, print_error=False)
        assert callable(function)
        assert bound.arguments or not options


def pasted(line, tmp_path, **environment):
    """Run a line in a shell in which `truckstream` is this one."""
    function = f'truckstream() {{ {shlex.join([sys.executable, "-m", "truckstream"])} "$@"; }}'
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {function}; {line}"],
        cwd=tmp_path,
        env=environment_of(environment),
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


@pytest.mark.parametrize("command", ["demo", "policies", "--install-completion"])
def test_the_examples_that_need_no_service_run(command, tmp_path):
    for line in example_of(command):
        done = pasted(line, tmp_path, HOME=str(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.iterdir())


def test_the_examples_about_a_stream_run_on_the_local_kinesis(tmp_path):
    """In this order: put a record, print it, and list its shards."""
    with BlockingKinesis(stream="trucks") as kinesis:
        environment = kinesis.environment() | {"AWS_REGION": "us-east-1"}
        [put], [tail], [_, streams] = (example_of(command) for command in ("put", "tail", "streams"))
        for line, shown in (
            (put, "1 "),
            (tail.replace("--count 10", "--count 1"), '"TRUCK_001"'),
            (streams.replace("http://127.0.0.1:4567", kinesis.endpoint_url), "shardId-000000000000"),
        ):
            done = pasted(line, tmp_path, **environment)
            assert done.returncode == 0, line + done.stdout + done.stderr
            assert shown in done.stdout + done.stderr

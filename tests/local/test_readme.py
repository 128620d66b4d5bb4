"""The examples on the page of the local Kinesis run, and its tables agree with the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from truckstream.local.faults import KINDS

pytest_plugins = ["pytester"]

PAGE = Path(__file__).parents[2] / "truckstream" / "local" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
PROGRAMS = [block for block in BLOCKS if "def test_" not in block]
TESTS = [block for block in BLOCKS if "def test_" in block]


def fault_table():
    """Return the table as it must be on the page."""
    lines = ["| kind | effect | what the client knows | own options |", "|---|---|---|---|"]
    for name, kind in KINDS.items():
        options = ", ".join(f"`{option}`" for option in sorted(kind.options))
        lines.append(f"| `{name}` | {kind.does} | {kind.client} | {options} |")
    return "\n".join(lines)


def test_the_table_of_faults_agrees_with_the_code():
    table = re.search(r"<!-- faults:.*?-->\n(.*?)\n<!-- /faults -->", TEXT, re.DOTALL)[1]
    assert table.strip() == fault_table()


@pytest.mark.parametrize("block", PROGRAMS, ids=["program", "clock"])
def test_a_program_runs(block, tmp_path):
    command = [sys.executable, "-W", "error", "-c", block]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize(("block", "count"), [*zip(TESTS, [4, 1], strict=True)], ids=["stream", "s3"])
def test_the_example_tests_pass_without_a_plugin_for_async_tests(pytester, block, count):
    pytester.makepyfile(test_shipping=block)
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:asyncio", "-p", "no:anyio", "--strict-markers")
    result.assert_outcomes(passed=count)


def test_the_command_has_every_flag_on_the_page():
    help_text = subprocess.run(
        [sys.executable, "-m", "truckstream", "local", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    flags = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", re.search(r"## As a command(.*?)\n## ", TEXT, re.DOTALL)[1]))
    assert len(flags) >= 10
    for flag in flags:
        assert flag in help_text, flag

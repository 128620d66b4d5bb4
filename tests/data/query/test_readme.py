"""The examples on the page run, and its tables match the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from tests.batcher.support import record, truck
from tests.commands.support import run
from truckstream.batcher import Batcher
from truckstream.data.query import TableOptions
from truckstream.data.query.columns import GIVEN_UP_COLUMNS
from truckstream.data.query.questions import questions

PAGE = Path(__file__).parents[3] / "truckstream" / "data" / "README.md"
TEXT = re.search(r"\n## Ask the records.*?(?=\n## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
COMMANDS = re.findall(r"^truckstream (query .*)$", TEXT, re.MULTILINE)


@pytest.fixture
async def stored(tmp_path):
    reports = [truck(n, speed=50.0 + n, health_status="URGENT") for n in range(4)]
    await Batcher((tmp_path / "truckstream-data").as_uri()).process([record(data, n) for n, data in enumerate(reports)])
    return tmp_path


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_runs(stored, line):
    status, out, err = run(*shlex.split(line), cwd=stored)
    assert (status, err) == (0, "")
    assert out or (stored / "urgent.parquet").stat().st_size


def test_there_are_commands():
    assert len(COMMANDS) == 3


def test_the_program_runs(stored):
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], cwd=stored, capture_output=True, text=True, check=False)
    assert done.stdout == "['truck_id', 'fastest'] ('TRUCK_000', 50.0)\n", done.stderr


def test_the_questions_are_those_of_the_code():
    documented = re.search(r"<!-- questions:.*?-->\n(.*?)<!-- /questions -->", TEXT, re.DOTALL)[1]
    rows = [f"| `{each.name}` | {each.description} |" for each in questions().values()]
    assert documented.splitlines() == ["| question | answer |", "|---|---|", *rows]


def test_the_options_are_those_of_the_code():
    table = TEXT[TEXT.index("| option | default |") :]
    names = [name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert names == [each.name for each in fields(TableOptions)]


def test_the_columns_of_given_up_are_those_of_the_code():
    row = re.search(r"^\| `given_up` .*$", TEXT, re.MULTILINE)[0]
    assert re.findall(r"`(\w+)`", row)[1:] == [name for name, _ in GIVEN_UP_COLUMNS]

"""What the batcher's page says is run, and its tables are the code's."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batcher.support import ScriptedStore, record
from truckstream.batcher import Batcher
from truckstream.batcher.formats.selection import select_formats
from truckstream.batcher.reading.rejected_record import REJECTION_REASONS
from truckstream.record import TruckRecord

PAGE = Path(__file__).parents[2] / "truckstream" / "batcher" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")


def section(title):
    return re.search(rf"## {title}\n(.*?)(?:\n## |\Z)", TEXT, re.DOTALL)[1]


def rows(text):
    """The cells of a page's tables, without their heads."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [row for row, after in zip(cells, [*cells[1:], []], strict=True) if "---" not in {*row, *after[:1]}]


def run(program, tmp_path):
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)


def test_the_program_runs(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    done = run(program, tmp_path)
    assert done.returncode == 0, done.stderr
    *objects, account = done.stdout.splitlines()
    assert [line.split()[1:] for line in objects] == [["1", "created"]] * 3
    assert account == "3 2 1 {'batchItemFailures': []}"


def test_the_options_and_their_defaults_are_the_codes():
    def shown(default):
        return f"`{default.__name__ if default is TruckRecord else default}`"

    parameters = inspect.signature(Batcher).parameters.values()
    expected = [(f"`{each.name}`", "" if each.default is each.empty else shown(each.default)) for each in parameters]
    assert [(option, default) for option, default, _ in rows(section("Options"))] == expected


def test_every_format_is_told_with_its_headers():
    for name, compression, suffix, *headers in rows(section("Formats")):
        data = select_formats(name.strip("`"), compression.strip("`") or None, TruckRecord).valid
        told = dict(zip(["Content-Type", "Content-Encoding"], headers, strict=True))
        assert f"`{data.suffix}`" == suffix
        assert data.headers == {header: value.strip("`") for header, value in told.items() if value}


def test_the_table_of_reasons_is_the_codes():
    told = re.search(r"<!-- reasons:.*?-->\n(.*?)<!-- /reasons -->", TEXT, re.DOTALL)[1]
    expected = [
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{code}` | {says} |" for code, says in REJECTION_REASONS.items()),
    ]
    assert told.strip().splitlines() == expected


async def test_the_line_of_rejected_is_one():
    (told,) = re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL)
    store = ScriptedStore()
    await Batcher(store, schema=dict).process([record(b"oops", 1, arrival=1736951426.0)])
    (line,) = store.lines("rejected")
    line |= {"stream": "arn:aws:kinesis:us-east-1:123456789012:stream/readings", "partition_key": "7"}
    assert json.loads(told) == line
    assert list(json.loads(told)) == list(line)


@pytest.mark.parametrize("title", ["Schemas", "Formats", "Rejected", "Memory"])
def test_the_sections_that_are_linked_are_there(title):
    assert section(title)

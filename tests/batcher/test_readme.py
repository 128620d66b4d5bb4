"""The program on the batcher's page runs, and the page's tables match the code."""

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
from truckstream.record import FIELDS, TruckRecord

PAGE = Path(__file__).parents[2] / "truckstream" / "batcher" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")


def section(title):
    return re.search(rf"## {title}\n(.*?)(?:\n## |\Z)", TEXT, re.DOTALL)[1]


def rows(text):
    """Return the cells of a page's tables, without the heading rows."""
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


def test_the_table_of_options_matches_the_code():
    def shown(default):
        return f"`{default.__name__ if default is TruckRecord else default}`"

    parameters = inspect.signature(Batcher).parameters.values()
    expected = [(f"`{each.name}`", "" if each.default is each.empty else shown(each.default)) for each in parameters]
    assert [(option, default) for option, default, _ in rows(section("Options"))] == expected


def test_the_table_of_formats_matches_the_code():
    for name, compression, suffix, content_type, _ in rows(section("Formats")):
        data = select_formats(name.strip("`"), compression.strip("`") or None, TruckRecord).valid
        assert f"`{data.suffix}`" == suffix
        assert data.headers == {"Content-Type": content_type.strip("`")}


def limits(field):
    """Return a field's limits as the page states them."""
    if field.choices:
        return ", ".join(field.choices)
    if field.kind is int:
        assert (field.minimum, field.maximum) == (-(2**63), 2**63 - 1)
        return "64 bits"
    if field.minimum is None:
        return ""
    unit = field.unit or "characters"
    return f"{field.minimum:g} to {field.maximum:g} {unit}"


def test_the_table_of_fields_matches_the_code():
    documented = re.search(r"<!-- fields:.*?-->\n(.*?)<!-- /fields -->", TEXT, re.DOTALL)[1]
    names = {str: "text", int: "integer", float: "number"}
    expected = [
        "| field | type | limits |",
        "|---|---|---|",
        *(f"| `{field.name}` | {names[field.kind]} | {limits(field)} |".replace("|  |", "| |") for field in FIELDS),
    ]
    assert documented.strip().splitlines() == expected


def test_the_table_of_reasons_matches_the_code():
    documented = re.search(r"<!-- reasons:.*?-->\n(.*?)<!-- /reasons -->", TEXT, re.DOTALL)[1]
    expected = [
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{code}` | {meaning} |" for code, meaning in REJECTION_REASONS.items()),
    ]
    assert documented.strip().splitlines() == expected


async def test_the_example_of_a_rejected_record_matches_the_code():
    (documented,) = re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL)
    store = ScriptedStore()
    await Batcher(store, schema=dict).process([record(b"oops", 1, arrival=1736951426.0)])
    (line,) = store.lines("rejected")
    line |= {"stream": "arn:aws:kinesis:us-east-1:123456789012:stream/readings", "partition_key": "7"}
    assert json.loads(documented) == line
    assert list(json.loads(documented)) == list(line)


@pytest.mark.parametrize("title", ["Schemas", "Formats", "Rejected", "Memory"])
def test_each_linked_section_exists(title):
    assert section(title)

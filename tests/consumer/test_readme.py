"""The programs of the consumer's page run, and its tables agree with the code."""

import asyncio
import inspect
import os
import re
import sys
from pathlib import Path

import pytest

from truckstream.consumer import Consumer, ConsumerObserver, Record
from truckstream.local import LocalKinesis
from truckstream.metrics import CONSUMER_METRICS

PAGE = Path(__file__).parents[2] / "truckstream" / "consumer" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
OUTPUTS = {"plain": "TRUCK_001 b'{", "observer": "reading shardId-000000000000 from TRIM_HORIZON"}


def first_cells(title):
    text = re.search(rf"## {title}\n(.*?)(?:\n## |\Z)", TEXT, re.DOTALL)[1]
    cells = [line.split("|")[1] for line in re.findall(r"^\|.*\|$", text, re.MULTILINE) if not line.startswith("|---")]
    return [name for cell in cells[1:] for name in re.findall(r"`(\w+)`", cell)]


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("program", "output"), list(zip(PROGRAMS, OUTPUTS.values(), strict=True)), ids=OUTPUTS)
async def test_a_program_runs(program, output, tmp_path):
    async with LocalKinesis(stream="truck-sensor-stream", own_process=True) as kinesis:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", program),
            env=clean | kinesis.environment() | {"NO_PROXY": "127.0.0.1", "XDG_STATE_HOME": str(tmp_path)},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
    assert (process.returncode, err.decode()) == (0, "")
    assert output in out.decode()


def test_the_options_are_those_of_the_class():
    parameters = inspect.signature(Consumer).parameters
    assert first_cells("Options") == list(parameters)
    table = re.search(r"## Options\n(.*?)\n## ", TEXT, re.DOTALL)[1]
    for names, default in re.findall(r"^\| (`.*?`) \| `(.*?)` \|", table, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            assert repr(parameters[name].default).replace("'", '"') == default, name


def test_the_attributes_of_a_record_are_those_of_the_class():
    text = re.search(r"A record has:\n(.*?)\n## ", TEXT, re.DOTALL)[1]
    rows = [line.split("|")[1] for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)][2:]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(Record.__struct_fields__)


def test_the_hooks_are_those_of_the_class():
    hooks = [name for name, _ in inspect.getmembers(ConsumerObserver, inspect.isfunction) if not name.startswith("_")]
    assert sorted(first_cells("Observing")) == sorted(hooks)


def test_the_table_of_metrics_agrees_with_the_code():
    lines = ["| metric | kind | unit | attributes | what it counts |", "|---|---|---|---|---|"]
    for row in CONSUMER_METRICS:
        attributes = ", ".join(f"`{attribute}`" for attribute in row.attributes)
        lines.append(f"| `{row.name}` | {row.kind} | `{row.unit}` | {attributes} | {row.meaning} |")
    documented = re.search(r"<!-- metrics:.*?-->\n(.*?)<!-- /metrics -->", TEXT, re.DOTALL)[1]
    assert documented.strip() == "\n".join(lines)

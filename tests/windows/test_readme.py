"""The programs of the windows' page run, and its tables agree with the code."""

import asyncio
import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from truckstream.local import LocalKinesis
from truckstream.windows import DROP_REASONS, WindowPlan, WindowResult

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "truckstream" / "windows" / "README.md").read_text(encoding="utf-8")
WITH_CONSUMER, SINK, CORE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
[OUTPUT] = re.findall(r"```\n(A 0 2.*?)```", TEXT, re.DOTALL)


def table(name):
    """The cells of a table between two comments, without its head."""
    text = TEXT.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.strip().splitlines()[2:]]


@pytest.mark.timeout(120)
async def test_the_program_with_a_consumer_makes_windows(tmp_path):
    async with LocalKinesis("truck-sensor-stream", own_process=True) as kinesis:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", WITH_CONSUMER),
            env=clean | kinesis.environment() | {"NO_PROXY": "127.0.0.1", "XDG_STATE_HOME": str(tmp_path / "leases")},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 100)
    assert (process.returncode, err.decode()) == (0, "")
    assert sum(map(int, re.findall(r'"reports":(\d+)', out.decode()))) == 100
    assert '"health":{"NORMAL":' in out.decode()
    assert len(list((tmp_path / "speeds-state").rglob("*.state"))) == 1


def test_the_core_prints_what_the_page_shows():
    done = subprocess.run([sys.executable, "-W", "error", "-c", CORE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", OUTPUT)


async def test_the_sink_of_the_page_prints(capsys):
    names = {}
    exec(SINK, names)
    fields = dict.fromkeys(("key", "start", "end", "part", "values"), "x")
    await names["PrintingSink"]().write([WindowResult(revision=3, **fields)])
    assert capsys.readouterr().out == "x x 3 x\n"


def test_the_options_are_those_of_the_class():
    fields = {each.name: each for each in dataclasses.fields(WindowPlan)}
    assert [row[0].strip("`") for row in table("options")] == list(fields)
    for name, default, _ in table("options"):
        field = fields[name.strip("`")]
        if field.default is not dataclasses.MISSING and not callable(field.default):
            assert default.strip("`") == repr(field.default).replace("'", '"')


def test_the_reasons_are_those_of_the_code():
    assert {name.strip("`"): text for name, text in table("reasons")} == DROP_REASONS


def test_the_fields_of_a_result_are_named():
    for field in WindowResult.__struct_fields__:
        assert f"`{field}`" in TEXT

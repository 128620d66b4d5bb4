"""The programs of the producer's page run, and its tables agree with the code."""

import asyncio
import inspect
import os
import re
import sys
from pathlib import Path

import pytest

from truckstream import errors
from truckstream.kinesis.failures import FailureKind
from truckstream.local import LocalKinesis
from truckstream.metrics import PRODUCER_METRICS
from truckstream.producer import Producer, ProducerObserver

PAGE = Path(__file__).parents[2] / "truckstream" / "producer" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
OUTPUTS = {
    "plain": "shardId-",
    "objects": 'TRUCK_003 b\'{"truck_id":"TRUCK_003"',
    "compression": "of the envelope 496",
    "observer": "after 0.",
    "otel": "truckstream.producer.records.acknowledged",
}


def section(title):
    return re.search(rf"## {title}\n(.*?)(?:\n## |\Z)", TEXT, re.DOTALL)[1]


def rows(text):
    """The cells of a page's tables, without their heads."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines if not line.startswith("---")]


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("program", "output"), list(zip(PROGRAMS, OUTPUTS.values(), strict=True)), ids=OUTPUTS)
async def test_a_program_runs(program, output, tmp_path):
    async with LocalKinesis(stream="truck-sensor-stream", own_process=True) as kinesis:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", program),
            env=clean | kinesis.environment() | {"NO_PROXY": "127.0.0.1"},
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
    assert (process.returncode, err.decode()) == (0, "")
    assert output in out.decode()


def test_the_options_and_their_defaults_agree_with_the_code():
    parameters = inspect.signature(Producer).parameters.values()
    expected = [(f"`{p.name}`", "" if p.default is p.empty else f"`{p.default}`") for p in parameters]
    assert [(option, default) for option, default, _ in rows(section("Options"))[1:]] == expected


def test_every_kind_of_failure_is_documented():
    kinds = {kind.value for kind in FailureKind} - {FailureKind.EXPIRED.value}  # only readers have iterators
    assert {row[0] for row in rows(section("Errors and retries"))} >= kinds


def test_every_error_on_the_page_exists():
    for name in re.findall(r"`(\w+(?:Error|Group))`", TEXT):
        assert hasattr(errors, name), name


def test_the_hooks_agree_with_the_code():
    hooks = {name for name in vars(ProducerObserver) if not name.startswith("_")}
    assert {row[0].strip("`") for row in rows(section("Observing")) if row[0].strip("`") in hooks} == hooks


def test_the_table_of_metrics_agrees_with_the_code():
    lines = ["| metric | kind | unit | attributes | what it counts |", "|---|---|---|---|---|"]
    for row in PRODUCER_METRICS:
        attributes = ", ".join(f"`{attribute}`" for attribute in row.attributes)
        lines.append(f"| `{row.name}` | {row.kind} | `{row.unit}` | {attributes} | {row.meaning} |")
    documented = re.search(r"<!-- metrics:.*?-->\n(.*?)<!-- /metrics -->", TEXT, re.DOTALL)[1]
    assert documented.strip() == "\n".join(lines)


def test_the_public_calls_are_documented():
    documented = section("Putting records") + section("Closing") + section("Observing")
    for name in vars(Producer):
        if not name.startswith("_") and name != "open":
            assert f"{name}" in documented, name

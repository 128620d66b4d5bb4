"""truckstream/cloud/README.md: its tables agree with the code, its sums are correct, and its examples run."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.parsed_template import ROOT, TEMPLATE
from tests.cloud.this_machine import PYTHON
from truckstream.alarms import ALARMS
from truckstream.cloud import Deployment, Destruction, Diagnosis, Scaling, Status
from truckstream.cloud.watch.doctor_rules import CHECKS
from truckstream.commands.app import app
from truckstream.metrics import FUNCTION_METRICS, METRICS

PAGE = (ROOT / "truckstream" / "cloud" / "README.md").read_text(encoding="utf-8")


def section(title):
    return re.split(r"^##+ ", PAGE.split(f"# {title}\n")[1], flags=re.MULTILINE)[0]


def rows(text):
    """Return the cells of each row of a section's tables, including the heads."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines]


def test_the_table_of_alarms_agrees_with_the_code():
    expected = [[alarm.name, alarm.rings, alarm.means, alarm.do] for alarm in ALARMS]
    assert rows(section("Alarms"))[1:] == expected


def test_the_table_of_metrics_agrees_with_the_code():
    expected = [[row.name, row.namespace, row.statistic, row.unit, row.meaning] for row in METRICS]
    assert rows(section("Metrics"))[1:] == expected


def test_every_resource_parameter_and_command_on_the_page_exists():
    named = set(re.findall(r"`([A-Z]\w+)(?:=\w+)?`", section("Operations")))
    named |= set(re.findall(r"--parameter (\w+)=", PAGE)) - {"Name"}
    assert named <= set(TEMPLATE["Resources"]) | set(TEMPLATE["Parameters"])
    assert len(named) > 20
    assert set(re.findall(r"truckstream ([a-z]+)", PAGE)) <= {*app, "simulate"}


@pytest.mark.parametrize("result", [Deployment, Destruction, Diagnosis, Scaling, Status])
def test_the_page_names_the_fields_of_each_json_document(result):
    [row] = [row for row in rows(section("Exit status and --json")) if f"`{result.__name__}`" in row[1]]
    named = set(re.findall(r"`(\w+)`", row[1]))
    assert {field.name for field in dataclasses.fields(result)} <= named


def test_the_page_has_the_number_of_the_doctors_rules():
    assert f"| {len(CHECKS)} rules;" in PAGE


def test_the_costs_are_computed_correctly():
    *items, total = rows(section("Cost of a full shard"))[1:]
    amounts = [float(amount) for *_, amount in items]
    expected = [float(quantity) * float(price) for _, quantity, _, price, _ in items]
    assert amounts == pytest.approx(expected, abs=0.006)
    assert float(total[-1].strip("*")) == pytest.approx(sum(amounts), abs=0.005)
    quantities = {item: float(quantity) for item, quantity, *_ in items}
    records = quantities["shard"] * 3_600 * 1_000
    assert quantities["records put (25 KB units)"] == records / 1e6
    assert quantities["objects of 700 created"] == records // 700 // 1_000
    assert quantities["a month's data kept for a month"] == records * 499 // 1e9
    assert quantities["calls of the function"] == round(records / 4_900 / 1e6, 3)
    assert quantities["the function's metrics"] == len(FUNCTION_METRICS)


@pytest.fixture
def environment(environment):
    """The environment of the page's reader, who has installed the program."""
    return environment | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.timeout(120)
def test_the_commands_of_the_page_run(environment, tmp_path):
    """They run as written, except that the function's Python version is that of this machine.

    The doctor reports the one danger that the page mentions. Whether `scale` finds figures depends on how soon it runs.
    """
    block = PAGE.split("```bash\n")[3].split("```")[0]
    results = {}
    for line in block.strip().splitlines():
        command = line.replace("--python 3.11", f"--python {PYTHON}").split()
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        results[command[1]] = (done.returncode, done.stdout, done.stderr)
    status, text, _ = results.pop("scale")
    assert status == (1 if "Nothing was checked" in text else 0), text
    assert {name: status for name, (status, *_) in results.items()} == {
        **dict.fromkeys(("deploy", "simulate", "status", "destroy"), 0),
        "doctor": 1,
    }, results
    assert "DANGER  stream-encrypted" in results["doctor"][1]
    assert "Stream  AWS::Kinesis::Stream  trucks" in results["destroy"][1].split("Kept")[1]


@pytest.mark.timeout(120)
def test_the_python_example_runs(environment, tmp_path):
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["create readings", "CREATE_COMPLETE 1", "[]"], done.stderr

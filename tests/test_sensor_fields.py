"""A sensor field is added in record.py and simulated in fleet/truck.py; each test names another place that lacks it.

tests/cloud/deployment/template/test_template.py compares the Glue table. The Parquet columns and the tests' sample are
derived.
"""

import ast
import re
from pathlib import Path
from random import Random

import msgspec
import pytest

from benchmarks.handlers import hand_written
from tests.sample_record import DESCRIBED
from truckstream.fleet.report_generator import template_record
from truckstream.fleet.truck import SETTLED, Truck
from truckstream.record import FIELDS

ROOT = Path(__file__).parent.parent
NAMES = [field.name for field in FIELDS]
DOCUMENTS = ["README.md", "truckstream/README.md", "truckstream/batcher/README.md", "benchmarks/README.md"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "health_status"])
def test_the_simulated_truck_writes_every_field(name):
    truck = Truck("TRUCK_001", Random(1), SETTLED, 0.0)
    record = template_record(truck)
    truck.write_signals(record)
    assert getattr(record, name) is not None, f"write `{name}` in Truck.write_signals (truckstream/fleet/truck.py)"


@pytest.mark.parametrize("name", NAMES)
def test_the_hand_written_handler_checks_every_field(name):
    assert name in hand_written.NAMES, f"add `{name}` to RULES in benchmarks/handlers/hand_written.py"


def test_the_powertools_handler_models_every_field():
    """The file is parsed, not imported: its packages are not installed here."""
    path = "benchmarks/handlers/with_powertools.py"
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    models = [_annotated(node) for node in tree.body if isinstance(node, ast.ClassDef)]
    [modelled] = [names for names in models if "truck_id" in names]
    missing = [name for name in NAMES if name not in modelled]
    assert not missing, f"add {missing} to the model with truck_id in {path}"


def _annotated(model: ast.ClassDef) -> set[str]:
    return {
        node.target.id for node in model.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


@pytest.mark.parametrize("path", DOCUMENTS)
def test_documents_state_the_number_of_fields(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    for number, noun in re.findall(r"\b(\d+) (sensor values|fields)\b", text):
        assert int(number) == len(FIELDS), f"{path}: write {len(FIELDS)} {noun} instead of {number}"


def test_documents_state_the_size_of_the_sample():
    size = len(msgspec.json.encode(DESCRIBED))
    assert size == 498
    assert f"{size} bytes of JSON" in (ROOT / "README.md").read_text(encoding="utf-8")

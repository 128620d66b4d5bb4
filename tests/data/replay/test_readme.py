"""The page about replays is true: its programs run, and its options, fields and reasons exist."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import msgspec
import obstore.store

from tests.batcher.support import contents, record, truck
from truckstream.batcher import Batcher
from truckstream.commands.app import app
from truckstream.data.replay import Rejected
from truckstream.data.replay.reading.candidates import AGGREGATE, REPAIR_FAILED
from truckstream.data.replay.report import BROKEN_LINE, BROKEN_OBJECT, NO_RECORDS
from truckstream.data.replay.targets.stream_target import NOT_PUT

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "truckstream" / "data" / "README.md").read_text(encoding="utf-8")
SECTION = re.search(r"\n## Replay\n(.*?)(?=\n## |\Z)", TEXT, re.DOTALL)[1]


async def test_the_programs_run(tmp_path, capsys):
    store = obstore.store.LocalStore(tmp_path)
    await Batcher(store).process([record(truck(1, engine_temp=36.0), 1)])
    programs = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    names = {}
    for program in programs:
        here = program.replace("s3://my-bucket", str(tmp_path)).replace("dry_run=True", "dry_run=False")
        exec(compile(here, "README.md", "exec", flags=0, dont_inherit=True), names)
    await names["main"]()
    assert capsys.readouterr().out.startswith("Replayed: 1\n")
    (stored,) = contents(store, "sensor_data").values()
    assert msgspec.json.decode(stored)["engine_temp"] == 96.8


def test_the_commands_are_valid():
    lines = re.findall(r"^truckstream (replay .*?)(?: +#.*)?$", SECTION, re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        command, bound, _ = app.parse_args(line, exit_on_error=False, print_error=False)
        assert command.__name__ == "replay", line
        assert bound.arguments["store"] == "s3://my-bucket"


def test_its_options_exist():
    parameters = {name.strip("_").replace("_", "-") for name in inspect.signature(_command()).parameters}
    options = set(re.findall(r"--([a-z][a-z-]+)", SECTION))
    assert options <= parameters


def _command():
    command, _, _ = app.parse_args("replay store")
    return command


def test_its_table_has_all_fields_of_a_rejected_record():
    table = SECTION.split("| field of `Rejected` | meaning |")[1].split("\n\n")[0]
    assert set(Rejected.__struct_fields__) <= set(re.findall(r"`(\w+)`", table))


def test_its_table_has_all_reasons():
    table = SECTION.split("| reason | meaning |")[1].split("\n\n")[0]
    reasons = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(reasons) == sorted([REPAIR_FAILED, AGGREGATE, BROKEN_LINE, BROKEN_OBJECT, NO_RECORDS, NOT_PUT])

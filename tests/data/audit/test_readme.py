"""The section about `truckstream verify` agrees with the code, and its program runs."""

import asyncio
import inspect
import re
import subprocess
import sys
from pathlib import Path

from tests.batcher.support import trucks
from truckstream.batcher import Batcher
from truckstream.commands.stored.verify import verify
from truckstream.data.audit.findings import FINDING_KINDS

PAGE = (Path(__file__).parents[3] / "truckstream/data/README.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Verify a store\n")[1].split("\n## ")[0]


def test_the_table_of_findings_is_that_of_the_code():
    table = SECTION.split("<!-- findings:")[1].split("<!-- /findings -->")[0]
    rows = [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in table.splitlines()[3:]]
    assert rows == [[kind, *facts] for kind, facts in FINDING_KINDS.items()]


def test_it_mentions_only_options_that_exist():
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(verify).parameters}
    assert set(re.findall(r"`(--[a-z-]+)", SECTION)) <= options


def test_the_program_runs(tmp_path):
    asyncio.run(Batcher((tmp_path / "lake").as_uri()).process(trucks(3)))
    program = SECTION.split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "0 3\n"

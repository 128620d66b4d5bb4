"""`truckstream query --open`: DuckDB's own shell on a directory, and a prompt for other stores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.batcher.support import record, truck
from tests.commands.support import environment_of
from truckstream.batcher import Batcher


@pytest.fixture
async def stored(tmp_path):
    where = tmp_path / "it's [here]"
    await Batcher(where.as_uri()).process([record(truck(n), n) for n in range(3)])
    return where


def opened(store, text, path=""):
    """Run the command with `text` as its input, and with the programs of one folder."""
    return subprocess.run(
        [sys.executable, "-m", "truckstream", "query", "--open", "--store", str(store)],
        input=text,
        env=environment_of({"PATH": path}),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_prompt_answers_each_statement(stored):
    done = opened(stored, "SELECT count(*) AS n\nFROM records;\nSELECT 7 AS m;\nSELECT 8 AS last")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["n", "3", "m", "7", "last", "8"]


def test_the_prompt_goes_on_after_a_mistake(stored):
    done = opened(stored, "SELECT trck_id FROM records;\nSELECT 7 AS m;\n")
    assert 'Candidate bindings: "truck_id"' in done.stderr
    assert done.stdout.split() == ["m", "7"]
    assert opened(stored, "SELECT trck_id FROM records;\n").returncode == 2


def test_a_statement_sees_what_those_before_it_made(stored):
    done = opened(stored, "CREATE TABLE kept AS FROM records;\nSELECT count(*) AS n FROM kept;\n")
    assert done.stdout.split()[-2:] == ["n", "3"]


def test_duckdbs_program_gets_the_tables(stored, tmp_path):
    """A program in its place, which runs the script in the Python package's DuckDB."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "duckdb").write_text(
        f"#!{sys.executable}\n"
        "import sys, duckdb\n"
        "command, = sys.argv[2:]\n"
        "script = open(command.removeprefix('.read ').strip(\"'\")).read()\n"
        "tables = duckdb.connect()\n"
        "tables.execute(script)\n"
        "print(tables.execute(sys.stdin.read()).fetchall())\n"
    )
    (folder / "duckdb").chmod(0o755)
    done = opened(stored, "SELECT count(*) FROM records", path=str(folder))
    assert (done.returncode, done.stdout) == (0, "[(3,)]\n"), done.stderr


@pytest.mark.skipif(shutil.which("duckdb") is None, reason="DuckDB's program is not installed")
def test_duckdbs_own_program_reads_the_tables(stored):
    done = opened(
        stored, ".mode csv\nSELECT count(*) AS n, max(truck_id) AS t FROM records;\n", path=os.environ["PATH"]
    )
    assert (done.returncode, done.stdout.split()) == (0, ["n,t", "3,TRUCK_002"]), done.stderr


def test_an_empty_store_is_reported(tmp_path):
    done = opened(tmp_path, "SELECT 1;\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no objects of the batcher" in done.stderr

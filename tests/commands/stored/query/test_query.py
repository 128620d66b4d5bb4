"""`truckstream query` answers in tables and files, and says what is wrong with a question, an option or a store."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import duckdb
import pytest

from tests.batcher.support import record, truck
from tests.commands.support import environment_of, run, start
from truckstream.batcher import Batcher


@pytest.fixture
async def stored(tmp_path):
    """A directory with an object of three reports and one of a rejected record."""
    event = [record(truck(n, speed=50.0 + n), n) for n in range(3)]
    await Batcher((tmp_path / "out").as_uri(), compression="gzip").process([*event, record(b"?", 3)])
    return tmp_path


def ask(stored, *arguments, **environment):
    return run("query", *arguments, "--store", "out", cwd=stored, **environment)


SPEEDS = "SELECT truck_id, speed FROM records ORDER BY 1"


def test_a_table(stored):
    status, out, err = ask(stored, SPEEDS)
    assert (status, err) == (0, "")
    assert out == "truck_id   speed\nTRUCK_000   50.0\nTRUCK_001   51.0\nTRUCK_002   52.0\n"


def test_a_table_ends_after_so_many_rows(stored):
    status, out, err = ask(stored, SPEEDS, "--rows", "2")
    assert (status, len(out.splitlines())) == (0, 3)
    assert err == "These are the first 2 rows. --rows, --format and --output show more.\n"


def test_rows_for_programs(stored):
    _, out, _ = ask(stored, SPEEDS, "--format", "csv")
    assert out == "truck_id,speed\nTRUCK_000,50.0\nTRUCK_001,51.0\nTRUCK_002,52.0\n"
    _, out, _ = ask(stored, SPEEDS, "--format", "json")
    assert json.loads(out) == [{"truck_id": f"TRUCK_{n:03}", "speed": 50.0 + n} for n in range(3)]


def test_duckdbs_progress_is_not_among_the_rows(stored):
    """It appears after 2 s; here at once."""
    sql = "SET progress_bar_time = 0; SELECT sum(hash(i)) > 0 AS x FROM range(30000000) t (i)"
    assert ask(stored, sql, "--format", "csv")[:2] == (0, "x\ntrue\n")


@pytest.mark.parametrize("name", ["speeds.csv", "speeds.json", "speeds.parquet", "it's.csv"])
def test_a_file_has_the_format_of_its_name(stored, name):
    assert ask(stored, SPEEDS, "--output", name) == (0, "", "")
    path = str(stored / name).replace("'", "''")
    assert len(duckdb.sql(f"FROM '{path}'").fetchall()) == 3
    assert sorted(each.name for each in stored.iterdir()) == sorted(["out", name])


def test_parquet_into_a_pipe(stored):
    command = [sys.executable, "-m", "truckstream", "query", SPEEDS, "--store", "out", "--format", "parquet"]
    done = subprocess.run(command, cwd=stored, env=environment_of({}), capture_output=True, check=True)
    (stored / "piped.parquet").write_bytes(done.stdout)
    assert len(duckdb.sql(f"FROM '{stored / 'piped.parquet'}'").fetchall()) == 3


def test_a_question_with_a_name(stored):
    status, out, _ = ask(stored, "rejected-by-reason", "--format", "csv")
    assert status == 0
    assert out.splitlines()[1].startswith("malformed_json,,1,")


def test_the_questions_are_listed(tmp_path):
    status, out, _ = run("query", "--list", cwd=tmp_path)
    assert status == 0
    assert "hottest-brakes\n    The 20 trucks with the hottest brakes" in out


def test_the_text_for_athena(tmp_path):
    status, out, _ = run("query", "maintenance-due", "--athena", cwd=tmp_path)
    assert status == 0
    assert "FROM sensor_data" in out


def test_the_store_may_be_set_in_the_environment(stored):
    status, _, err = run("query", SPEEDS, cwd=stored, STORE_URL=(stored / "out").as_uri())
    assert (status, err) == (0, "")


def test_a_schema_of_the_user(stored):
    (stored / "mine.py").write_text("import msgspec\n\n\nclass Speed(msgspec.Struct):\n    speed: float\n")
    status, out, _ = ask(stored, "SELECT * EXCLUDE (object_key) FROM records", "--schema", "mine:Speed")
    assert status == 0
    assert out.split()[:2] == ["speed", "kinesis_sequence_number"]
    status, out, _ = ask(stored, "SELECT count(columns('.*')) FROM records", "--schema", "none")
    assert (status, len(out.splitlines()[0].split())) == (0, 24)


# --- Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["SELECT trck_id FROM records"], 'Candidate bindings: "truck_id"'),
        (["SELECT * FROM recrds"], "recrds does not exist"),
        (["SELEC 1"], "syntax error"),
        (["fleet-helth"], "Did you mean fleet-health? See --list."),
        ([], "question is missing. Pass SQL, or the name of a question"),
        ([SPEEDS, "--since", "noon"], "since is 'noon': must be a time such as"),
        ([SPEEDS, "--rows", "0"], "rows is 0: must be at least 1"),
        ([SPEEDS, "--schema", "nothing:Here"], "schema is 'nothing:Here', and ModuleNotFoundError"),
        ([SPEEDS, "--output", "speeds.xlsx"], "must end with .csv, .json, .parquet, or pass --format"),
        ([SPEEDS, "--output", "no/speeds.csv"], "must be in a directory that exists"),
        ([SPEEDS, "--prefix", "a/../b"], "prefix is 'a/../b': must be the names of folders"),
    ],
)
def test_a_mistake_is_explained(stored, arguments, expected):
    status, out, err = ask(stored, *arguments)
    assert (status, out) == (2, "")
    assert expected in err
    assert "Traceback" not in err


def test_a_store_must_exist(tmp_path):
    status, _, err = run("query", SPEEDS, "--store", "out", cwd=tmp_path)
    assert (status, "there is no such directory" in err) == (2, True)
    status, _, err = run("query", SPEEDS, cwd=tmp_path)
    assert (status, "store is not set. Pass --store" in err) == (2, True)
    status, _, err = run("query", SPEEDS, "--store", ".", cwd=tmp_path)
    assert (status, "has no objects of the batcher" in err) == (1, True)


def test_a_broken_object_is_named_and_can_be_left_out(stored):
    (path,) = (stored / "out" / "sensor_data").iterdir()
    broken = path.with_name("batch_2025-01-15T20-00-00_aaaaaaaa.json.gz")
    broken.write_bytes(path.read_bytes()[:-30])
    status, out, err = ask(stored, SPEEDS)
    assert (status, out) == (1, "")
    assert broken.name in err
    condition = err[err.index("WHERE") : err.index(" leaves the object out")]
    status, out, _ = ask(stored, f"SELECT truck_id FROM records {condition}")
    assert (status, len(out.splitlines())) == (0, 4)


@pytest.mark.parametrize("content", [b'{"truck_id":1}\n{"truck', b"\x00\xff\x1b[31m", b"[1,2", b'{"speed":"fast"}'])
async def test_a_hostile_object_ends_the_question_without_a_traceback(stored, content):
    name = "batch_2025-01-15T20-00-00_aaaaaaaa.json"
    (stored / "out" / "sensor_data" / name).write_bytes(content)
    status, out, err = ask(stored, "SELECT sum(speed) FROM records")
    assert (status, out) == (1, "")
    assert name in err
    assert "\x1b" not in err
    assert "Traceback" not in err


async def test_a_hostile_value_does_not_reach_the_terminal(tmp_path):
    data = truck(1, timestamp="\x1b[2J\nnow")
    await Batcher((tmp_path / "out").as_uri()).process([record(data, 1)])
    _, out, _ = ask(tmp_path, 'SELECT "timestamp" FROM records')
    assert out == "timestamp\n\\x1b[2J\\nnow\n"


def test_an_unfinished_file_is_removed(stored):
    status, _, err = ask(stored, "SELECT error('no') FROM records", "--output", "speeds.csv")
    assert (status, "no" in err) == (1, True)
    assert [each.name for each in stored.iterdir()] == ["out"]


# --- Ends -------------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_long_query(stored):
    sql = "COPY (SELECT 1) TO 'begun.csv'; SELECT count(*) FROM range(100000000000) t (i), records WHERE i % 7 = 3"
    with start("query", sql, "--store", "out", cwd=stored) as process:
        try:
            while not (stored / "begun.csv").exists():
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=40)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, "", "truckstream: Interrupted.\n")


def test_a_reader_that_has_enough_ends_the_command(stored):
    command = f"{sys.executable} -m truckstream query 'FROM range(1000000)' --store out --format csv | head -n 2"
    done = subprocess.run(
        ["sh", "-c", command], cwd=stored, env=environment_of({}), capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("range\n0\n", "")

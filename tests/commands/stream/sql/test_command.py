"""`truckstream sql` checks its options first, and gives the results where they were asked for."""

import asyncio
import json
import shlex
import subprocess
import sys

import pytest

from tests.commands.support import AWS, environment_of, error_of, run, run_without, start
from tests.stream_sql.support import line
from truckstream.consumer import Consumer
from truckstream.local import LocalKinesis
from truckstream.producer import Producer

SQL = "SELECT truck_id, count(*) AS n FROM records GROUP BY truck_id ORDER BY truck_id"
#: Records of each shard that end all windows before them.
END = [line(1000)] * 8
ROW = '"window_start":"2025-01-15T08:00:{:02}","window_end":"2025-01-15T08:00:{:02}","truck_id":"A","n":{}'


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in {**AWS, "AWS_DEFAULT_REGION": AWS["AWS_REGION"]}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("SELECT sped FROM records", "--window", "10s"), 'Referenced column "sped" not found'),
        (("DROP TABLE records", "--window", "10s"), "must be one SELECT"),
        ((SQL, "--window", "soon"), "window is 'soon': must be a length of time"),
        ((SQL, "--window", "10s", "--slide", "3s"), "slide is 3.0: must divide the window"),
        ((SQL, "--window", "10s", "--count", "0"), "count is 0: must be at least 1"),
        ((SQL, "--window", "10s", "--from", "soon"), "from is 'soon'"),
        ((SQL, "--window", "10s", "--schema", "none"), "schema is None: must be a msgspec.Struct"),
        ((SQL, "--window", "10s", "--output", "no/file"), "output is 'no/file': must be in a directory that exists"),
        ((SQL, "--window", "10s", "--output", "."), "output is '': must not be empty"),
        ((SQL, "--window", "10s", "--to-store", ""), "to_store is '': must not be empty"),
        ((SQL, "--window", "10s", "--to-stream", ""), "to_stream is '': must not be empty"),
        (
            (SQL, "--window", "10s", "--to-stream", "arn:aws:kinesis:us-east-1:1:stream/trucks"),
            "must be another stream",
        ),
        ((SQL, "--window", "10s", "--memory", "63"), "memory is 63: must be at least 64 MiB"),
        ((SQL, "--window", "10s", "--output", "a", "--to-store", "b"), "to_store is 'b': cannot go with output"),
        ((SQL, "--window", "10s", "--to-store", "b", "--emit", "changes"), "emit is 'changes': must be final with"),
        ((SQL, "--window", "10s", "--to-stream", "b", "--emit", "changes"), "emit is 'changes': must be final with"),
    ],
)
def test_an_option_that_breaks_a_rule_is_named_before_anything_is_read(words, text):
    assert text in str(error_of("sql", *words, "--stream", "trucks", "--endpoint-url", "http://127.0.0.1:9"))


def test_a_dry_run_prints_the_columns_of_the_results(tmp_path):
    status, out, err = run("sql", SQL, "--window", "10s", "--dry-run", cwd=tmp_path)
    assert (status, err) == (0, "")
    assert out.splitlines() == ["window_start TIMESTAMP", "window_end TIMESTAMP", "truck_id VARCHAR", "n BIGINT"]


def test_a_stream_that_does_not_exist_is_named_with_the_commands_that_help(tmp_path):
    async def main():
        async with LocalKinesis() as kinesis:
            return await asyncio.to_thread(
                run,
                "sql",
                SQL,
                "--window",
                "1s",
                "--stream",
                "none",
                "--endpoint-url",
                kinesis.endpoint_url,
                cwd=tmp_path,
            )

    status, _, err = asyncio.run(main())
    assert status == 1
    assert "truckstream streams --endpoint-url" in err


@pytest.fixture
async def kinesis():
    async with LocalKinesis(shards=2) as kinesis:
        yield kinesis


async def put(kinesis, *lines, keys="ABCDEFGH"):
    async with Producer(kinesis.stream_name, endpoint_url=kinesis.endpoint_url) as producer:
        for number, data in enumerate(lines):
            await producer.put(data, keys[number % len(keys)])


def words(kinesis, *more):
    where = ("--stream", kinesis.stream_name, "--endpoint-url", kinesis.endpoint_url, "--from", "TRIM_HORIZON")
    return ("sql", SQL, *where, "--window", "10s", "--every", "100ms", *more)


async def call(kinesis, cwd, *more):
    status, out, err = await asyncio.to_thread(run, *words(kinesis, *more), cwd=cwd)
    assert status == 0, err
    return out, err


async def test_results_are_lines_of_text_or_of_json_and_late_records_are_reported(kinesis, tmp_path):
    await put(kinesis, *[line(n) for n in range(15)], b"{}", *END)
    text, err = await call(kinesis, tmp_path, "-n", "2")
    assert text.splitlines() == [
        "window_start         window_end           truck_id   n",
        "2025-01-15 08:00:00  2025-01-15 08:00:10  A         10",
        "window_start         window_end           truck_id  n",
        "2025-01-15 08:00:10  2025-01-15 08:00:20  A         5",
    ]
    assert err.startswith("24 records read, 1 rejected; 1 windows open with 8 records, which gave no final result")
    out, _ = await call(kinesis, tmp_path, "-n", "2", "--json")
    assert out.splitlines() == ["{" + ROW.format(0, 10, 10) + "}", "{" + ROW.format(10, 20, 5) + "}"]
    out, _ = await call(kinesis, tmp_path, "-n", "1", "--json", "--emit", "changes")
    assert out.splitlines() == ['{"change":"insert",' + ROW.format(0, 10, 10) + "}"]


async def test_results_can_be_appended_to_a_file(kinesis, tmp_path):
    await put(kinesis, line(1), *END)
    for _ in range(2):
        out, _ = await call(kinesis, tmp_path, "-n", "1", "--output", "rows.jsonl")
        assert out == ""
    assert (tmp_path / "rows.jsonl").read_text() == 2 * ("{" + ROW.format(0, 10, 1) + "}\n")


async def test_results_can_be_objects_and_an_application_goes_on(kinesis, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    await put(kinesis, *[line(n) for n in range(25)], *END)
    for count in ("1", "2"):
        await call(kinesis, tmp_path, "-n", count, "--to-store", "results", "--application", "fleet")
    objects = sorted((tmp_path / "results" / "windows").iterdir())
    assert [json.loads(path.read_text())["n"] for path in objects] == [10, 10, 5]
    assert objects[0].name.startswith("window_2025-01-15T08-00-00Z_10s_")


async def test_results_can_be_records_of_another_stream(kinesis, tmp_path):
    await put(kinesis, line(1, "A"), line(2, "B"), line(3, "A"), *END)
    await kinesis.call("CreateStream", StreamName="results", ShardCount=1)
    await call(kinesis, tmp_path, "-n", "1", "--to-stream", "results")
    async with Consumer("results", endpoint_url=kinesis.endpoint_url) as consumer:
        rows = []
        async for record in consumer.records():
            rows.append(json.loads(record.data))
            if len(rows) == 2:
                break
    assert sorted((row["truck_id"], row["n"]) for row in rows) == [("A", 2), ("B", 1)]
    assert len({row["result_id"] for row in rows}) == 2


async def test_ctrl_c_ends_it_with_the_figures(kinesis, tmp_path):
    await put(kinesis, line(1), *END)
    process = start(*words(kinesis, "--json"), cwd=tmp_path)
    try:
        assert json.loads(await asyncio.to_thread(process.stdout.readline))["n"] == 1
        process.send_signal(2)
        _, err = await asyncio.to_thread(process.communicate, timeout=30)
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)
    assert (process.returncode, err.splitlines()[0][:31]) == (0, "9 records read, none late; 1 wi")


async def test_it_ends_when_nobody_reads_its_output(kinesis, tmp_path):
    await put(kinesis, line(1), *END)
    command = shlex.join([sys.executable, "-m", "truckstream", *words(kinesis, "--json")])
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", f"set -o pipefail; {command} | head -1"],
        cwd=tmp_path,
        env=environment_of(AWS),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


async def test_a_file_that_cannot_be_written_is_named(kinesis, tmp_path):
    (tmp_path / "folder").mkdir()
    status, _, err = await asyncio.to_thread(run, *words(kinesis, "--output", "folder"), cwd=tmp_path)
    problem = "output is 'folder', and cannot be written: Is a directory. Name another file."
    assert (status, err) == (2, f"truckstream: {problem}\n")


async def test_the_stream_that_is_missing_is_the_one_to_create(kinesis, tmp_path):
    status, _, err = await asyncio.to_thread(run, *words(kinesis, "--to-stream", "answers"), cwd=tmp_path)
    assert status == 1
    assert "aws kinesis create-stream --stream-name answers --shard-count 1" in err


@pytest.mark.parametrize(("package", "extra"), [("fsspec", None), ("duckdb", "sql"), ("arro3", "sql")])
def test_only_the_packages_of_its_extra_are_needed(package, extra, tmp_path):
    status, _, err = run_without(package, "sql", SQL, "--window", "10s", "--dry-run", cwd=tmp_path)
    if extra is None:
        assert (status, err) == (0, "")
    else:
        assert (status, f"pip install 'truckstream[{extra}]'" in err) == (2, True), err

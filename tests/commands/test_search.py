"""`truckstream search` finds records in OpenSearch or in a store, and explains what is wrong with a query."""

import asyncio
import csv
import io
import json
import signal

import pytest

from tests.batcher.support import record, truck
from tests.commands.support import error_of, run, run_without, start
from tests.search.fake_opensearch import Stalled, fake_opensearch
from truckstream.batcher import Batcher

STATES = ("NORMAL", "WARNING", "URGENT")


@pytest.fixture
async def stored(tmp_path):
    """A directory with nine reports, a second apart."""
    event = [
        record(truck(n, brake_temp=100.0 + n, health_status=STATES[n % 3]), n, arrival=1736951425.0 + n)
        for n in range(9)
    ]
    await Batcher((tmp_path / "out").as_uri(), add_stream_fields=True).process(event)
    return tmp_path


def find(stored, *arguments, **environment):
    return run("search", *arguments, "--store", "out", cwd=stored, **environment)


def test_a_table_begins_with_the_arrival_of_the_newest_record(stored):
    status, out, err = find(stored, "URGENT brake_temp:>103")
    assert (status, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split()[:3] == ["kinesis_arrival_time", "truck_id", "timestamp"]
    assert [(row.split()[1], row.split()[2]) for row in rows] == [
        ("14:30:33.000", "TRUCK_008"),
        ("14:30:30.000", "TRUCK_005"),
    ]


def test_rows_for_programs(stored):
    _, out, _ = find(stored, "-health_status:(NORMAL OR WARNING)", "--format", "csv")
    assert [row["truck_id"] for row in csv.DictReader(io.StringIO(out))] == ["TRUCK_008", "TRUCK_005", "TRUCK_002"]
    _, out, _ = find(stored, "URGENT", "--format", "json")
    assert [row["brake_temp"] for row in json.loads(out)] == [108.0, 105.0, 102.0]


def test_the_limit_is_named(stored):
    status, out, err = find(stored, "*", "-n", "2")
    assert (status, len(out.splitlines())) == (0, 3)
    assert err == "These are the newest 2; --limit shows more.\n"


@pytest.mark.parametrize(("format_", "expected"), [("table", ""), ("csv", ""), ("json", "[]\n")])
def test_nothing_found_is_no_error(stored, format_, expected):
    status, out, err = find(stored, "truck_id:nobody", "--format", format_)
    assert (status, out) == (0, expected)
    assert err == ("No record matches.\n" if format_ == "table" else "")


def test_the_time_limits_the_search(stored):
    _, out, _ = find(
        stored, "*", "--since", "2025-01-15T14:30:27", "--until", "2025-01-15T14:30:29", "--format", "json"
    )
    assert [row["truck_id"] for row in json.loads(out)] == ["TRUCK_003", "TRUCK_002"]


def test_a_wrong_query_names_the_place_and_the_field(stored):
    status, out, err = find(stored, "brake_tmp:>200")
    assert (status, out) == (2, "")
    rule = "there is no field brake_tmp. Did you mean brake_temp?"
    assert err == f"truckstream: query is 'brake_tmp:>200': at character 1: {rule}\n"


def test_without_an_engine_the_options_are_named(tmp_path, monkeypatch):
    for name in ("OPENSEARCH_URL", "STORE_URL", "BUCKET_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    error = error_of("search", "*", "--region", "us-east-1")
    assert "--opensearch URL, or --store" in str(error)


def test_an_empty_store_is_a_failure(tmp_path):
    (tmp_path / "out").mkdir()
    status, _, err = find(tmp_path, "*")
    assert (status, "no objects" in err) == (1, True)


async def test_opensearch_is_asked_by_flag_and_by_variable(tmp_path):
    async with fake_opensearch() as fake:
        place = {"kinesis_arrival_time": "2025-01-15 14:30:25.000"}
        fake.write([("truckstream-2025.01.15", "1", json.loads(truck(7)) | place)])
        for arguments, environment in (
            (("--opensearch", fake.url), {}),
            ((), {"OPENSEARCH_URL": fake.url}),
        ):
            status, out, err = await asyncio.to_thread(
                lambda a=arguments, e=environment: run("search", "TRUCK_007", "--format", "json", *a, cwd=tmp_path, **e)
            )
            assert (status, err) == (0, "")
            assert [row["truck_id"] for row in json.loads(out)] == ["TRUCK_007"]


async def test_the_store_is_asked_if_it_is_named(stored):
    found = await asyncio.to_thread(find, stored, "URGENT", "--format", "json", OPENSEARCH_URL="http://127.0.0.1:9")
    assert len(json.loads(found[1])) == 3


def test_an_opensearch_that_is_not_there_is_a_failure(tmp_path):
    status, out, err = run("search", "*", "--opensearch", "http://127.0.0.1:9", cwd=tmp_path)
    assert (status, out) == (1, "")
    assert "ConnectionError" in err
    assert "Traceback" not in err


async def test_ctrl_c_ends_a_search(tmp_path):
    stalled = Stalled()
    async with fake_opensearch() as fake:
        fake.search_faults.append(stalled)
        process = start("search", "*", "--opensearch", fake.url, cwd=tmp_path)
        await stalled.arrived.wait()
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.to_thread(process.communicate)
        stalled.go.set()
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("package", "where"),
    [
        ("duckdb", ("--store", ".")),
        ("fsspec", ("--store", ".")),
        ("opensearchpy", ("--opensearch", "http://127.0.0.1:9")),
    ],
)
def test_a_missing_package_is_named_with_the_extra_of_the_command(package, where, tmp_path):
    status, _, err = run_without(package, "search", "*", *where, cwd=tmp_path)
    assert (status, package in err, "search]'" in err) == (2, True, True), err

"""`truckstream compact` makes files, prints what it did, and exits with the status of its help."""

import json

import obstore.store
import pytest

from tests.batcher.support import contents
from tests.commands.support import error_of, run
from tests.data.compaction.support import fill
from truckstream.commands.output.results import exit_status


@pytest.fixture
async def store(tmp_path):
    (tmp_path / "store").mkdir()
    store = obstore.store.LocalStore(tmp_path / "store")
    await fill(store, hours=2)
    return store


@pytest.mark.usefixtures("store")
def test_it_makes_files(tmp_path):
    status, out, err = run("compact", "store", cwd=tmp_path)
    assert (status, err) == (0, "")
    assert "24 records of 8 objects are in 2 files." in out
    assert "2025-01-15 14:00        4       12" in out
    assert len([*tmp_path.glob("store/compacted/**/*.parquet")]) == 2
    status, out, _ = run("compact", "store", cwd=tmp_path)
    assert (status, out) == (0, "There is nothing to compact.\n")


@pytest.mark.usefixtures("store")
def test_a_dry_run_as_json(tmp_path):
    status, out, _ = run("compact", "store", "--dry-run", "--json", "--until", "2025-01-15T15:00", cwd=tmp_path)
    document = json.loads(out)
    assert status == 0
    assert document["clean"] is True
    [file] = document["files"]
    assert (file["hour"], file["outcome"], file["sources"]) == ("2025-01-15T14:00:00Z", "planned", 4)
    assert not (tmp_path / "store" / "compacted").exists()
    _, out, _ = run("compact", "store", "--dry-run", cwd=tmp_path)
    assert "2 files would be made of 8 objects. Nothing was written." in out


def test_a_broken_object_is_named(store, tmp_path):
    key = min(contents(store))
    store.put(key, b"oops\n")
    status, out, _ = run("compact", "store", "--since", "2025-01-15T14:00", cwd=tmp_path)
    assert status == 1
    assert f"In no file, because they cannot be read:\n  {key}: a record does not fit the schema" in out


def test_a_schema_of_ones_own(tmp_path):
    (tmp_path / "readings.py").write_text("import msgspec\nclass Reading(msgspec.Struct):\n    n: int\n")
    folder = tmp_path / "store" / "sensor_data"
    folder.mkdir(parents=True)
    (folder / "batch_2025-01-15T14-30-25_abcdefgh.json").write_text('{"n":2}\n{"n":1}\n')
    status, out, _ = run("compact", "store", "--schema", "readings:Reading", "--sort-by", "n", cwd=tmp_path)
    assert status == 0, out
    assert "2 records of 1 objects" in out


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["nowhere"], "store is 'nowhere', and there is no such directory"),
        (["store", "--since", "someday"], "since is 'someday'"),
        (
            ["store", "--schema", "nothing:Here"],
            "schema is 'nothing:Here', and ModuleNotFoundError: No module named 'nothing'",
        ),
        (["store", "--sort-by", "truck"], "sort_by is 'truck': must be a field of the schema"),
        (["store", "--originals", "tier"], "Only objects in S3 have tags"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, monkeypatch, options, problem):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    error = error_of("compact", *options)
    assert (exit_status(error), problem in str(error)) == (2, True), error


@pytest.mark.usefixtures("store")
def test_a_missing_package_is_named(tmp_path):
    (tmp_path / "hidden" / "duckdb").mkdir(parents=True)
    (tmp_path / "hidden" / "duckdb" / "__init__.py").write_text("raise ImportError('No module named duckdb')")
    status, _, err = run("compact", "store", cwd=tmp_path, PYTHONPATH=str(tmp_path / "hidden"))
    assert status == 2
    assert "pip install 'truckstream[compact]'" in err

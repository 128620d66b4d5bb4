"""Temporary files of killed PUTs are removed from a directory, and nothing else is."""

import os
import subprocess
import sys
import time

import duckdb
import obstore.store
import pytest

from tests.batcher.support import Small, numbers
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.directory.directory_store import ABANDONED_AFTER, TemporaryFiles

NOW = 1_700_000_000.0
KEY = "sensor_data/batch_2025-01-15T14-30-25_u5zsfrve.json"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "sensor_data"
    made.mkdir()
    return made


def leave(path, *, age):
    path.write_bytes(b'{"n"')
    os.utime(path, (NOW - age, NOW - age))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "name",
    [
        "batch_2025-01-15T14-30-25_u5zsfrve.json#1",
        "batch_2025-01-15T14-30-25_u5zsfrve.json.gz#12",
        "batch_2025-01-15T14-30-25_u5zsfrve22222222.parquet#2",
        "batch_2025-01-15T14-30-25_u5zsfrve.json.metadata#1",
    ],
)
def test_a_file_that_is_unchanged_for_an_hour_is_removed(tmp_path, folder, name):
    leave(folder / name, age=ABANDONED_AFTER)
    TemporaryFiles(tmp_path).remove_abandoned(KEY, NOW)
    assert names(folder) == []


@pytest.mark.parametrize(
    "name",
    [
        "batch_2025-01-15T14-30-25_u5zsfrve.json",
        "batch_2025-01-15T14-30-25_u5zsfrve.json#1#",
        "batch_2025-01-15T14-30-25_u5zsfrve.json#a",
        "notes.json#1",
        "batch_.json#1",
        "x batch_2025-01-15T14-30-25_u5zsfrve.json#1",
    ],
)
def test_a_file_of_another_name_stays(tmp_path, folder, name):
    leave(folder / name, age=1e6)
    TemporaryFiles(tmp_path).remove_abandoned(KEY, NOW)
    assert names(folder) == [name]


def test_a_file_of_another_folder_and_a_link_stay(tmp_path, folder):
    elsewhere = leave(tmp_path / "batch_2025-01-15T14-30-25_u5zsfrve.json#1", age=1e6)
    (folder / elsewhere.name).symlink_to(elsewhere)
    TemporaryFiles(tmp_path).remove_abandoned(KEY, NOW)
    assert names(folder) == [elsewhere.name]
    assert elsewhere.exists()


def test_a_younger_file_is_removed_before_a_later_put(tmp_path, folder):
    files = TemporaryFiles(tmp_path)
    leave(folder / "batch_2025-01-15T14-30-25_u5zsfrve.json#1", age=60.0)
    files.remove_abandoned(KEY, NOW)
    files.remove_abandoned("rejected/other.json", NOW + ABANDONED_AFTER - 60.1)
    assert len(names(folder)) == 1
    files.remove_abandoned("rejected/other.json", NOW + ABANDONED_AFTER - 60.0)
    assert names(folder) == []


def test_a_file_that_grows_stays(tmp_path, folder):
    """Another process is still writing it."""
    files = TemporaryFiles(tmp_path)
    path = leave(folder / "batch_2025-01-15T14-30-25_u5zsfrve.json#1", age=60.0)
    files.remove_abandoned(KEY, NOW)
    os.utime(path, (NOW + 100, NOW + 100))
    files.remove_abandoned(KEY, NOW + ABANDONED_AFTER)
    assert path.exists()


def test_a_folder_that_does_not_exist_is_no_error(tmp_path):
    TemporaryFiles(tmp_path).remove_abandoned(KEY, NOW)
    TemporaryFiles(tmp_path / "nothing").remove_abandoned(KEY, NOW)


WRITER = """
import obstore.store, sys
store = obstore.store.LocalStore(sys.argv[1])
print("ready", flush=True)
body = bytes(100_000_000)
while True:
    store.put(sys.argv[2], body, mode="overwrite")
"""


def leave_by_a_killed_process(root):
    """Kill a process that writes an object, until it leaves a temporary file. Return the file's name."""
    for _ in range(100):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root), KEY], stdout=subprocess.PIPE)
        writer.stdout.readline()
        until = time.monotonic() + 10
        while time.monotonic() < until and not list(root.rglob("*#*")):
            pass
        writer.kill()
        writer.wait()
        writer.stdout.close()
        if left := list(root.rglob("*#*")):
            return left[0]
    raise AssertionError("no file was left")


@pytest.mark.parametrize("own", [False, True], ids=["by URL", "of obstore"])
async def test_what_a_killed_process_has_left_is_removed_by_the_next_one(tmp_path, own):
    (tmp_path / "sensor_data").mkdir()
    left = leave_by_a_killed_process(tmp_path)
    (tmp_path / KEY).unlink(missing_ok=True)
    os.utime(left, (0, 0))
    assert [meta for page in obstore.store.LocalStore(tmp_path).list() for meta in page] == []
    store = obstore.store.LocalStore(tmp_path) if own else tmp_path.as_uri()
    result = await Batcher(store, schema=Small).process(numbers(3))
    assert not left.exists()
    assert [f"sensor_data/{name}" for name in names(tmp_path / "sensor_data")] == [result.objects[0].key]


async def test_readers_leave_temporary_files_out(tmp_path, folder):
    result = await Batcher(tmp_path.as_uri(), schema=Small).process(numbers(3))
    leave(tmp_path / f"{result.objects[0].key}#1", age=0)
    assert duckdb.sql(f"SELECT n FROM read_ndjson('{folder}/*.json')").fetchall() == [(0,), (1,), (2,)]


async def test_a_relative_directory_stays_the_same_when_the_process_changes_its_own(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path.parent)
    batcher = Batcher(obstore.store.LocalStore(tmp_path.name), schema=Small)
    monkeypatch.chdir("/")
    leave(folder / "batch_2025-01-15T14-30-25_u5zsfrve.json#1", age=0.0)  # in 2023
    await batcher.process(numbers(3))
    assert len(names(folder)) == 1
    assert "#" not in names(folder)[0]

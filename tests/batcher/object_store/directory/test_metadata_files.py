"""A directory keeps the metadata of its objects, as S3 does, and objects without any go on working."""

import hashlib
import json
import os
import shutil
import threading

import duckdb
import obstore.store
import pytest

from tests.batcher.support import Small, number, numbers, small
from truckstream.batcher import Batcher
from truckstream.batcher.object_store.directory.metadata_files import MetadataFiles
from truckstream.batcher.object_store.open_store import open_store

KEY = "sensor_data/batch_2025-01-15T14-30-25_u5zsfrve.json"


async def look(folder, key):
    found = await open_store(folder.as_uri(), prefix="sensor_data").look(key)
    return found.metadata


def batcher(folder, **options):
    return Batcher(folder.as_uri(), schema=Small, **options)


@pytest.mark.parametrize("own", [False, True], ids=["by URL", "of obstore"])
async def test_a_directory_keeps_what_s3_keeps(tmp_path, own):
    in_memory = obstore.store.MemoryStore()
    store = obstore.store.LocalStore(tmp_path) if own else tmp_path.as_uri()
    event = [small(0), small(1, good=False)]
    expected = await Batcher(in_memory, schema=Small, layout="hive").process(event)
    await Batcher(store, schema=Small, layout="hive").process(event)
    for receipt in (*expected.objects, *expected.rejected_objects):
        kept = {str(name): value for name, value in in_memory.get(receipt.key).attributes.items()}
        assert await look(tmp_path, receipt.key) == kept
        assert kept["records"] == "2"


async def test_a_longer_delivery_goes_on_after_an_object_in_a_directory(tmp_path):
    """The metadata shows that the group covers the rejected record at its end, whose line is in the other object."""
    await batcher(tmp_path, batch_size=4).process([*numbers(2), small(2, good=False)])
    result = await batcher(tmp_path, batch_size=4).process([*numbers(2), small(2, good=False), *numbers(3, 3)])
    assert [(each.records, each.outcome) for each in result.objects] == [(2, "adopted"), (3, "created")]
    assert [each.outcome for each in result.rejected_objects] == ["already there"]


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"format": "parquet"}])
async def test_a_redelivery_completes_the_metadata_of_an_object_that_has_none(tmp_path, options):
    """A process was killed between the object and its metadata, or the batcher was of an earlier version."""
    event = [small(0), small(1, good=False), small(2)]
    first = await batcher(tmp_path, **options).process(event)
    keys = [each.key for each in (*first.objects, *first.rejected_objects)]
    before = [await look(tmp_path, key) for key in keys]
    shutil.rmtree(tmp_path / ".truckstream")
    assert await look(tmp_path, keys[0]) == {}
    again = await batcher(tmp_path, **options).process(event)
    assert {each.outcome for each in (*again.objects, *again.rejected_objects)} == {"already there"}
    assert [await look(tmp_path, key) for key in keys] == before


async def test_the_completed_proof_is_that_of_the_stored_bytes(tmp_path):
    """Another version of zlib may have written other bytes for the same lines."""
    import gzip  # noqa: PLC0415

    first = await batcher(tmp_path, compression="gzip").process(numbers(3))
    path = tmp_path / first.objects[0].key
    other = gzip.compress(gzip.decompress(path.read_bytes()), 1, mtime=7)
    assert other != path.read_bytes()
    path.write_bytes(other)
    shutil.rmtree(tmp_path / ".truckstream")
    await batcher(tmp_path, compression="gzip").process(numbers(3))
    assert (await look(tmp_path, first.objects[0].key))["sha256"] == hashlib.sha256(other).hexdigest()


async def test_a_longer_redelivery_completes_it_for_the_records_that_it_adopts(tmp_path):
    first = await batcher(tmp_path).process([*numbers(3), small(3, good=False)])
    shutil.rmtree(tmp_path / ".truckstream")
    again = await batcher(tmp_path).process([*numbers(3), small(3, good=False), *numbers(2, 4)])
    assert [each.outcome for each in again.objects] == ["adopted", "created"]
    adopted = [await look(tmp_path, each.key) for each in (*first.objects, *first.rejected_objects)]
    assert [(each["records"], each["lines"]) for each in adopted] == [("4", "3"), ("4", "1")]
    created = await look(tmp_path, again.objects[1].key)
    assert (created["records"], created["previous-sequence-number"]) == ("2", number(3))


async def test_an_object_that_goes_on_after_the_event_stays_without_metadata(tmp_path):
    """The event does not show where its group ends."""
    first = await batcher(tmp_path).process(numbers(5))
    shutil.rmtree(tmp_path / ".truckstream")
    await batcher(tmp_path).process(numbers(3))
    assert await look(tmp_path, first.objects[0].key) == {}


async def test_metadata_that_cannot_be_completed_fails_nothing(tmp_path):
    await batcher(tmp_path).process(numbers(3))
    shutil.rmtree(tmp_path / ".truckstream")
    (tmp_path / ".truckstream").write_text("in the way")
    result = await batcher(tmp_path).process(numbers(3))
    assert (result.stored, [each.outcome for each in result.objects]) == (3, ["already there"])


async def test_a_group_whose_metadata_cannot_be_written_is_delivered_again(tmp_path):
    (tmp_path / ".truckstream").write_text("in the way")
    assert (await batcher(tmp_path).process(numbers(3))).not_stored == 3
    (tmp_path / ".truckstream").unlink()
    result = await batcher(tmp_path).process(numbers(3))
    assert [each.outcome for each in result.objects] == ["already there"]
    assert (await look(tmp_path, result.objects[0].key))["records"] == "3"


async def test_readers_of_the_records_do_not_find_it(tmp_path):
    await batcher(tmp_path).process(numbers(3))
    rows = duckdb.sql(f"SELECT n FROM read_ndjson('{tmp_path}/**/*.json')").fetchall()
    assert rows == [(0,), (1,), (2,)]
    assert len([*tmp_path.rglob("*.json")]) == 1


def test_only_the_first_writer_counts(tmp_path):
    files = MetadataFiles(tmp_path)
    writers = [threading.Thread(target=files.write, args=(KEY, {"n": str(n)})) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    winner = files.read(KEY)
    files.write(KEY, {"n": "late"})
    assert files.read(KEY) == winner
    assert winner["n"] in {str(n) for n in range(8)}
    assert [path.name for path in (tmp_path / ".truckstream/metadata/sensor_data").iterdir()] == [
        "batch_2025-01-15T14-30-25_u5zsfrve.json.metadata"
    ]


async def test_the_unfinished_file_of_a_killed_process_is_removed(tmp_path):
    left = tmp_path / ".truckstream/metadata/sensor_data/batch_2025-01-15T14-30-25_u5zsfrve.json.metadata#1"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"{")
    os.utime(left, (0, 0))
    await batcher(tmp_path).process(numbers(3))
    assert not left.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"n":1}', b"\xff"])
def test_a_file_that_holds_no_metadata_counts_as_none(tmp_path, content):
    path = tmp_path / ".truckstream/metadata" / f"{KEY}.metadata"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert MetadataFiles(tmp_path).read(KEY) == {}


def test_it_is_json_for_people(tmp_path):
    MetadataFiles(tmp_path).write(KEY, {"records": "3"})
    path = tmp_path / ".truckstream/metadata" / f"{KEY}.metadata"
    assert json.loads(path.read_text()) == {"records": "3"}

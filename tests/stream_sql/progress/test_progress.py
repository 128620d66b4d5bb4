"""The progress of a query is kept as one item, which one process at a time may write."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from truckstream.consumer.leases.lease import SHARD_END, TRIM_HORIZON, Checkpoint, Lease
from truckstream.consumer.tables import DynamoDbTable, MemoryTable, SqliteTable
from truckstream.errors import ConfigurationError, InvalidArgumentError, UsageError
from truckstream.stream_sql.progress.progress_store import ProgressStore
from truckstream.stream_sql.progress.query_progress import QueryProgress
from truckstream.stream_sql.progress.resuming_table import ResumingTable
from truckstream.stream_sql.progress.saved_progress import Progress

PROGRESS = Progress(
    query="12ab",
    start=datetime(2026, 11, 29, 8, tzinfo=UTC),
    closed_before=1_795_939_200_000_000,
    resume={"shard-1": ("17", 3), "shard-0": (SHARD_END, 0)},
    read={"shard-1": ("20", 0)},
)


def test_progress_becomes_bytes_and_back():
    again = Progress.decode(PROGRESS.encode())
    assert again == PROGRESS
    assert again.resume_positions == {"shard-1": Checkpoint("17", 3), "shard-0": Checkpoint(SHARD_END)}
    assert again.read_positions == {"shard-1": Checkpoint("20")}


def test_the_progress_of_many_shards_fits_into_an_item():
    shards = {f"shardId-{n:012}": (str(n * 7919**12)[:56], n) for n in range(1000)}
    assert len(Progress(query="12ab", resume=shards, read=shards).encode()) < 100_000


@pytest.mark.parametrize("data", [b"", b"nothing", Progress(version=2, query="12ab").encode()])
def test_the_progress_of_another_version_is_refused(data):
    with pytest.raises(ConfigurationError, match="application has progress in another format"):
        Progress.decode(data)


@pytest.fixture(params=["memory", "file", "dynamodb"])
async def table(request, tmp_path):
    """A new table of each kind; several stores of one test share it."""
    if request.param == "dynamodb":
        request.getfixturevalue("fake_credentials")
        endpoint = request.getfixturevalue("moto_url")
        table = DynamoDbTable(f"sql-{uuid4()}", region_name="us-east-1", endpoint_url=endpoint)
    else:
        table = MemoryTable() if request.param == "memory" else SqliteTable(tmp_path / "leases.sqlite")
    yield table
    await table.close()


def store(table, worker, stream="arn:1"):
    return ProgressStore(table, "app", stream, worker)


async def test_the_next_process_finds_the_progress(table):
    first, second = store(table, "a"), store(table, "b")
    assert await first.open() is None
    await first.save(PROGRESS)
    assert await second.open() == PROGRESS


async def test_a_process_that_was_replaced_can_save_no_more(table):
    first, second = store(table, "a"), store(table, "b")
    await first.open()
    await second.open()
    await second.save(PROGRESS)
    with pytest.raises(UsageError, match="another process runs the application app now"):
        await first.save(PROGRESS)
    await second.save(PROGRESS)


async def test_a_new_stream_of_the_same_name_begins_anew(table):
    first = store(table, "a")
    await first.open()
    await first.save(PROGRESS)
    assert await store(table, "b", "arn:2").open() is None


async def test_two_processes_that_begin_at_the_same_moment_do_not_both_run():
    class Slow(MemoryTable):
        async def read(self):
            return []

    table = Slow()
    await store(table, "a").open()
    with pytest.raises(UsageError, match="another process"):
        await store(table, "b").open()


def lease(shard, *parents, checkpoint=TRIM_HORIZON):
    return Lease(key=f"stream:{shard}", shard_id=shard, checkpoint=Checkpoint(checkpoint), parent_ids=parents)


async def test_shards_begin_behind_their_saved_positions():
    table = ResumingTable({"shard-1": Checkpoint("17", 3), "shard-0": Checkpoint(SHARD_END)})
    for shard in ("shard-0", "shard-1", "shard-2"):
        await table.create(lease(shard))
    assert {each.shard_id: each.checkpoint for each in await table.read()} == {
        "shard-0": Checkpoint(SHARD_END),
        "shard-1": Checkpoint("17", 3),
        "shard-2": Checkpoint(TRIM_HORIZON),
    }


async def test_the_table_knows_which_shards_follow_each_other():
    table = ResumingTable({})
    for each in (lease("a"), lease("b"), lease("c", "a"), lease("d", "a"), lease("e", "b", "d")):
        await table.create(each)
    assert table.parents_of("e") == ("b", "d")
    assert table.children_of("a") == {"c", "d"}
    assert table.children_of("b") == {"e"}
    assert table.has("c")
    assert not table.has("x")


def test_a_table_without_an_application_is_refused():
    with pytest.raises(InvalidArgumentError, match="is for an application"):
        QueryProgress("stream", None, MemoryTable(), {})

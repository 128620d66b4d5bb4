"""A replay with filters, broken lines, deleted objects, failing repairs, and in several runs at once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import obstore.store
import pytest

from tests.batcher.support import ARRIVAL, SHARD, aggregate, contents, envelope, record, sealed
from tests.data.replay.support import Lenient, Strict, bad, fix, good, reject, stored
from truckstream.batcher import Batcher
from truckstream.data.replay import replay
from truckstream.errors import ConfigurationError, InvalidArgumentError, StoreError

HOUR = 3_600
BEGIN = datetime.fromtimestamp(ARRIVAL, UTC)
OTHER_SHARD = "shardId-000000000001"


@pytest.fixture
def store():
    return obstore.store.MemoryStore()


async def run(store, **options):
    return await replay(store, **({"schema": Strict, "repair": fix} | options))


async def test_filters(store):
    await reject(store, [bad(0), record(b'{"m": 1}', 1)])
    await reject(store, [bad(2, shard=OTHER_SHARD)])
    await reject(store, [bad(3, arrival=ARRIVAL + HOUR)])
    (key,) = [each for each in contents(store, "rejected") if "T15" in each]
    assert (await run(store, reasons=["unknown_field"], dry_run=True)).refused == {"repair_failed": 1}
    assert (await run(store, reasons=["wrong_type"], dry_run=True)).replayed == 3
    assert (await run(store, shards=[OTHER_SHARD], dry_run=True)).replayed == 1
    assert (await run(store, since=BEGIN + timedelta(minutes=1), dry_run=True)).replayed == 1
    assert (await run(store, until=BEGIN + timedelta(minutes=1), dry_run=True)).replayed == 2
    assert (await run(store, objects=[key])).replayed == 1
    assert stored(store) == Counter([3])


async def test_a_foreign_key_is_refused(store):
    with pytest.raises(InvalidArgumentError, match=r"object is 'notes.json': must be the key"):
        await run(store, objects=["notes.json"])


async def test_a_time_needs_a_time_zone(store):
    with pytest.raises(InvalidArgumentError, match="must have a time zone"):
        await run(store, until=datetime(2025, 1, 15))  # noqa: DTZ001 - the point of the test


async def test_broken_lines_and_objects_stop_nothing(store):
    await reject(store, [bad(n) for n in range(3)], compression="gzip")
    await reject(store, [bad(n) for n in range(3, 6)])
    packed, plain = sorted(contents(store, "rejected"), key=lambda key: not key.endswith(".gz"))
    store.put(packed, b"no gzip")
    store.put(plain, contents(store)[plain].replace(b'"stream"', b'"river"', 1) + b"{")
    report = await run(store)
    assert (report.replayed, report.refused) == (2, {"broken_line": 3})
    assert sorted({each.key for each in report.examples}) == sorted([packed, plain])
    assert stored(store) == Counter([4, 5])


async def test_a_source_that_is_deleted_in_mid_run_is_left_out(store):
    for n in range(20):
        await reject(store, [bad(n, arrival=ARRIVAL + n)])
    keys = sorted(contents(store, "rejected"))

    def on_progress(_):
        if keys[-1] in contents(store):
            store.delete(keys[-1])

    report = await run(store, on_progress=on_progress)
    assert (report.replayed, report.ok) == (19, True)


async def test_a_source_that_is_deleted_after_its_intent_is_replayed_by_the_next_run(store):
    await reject(store, [bad(n) for n in range(5)])
    original_put = store.put

    class FailsToStore:
        def __getattr__(self, name):
            return getattr(store, name)

        def put(self, path, file, **options):
            if path.startswith("sensor_data/"):
                raise OSError("the disk is full")
            return original_put(path, file, **options)

    failing = FailsToStore()
    with pytest.raises(StoreError, match="the disk is full"):
        await run(failing, batcher=Batcher(failing, schema=Strict))
    for key in contents(store, "rejected"):
        store.delete(key)
    report = await run(store, repair=None)
    assert (report.replayed, report.ok) == (5, True)
    assert stored(store) == Counter(range(5))


async def test_a_repair_that_fails_is_reported_and_stops_nothing(store):
    await reject(store, [bad(n) for n in range(5)])

    def repair(rejected):
        n = int(json.loads(rejected.data)["n"])
        return {0: None, 1: "text", 2: b"?"}.get(n) if n < 3 else fix(rejected) if n == 3 else 1 / 0

    report = await run(store, repair=repair)
    assert (report.replayed, report.refused) == (1, {"wrong_type": 1, "repair_failed": 2, "malformed_json": 1})
    details = {each.detail for each in report.examples}
    assert "it returned str, and must return bytes, or None to leave it refused" in details
    assert "ZeroDivisionError: division by zero" in details


@pytest.mark.parametrize(
    ("pack", "broken", "reason"),
    [(aggregate, sealed(b"\xff"), "broken_aggregate"), (envelope, envelope(b"x")[:-1], "broken_envelope")],
)
async def test_an_aggregate_is_not_replayed_as_a_record(store, pack, broken, reason):
    await reject(store, [bad(0), bad(1)])
    report = await run(store, schema=None, repair=lambda each: pack(each.data, each.data))
    assert report.refused == {"aggregate": 2}
    report = await run(store, schema=None, repair=lambda _: broken)
    assert report.refused == {reason: 2}
    assert contents(store, "sensor_data") == {}


async def test_data_that_was_not_base64_needs_a_repair(store):
    await reject(store, [record(b"", 0, encoded="***")])
    assert (await run(store, schema=None, repair=None)).refused == {"not_base64": 1}
    assert (await run(store, schema=None, repair=lambda each: each.undecoded.encode())).replayed == 1


async def test_records_without_a_number_of_their_own_are_told_apart(store):
    """They have the number of the record before."""
    await reject(store, [good(0), *(bad(n, sequence="?") for n in range(1, 4))])
    assert {
        json.loads(line)["reason"] for body in contents(store, "rejected").values() for line in body.splitlines()
    } == {"no_sequence_number"}
    assert (await run(store)).replayed == 3
    assert stored(store) == Counter(range(4))
    assert (await run(store)).already_replayed == 3


async def test_equal_records_with_one_number_are_all_replayed(store):
    """A stream that repeats numbers."""
    await reject(store, [bad(7), bad(7)])
    assert (await run(store)).replayed == 2
    assert stored(store) == Counter({7: 2})


async def test_a_record_in_two_rejected_objects_is_replayed_once(store):
    """Deliveries that began at other records have rejected it twice."""
    await reject(store, [bad(0), bad(1), bad(2)])
    await reject(store, [bad(1), bad(2)])
    assert len(contents(store, "rejected")) == 2
    report = await run(store)
    assert (report.replayed, report.already_replayed) == (3, 2)
    assert stored(store) == Counter(range(3))


async def test_runs_at_the_same_time_replay_each_record_once(store):
    for start in range(0, 40, 4):
        await reject(store, [bad(n, arrival=ARRIVAL + n * HOUR / 8) for n in range(start, start + 4)])
    reports = await asyncio.gather(
        *(run(store, batcher=Batcher(store, schema=Strict, batch_size=n)) for n in (3, 4, 5))
    )
    assert stored(store) == Counter(range(40))
    assert sum(each.replayed for each in reports) <= 40 + 3 * 5  # an intent may be finished by two runs
    assert (await run(store)).ok


async def test_a_run_can_be_stopped_and_continued(store):
    for n in range(0, 10, 2):
        await reject(store, [bad(n), bad(n + 1)])
    stop = asyncio.Event()
    report = await run(store, stop=stop, on_progress=lambda _: stop.set())
    assert (report.replayed, report.stopped, report.ok) == (2, True, False)
    assert (await run(store)).replayed == 8
    assert stored(store) == Counter(range(10))


@pytest.mark.parametrize(
    "options", [{"format": "parquet"}, {"compression": "gzip"}, {"layout": "hive"}, {"prefix": "x"}]
)
async def test_a_run_that_was_interrupted_must_be_finished_with_its_options(store, options):
    await reject(store, [bad(n) for n in range(3)])

    class FailsToStore:
        def __getattr__(self, name):
            return getattr(store, name)

        def put(self, path, file, **more):
            if path.startswith("sensor_data/"):
                raise OSError("the disk is full")
            return store.put(path, file, **more)

    failing = FailsToStore()
    with pytest.raises(StoreError):
        await run(failing, batcher=Batcher(failing, schema=Strict))
    with pytest.raises(ConfigurationError, match="Run once with the format, compression, layout, prefix and schema"):
        await run(store, batcher=Batcher(store, schema=Strict, **options))
    assert (await run(store)).replayed == 3
    assert (await run(store, batcher=Batcher(store, schema=Strict, **options))).already_replayed == 3


async def test_a_run_whose_object_is_there_is_finished_with_any_options(store):
    await reject(store, [bad(n) for n in range(3)])
    await run(store)
    (done,) = [key for key in contents(store, "replayed") if ".done" in key]
    store.delete(done)
    before = contents(store)
    report = await run(store, batcher=Batcher(store, schema=Lenient, compression="gzip"))
    assert (report.replayed, contents(store).keys() - before.keys()) == (3, {done})


@pytest.mark.parametrize(
    "options", [{"format": "parquet"}, {"compression": "zstd", "layout": "hive"}, {"format": "json"}]
)
async def test_other_formats_and_layouts(store, options):
    await reject(store, [bad(n) if n % 2 else good(n) for n in range(20)], **options)
    batcher = Batcher(store, schema=Strict, **options)
    assert (await run(store, batcher=batcher)).replayed == 10
    before = contents(store)
    assert (await run(store, batcher=batcher)).already_replayed == 10
    assert contents(store) == before


async def test_either_a_batcher_or_a_stream(store):
    with pytest.raises(InvalidArgumentError, match="pass either a batcher"):
        await run(store, batcher=Batcher(store), stream="trucks")


async def test_a_summary_states_everything(store):
    await reject(store, [bad(0), record(b"?", 1)])
    report = await run(store, repair=lambda each: fix(each) if each.reason == "wrong_type" else None)
    assert report.summary().splitlines() == [
        "Replayed: 1",
        "Already replayed: 0",
        "Still refused: 1",
        f"  malformed_json: 1, such as {report.examples[0].detail} ({next(iter(contents(store, 'rejected')))})",
        "Unknown: 0",
        "The originals stay in rejected/ (1 read).",
    ]
    assert SHARD not in report.summary()

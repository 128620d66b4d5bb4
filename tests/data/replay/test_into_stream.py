"""Rejected records are replayed into a stream, each once, also if requests have no response."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress

import obstore.store
import pytest

from tests.batcher.support import ARRIVAL, aggregate, contents, record
from tests.data.replay.dying import DyingStore, Killed
from tests.data.replay.support import Lenient, Strict, bad, fix, good, reject
from truckstream.data.replay import replay
from truckstream.data.replay.journal.entries import EntryName, Intent, Item
from truckstream.data.replay.targets.single_attempt_client import MAY_BE_STORED, SingleAttemptClient
from truckstream.data.replay.targets.stream_target import StreamTarget
from truckstream.errors import ServiceError, StreamNotFoundError
from truckstream.kinesis.responses import RecordResponse
from truckstream.local import Fault, LocalKinesis


@pytest.fixture
async def kinesis(monkeypatch):
    async with LocalKinesis("trucks", shards=3, quotas=False) as local:
        for name, value in local.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield local


@pytest.fixture
def nothing_is_under_way(monkeypatch):
    """No put of an interrupted run can arrive any more, so that the next run need not wait."""
    monkeypatch.setattr(StreamTarget, "settled_at", lambda _, intent: intent.at)


async def put(store, **options):
    return await replay(store, stream="trucks", **({"schema": Strict, "repair": fix, "put_timeout": 5.0} | options))


async def in_stream(kinesis):
    """How often each record is in the stream."""
    return Counter([json.loads(each.data)["n"] async for each in kinesis.stored()])


@pytest.fixture
async def store():
    store = obstore.store.MemoryStore()
    for start in range(0, 30, 10):
        await reject(store, [bad(n) for n in range(start, start + 10)])
    return store


async def test_repaired_records_are_put_with_their_keys(kinesis, store):
    report = await put(store)
    assert (report.replayed, report.target, report.ok) == (30, kinesis.stream_arn, True)
    found = [each async for each in kinesis.stored()]
    assert sorted((each.partition_key, each.data) for each in found) == [
        (f"TRUCK_{n:03}", b'{"n": %d}' % n) for n in range(30)
    ]


async def test_a_second_run_changes_nothing(kinesis, store):
    await put(store)
    before = contents(store)
    report = await put(store)
    assert (report.replayed, report.already_replayed, report.ok) == (0, 30, True)
    assert await in_stream(kinesis) == Counter(range(30))
    assert contents(store) == before


@pytest.mark.parametrize("milliseconds", [0, 1, 400])
async def test_records_of_a_key_keep_their_order(kinesis, monkeypatch, milliseconds):
    """Also in objects that begin in the same second, of which there are more than are read at once."""
    monkeypatch.setattr(StreamTarget, "chunk_records", 5)
    store = obstore.store.MemoryStore()
    for start in (40, 0, 20):  # not in the order of their arrival
        records = [bad(n, arrival=ARRIVAL + n * milliseconds / 1_000) for n in range(start, start + 20)]
        for each in records:
            each["kinesis"]["partitionKey"] = "one key"
        await reject(store, records, batch_size=3)
    await kinesis.inject(Fault("throttle", rate=0.3, count=20))
    await put(store)
    assert [json.loads(each.data)["n"] async for each in kinesis.stored()] == list(range(60))


async def test_an_explicit_hash_key_from_an_aggregate_is_kept(kinesis):
    store = obstore.store.MemoryStore()
    users = [(b'{"n": "%d"}' % n, f"key {n}", str(2**128 - 1 - n)) for n in range(5)]
    await reject(store, [record(aggregate(*users), 0)])
    report = await put(store)
    assert report.replayed == 5
    found = [each async for each in kinesis.stored()]
    assert {each.shard_id for each in found} == {"shardId-000000000002"}
    assert [each.partition_key for each in found] == [f"key {n}" for n in range(5)]


@pytest.mark.parametrize(
    "kind", ["error-after", "error-before", "reset-after", "internal-failure", "internal-failure-after"]
)
@pytest.mark.usefixtures("nothing_is_under_way")
async def test_a_put_without_a_response_is_looked_up_in_the_stream(kinesis, store, kind):
    operations = () if kind.startswith("internal") else ("PutRecords",)
    await kinesis.inject(Fault(kind, count=2, operations=operations))
    report = await put(store)
    assert await in_stream(kinesis) == Counter(range(30))
    assert (report.replayed + report.already_replayed, report.unknown, report.ok) == (30, 0, True)


async def test_throttled_records_are_put_again(kinesis, store):
    await kinesis.inject(Fault("throttle", rate=0.5, count=30))
    assert (await put(store)).ok
    assert await in_stream(kinesis) == Counter(range(30))


@pytest.mark.usefixtures("nothing_is_under_way")
async def test_equal_records_are_told_apart(kinesis):
    """The bytes of a record are no identity: a truck may report the same thing twice."""
    store = obstore.store.MemoryStore()
    same = [record(b'{"n": "7"}', n) for n in range(6)]
    for each in same:
        each["kinesis"]["partitionKey"] = "one truck"
    await reject(store, same)
    await kinesis.inject(Fault("internal-failure-after", count=1), Fault("internal-failure", count=2))
    assert (await put(store)).ok
    assert await in_stream(kinesis) == Counter({7: 6})


@pytest.mark.usefixtures("nothing_is_under_way")
async def test_the_rejected_record_itself_is_not_taken_for_the_replayed_one(kinesis):
    """After a change of the schema, the rejected record has the same key and bytes, and has just arrived."""
    await kinesis.call("PutRecord", StreamName="trucks", Data=b'{"n": "1"}', PartitionKey="TRUCK_000")
    (original,) = [each async for each in kinesis.stored()]
    event = record(b'{"n": "1"}', 0, sequence=original.sequence_number, arrival=original.arrival)
    store = obstore.store.MemoryStore()
    await reject(store, [event])
    await kinesis.inject(Fault("error-before", count=1, operations=("PutRecords",)))
    report = await put(store, schema=Lenient, repair=None)
    assert (report.replayed, report.ok) == (1, True)
    assert await in_stream(kinesis) == Counter({"1": 2})


@pytest.mark.usefixtures("nothing_is_under_way")
@pytest.mark.parametrize("kind", ["error-before", "error-after"])
async def test_a_record_that_an_earlier_run_has_put_is_not_taken_for_an_equal_one(kinesis, kind):
    store = obstore.store.MemoryStore()
    for n in range(2):  # rejected one after the other, and equal
        same = record(b'{"n": "7"}', n)
        same["kinesis"]["partitionKey"] = "one truck"
        await reject(store, [same])
        if n:
            await kinesis.inject(Fault(kind, count=1, operations=("PutRecords",)))
        assert (await put(store)).ok
        assert await in_stream(kinesis) == Counter({7: n + 1})


async def test_unknown_records_are_reported_and_put_again_only_if_asked(kinesis, store, monkeypatch):
    monkeypatch.setattr(StreamTarget, "settled_at", lambda _, intent: intent.at)
    monkeypatch.setattr(StreamTarget, "still_holds", lambda *_: False)
    await kinesis.inject(Fault("error-before", count=1, operations=("PutRecords",)))
    report = await put(store)
    assert (report.replayed, report.unknown, report.ok) == (0, 30, False)
    assert "--resend-unknown" in report.hints[0]
    report = await put(store)
    assert (report.replayed, report.unknown) == (0, 30)
    assert await in_stream(kinesis) == Counter()
    report = await put(store, resend_unknown=True)
    assert (report.replayed, report.unknown, report.ok) == (30, 0, True)
    assert await in_stream(kinesis) == Counter(range(30))


@pytest.mark.usefixtures("nothing_is_under_way")
async def test_a_stream_that_may_not_be_read_leaves_records_unknown(kinesis, store):
    await kinesis.inject(
        Fault("error-before", count=1, operations=("PutRecords",)),
        Fault("access-denied", operations=("GetShardIterator",)),
    )
    report = await put(store)
    assert report.unknown == 30
    assert any("AccessDenied" in hint for hint in report.hints)
    await kinesis.clear_faults()
    assert (await put(store)).ok
    assert await in_stream(kinesis) == Counter(range(30))


async def test_a_stream_that_takes_no_records_ends_the_run(kinesis, store):
    await kinesis.inject(Fault("access-denied", operations=("PutRecords",)))
    with pytest.raises(ServiceError, match="AccessDenied"):
        await put(store)
    await kinesis.clear_faults()
    assert (await put(store)).replayed == 30
    assert await in_stream(kinesis) == Counter(range(30))


@pytest.mark.usefixtures("kinesis")
async def test_a_stream_must_exist(store):
    with pytest.raises(StreamNotFoundError):
        await replay(store, stream="nothing", schema=Strict)


class DyingClient(SingleAttemptClient):
    """Its process dies at a put, of which the service has stored some records, all or none."""

    store: DyingStore
    puts_left = 10_000
    chance = random.Random()

    async def put_records(self, records):
        cls = type(self)
        cls.puts_left -= 1
        if cls.puts_left > 0:
            return await super().put_records(records)
        if some := records[: cls.chance.randrange(len(records) + 1)]:
            await super().put_records(some)
        cls.store.die()
        return [RecordResponse("shardId-000000000000", MAY_BE_STORED)] * len(records)


@pytest.mark.usefixtures("nothing_is_under_way")
async def test_an_interrupted_run_into_a_stream_is_not_finished_into_the_store(kinesis, store, monkeypatch):
    monkeypatch.setattr("truckstream.data.replay.targets.stream_target.SingleAttemptClient", DyingClient)
    monkeypatch.setattr(DyingClient, "puts_left", 1)
    DyingClient.store = DyingStore(store, 10_000, after=False)
    with pytest.raises(Killed):
        await put(DyingClient.store)
    monkeypatch.setattr(DyingClient, "puts_left", 10_000)
    unfinished = [key for key in contents(store, "replayed") if ".done" not in key]
    assert len(unfinished) == 1
    report = await replay(store, schema=Strict, repair=fix)
    assert (report.replayed, report.unknown) == (0, 30)
    assert "run it again with this stream" in report.hints[0]
    assert contents(store, "sensor_data") == {}
    assert (await put(store)).ok
    assert await in_stream(kinesis) == Counter(range(30))


@pytest.mark.usefixtures("nothing_is_under_way")
async def test_killed_at_50_random_moments_each_record_is_put_once(kinesis, monkeypatch, chance):
    store = obstore.store.MemoryStore()
    for start in range(0, 200, 10):
        await reject(store, [(bad if n % 3 else good)(n) for n in range(start, start + 10)])
    monkeypatch.setattr("truckstream.data.replay.targets.stream_target.SingleAttemptClient", DyingClient)
    monkeypatch.setattr(StreamTarget, "chunk_records", 20)
    monkeypatch.setattr(DyingClient, "chance", chance)
    wanted = Counter(n for n in range(200) if n % 3)

    def some(rejected):
        return fix(rejected) if chance.random() < 0.1 else None

    for _ in range(50):
        monkeypatch.setattr(DyingClient, "puts_left", chance.choice([1, 2, 5, 10_000]))
        DyingClient.store = DyingStore(store, chance.randrange(4, 50), after=chance.random() < 0.5)
        with suppress(Killed):
            await put(DyingClient.store, repair=some)
        found = await in_stream(kinesis)
        assert max(found.values(), default=0) <= 1
    monkeypatch.setattr(DyingClient, "puts_left", 10_000)
    assert (await put(store)).ok
    assert await in_stream(kinesis) == wanted


async def test_a_process_that_was_suspended_puts_nothing(kinesis):
    """Its intent may have been taken over by another run meanwhile."""
    target = StreamTarget("trucks", schema=None, put_timeout=5.0, region_name=None, endpoint_url=None, session=None)
    items = [Item("id", "1", None, "key", None, 0.0, b'{"n": 1}')]
    async with target:
        for at in (time.time() - 6, time.time() + 60):
            old = Intent(run="run", target=target.name, at=at, stream="arn", shard="shard", items=items)
            assert (await target.carry_out(old, EntryName("2025-01-15T14", 1))).unknown == [0]
        assert await in_stream(kinesis) == Counter()
        new = Intent(run="run", target=target.name, at=time.time(), stream="arn", shard="shard", items=items)
        assert len((await target.carry_out(new, EntryName("2025-01-15T14", 2))).replayed) == 1


async def test_records_that_may_still_arrive_are_waited_for(kinesis, store):
    """A dry run does not wait, and a run that is stopped ends at once: both report the records as unknown."""
    await kinesis.inject(Fault("error-before", count=1, operations=("PutRecords",)))
    report = await put(store, put_timeout=1.5)  # waits, and puts them again
    assert (report.replayed, report.ok) == (30, True)
    other = obstore.store.MemoryStore()
    await reject(other, [bad(n) for n in range(30, 40)])
    await kinesis.inject(Fault("error-before", count=1, operations=("PutRecords",)))
    stopping = asyncio.Event()
    report = await put(other, put_timeout=3_600.0, stop=stopping, on_progress=lambda _: stopping.set())
    assert (report.replayed, report.unknown) == (0, 10)
    report = await put(other, put_timeout=3_600.0, dry_run=True)
    assert (report.replayed, report.unknown) == (0, 10)
    assert "may still arrive: ask again in 10" in report.hints[0]  # some 10,800 s
    assert await in_stream(kinesis) == Counter(range(30))


@pytest.mark.usefixtures("kinesis")
async def test_a_record_that_the_stream_cannot_take_stays_refused():
    store = obstore.store.MemoryStore()
    keyless = bad(1)
    keyless["kinesis"]["partitionKey"] = ""
    await reject(store, [bad(0), keyless])
    for replayed in (1, 0):
        report = await put(store)
        assert (report.replayed, report.refused) == (replayed, {"not_put": 1})

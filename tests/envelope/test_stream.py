"""Envelopes in a stream, beside aggregates and plain records: all readers get the user records."""

import asyncio
import json
from collections import Counter

import obstore.store
import pytest

from tests.batcher.support import aggregate, envelope
from tests.commands.support import run
from truckstream import Batcher, audit
from truckstream.consumer import Consumer
from truckstream.consumer.tables.memory_table import MemoryTable
from truckstream.local import EventSourceMapping, LocalKinesis
from truckstream.worker import Worker

pytestmark = pytest.mark.usefixtures("fake_credentials")

#: A long envelope, plain records, a short envelope, a long aggregate, and a broken envelope. Every ninth is invalid.
PACKS = [(envelope, 33), (None, 3), (envelope, 4), (aggregate, 25), (None, 1), (envelope, 12)]
RECORDS = sum(count for _, count in PACKS)
VALID = [n for n in range(RECORDS) if n % 9]
BROKEN = envelope(b'{"n":1}')[:-1]


def payloads():
    numbers = iter(range(RECORDS))
    for pack, count in PACKS:
        users = [b'{"n":%d}' % n if n % 9 else b"[%d]" % n for _, n in zip(range(count), numbers, strict=False)]
        if pack is None:
            yield from users
        else:
            yield pack(*((data, "7") for data in users))


@pytest.fixture
async def kinesis():
    async with LocalKinesis("trucks", quotas=False) as local:
        records = [{"Data": data, "PartitionKey": "7"} for data in (*payloads(), BROKEN)]
        await local.call("PutRecords", StreamName="trucks", Records=records)
        yield local


def where(kinesis):
    return {"region_name": "us-east-1", "endpoint_url": kinesis.endpoint_url}


def numbers_in(store):
    keys = [meta["path"] for page in store.list(prefix="sensor_data") for meta in page]
    return [json.loads(line)["n"] for key in keys for line in bytes(store.get(key).bytes()).splitlines()]


async def check_store(store, kinesis):
    assert Counter(numbers_in(store)) == Counter(VALID)
    report = await audit(store, stream="trucks", settle=0, **where(kinesis))
    assert (report.findings, report.exit_status) == ((), 0)
    [shard] = report.shards
    assert (shard.valid, shard.rejected) == (len(VALID), RECORDS - len(VALID) + 1)


async def test_the_function_stores_each_record_once_although_requests_fail(kinesis):
    """A failure inside a long envelope makes Lambda deliver it again."""
    store = obstore.store.MemoryStore()
    puts = 0

    class FailingStore:
        async def put_async(self, path, file, **options):
            nonlocal puts
            puts += 1
            if puts in {3, 8, 14, 15, 27}:
                raise OSError("503")
            await asyncio.to_thread(store.put, path, file, **options)

        async def get_async(self, path, **options):
            return await store.get_async(path, **options)

    batcher = Batcher(FailingStore(), schema=dict, batch_size=10, max_attempts=1)

    async def function(event, _context):
        return (await batcher.process(event["Records"])).batch_item_failures()

    async with EventSourceMapping(kinesis, function, function_name="f") as mapping:
        await mapping.drain(timeout=20)
    assert puts > 27
    await check_store(store, kinesis)


async def test_a_worker_stores_each_record_once(kinesis):
    store = obstore.store.MemoryStore()
    batcher = Batcher(store, schema=dict, batch_size=10)
    worker = Worker("trucks", batcher, max_wait=0.5, leases=MemoryTable(), **where(kinesis))
    async with worker:
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(30):
            while len(numbers_in(store)) < len(VALID):  # noqa: ASYNC110 - the store reports no event
                await asyncio.sleep(0.05)
        worker.stop()
        await running
    await check_store(store, kinesis)


async def test_a_consumer_goes_on_at_a_checkpoint_inside_an_envelope(kinesis):
    leases = MemoryTable()
    seen = []
    for wanted in (20, RECORDS + 1):
        async with Consumer("trucks", leases=leases, max_batch_records=5, **where(kinesis)) as consumer:
            async for batch in consumer:
                seen += [(each.sequence_number, each.subsequence_number, each.data) for each in batch.records]
                await batch.checkpoint()
                if len(seen) >= wanted:
                    break
    assert [data for *_, data in seen[:RECORDS]] == [b'{"n":%d}' % n if n % 9 else b"[%d]" % n for n in range(RECORDS)]
    assert [sub for _, sub, _ in seen[:34]] == [*range(33), None]
    assert seen[RECORDS][2] == BROKEN


async def test_tail_prints_the_records_of_envelopes_one_by_one(kinesis, tmp_path):
    words = ("--from", "TRIM_HORIZON", "-n", str(RECORDS), "--endpoint-url", kinesis.endpoint_url)
    status, out, err = await asyncio.to_thread(run, "tail", "trucks", *words, cwd=tmp_path)
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if line.startswith("{")] == [f'{{"n":{n}}}' for n in VALID]

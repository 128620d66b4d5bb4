"""Batches that Lambda gave up are stored as the function would have stored them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import obstore.store
import pytest

from tests.batcher.support import ARN, SHARD, contents, number, record
from tests.data.replay.support import Strict, bad, fix, good, stored
from truckstream.batcher import Batcher
from truckstream.data.replay import replay
from truckstream.errors import InvalidArgumentError

RECORDS = [(good if n % 4 else bad)(n) for n in range(25)]
BEGIN = datetime(2025, 1, 15, 14, tzinfo=UTC)


def give_up(store, records, name="one", *, payload=None, condition="RetryAttemptsExhausted"):
    """Store Lambda's document about a batch, and return its key."""
    first, last = records[0]["kinesis"], records[-1]["kinesis"]
    document = {
        "requestContext": {"condition": condition},
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": first["sequenceNumber"],
            "endSequenceNumber": last["sequenceNumber"],
            "approximateArrivalOfFirstRecord": "2025-01-15T14:30:25.000Z",
            "approximateArrivalOfLastRecord": "2025-01-15T14:30:25.002Z",
            "batchSize": len(records),
            "streamArn": ARN,
        },
        "payload": json.dumps({"Records": records}) if payload is None else payload,
    }
    key = f"aws/lambda/5e8bbb2e/{SHARD}/2025/01/15/2025-01-15T15.00.00-{name}"
    store.put(key, json.dumps(document).encode())
    return key


@pytest.fixture
def failed():
    return obstore.store.MemoryStore()


@pytest.fixture
def store():
    return obstore.store.MemoryStore()


def batcher_of(store):
    return Batcher(store, schema=Strict, batch_size=10)


async def run(store, failed, **options):
    return await replay(store, batcher=batcher_of(store), given_up=failed, **options)


def lake(store):
    """The objects that a function makes."""
    return {key: body for key, body in contents(store).items() if not key.startswith("replayed/")}


async def test_the_very_objects_result_that_the_function_would_have_made(store, failed):
    give_up(failed, RECORDS)
    report = await run(store, failed)
    expected = obstore.store.MemoryStore()
    await batcher_of(expected).process(RECORDS)
    assert lake(store) == lake(expected)
    assert (report.replayed, report.refused, report.given_up_batches) == (18, {"wrong_type": 7}, 1)
    assert [(each.place, each.objects) for each in report.originals][1] == ("rejected/", 3)
    assert [each.objects for each in report.originals] == [1, 3]


async def test_its_invalid_records_are_repaired_in_the_same_run(store, failed):
    give_up(failed, RECORDS)
    report = await run(store, failed, repair=fix)
    assert (report.replayed, report.ok) == (25, True)
    assert stored(store) == Counter(range(25))
    report = await run(store, failed, repair=fix)
    assert (report.replayed, report.already_replayed, report.ok) == (0, 25, True)


async def test_a_mapping_that_delivers_it_after_all_changes_nothing(store, failed):
    give_up(failed, RECORDS)
    await run(store, failed, repair=fix)
    before = lake(store)
    result = await batcher_of(store).process(RECORDS)
    assert (result.first_failed, lake(store)) == (None, before)


async def test_a_batch_that_was_delivered_after_all_counts_as_replayed_before(store, failed):
    give_up(failed, RECORDS)
    await batcher_of(store).process(RECORDS)
    before = lake(store)
    for dry_run in (True, False):
        report = await run(store, failed, dry_run=dry_run)
        assert (report.replayed, report.already_replayed) == (0, 18)
    assert lake(store) == before


async def test_groups_that_the_function_has_stored_are_not_stored_again(store, failed):
    """The function stored the groups 1 and 2 of a batch, and the first one failed."""
    await batcher_of(store).process(RECORDS[10:])
    give_up(failed, RECORDS)
    report = await run(store, failed)
    assert (report.replayed, report.already_replayed) == (7, 11)
    assert set(stored(store).values()) == {1}


async def test_a_second_run_does_not_store_it_again_even_without_its_objects(store, failed):
    """The objects may have been compacted and deleted."""
    give_up(failed, [good(n) for n in range(5)])
    await run(store, failed)
    for key in contents(store, "sensor_data"):
        store.delete(key)
    report = await run(store, failed)
    assert (report.replayed, report.already_replayed, report.given_up_batches) == (0, 5, 1)
    assert contents(store, "sensor_data") == {}


async def test_a_document_without_records_names_the_range(store, failed):
    give_up(failed, RECORDS, payload="")
    report = await run(store, failed)
    assert report.refused == {"no_records": 25}
    assert f"{number(0)} to {number(24)}" in report.examples[0].detail
    assert not report.ok


async def test_broken_documents_stop_nothing(store, failed):
    failed.put(f"aws/lambda/5e8bbb2e/{SHARD}/2025/01/15/2025-01-15T14.00.00-broken", b"{")
    give_up(failed, RECORDS, "foreign", payload=json.dumps({"Records": [{"eventSource": "aws:sqs"}] * 25}))
    give_up(failed, [good(30)], "good")
    report = await run(store, failed)
    assert (report.replayed, report.refused) == (1, {"broken_object": 26})


async def test_filters(store, failed):
    give_up(failed, [good(0)], "one")
    second = give_up(failed, [good(1)], "two", condition="RecordAgeExceeded")
    assert (await run(store, failed, since=BEGIN + timedelta(hours=1))).replayed == 0
    assert (await run(store, failed, shards=["shardId-000000000001"])).replayed == 0
    assert (await run(store, failed, objects=[second], dry_run=True)).replayed == 1
    assert (await run(store, failed, reasons=["RecordAgeExceeded"])).replayed == 1
    assert stored(store) == Counter([1])


async def test_a_dry_run_gives_the_same_account(store, failed):
    give_up(failed, [*RECORDS, record(b"?", 25)])
    before = contents(store)
    dry = await run(store, failed, dry_run=True)
    assert contents(store) == before
    wet = await run(store, failed)
    assert (dry.replayed, dry.refused) == (wet.replayed, wet.refused) == (18, {"wrong_type": 7, "malformed_json": 1})


async def test_a_batch_does_not_go_into_a_stream(store, failed):
    with pytest.raises(InvalidArgumentError, match="some groups of its batches may be stored"):
        await replay(store, stream="trucks", given_up=failed)


async def test_the_key_of_a_batch_needs_its_bucket(store, failed):
    with pytest.raises(InvalidArgumentError, match="pass its bucket as given_up"):
        await replay(store, objects=[give_up(failed, RECORDS)])

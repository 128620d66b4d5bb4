"""The Batcher over a scripted store."""

import asyncio
import hashlib
import json
import logging
import math
import re

import obstore.store
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.exceptions import AlreadyExistsError, GenericError

from tests.batcher.support import (
    ScriptedStore,
    Small,
    aggregate,
    contents,
    number,
    numbers,
    record,
    small,
    truck,
    trucks,
)
from tests.virtual_time import run
from truckstream.batcher import Batcher, Result
from truckstream.errors import ConfigurationError, DeadlineError, InvalidArgumentError, StoreError

NAME = re.compile(r"sensor_data/batch_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_[a-z0-9]{8}\.json")


def batcher(store, size=10, **options):
    return Batcher(store, batch_size=size, schema=Small, **options)


def account(result):
    return (result.received, result.stored, result.rejected, result.not_stored)


def failing(*failures):
    """Return a script that fails the puts with these numbers, counted from one."""
    count = 0

    def script(verb, _):
        nonlocal count
        count += verb == "put"
        return GenericError("503 SlowDown\nDebug source: …") if verb == "put" and count in failures else None

    return script


async def test_a_full_event_makes_seven_objects_of_700():
    store = ScriptedStore()
    result = await Batcher(store).process(trucks(4_900))
    assert [receipt.records for receipt in result.objects] == [700] * 7
    assert all(NAME.fullmatch(receipt.key) for receipt in result.objects)
    assert account(result) == (4_900, 4_900, 0, 0)
    assert result.batch_item_failures() == {"batchItemFailures": []}
    body = b"".join(store.objects[receipt.key][0] for receipt in result.objects)
    assert body == b"".join(truck(n) + b"\n" for n in range(4_900))


async def test_an_object_has_metadata_about_its_content():
    store = ScriptedStore()
    result = await batcher(store).process([small(0), small(1, good=False), small(2)])
    (key,) = [receipt.key for receipt in result.objects]
    body, metadata = store.objects[key]
    assert body == b'{"n":0}\n{"n":2}\n'
    assert metadata == {
        "Content-Type": "application/x-ndjson",
        "stream": "arn:aws:kinesis:us-east-1:123456789012:stream/truck-sensor-stream",
        "shard": "shardId-000000000000",
        "first-sequence-number": number(0),
        "last-sequence-number": number(2),
        "records": "3",
        "lines": "2",
        "digest": metadata["digest"],
        "layout-version": "1",
        "sha256": hashlib.sha256(body).hexdigest(),
        "size": "16",
    }


async def test_an_event_delivered_twice_is_stored_once():
    store = ScriptedStore()
    first = await batcher(store).process(numbers(35))
    again = await batcher(store).process(numbers(35))
    assert {receipt.outcome for receipt in first.objects} == {"created"}
    assert {receipt.outcome for receipt in again.objects} == {"already there"}
    assert [receipt.key for receipt in again.objects] == [receipt.key for receipt in first.objects]
    assert account(again) == account(first) == (35, 35, 0, 0)
    assert len(store.lines("sensor_data")) == 35


async def test_a_redelivery_with_more_records_adopts_and_continues():
    store = ScriptedStore()
    await batcher(store).process(numbers(15))
    result = await batcher(store).process(numbers(40))
    assert [(receipt.records, receipt.outcome) for receipt in result.objects] == [
        (10, "already there"),
        (5, "adopted"),
        (10, "created"),
        (10, "created"),
        (5, "created"),
    ]
    assert [line["n"] for line in store.lines("sensor_data")].count(14) == 1


async def test_concurrent_calls_store_each_record_once():
    """This happens if a call outlives its timeout and Lambda has already started the next one."""
    store = ScriptedStore()
    results = await asyncio.gather(*(batcher(store).process(numbers(45)) for _ in range(5)))
    assert {account(result) for result in results} == {(45, 45, 0, 0)}
    assert sorted(line["n"] for line in store.lines("sensor_data")) == list(range(45))


async def test_a_short_group_of_a_concurrent_call_is_adopted_and_completed():
    """The other call has a shorter event. Its last group takes the key of our second while our third is in flight."""
    other = ScriptedStore()
    await batcher(other).process(numbers(15))
    store = ScriptedStore(lambda *_: store.objects.update(other.objects) if len(store.calls) == 2 else None)
    result = await batcher(store).process(numbers(40))
    assert [(receipt.records, receipt.outcome) for receipt in result.objects] == [
        (10, "created"),
        (5, "adopted"),
        (5, "created"),
        (10, "created"),
        (10, "created"),
    ]
    assert sorted(line["n"] for line in store.lines("sensor_data")) == list(range(40))


async def test_a_failure_is_reported_from_its_groups_first_record_and_stops_no_other_group():
    store = ScriptedStore(failing(2))
    result = await batcher(store).process(numbers(40))
    assert account(result) == (40, 30, 0, 10)
    assert result.first_failed == number(10)
    assert result.batch_item_failures() == {"batchItemFailures": [{"itemIdentifier": number(10)}]}
    (cause,) = result.causes
    assert isinstance(cause, StoreError)
    assert isinstance(cause.__cause__, GenericError)
    assert "503 SlowDown" in str(cause)
    assert "Debug" not in str(cause)
    assert len(store.objects) == 3


async def test_a_failure_of_the_first_group_stops_no_other_group():
    result = await batcher(ScriptedStore(failing(1))).process(numbers(40))
    assert account(result) == (40, 30, 0, 10)
    assert result.first_failed == number(0)


async def test_the_rest_of_an_event_is_stored_only_after_everything_before_it():
    result = await batcher(ScriptedStore(failing(2))).process(numbers(35))
    assert account(result) == (35, 20, 0, 15)


async def test_a_store_that_is_down_is_reported_from_the_first_record():
    result = await batcher(ScriptedStore(lambda *_: OSError("no route"))).process(numbers(40))
    assert account(result) == (40, 0, 0, 40)
    assert result.first_failed == number(0)


async def test_after_a_lost_response_the_redelivery_finds_the_object():
    store = ScriptedStore(lambda verb, _: "lost" if verb == "put" else None)
    result = await batcher(store).process(numbers(10))
    assert result.first_failed == number(0)
    store.script = lambda *_: None
    assert (await batcher(store).process(numbers(10))).objects[0].outcome == "already there"


async def test_a_409_does_not_count_as_an_existing_object():
    """Obstore raises the same exception for S3's 412 and its 409, after which the object does not exist."""
    responses = iter([AlreadyExistsError("409"), None, AlreadyExistsError("409"), None])
    store = ScriptedStore(lambda *_: next(responses, None))
    result = await batcher(store).process(numbers(10))
    assert [receipt.outcome for receipt in result.objects] == ["created"]
    assert [verb for verb, _ in store.calls] == ["put", "look", "put", "look", "put"]


async def test_repeated_409s_are_a_failure():
    store = ScriptedStore(lambda verb, _: AlreadyExistsError("409") if verb == "put" else None)
    result = await batcher(store).process(numbers(10))
    assert result.first_failed == number(0)
    assert result.causes[0].code == "Conflict"
    assert len(store.puts()) == 5


@pytest.mark.parametrize("metadata", [True, False])
async def test_another_object_under_our_key_is_a_collision(metadata):
    store = ScriptedStore(metadata=metadata)
    (key,) = [receipt.key for receipt in (await batcher(ScriptedStore()).process(numbers(10))).objects]
    store.objects[key] = (b"something else\n", {})
    result = await batcher(store).process(numbers(10))
    (receipt,) = result.objects
    assert re.fullmatch(r"sensor_data/batch_2025-01-15T14-30-25_[a-z0-9]{16}\.json", receipt.key)
    assert account(result) == (10, 10, 0, 0)
    assert store.objects[key][0] == b"something else\n"
    assert (await batcher(store).process(numbers(10))).objects[0].outcome == "already there"


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize(
    "sequences",
    [
        [*range(9), 8],
        [0, 0, *range(1, 9)],
        [0] * 10,
        [*range(8, -1, -1), 0],
        [*range(9), "none"],
        ["none", *range(9)],
        ["none"] * 10,
    ],
    ids=["pair at the end", "pair at the start", "one number", "pair out of order", "last", "first", "all without"],
)
@pytest.mark.parametrize("in_aggregates", [False, True], ids=["records", "aggregates"])
async def test_sequence_numbers_that_repeat_or_lack_make_no_copy_with_each_delivery(sequences, in_aggregates, metadata):
    """A copy for each delivery once filled all keys of a group, and the shard stood still."""
    store = ScriptedStore(metadata=metadata)
    data = [b'{"n":%d}' % n for n in range(10)]
    event = [
        record(aggregate(each, each) if in_aggregates else each, n, sequence=str(place + 10 if place != "none" else ""))
        for n, (each, place) in enumerate(zip(data, sequences, strict=True))
    ]
    made = batcher(store, size=3)
    first = await made.process(event)
    assert first.first_failed is None
    assert first.received == first.stored + first.rejected
    assert first.rejected == sequences.count("none")
    objects = dict(store.objects)
    for _ in range(5):
        again = await made.process(event)
        assert again.first_failed is None
        assert {each.outcome for each in (*again.objects, *again.rejected_objects)} == {"already there"}
    assert store.objects == objects


async def test_if_a_record_without_a_number_begins_the_event_and_fails_the_whole_event_is_delivered_again():
    """The identifier is in no record. With that of the next record Lambda would take the first for stored."""
    result = await batcher(ScriptedStore(failing(1, 2)), size=1).process([record(b"{}", sequence=""), *numbers(3, 1)])
    assert result.batch_item_failures() == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert account(result) == (4, 2, 0, 2)


async def test_aggregates_of_two_events_with_one_number_are_both_stored():
    """Their first and last records are equal, so only the records between them tell them apart."""
    store = obstore.store.MemoryStore()
    for middle in (b'"A"', b'"B"'):
        result = await Batcher(store, schema=None).process([record(aggregate(b'"first"', middle, b'"last"'), 100)])
        assert (result.stored, result.first_failed) == (3, None)
    stored = b"".join(contents(store).values())
    assert b'"A"' in stored
    assert b'"B"' in stored


#: Sequence numbers of few values, so that some are equal, and values that are none.
any_sequence = (
    st.integers(0, 12).map(str) | st.integers(0, 3).map("0{}".format) | st.sampled_from(["", "x", None, 7, "9" * 130])
)


@pytest.mark.parametrize("metadata", [True, False])
@given(st.lists(any_sequence, min_size=1, max_size=30), st.integers(1, 7) | st.just("auto"))
def test_every_record_is_accounted_for_whatever_its_sequence_number(metadata, sequences, size):
    store = ScriptedStore(metadata=metadata)
    event = [record(b'{"n":%d}' % n, n, sequence=each) for n, each in enumerate(sequences)]
    for each, sequence in zip(event, sequences, strict=True):
        each["kinesis"]["sequenceNumber"] = sequence
    results = [run(batcher(store, size=size).process(event)) for _ in range(3)]
    for result in results:
        assert result.first_failed is None
        assert result.received == len(event) == result.stored + result.rejected
    found = [each["n"] for each in store.lines("sensor_data")]
    found += [json.loads(each["data"])["n"] for each in store.lines("rejected")]
    assert sorted(found) == list(range(len(event)))
    assert {each.outcome for each in results[2].objects + results[2].rejected_objects} == {"already there"}


@pytest.mark.parametrize("metadata", [True, False])
async def test_an_event_may_end_between_two_records_with_one_number(metadata):
    """Each of them is stored, however the deliveries divide them, and no delivery fails."""
    store = ScriptedStore(metadata=metadata)
    places = [0, 1, 1, 1, 2, 2]
    event = [record(b'{"n":%d}' % n, sequence=number(place)) for n, place in enumerate(places)]
    for start in range(6):
        for stop in range(start + 1, 7):
            result = await batcher(store, size=2).process(event[start:stop])
            assert account(result) == (stop - start, stop - start, 0, 0) or result.causes[0].code == "OpenGroup"
            assert {each["n"] for each in store.lines("sensor_data")} >= set(range(start, start + result.stored))


async def test_an_event_that_ends_between_two_records_with_one_number_makes_progress():
    """A redelivery would begin at the same place, so there is nothing to wait for."""
    store = ScriptedStore()
    event = [record(b'{"n":%d}' % n, sequence=number(0)) for n in range(4)]
    await batcher(store).process(event[:2])
    await batcher(store).process(event[2:])
    await batcher(store).process(event)
    result = await batcher(store).process(event[:3])
    assert account(result) == (3, 3, 0, 0)


async def test_changing_records_under_one_number_never_use_up_the_keys():
    """A stand-in delivers other records with the same number each time: each is stored, and none is refused."""
    store = ScriptedStore()
    for n in range(12):
        result = await batcher(store).process([small(n) | {"kinesis": small(n)["kinesis"] | small_place()}])
        assert account(result) == (1, 1, 0, 0)
    assert sorted(each["n"] for each in store.lines("sensor_data")) == list(range(12))


def small_place():
    """Return the place and time of record 0."""
    return {name: small(0)["kinesis"][name] for name in ("sequenceNumber", "approximateArrivalTimestamp")}


async def test_when_every_key_holds_other_records_the_group_fails():
    """Five keys cannot all collide by chance: somebody writes other objects under our keys."""
    store = ScriptedStore()
    keys = []
    for _ in range(5):
        (receipt,) = (await batcher(store).process(numbers(10))).objects
        keys.append(receipt.key)
        store.objects[receipt.key] = (b"something else\n", {})
    assert sorted(len(key) for key in keys) == [len(keys[0]) + more for more in (0, 8, 16, 24, 24)]
    result = await batcher(store).process(numbers(10))
    assert result.first_failed == number(0)
    assert [cause.code for cause in result.causes] == ["KeyCollision"]
    assert number(0) in result.causes[0].message
    assert account(result) == (10, 0, 0, 10)
    assert len(store.objects) == 5, "nothing was overwritten"


async def test_if_an_event_ends_within_an_object_that_object_is_requested_again():
    """If the event counted as complete, the next would begin at 15 and store 15 to 19 again."""
    store = ScriptedStore()
    await batcher(store).process(numbers(20))
    result = await batcher(store).process(numbers(15))
    assert result.first_failed == number(10)
    assert account(result) == (15, 10, 0, 5)
    assert result.causes[0].code == "OpenGroup"


async def test_rejected_records_alone_can_show_that_a_group_goes_on():
    """The store keeps no metadata, and every record of the group after this event is rejected."""
    store = ScriptedStore(metadata=False)
    records = [small(n, good=n not in {12, 16, 17, 18, 19}) for n in range(20)]
    records[15] = small(15, good=False)
    await batcher(store).process(records)
    assert (await batcher(store).process(records[:15])).first_failed == number(10)


async def test_only_existing_objects_are_looked_up():
    """Without s3:ListBucket, S3 denies the function the lookup of an object that does not exist."""
    store = ScriptedStore()
    records = [small(n, good=n % 3 == 1) for n in range(40)]
    for count in (15, 15, 40):
        await batcher(store).process(records[:count])
    looks = [index for index, (verb, _) in enumerate(store.calls) if verb == "look"]
    assert looks
    assert all(store.calls[index][1] in store.puts() for index in looks)


async def test_an_event_within_one_object_is_complete(caplog):
    """Lambda would deliver the same records again for ever, so a few possible duplicates are accepted."""
    store = ScriptedStore()
    await batcher(store).process(numbers(10))
    result = await batcher(store).process(numbers(5))
    assert result.first_failed is None
    assert [(receipt.records, receipt.outcome) for receipt in result.objects] == [(5, "adopted")]
    assert "may be stored twice" in caplog.text


async def test_rejected_records_are_stored_below_rejected_with_their_reason():
    store = ScriptedStore()
    result = await batcher(store).process([*numbers(9), small(9, good=False), *numbers(5, 10)])
    assert account(result) == (15, 14, 1, 0)
    assert [(each.code, each.sequence_number) for each in result.refusals] == [("unknown_field", number(9))]
    (receipt,) = result.rejected_objects
    assert receipt.key == result.objects[0].key.replace("sensor_data/", "rejected/")
    (line,) = store.lines("rejected")
    assert (line["reason"], line["data"]) == ("unknown_field", '{"m":9}')


async def test_a_group_counts_as_stored_only_with_its_rejected_object():
    store = ScriptedStore(lambda verb, key: OSError("503") if verb == "put" and "rejected" in key else None)
    records = [*numbers(9), small(9, good=False), *numbers(10, 10)]
    result = await batcher(store).process(records)
    assert account(result) == (20, 0, 0, 20)
    assert result.first_failed == number(0)
    store.script = lambda *_: None
    result = await batcher(store).process(records)
    assert account(result) == (20, 19, 1, 0)
    assert len(store.lines("sensor_data")) == 19
    assert len(store.lines("rejected")) == 1


async def test_a_group_of_rejected_records_only_has_no_data_object(caplog):
    store = ScriptedStore()
    result = await batcher(store).process([small(n, good=False) for n in range(10)] + numbers(10, 10))
    assert account(result) == (20, 10, 10, 0)
    assert [receipt.first_sequence_number for receipt in result.objects] == [number(10)]
    (message,) = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.ERROR]
    assert message.startswith("schema incident: 10 of 10 records")
    again = await batcher(store).process([small(n, good=False) for n in range(10)] + numbers(10, 10))
    assert {receipt.outcome for receipt in again.rejected_objects} == {"already there"}


async def test_a_stored_group_of_rejected_records_keeps_its_end_when_valid_ones_follow():
    """It was stored alone. A redelivery must not extend it to records that the next event has stored."""
    store = ScriptedStore()
    await batcher(store).process([small(0, good=False)])
    await batcher(store).process(numbers(20, 1))
    result = await batcher(store).process([small(0, good=False), *numbers(20, 1)])
    assert account(result) == (21, 20, 1, 0)
    assert sorted(line["n"] for line in store.lines("sensor_data")) == list(range(1, 21))


async def test_auto_takes_the_group_size_from_the_event():
    store = ScriptedStore()
    result = await batcher(store, "auto").process(numbers(499))
    assert [receipt.records for receipt in result.objects] == [200, 200, 99]
    assert store.most_in_flight == 1


async def test_auto_stops_at_a_failure_because_the_redelivery_is_grouped_differently():
    """499 records make groups of 200. If the second were stored, the redelivery's group of 700 would repeat it."""
    store = ScriptedStore(failing(1))
    assert account(await batcher(store, "auto").process(numbers(499))) == (499, 0, 0, 499)
    store.script = lambda *_: None
    await batcher(store, "auto").process(numbers(2_000))
    assert sorted(line["n"] for line in store.lines("sensor_data")) == list(range(2_000))


async def test_hive_keys_have_partitions():
    result = await batcher(ScriptedStore(), layout="hive").process([small(0, good=False), small(1)])
    start = "year=2025/month=01/day=15/hour=14/batch_2025-01-15T14-30-25_"
    assert result.objects[0].key.startswith(f"sensor_data/{start}")
    assert result.rejected_objects[0].key.startswith(f"rejected/{start}")


async def test_puts_in_flight_are_bounded_by_count():
    store = ScriptedStore()
    await batcher(store, max_in_flight=3).process(numbers(200))
    assert store.most_in_flight == 3


async def test_puts_in_flight_are_bounded_by_bytes():
    """A group of ten records takes 90 bytes: two fit into 200. A group larger than the bound is stored alone."""
    for bound, most in ((200, 2), (10, 1)):
        store = ScriptedStore()
        result = await batcher(store, max_bytes_in_flight=bound).process(numbers(100, 10))
        assert result.first_failed is None
        assert store.most_in_flight == most


def slow(seconds):
    return lambda *_: asyncio.sleep(seconds)


def test_no_put_starts_that_would_end_after_the_deadline():
    """Six groups take one second each, one after the other, and the deadline is after 3.5 seconds."""
    store = ScriptedStore(slow(1.0))

    async def main():
        result = await batcher(store, max_in_flight=1).process(numbers(60), deadline=3.5)
        return result, asyncio.get_running_loop().time()

    result, now = run(main())
    assert now <= 3.5
    assert result.first_failed == number(result.stored)
    assert account(result) == (60, result.stored, 0, 60 - result.stored)
    assert 10 <= result.stored <= 30
    assert len(store.puts()) == result.stored / 10
    assert all(isinstance(cause, DeadlineError) for cause in result.causes)


def test_a_put_that_hangs_is_abandoned_at_the_deadline():
    store = ScriptedStore(slow(1e6))

    async def main():
        result = await batcher(store).process(numbers(60), deadline=20.0)
        return result, asyncio.get_running_loop().time()

    result, now = run(main())
    assert now == 20.0
    assert account(result) == (60, 0, 0, 60)
    assert result.first_failed == number(0)


def test_a_lookup_that_hangs_after_a_failed_put_is_abandoned_at_the_deadline():
    """The lookup finds out whether the key is free. It must not delay the return."""
    store = ScriptedStore(lambda verb, _: OSError("503 SlowDown") if verb == "put" else asyncio.sleep(1e6))

    async def main():
        result = await batcher(store).process(numbers(60), deadline=20.0)
        return result, asyncio.get_running_loop().time()

    result, now = run(main())
    assert now == 20.0
    assert account(result) == (60, 0, 0, 60)
    assert [verb for verb, _ in store.calls] == ["put", "look"]


def test_a_deadline_that_has_passed_stores_nothing():
    store = ScriptedStore()
    result = run(batcher(store).process(numbers(60), deadline=0.5))
    assert account(result) == (60, 0, 0, 60)
    assert store.calls == []


async def test_cancelling_leaves_no_task_behind():
    store = ScriptedStore(lambda *_: asyncio.get_running_loop().create_future())
    task = asyncio.create_task(batcher(store).process(numbers(60)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.in_flight == 0
    assert len(asyncio.all_tasks()) == 1


async def test_no_records_make_an_empty_result():
    assert await batcher(ScriptedStore()).process([]) == Result()


async def test_records_of_another_source_raise():
    with pytest.raises(InvalidArgumentError, match="aws:sqs"):
        await batcher(ScriptedStore()).process([{"eventSource": "aws:sqs", "body": "x"}])


async def test_any_obstore_store_is_accepted():
    store = obstore.store.MemoryStore()
    result = await Batcher(store, schema=None).process([record(b"any bytes", 0)])
    assert bytes(store.get(result.objects[0].key).bytes()) == b"any bytes\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 10_001}, "batch_size is 10001"),
        ({"batch_size": "many"}, "batch_size is 'many'"),
        ({"batch_size": True}, "batch_size is True"),
        ({"layout": "deep"}, "layout is 'deep'"),
        ({"event_time": "timestamp"}, 'event_time is .*"hive"'),
        ({"event_time": "time", "layout": "hive"}, "event_time is 'time': must be a field of the records: truck_id, "),
        ({"event_time": "", "layout": "hive", "schema": None}, "event_time is ''"),
        ({"max_in_flight": 0}, "max_in_flight is 0"),
        ({"max_in_flight": "4"}, "max_in_flight is '4'"),
        ({"max_bytes_in_flight": 0}, "max_bytes_in_flight is 0"),
        ({"max_bytes_in_flight": math.nan}, "max_bytes_in_flight is nan"),
        ({"max_attempts": 1.5}, "max_attempts is 1.5"),
        ({"prefix": "same/", "rejected_prefix": "same"}, "rejected_prefix is 'same'"),
        (
            {"prefix": "data", "rejected_prefix": "data/rejected"},
            "rejected_prefix is 'data/rejected': must lie outside of",
        ),
        ({"prefix": "rejected/data"}, "prefix is 'rejected/data': must lie outside of rejected_prefix 'rejected'"),
        ({"prefix": ""}, "rejected_prefix is 'rejected': must lie outside of prefix ''"),
        ({"rejected_prefix": "/"}, "prefix is 'sensor_data': must lie outside of rejected_prefix ''"),
        ({"prefix": None}, "prefix is None"),
        ({"prefix": "a//b"}, "prefix is 'a//b': .*empty path segment"),
        ({"rejected_prefix": "a/../b"}, r"rejected_prefix is 'a/\.\./b'"),
        ({"prefix": "a\n"}, "prefix is 'a"),
        ({"schema": 7}, "schema is 7"),
    ],
)
def test_options_that_break_a_rule_are_rejected(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        Batcher("memory:///", **options)


@pytest.mark.parametrize("prefixes", [("rejected_2", "rejected"), ("data", "data2"), ("a/data", "a/rejected")])
def test_prefixes_may_lie_beside_each_other(prefixes):
    Batcher("memory:///", prefix=prefixes[0], rejected_prefix=prefixes[1])


@pytest.mark.parametrize("layout", ["flat", "hive"])
@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("option", ["prefix", "rejected_prefix"])
@pytest.mark.parametrize("folder", ["", "tags/2025"])
async def test_the_longest_key_has_1024_bytes(layout, compression, option, folder):
    """A collision makes the longest key. The name of the folder is in it, and counts in bytes."""

    def made(characters, store):
        options = {
            "layout": layout,
            "compression": compression,
            option: "é" * (characters // 2) + "x" * (characters % 2),
        }
        return batcher(store, **options)

    def excess(characters):
        """Return by how many bytes the keys are too long."""
        with pytest.raises(InvalidArgumentError, match=f"^{option} is .* S3 allows 1,024: ") as caught:
            made(characters, f"s3://bucket/{folder}")
        return int(re.search("make it (.*) bytes shorter", caught.value.rule)[1])

    longest = 1_024 - excess(1_024)
    assert excess(longest + 1) == 1
    made(longest, f"s3://bucket/{folder}")
    store = ScriptedStore()
    event = [small(0, good=option == "prefix")]
    while True:
        result = await made(longest, store).process(event)
        if not result.objects + result.rejected_objects:
            break
        (receipt,) = result.objects + result.rejected_objects
        store.objects[receipt.key] = (b"another's", {})
    keys = [f"{folder}/{key}" if folder else key for key in store.objects]
    assert max(len(key.encode()) for key in keys) == 1_024


@pytest.mark.parametrize(
    "store",
    [obstore.store.S3Store("bucket", prefix="x" * 600, region="us-east-1"), f"S3://bucket/{'x' * 600}"],
    ids=["an obstore store", "a scheme in capitals"],
)
def test_the_folder_of_every_form_of_a_store_counts(store):
    with pytest.raises(InvalidArgumentError, match=r"makes keys below 'x+' of up to 1,\d\d\d bytes"):
        Batcher(store, prefix="y" * 400)


async def test_names_from_records_are_escaped_in_the_log(caplog):
    """A name with a line feed must not look like another line, nor hide with control characters."""
    name = "a\\nERROR all is lost\\u001b[31m\\u202e"
    await batcher(ScriptedStore()).process([record(b'{"%b":1}' % name.encode())])
    (line,) = [each.getMessage() for each in caplog.records if "schema incident" in each.getMessage()]
    assert line.isprintable()
    assert r"a\nERROR all is lost\x1b[31m\u202e" in line


@pytest.mark.parametrize("store", [None, 7, object()])
def test_an_object_that_is_not_a_store_is_rejected(store):
    with pytest.raises(ConfigurationError, match=r"store is .*s3://bucket"):
        Batcher(store)


def test_store_options_must_be_a_mapping():
    with pytest.raises(ConfigurationError, match="store_options is 7"):
        Batcher("memory:///", store_options=7)


@pytest.mark.parametrize("url", ["", "bucket", "gs://bucket", "s3://", "file://relative/path", "file:relative"])
def test_a_url_that_names_no_store_is_rejected(url):
    with pytest.raises(ConfigurationError, match="store"):
        Batcher(url)


def test_an_unknown_option_of_s3_is_rejected():
    with pytest.raises(ConfigurationError, match="wrong_option"):
        Batcher("s3://bucket", region_name="us-east-1", store_options={"wrong_option": 1})

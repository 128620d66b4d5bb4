"""The mapping over a local Kinesis: events, handlers, reshards, drains. Windows are long, so only drains end them."""

import asyncio
import base64
import json
import re
import threading
import time

import pytest
from obstore.store import MemoryStore

from truckstream.errors import InvalidArgumentError, UsageError
from truckstream.local import EventSourceMapping, LocalKinesis, RefusedError, VirtualClock
from truckstream.local.mapping.mapping_settings import PAYLOAD_BYTES


@pytest.fixture
async def kinesis():
    async with LocalKinesis(quotas=False) as local:
        yield local


async def put(kinesis, *names, key="k"):
    records = [{"Data": name.encode(), "PartitionKey": key} for name in names]
    answer = await kinesis.call("PutRecords", StreamName=kinesis.stream_name, Records=records)
    return [record["SequenceNumber"] for record in answer["Records"]]


async def split(kinesis, shard_id="shardId-000000000000", at=2**127):
    await kinesis.call("SplitShard", StreamName=kinesis.stream_name, ShardToSplit=shard_id, NewStartingHashKey=str(at))


def names_in(event):
    return [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]


class Recorder:
    """An async handler that keeps the batches."""

    def __init__(self):
        self.batches = []

    async def __call__(self, event, _context):
        self.batches.append(names_in(event))

    @property
    def names(self):
        return [name for batch in self.batches for name in batch]


async def test_the_event_has_the_form_of_the_service(kinesis):
    """It has every member, and the size that the payload limit computes."""
    events = []

    def handler(event, context):
        events.append((event, context))

    (number,) = await put(kinesis, "hello", key="TRUCK_é\n")
    async with EventSourceMapping(kinesis, handler, function_name="f", function_timeout_in_seconds=60) as mapping:
        await mapping.drain(timeout=5)
        events_of_shard = mapping._lanes["shardId-000000000000"][0]._events
    event, context = events[0]
    arrival = event["Records"][0]["kinesis"].pop("approximateArrivalTimestamp")
    assert abs(arrival - time.time()) < 60
    assert event == {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "TRUCK_é\n",
                    "sequenceNumber": number,
                    "data": "aGVsbG8=",
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"shardId-000000000000:{number}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::000000000000:role/f",
                "awsRegion": "us-east-1",
                "eventSourceARN": kinesis.stream_arn,
            }
        ]
    }
    assert context.function_name == "f"
    assert context.memory_limit_in_mb == "512"
    assert context.invoked_function_arn == "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert 0 < context.get_remaining_time_in_millis() <= 60_000
    assert len(context.aws_request_id) == 36
    records = kinesis.service.stream(kinesis.stream_name, kinesis.now()).shards["shardId-000000000000"].read(1, 1, 1)
    size = events_of_shard.frame_bytes() + sum(map(events_of_shard.size_of, records))
    made = json.dumps(events_of_shard.make(records), separators=(",", ":"), ensure_ascii=False).encode()
    assert size == len(made) + 1  # the comma that the last record has not


async def test_batches_keep_the_order_of_the_shard_and_their_size(kinesis):
    handler = Recorder()
    await put(kinesis, *map(str, range(10)))
    async with EventSourceMapping(kinesis, handler, batch_size=4) as mapping:
        await mapping.drain(timeout=5)
        assert handler.batches == [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9"]]
        stats = mapping.stats
    assert (stats.records, stats.invocations, stats.failures, stats.in_flight) == (10, 3, 0, 0)


async def test_without_a_drain_a_batch_waits_for_its_window(kinesis):
    handler = Recorder()
    options = {"maximum_batching_window_in_seconds": 0.05, "poll_interval_in_seconds": 0.01}
    async with EventSourceMapping(kinesis, handler, **options):
        await put(kinesis, "a")
        while not handler.batches:  # noqa: ASYNC110 - the test's timeout ends it
            await asyncio.sleep(0.01)
    assert handler.batches == [["a"]]


async def test_an_open_shard_is_polled_after_its_tip_was_reached(kinesis):
    handler = Recorder()
    async with EventSourceMapping(kinesis, handler) as mapping:
        for name in "abc":
            await put(kinesis, name)
            await mapping.drain(timeout=5)
    assert handler.batches == [["a"], ["b"], ["c"]]


async def test_latest_begins_with_the_next_record(kinesis):
    handler = Recorder()
    await put(kinesis, "before")
    async with EventSourceMapping(kinesis, handler, starting_position="LATEST") as mapping:
        await put(kinesis, "after")
        await split(kinesis)
        await put(kinesis, "after the split")
        await mapping.drain(timeout=5)
    assert handler.names == ["after", "after the split"]


async def test_item_failures_redeliver_the_rest_from_the_lowest(kinesis):
    numbers = await put(kinesis, *"abcdef")
    seen = []

    async def handler(event, _context):
        seen.append("".join(names_in(event)))
        failing = {0: [4, 2], 1: [3]}.get(len(seen) - 1, [])
        return {"batchItemFailures": [{"itemIdentifier": numbers[place]} for place in failing]}

    async with EventSourceMapping(kinesis, handler, retry_base_in_seconds=0) as mapping:
        await mapping.drain(timeout=5)
        stats = mapping.stats
    assert seen == ["abcdef", "cdef", "def"]
    assert (stats.records, stats.invocations, stats.failures, stats.retries) == (6, 3, 2, 2)


async def test_an_exception_redelivers_the_whole_batch(kinesis):
    failures = [RuntimeError("no"), SystemExit(1)]
    seen = []

    def handler(event, _context):
        seen.append(names_in(event))
        if failures:
            raise failures.pop()

    await put(kinesis, "a", "b")
    async with EventSourceMapping(kinesis, handler, retry_base_in_seconds=0) as mapping:
        await mapping.drain(timeout=5)
    assert seen == [["a", "b"]] * 3


async def test_a_function_that_cancels_itself_has_failed(kinesis):
    handler = Recorder()

    async def cancelling(event, context):
        await handler(event, context)
        if len(handler.batches) == 1:
            raise asyncio.CancelledError

    await put(kinesis, "a")
    async with EventSourceMapping(kinesis, cancelling, retry_base_in_seconds=0) as mapping:
        await mapping.drain(timeout=5)
    assert handler.batches == [["a"], ["a"]]


async def test_the_destination_gets_the_services_document_about_a_discarded_batch(kinesis):
    documents = []

    async def handler(_event, _context):
        raise ValueError("poison")

    numbers = await put(kinesis, "a", "b")
    async with EventSourceMapping(
        kinesis, handler, maximum_retry_attempts=1, retry_base_in_seconds=0, on_failure=documents.append
    ) as mapping:
        await mapping.drain(timeout=5)
        assert (mapping.stats.discarded, mapping.stats.records) == (2, 0)
    (document,) = documents
    info = document["KinesisBatchInfo"]
    assert len(document["requestContext"].pop("requestId")) == 36
    assert document["requestContext"] == {
        "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:truckstream",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 2,
    }
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert [info["startSequenceNumber"], info["endSequenceNumber"]] == numbers
    assert (info["shardId"], info["batchSize"], info["streamArn"]) == ("shardId-000000000000", 2, kinesis.stream_arn)
    assert info["approximateArrivalOfFirstRecord"].endswith("Z")


async def test_parents_are_finished_before_their_children_begin(kinesis):
    """Split, then merge the children: the key's records come in the order in which they were put."""
    handler = Recorder()
    await put(kinesis, "parent 1", "parent 2")
    await split(kinesis)
    await put(kinesis, "child 1", "child 2")
    await kinesis.call(
        "MergeShards",
        StreamName=kinesis.stream_name,
        ShardToMerge="shardId-000000000001",
        AdjacentShardToMerge="shardId-000000000002",
    )
    await put(kinesis, "grandchild")
    async with EventSourceMapping(kinesis, handler, batch_size=1) as mapping:
        await mapping.drain(timeout=5)
    assert handler.names == ["parent 1", "parent 2", "child 1", "child 2", "grandchild"]


async def test_a_shard_created_later_is_found(kinesis):
    handler = Recorder()
    options = {"maximum_batching_window_in_seconds": 0, "poll_interval_in_seconds": 0.01}
    async with EventSourceMapping(kinesis, handler, **options):
        await put(kinesis, "a")
        await split(kinesis)
        await put(kinesis, "b")
        while len(handler.names) < 2:  # noqa: ASYNC110 - the test's timeout ends it
            await asyncio.sleep(0.01)
    assert handler.names == ["a", "b"]


async def test_a_plain_handler_always_runs_in_the_same_thread():
    """So that it can keep an event loop between calls, for two shards, too."""
    loop = asyncio.new_event_loop()
    threads, names = set(), []

    async def work(event):
        names.extend(names_in(event))

    def handler(event, _context):
        threads.add(threading.get_ident())
        return loop.run_until_complete(work(event))

    async with LocalKinesis(shards=2, quotas=False) as kinesis:
        for number in range(20):
            await put(kinesis, str(number), key=f"KEY_{number}")
        async with EventSourceMapping(kinesis, handler, batch_size=3) as mapping:
            await mapping.drain(timeout=5)
    loop.close()
    assert sorted(map(int, names)) == list(range(20))
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


async def test_an_async_handler_processes_shards_in_parallel():
    running, most = 0, 0

    async def handler(_event, _context):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    async with LocalKinesis(shards=4, quotas=False) as kinesis:
        for number in range(40):
            await put(kinesis, "x", key=f"KEY_{number}")
        async with EventSourceMapping(kinesis, handler) as mapping:
            await mapping.drain(timeout=5)
    assert most == 4


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_a_function_that_times_out_has_failed(kinesis, kind):
    calls = 0
    release = threading.Event()

    def in_thread(_event, _context):
        nonlocal calls
        calls += 1
        if calls == 1:
            release.wait(0.2)

    async def on_loop(_event, _context):
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.sleep(60)

    await put(kinesis, "a")
    handler = in_thread if kind == "thread" else on_loop
    async with EventSourceMapping(
        kinesis, handler, function_timeout_in_seconds=0.05, retry_base_in_seconds=0
    ) as mapping:
        await mapping.drain(timeout=5)
        assert (mapping.stats.failures, mapping.stats.invocations, calls) == (1, 2, 2)


async def test_leaving_stops_after_the_current_invocation(kinesis):
    """The first batch is completed. The second is never invoked, and stays in the stream."""
    started, done = asyncio.Event(), []

    async def handler(event, _context):
        started.set()
        await asyncio.sleep(0.05)
        done.extend(names_in(event))

    await put(kinesis, "a", "b")
    async with EventSourceMapping(kinesis, handler, batch_size=1) as mapping:
        await started.wait()
    assert done == ["a"]
    assert mapping.stats.records == 1
    with pytest.raises(UsageError, match="not open"):
        await mapping.drain()


async def test_a_drain_that_times_out_shows_the_records_that_are_left(kinesis):
    async def handler(_event, _context):
        raise ValueError("never")

    await put(kinesis, "a", "b")
    async with EventSourceMapping(kinesis, handler) as mapping:
        with pytest.raises(TimeoutError, match=r"not drained within 0.05 s: .*shardId-000000000000 <ShardPoller at 1"):
            await mapping.drain(timeout=0.05)


async def test_a_drain_ends_when_the_mapping_is_closed_meanwhile(kinesis):
    async def handler(_event, _context):
        raise ValueError("never")

    await put(kinesis, "a")
    async with EventSourceMapping(kinesis, handler) as mapping:
        draining = asyncio.create_task(mapping.drain())
        await asyncio.sleep(0)
    with pytest.raises(UsageError, match="closed while it was drained"):
        await asyncio.wait_for(draining, 5)


async def test_a_drain_waits_only_for_records_that_came_before_it(kinesis):
    """A producer that never stops does not delay it."""
    handler = Recorder()
    await put(kinesis, "a")
    async with EventSourceMapping(kinesis, handler) as mapping:

        async def produce():
            while True:
                await put(kinesis, "more")
                await asyncio.sleep(0)

        producer = asyncio.create_task(produce())
        await mapping.drain(timeout=5)
        producer.cancel()
    assert handler.names[0] == "a"


async def test_an_error_of_the_destination_is_raised(kinesis):
    def on_failure(_document):
        raise OSError("no such queue")

    async def handler(_event, _context):
        raise ValueError("poison")

    await put(kinesis, "a")
    with pytest.raises(OSError, match="no such queue"):
        async with EventSourceMapping(kinesis, handler, maximum_retry_attempts=0, on_failure=on_failure) as mapping:
            await mapping.drain(timeout=5)


async def test_a_mapping_whose_stream_is_deleted_raises_the_services_error(kinesis):
    mapping = await EventSourceMapping(kinesis, Recorder(), poll_interval_in_seconds=0.01).__aenter__()
    await kinesis.call("DeleteStream", StreamName=kinesis.stream_name)
    await asyncio.sleep(0.05)
    with pytest.raises(RefusedError, match="Stream truck-sensor-stream under account 000000000000 not found"):
        await mapping.__aexit__(None, None, None)


async def test_a_record_too_large_for_an_event_is_discarded_without_an_invocation():
    handler = Recorder()
    async with LocalKinesis(quotas=False) as kinesis:
        await kinesis.call("CreateStream", StreamName="large", ShardCount=1, MaxRecordSizeInKiB=10_240)
        await kinesis.call("PutRecord", StreamName="large", Data=bytes(PAYLOAD_BYTES), PartitionKey="k")
        await kinesis.call("PutRecord", StreamName="large", Data=b"small", PartitionKey="k")
        async with EventSourceMapping(kinesis, handler, stream_name="large", maximum_retry_attempts=0) as mapping:
            await mapping.drain(timeout=5)
            assert mapping.stats.discarded == 1
    assert handler.names == ["small"]


@pytest.mark.parametrize(
    "settings",
    [
        {"batch_size": 0},
        {"batch_size": 10_001},
        {"maximum_batching_window_in_seconds": 301},
        {"maximum_retry_attempts": -2},
        {"starting_position": "EARLIEST"},
        {"starting_position": "AT_TIMESTAMP"},
        {"starting_position_timestamp": 1.0},
        {"parallelization_factor": 11},
        {"tail": "halved"},
        {"function_response_types": ["ReportEverything"]},
    ],
)
def test_settings_out_of_range_are_rejected(settings):
    with pytest.raises(InvalidArgumentError):
        EventSourceMapping(LocalKinesis(), Recorder(), **settings)


async def test_a_kinesis_of_another_process_has_no_mapping():
    with pytest.raises(UsageError, match="not open in this process"):
        await EventSourceMapping(LocalKinesis(own_process=True), Recorder()).__aenter__()


async def test_a_shard_is_processed_in_parallel_and_each_key_in_order(kinesis):
    """The number of batches at a time is the factor, and a key is never in two batches at a time."""
    under_way, most, seen, lanes = 0, 0, {}, {}

    async def handler(event, _context):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        keys = frozenset(record["kinesis"]["partitionKey"] for record in event["Records"])
        for record in event["Records"]:
            key = record["kinesis"]["partitionKey"]
            seen.setdefault(key, []).append(base64.b64decode(record["kinesis"]["data"]).decode())
            lanes.setdefault(key, set()).update(keys)
        under_way -= 1

    for number in range(50):
        for key in range(20):
            await put(kinesis, f"{number:02}", key=f"KEY_{key}")
    async with EventSourceMapping(kinesis, handler, parallelization_factor=4, batch_size=30) as mapping:
        await mapping.drain(timeout=20)
        assert mapping.stats.records == 1_000
    assert seen == {f"KEY_{key}": [f"{number:02}" for number in range(50)] for key in range(20)}
    assert most == 4
    assert len({frozenset(keys) for keys in lanes.values()}) == 4


async def test_a_lane_that_fails_does_not_delay_the_others(kinesis):
    handler = Recorder()

    async def failing(event, context):
        if event["Records"][0]["kinesis"]["partitionKey"] == "KEY_0":
            raise ValueError("poison")
        await handler(event, context)

    for key in range(8):
        await put(kinesis, f"{key}", key=f"KEY_{key}")
    async with EventSourceMapping(kinesis, failing, parallelization_factor=10, batch_size=1) as mapping:
        with pytest.raises(TimeoutError):
            await mapping.drain(timeout=0.3)
    assert "0" not in handler.names
    assert len(handler.names) >= 4


async def test_children_wait_for_every_lane_of_their_parent(kinesis):
    handler = Recorder()
    for key in range(10):
        await put(kinesis, "parent", key=f"KEY_{key}")
    await split(kinesis)
    for key in range(10):
        await put(kinesis, "child", key=f"KEY_{key}")
    async with EventSourceMapping(kinesis, handler, parallelization_factor=5) as mapping:
        await mapping.drain(timeout=10)
    assert handler.names == ["parent"] * 10 + ["child"] * 10


async def test_at_timestamp_begins_with_the_first_record_at_that_time_or_later():
    handler = Recorder()
    clock = VirtualClock(1_795_392_000.0)
    async with LocalKinesis(quotas=False, clock=clock) as kinesis:
        await put(kinesis, "before")
        clock.advance(10)
        await put(kinesis, "then")
        clock.advance(10)
        await put(kinesis, "later")
        at = {"starting_position": "AT_TIMESTAMP", "starting_position_timestamp": 1_795_392_005.0}
        async with EventSourceMapping(kinesis, handler, **at) as mapping:
            await mapping.drain(timeout=5)
    assert handler.names == ["then", "later"]


async def test_a_bucket_gets_the_records_of_a_discarded_batch(kinesis):
    async def handler(_event, _context):
        raise ValueError("poison")

    documents, store = [], MemoryStore()
    numbers = await put(kinesis, "a", "b")
    async with EventSourceMapping(
        kinesis, handler, maximum_retry_attempts=0, on_failure=documents.append, on_failure_store=store
    ) as mapping:
        await mapping.drain(timeout=5)
    (meta,) = [meta for page in store.list() for meta in page]
    assert re.fullmatch(
        r"aws/lambda/[0-9a-f-]{36}/shardId-000000000000/20\d\d/\d\d/\d\d/20\d\d-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}",
        meta["path"],
    )
    found = json.loads(bytes(store.get(meta["path"]).bytes()))
    payload = json.loads(found.pop("payload"))
    assert [found] == documents
    assert [record["kinesis"]["sequenceNumber"] for record in payload["Records"]] == numbers


@pytest.mark.parametrize(("position", "expected"), [("TRIM_HORIZON", ["a", "b", "c"]), ("LATEST", ["c"])])
async def test_a_new_mapping_has_no_checkpoints_of_an_earlier_one(kinesis, position, expected):
    """The checkpoints of the first one are gone: the second begins at its own starting position."""
    handler = Recorder()
    await put(kinesis, "a", "b")
    async with EventSourceMapping(kinesis, Recorder()) as mapping:
        await mapping.drain(timeout=5)
    async with EventSourceMapping(kinesis, handler, starting_position=position) as mapping:
        await put(kinesis, "c")
        await mapping.drain(timeout=5)
    assert handler.names == expected


async def test_a_disabled_mapping_does_not_read_and_continues_from_its_checkpoint(kinesis):
    """The current invocation ends. The next read begins after its records, and batches are cut again."""
    handler, release = Recorder(), asyncio.Event()

    async def waiting(event, context):
        await handler(event, context)
        await release.wait()

    await put(kinesis, *"abc")
    options = {"maximum_batching_window_in_seconds": 0, "poll_interval_in_seconds": 0.01}
    async with EventSourceMapping(kinesis, waiting, batch_size=2, **options) as mapping:
        while not handler.batches:  # noqa: ASYNC110 - the test's timeout ends it
            await asyncio.sleep(0.01)
        disabling = asyncio.create_task(mapping.disable())
        await asyncio.sleep(0)
        assert not disabling.done()
        release.set()
        await disabling
        await put(kinesis, "d")
        with pytest.raises(UsageError, match="disabled"):
            await mapping.drain(timeout=5)
        await asyncio.sleep(0.05)
        assert handler.batches == [["a", "b"]]
        mapping.enable()
        await mapping.drain(timeout=5)
    assert handler.batches == [["a", "b"], ["c", "d"]]


async def test_a_disabled_mapping_forgets_the_retries_of_a_batch(kinesis):
    """A batch that waits for its next retry is cut again from the checkpoint, with the records that came meanwhile."""
    handler = Recorder()

    async def failing_at_first(event, context):
        await handler(event, context)
        if len(handler.batches) == 1:
            raise ValueError("once")

    await put(kinesis, "a")
    options = {"maximum_batching_window_in_seconds": 0, "poll_interval_in_seconds": 0.01}
    async with EventSourceMapping(kinesis, failing_at_first, retry_base_in_seconds=3_600, **options) as mapping:
        while not mapping.stats.failures:  # noqa: ASYNC110 - the test's timeout ends it
            await asyncio.sleep(0.01)
        await mapping.disable()
        await put(kinesis, "b")
        mapping.enable()
        await mapping.drain(timeout=5)
    assert handler.batches == [["a"], ["a", "b"]]


async def test_a_finished_lane_stays_finished_when_the_mapping_is_disabled(kinesis):
    """Else its shard would never end, and its children never begin."""
    handler = Recorder()

    async def failing_at_first(event, context):
        await handler(event, context)
        if handler.names.count("slow") == 1 and "slow" in names_in(event):
            raise ValueError("once")

    for key in range(10):
        await put(kinesis, "fast", key=f"KEY_{key}")
    await put(kinesis, "slow", key="KEY_0")
    await split(kinesis)
    await put(kinesis, "child")
    options = {"retry_base_in_seconds": 3_600, "retry_limit_in_seconds": 3_600, "parallelization_factor": 10}
    async with EventSourceMapping(kinesis, failing_at_first, poll_interval_in_seconds=0.01, **options) as mapping:
        while not mapping.stats.failures or mapping.stats.in_flight:  # noqa: ASYNC110 - the test's timeout ends it
            await asyncio.sleep(0.01)
        await mapping.disable()
        mapping.enable()
        await mapping.drain(timeout=5)
    assert handler.names[-1] == "child"
    assert handler.names.count("slow") == 2

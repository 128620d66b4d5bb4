"""The sink against a server with faults: each record is one document, whatever fails."""

import asyncio
import json
from random import Random
from types import SimpleNamespace

import msgspec
import pytest

from tests.sample_record import DESCRIBED
from tests.search.fake_opensearch import Stalled, dropped_after_write, failed_items, fake_opensearch, no_json, refused
from truckstream import Batcher, Consumer, Producer
from truckstream.consumer import Record
from truckstream.consumer.tables import MemoryTable
from truckstream.errors import ConfigurationError, InvalidArgumentError, SearchError
from truckstream.local import LocalKinesis
from truckstream.search import OpenSearchSink
from truckstream.worker.storing.group_event import event_of

SHARD = "shardId-000000000000"
DAY = 1736899200.0  # 2025-01-15


class NoWaits(Random):
    def uniform(self, *bounds):
        return bounds[0]


def sink_for(fake, **options):
    sink = OpenSearchSink(fake.url, **options)
    sink._writer._random = NoWaits()
    return sink


def record(number, data=None, *, subsequence=None, arrival=DAY, **changes):
    data = msgspec.json.encode({**DESCRIBED, **changes}) if data is None else data
    return Record(data, "TRUCK_001", str(number), arrival, SHARD, subsequence)


def batch(*records):
    return SimpleNamespace(stream_name="trucks", shard_id=SHARD, records=records)


def ids(*numbers):
    return [f"trucks:{SHARD}:{number}" for number in numbers]


@pytest.fixture
async def fake():
    async with fake_opensearch() as fake:
        yield fake


async def test_records_become_documents_of_their_days(fake):
    async with sink_for(fake) as sink:
        await sink.handle(
            batch(record(1), record(2, subsequence=0), record(2, subsequence=1), record(3, arrival=DAY - 1))
        )
        assert (sink.stats.written, sink.stats.rejected, sink.stats.retries) == (4, 0, 0)
    assert fake.ids("truckstream-2025.01.15") == ids("1", "2:0", "2:1")
    assert fake.ids("truckstream-2025.01.14") == ids("3")
    source = fake.indexes["truckstream-2025.01.15"][ids("1")[0]]
    assert source == DESCRIBED | {
        "kinesis_sequence_number": "1",
        "kinesis_subsequence_number": None,
        "kinesis_shard_id": SHARD,
        "kinesis_arrival_time": "2025-01-15 00:00:00.000",
    }


async def test_a_redelivery_replaces_the_documents(fake):
    async with sink_for(fake) as sink:
        await sink.handle(batch(record(1), record(2)))
        await sink.handle(batch(record(2), record(3)))
    assert fake.ids() == ids(1, 2, 3)


@pytest.mark.parametrize(
    "fault",
    [
        refused(429),
        refused(503),
        refused(502, "bad_gateway"),
        dropped_after_write,
        no_json,
        failed_items({0: (429, "es_rejected_execution_exception")}),
        failed_items({0: (503, "unavailable_shards_exception"), 1: (429, "es_rejected_execution_exception")}),
    ],
    ids=["429", "503", "502", "drop", "html", "one", "two"],
)
async def test_a_failure_for_the_moment_loses_and_doubles_nothing(fake, fault):
    fake.faults += [fault, fault]
    async with sink_for(fake) as sink:
        await sink.handle(batch(record(1), record(2)))
        assert sink.stats.written == 2
        assert sink.stats.retries == 2
    assert fake.ids() == ids(1, 2)


async def test_documents_that_were_stored_are_not_sent_again(fake):
    fake.faults.append(failed_items({1: (429, "es_rejected_execution_exception")}))
    async with sink_for(fake) as sink:
        await sink.handle(batch(record(1), record(2), record(3)))
    assert [[name for _, name in each] for each in fake.bulks] == [ids(1, 2, 3), ids(2)]


async def test_a_request_that_takes_too_long_is_made_again(fake):
    stalled = Stalled()
    fake.faults.append(stalled)
    async with sink_for(fake, request_timeout=0.2) as sink:
        await sink.handle(batch(record(1)))
        assert sink.stats.retries == 1
    stalled.go.set()
    assert fake.ids() == ids(1)


async def test_a_document_that_breaks_the_mapping_is_set_aside(fake):
    fake.faults.append(failed_items({1: (400, "mapper_parsing_exception")}))
    seen = []
    async with sink_for(fake, on_rejected=seen.append) as sink:
        await sink.handle(batch(record(1), record(2), record(3)))
        assert (sink.stats.written, sink.stats.rejected) == (2, 1)
    assert fake.ids() == ids(1, 3)
    assert fake.ids("rejected-truckstream-*") == ids(2)
    source = fake.indexes["rejected-truckstream-2025.01.15"][ids(2)[0]]
    assert source["reason"] == "mapper_parsing_exception"
    assert source["rule"] == 'failed to parse field [speed]: For input string: "hot"'
    assert json.loads(source["data"])["truck_id"] == "TRUCK_001"
    assert [tuple(each) for each in seen] == [(ids(2)[0], source["reason"], source["rule"])]


async def test_a_record_that_breaks_the_schema_is_set_aside_with_its_line(fake):
    seen = []
    async with sink_for(fake, on_rejected=seen.append) as sink:
        await sink.handle(batch(record(1), record(2, speed=500.0), record(3, b"no json"), record(4)))
    assert fake.ids() == ids(1, 4)
    held = fake.indexes["rejected-truckstream-2025.01.15"]
    assert {name: each["reason"] for name, each in held.items()} == dict(
        zip(ids(2, 3), ["out_of_range", "malformed_json"], strict=True)
    )
    assert held[ids(3)[0]]["data"] == "no json"
    assert [each.id for each in seen] == ids(2, 3)


async def test_if_nothing_can_be_set_aside_the_batch_fails(fake):
    fake.faults += [failed_items({0: (400, "mapper_parsing_exception")})] * 2
    async with sink_for(fake) as sink:
        with pytest.raises(SearchError, match=r"rejected-truckstream-2025\.01\.15"):
            await sink.handle(batch(record(1)))


@pytest.mark.parametrize(("status", "kind"), [(401, "security_exception"), (403, "security_exception")])
async def test_a_missing_permission_is_an_error(fake, status, kind):
    fake.faults.append(refused(status, kind, "no permissions for [indices:data/write/bulk]"))
    async with sink_for(fake) as sink:
        with pytest.raises(SearchError, match="security_exception: no permissions") as caught:
            await sink.handle(batch(record(1)))
    assert not caught.value.retryable


async def test_a_request_that_is_too_large_is_sent_in_halves(fake):
    fake.faults.append(refused(413, "too_large"))
    async with sink_for(fake) as sink:
        await sink.handle(batch(record(1), record(2), record(3)))
    assert [len(each) for each in fake.bulks] == [3, 1, 2]
    assert fake.ids() == ids(1, 2, 3)


async def test_no_more_requests_are_under_way_than_allowed(fake):
    stalled = [Stalled(), Stalled()]
    fake.faults += stalled
    async with sink_for(fake, max_in_flight=2, max_request_documents=1) as sink:
        tasks = [asyncio.create_task(sink.handle(batch(record(number)))) for number in range(5)]
        for each in stalled:
            await each.arrived.wait()
        assert len(fake.bulks) == 2
        for each in stalled:
            each.go.set()
        await asyncio.gather(*tasks)
    assert len(fake.ids()) == 5


async def test_a_request_has_no_more_than_its_limits(fake):
    async with sink_for(fake, max_request_documents=3) as sink:
        await sink.handle(batch(*map(record, range(7))))
    assert [len(each) for each in fake.bulks] == [3, 3, 1]
    fake.bulks.clear()
    async with sink_for(fake, max_request_bytes=2_000) as sink:
        await sink.handle(batch(*map(record, range(7))))
    assert [len(each) for each in fake.bulks] == [2, 2, 2, 1]


async def test_the_indexes_are_prepared_when_the_sink_opens(fake):
    async with sink_for(fake, index="fleet", keep_days=30):
        pass
    assert fake.templates.keys() == {"fleet", "rejected-fleet"}
    assert fake.policies["fleet"][1]["policy"]["states"][0]["transitions"][0]["conditions"] == {"min_index_age": "30d"}


async def test_a_sink_that_cannot_open_leaves_no_connection(fake):
    sink = OpenSearchSink(f"{fake.url}/nothing-here")
    with pytest.raises(SearchError, match="HTTP 404"):
        await sink.__aenter__()
    [connection] = sink._client._client.transport.connection_pool.connections
    assert connection.session is None


async def test_a_policy_is_brought_up_to_date(fake):
    for days in (30, 7):
        async with sink_for(fake, keep_days=days):
            pass
    version, policy = fake.policies["truckstream"]
    assert (version, "after 7 days" in policy["policy"]["description"]) == (1, True)


async def test_without_templates_only_documents_are_written(fake):
    async with sink_for(fake, create_templates=False) as sink:
        await sink.handle(batch(record(1)))
    assert (fake.templates, fake.policies, fake.ids()) == ({}, {}, ids(1))


async def test_a_password_is_sent_and_never_shown(fake):
    sink = OpenSearchSink(fake.url.replace("http://", "http://truck:s%40cret@"))
    assert "s%40cret" not in repr(sink)
    async with sink:
        await sink.handle(batch(record(1)))
    assert fake.headers[0]["Authorization"] == "Basic dHJ1Y2s6c0BjcmV0"


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"index": "Trucks"}, "index"),
        ({"index": "a*"}, "index"),
        ({"index": "_all"}, "index"),
        ({"schema": None}, "schema"),
        ({"keep_days": 0}, "keep_days"),
        ({"shards": 0}, "shards"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"max_request_bytes": 0}, "max_request_bytes"),
        ({"max_request_documents": 0}, "max_request_documents"),
    ],
)
def test_an_option_that_breaks_a_rule_is_named(options, argument):
    with pytest.raises(InvalidArgumentError) as caught:
        OpenSearchSink("http://127.0.0.1:9200", **options)
    assert caught.value.argument == argument


@pytest.mark.parametrize("url", ["127.0.0.1:9200", "ftp://host", "https://"])
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(ConfigurationError, match="OpenSearch's URL"):
        OpenSearchSink(url)


@pytest.mark.usefixtures("fake_credentials")
async def test_a_consumer_checkpoints_after_the_documents_are_acknowledged(fake):
    """A sink that fails stops the consumer; the next one reads the same records, and each is one document."""
    table = MemoryTable()
    async with LocalKinesis(shards=2) as kinesis, sink_for(fake, max_request_documents=5) as sink:
        network = {"endpoint_url": kinesis.endpoint_url, "region_name": "us-east-1"}
        async with Producer(kinesis.stream_name, **network) as producer:
            await producer.put_many(
                (msgspec.json.encode({**DESCRIBED, "truck_id": f"T{n}"}), f"T{n}") for n in range(50)
            )
        options = {"application": "search", "leases": table, **network}

        async def fail_later(fake, *_):
            fake.faults.append(refused(403, "security_exception", "not any more"))

        fake.faults.append(fail_later)
        async with Consumer(kinesis.stream_name, **options) as consumer:
            with pytest.raises(SearchError, match="not any more"):
                await consumer.run(sink.handle)
        assert 5 <= len(fake.ids()) < 50
        async with Consumer(kinesis.stream_name, **options) as consumer:
            running = asyncio.create_task(consumer.run(sink.handle))
            while len(fake.ids()) < 50:  # noqa: ASYNC110 - the fake sets no event
                await asyncio.sleep(0.01)
            consumer.stop()
            await running
    assert len(fake.ids()) == 50
    assert {source["truck_id"] for held in fake.indexes.values() for source in held.values()} == {
        f"T{n}" for n in range(50)
    }


async def test_a_batcher_and_a_consumer_make_the_same_documents(fake, tmp_path):
    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/trucks"
    taken = [record(1), record(2, subsequence=0), record(2, subsequence=1)]
    async with sink_for(fake) as sink:
        batcher = Batcher(tmp_path.as_uri(), second_target=sink)
        result = await batcher.store_group(event_of(arn, SHARD, taken))
        assert (result.stored, fake.ids()) == (3, ids("1", "2:0", "2:1"))
        before = json.dumps(fake.indexes, sort_keys=True)
        await sink.handle(batch(*taken))
        assert json.dumps(fake.indexes, sort_keys=True) == before

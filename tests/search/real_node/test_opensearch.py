"""The sink and the search on a real OpenSearch: mappings, rejections, redeliveries, and the meaning of queries."""

import asyncio
from types import SimpleNamespace
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.sample_record import DESCRIBED
from tests.search.evaluation import matches, written
from tests.search.records import NODES, READINGS, Reading
from truckstream.consumer import Record
from truckstream.errors import SearchError
from truckstream.search import OpenSearchSink, search_index
from truckstream.search.opensearch.client import OpenSearchClient, OpenSearchOptions

SHARD = "shardId-000000000000"
DAY = 1736899200.0  # 2025-01-15
#: Seconds that a request may take on a busy machine.
PATIENCE = 120.0


def batch(payloads, *, first=0, every=1.0):
    records = [
        Record(data, "key", f"{first + at:056}", DAY + (first + at) * every, SHARD) for at, data in enumerate(payloads)
    ]
    return SimpleNamespace(stream_name="trucks", shard_id=SHARD, records=records)


def trucks(count):
    return [msgspec.json.encode(DESCRIBED | {"truck_id": f"T{n}", "speed": n % 200 / 2}) for n in range(count)]


@pytest.fixture
def index():
    return f"test-{uuid4().hex[:8]}"


async def call(url, method, path, body=None, **params):
    async with OpenSearchClient(url, OpenSearchOptions(request_timeout=PATIENCE)) as client:
        return await client.request(method, path, body, **params)


async def refresh(url, index):
    await call(url, "POST", f"/{index}-*,rejected-{index}-*/_refresh", expand_wildcards="all")


async def search(query, url, index, **options):
    await refresh(url, index)
    return await search_index(query, url, index=f"{index}-*", request_timeout=PATIENCE, **options)


async def test_records_are_found_newest_first_in_pages(opensearch_url, index, monkeypatch):
    monkeypatch.setattr("truckstream.search.asking.index_search._PAGE", 30)
    async with OpenSearchSink(opensearch_url, index=index, max_request_documents=40) as sink:
        await sink.handle(batch(trucks(100), every=1_000.0))  # over two days
    rows = await search("speed:[10 TO 40} NORMAL", opensearch_url, index)
    assert [row["truck_id"] for row in rows] == [f"T{n}" for n in range(79, 19, -1)]
    assert rows[0] == DESCRIBED | {
        "truck_id": "T79",
        "speed": 39.5,
        "kinesis_sequence_number": f"{79:056}",
        "kinesis_subsequence_number": None,
        "kinesis_shard_id": SHARD,
        "kinesis_arrival_time": "2025-01-15 21:56:40.000",
    }


async def test_a_redelivery_replaces_the_documents(opensearch_url, index):
    async with OpenSearchSink(opensearch_url, index=index) as sink:
        await sink.handle(batch(trucks(10)))
        await sink.handle(batch(trucks(10)))
        assert sink.stats.written == 20
    assert len(await search("*", opensearch_url, index)) == 10


async def test_the_mapping_is_that_of_the_template(opensearch_url, index):
    async with OpenSearchSink(opensearch_url, index=index, shards=2, replicas=0) as sink:
        await sink.handle(batch(trucks(1)))
    found = await call(opensearch_url, "GET", f"/{index}-2025.01.15")
    made = found[f"{index}-2025.01.15"]
    assert made["settings"]["index"]["number_of_shards"] == "2"
    assert made["mappings"]["properties"]["truck_id"] == {"type": "keyword", "ignore_above": 8191}


async def test_documents_that_break_the_mapping_are_set_aside(opensearch_url, index):
    """Another program has mapped a field differently, which makes OpenSearch reject documents one by one."""
    template = {
        "index_patterns": [f"{index}-*"],
        "priority": 200,
        "template": {"mappings": {"properties": {"truck_id": {"type": "long"}}}},
    }
    await call(opensearch_url, "PUT", f"/_index_template/{index}-other", template)
    seen = []
    payloads = [msgspec.json.encode(DESCRIBED | {"truck_id": each}) for each in ("7", "T8", "9")]
    async with OpenSearchSink(opensearch_url, index=index, on_rejected=seen.append) as sink:
        await sink.handle(batch([*payloads, b"no json"]))
        assert (sink.stats.written, sink.stats.rejected) == (2, 2)
    assert [each.reason for each in seen] == ["mapper_parsing_exception", "malformed_json"]
    assert "T8" in seen[0].rule
    await refresh(opensearch_url, index)
    found = await call(opensearch_url, "POST", f"/rejected-{index}-*/_search", {"sort": ["sequence_number"]})
    sources = [hit["_source"] for hit in found["hits"]["hits"]]
    assert [source["reason"] for source in sources] == ["mapper_parsing_exception", "malformed_json"]
    assert msgspec.json.decode(sources[0]["data"])["truck_id"] == "T8"
    assert sources[1]["data"] == "no json"


async def test_a_missing_index_is_an_error_if_none_may_be_made(opensearch_url, index):
    await call(
        opensearch_url, "PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": f"-{index}-*,+*"}}
    )
    async with OpenSearchSink(opensearch_url, index=index, create_templates=False) as sink:
        with pytest.raises(SearchError, match="index_not_found_exception"):
            await sink.handle(batch(trucks(1)))


async def test_a_node_that_is_too_busy_is_waited_for(opensearch_url, index):
    """The node has 600 kB for documents that are being indexed, and answers with 429 when these are used up."""
    async with OpenSearchSink(opensearch_url, index=index, max_in_flight=8) as sink:
        await asyncio.gather(*(sink.handle(batch(trucks(300), first=300 * part)) for part in range(8)))
        assert sink.stats.written == 2_400
        assert sink.stats.retries > 0
    assert len(await search("*", opensearch_url, index, limit=10_000)) == 2_400


async def test_a_server_without_index_state_management_is_named(opensearch_url, index):
    with pytest.raises(SearchError, match="no handler found for uri"):
        async with OpenSearchSink(opensearch_url, index=index, keep_days=7):
            pass


# Shrinking would take minutes; the failing query is in the message.
@settings(max_examples=15, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
@given(readings=st.lists(READINGS, min_size=1, max_size=20), nodes=st.lists(NODES, min_size=20, max_size=20))
async def test_a_query_finds_what_it_means(opensearch_url, readings, nodes):
    index = f"test-{uuid4().hex[:8]}"
    async with OpenSearchSink(opensearch_url, index=index, schema=Reading) as sink:
        await sink.handle(batch(list(map(msgspec.json.encode, readings))))
        assert sink.stats.written == len(readings)
    await refresh(opensearch_url, index)
    place = {"kinesis_sequence_number": "", "kinesis_shard_id": ""}
    for node in nodes:
        rows = await search_index(
            written(node), opensearch_url, index=f"{index}-*", request_timeout=PATIENCE, schema=Reading
        )
        expected = [at for at, each in enumerate(readings) if matches(node, msgspec.structs.asdict(each) | place)]
        assert sorted(int(row["kinesis_sequence_number"]) for row in rows) == expected, written(node)
    await call(opensearch_url, "DELETE", f"/{index}-2025.01.15")

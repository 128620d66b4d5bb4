"""Searches in OpenSearch: the request, the rows, and the pages."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sample_record import DESCRIBED
from tests.search.evaluation import matches, written
from tests.search.fake_opensearch import fake_opensearch, fits
from tests.search.records import NODES, READINGS, Reading
from truckstream.errors import InvalidArgumentError, InvalidQueryError, SearchError
from truckstream.search import search_index
from truckstream.search.asking import index_search
from truckstream.search.language.opensearch_query import query_dsl
from truckstream.search.language.parser import parse_query

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
async def fake():
    async with fake_opensearch() as fake:
        for minute in range(5):
            for number in (1, 2):
                place = {
                    "kinesis_sequence_number": f"{minute}{number}",
                    "kinesis_subsequence_number": None,
                    "kinesis_shard_id": "shardId-000000000000",
                    "kinesis_arrival_time": f"2025-01-15 12:{minute:02}:00.000",
                }
                fake.write(
                    [("truckstream-2025.01.15", f"{minute}{number}", {**DESCRIBED, **place, "truck_id": f"T{number}"})]
                )
        yield fake


def numbers(rows):
    return [row["kinesis_sequence_number"] for row in rows]


async def test_the_newest_records_come_first(fake):
    assert numbers(await search_index("*", fake.url, limit=3)) == ["42", "41", "32"]
    assert numbers(await search_index("T1", fake.url, limit=2)) == ["41", "31"]


async def test_a_row_has_the_fields_of_the_schema_and_the_place(fake):
    [row] = await search_index("*", fake.url, limit=1)
    assert list(row) == [
        *DESCRIBED,
        *("kinesis_sequence_number", "kinesis_subsequence_number", "kinesis_shard_id", "kinesis_arrival_time"),
    ]
    assert row["speed"] == 65.4


async def test_the_time_of_arrival_limits_the_search(fake):
    since = NOON + timedelta(minutes=1)
    until = (NOON + timedelta(minutes=3)).astimezone(timezone(timedelta(hours=2)))
    assert numbers(await search_index("*", fake.url, since=since, until=until)) == ["22", "21", "12", "11"]


@pytest.mark.parametrize("page", [1, 3, 10])
async def test_an_answer_has_several_pages(fake, monkeypatch, page):
    monkeypatch.setattr(index_search, "_PAGE", page)
    rows = await search_index("*", fake.url, limit=7)
    assert numbers(rows) == ["42", "41", "32", "31", "22", "21", "12"]
    assert [each["size"] for each in fake.searches] == {1: [1] * 7, 3: [3, 3, 1], 10: [7]}[page]


async def test_a_number_without_a_fraction_is_a_number(fake):
    fake.write([("truckstream-2025.01.15", "x", {"speed": 65, "engine_rpm": 3, "kinesis_arrival_time": "2026"})])
    [row] = await search_index("*", fake.url, limit=1)
    assert repr(row["speed"]) == "65.0"
    assert repr(row["engine_rpm"]) == "3"


async def test_part_of_an_answer_is_an_error(fake, monkeypatch):
    async def partial(*_, **__):
        return {"timed_out": False, "_shards": {"failed": 1}, "hits": {"hits": []}}

    monkeypatch.setattr(index_search.OpenSearchClient, "request", partial)
    with pytest.raises(SearchError, match="could not search all indexes") as caught:
        await search_index("*", fake.url)
    assert caught.value.retryable


async def test_a_server_that_is_not_there_is_an_error():
    with pytest.raises(SearchError, match="ConnectionError") as caught:
        await search_index("*", "http://127.0.0.1:9")
    assert caught.value.retryable


async def test_an_option_or_a_query_that_is_wrong_is_refused_before_any_request(fake):
    for options in ({"limit": 0}, {"since": datetime(2025, 1, 1)}):  # noqa: DTZ001 - the time without a zone
        with pytest.raises(InvalidArgumentError):
            await search_index("*", fake.url, **options)
    with pytest.raises(InvalidQueryError):
        await search_index("nothing:1", fake.url)
    assert fake.searches == []


@given(node=NODES, readings=st.lists(READINGS, min_size=1, max_size=5))
def test_a_query_finds_what_it_means(node, readings):
    """The DSL is evaluated by the fake. It compares zeros as Python does, the real node as Lucene does."""
    query = query_dsl(parse_query(written(node), Reading))
    for each in map(msgspec.structs.asdict, readings):
        assert fits(query, each) == matches(node, each)

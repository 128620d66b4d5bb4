"""Searches in stored objects: the same rows as from OpenSearch, of every format and layout."""

from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace

import msgspec
import pytest

from tests.sample_record import DESCRIBED
from tests.search.fake_opensearch import fake_opensearch
from truckstream import Batcher, compact
from truckstream.consumer import Record
from truckstream.errors import InvalidArgumentError, InvalidQueryError, StoreError
from truckstream.search import OpenSearchSink, search_index, search_store
from truckstream.worker.storing.group_event import event_of

NOON = datetime(2025, 1, 15, 12, tzinfo=UTC)
ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/trucks"
SHARD = "shardId-000000000000"
STATES = ("NORMAL", "WARNING", "URGENT")


def records(count, *, every=60.0, seed=1):
    random = Random(seed)
    return [
        Record(
            msgspec.json.encode(
                DESCRIBED
                | {
                    "truck_id": f"TRUCK_{random.randrange(9):03}",
                    "speed": random.choice([0, 0.0, 60, 65.5, 88.25]),
                    "brake_temp": round(random.uniform(80, 260), 1),
                    "engine_rpm": random.randrange(800, 2_500),
                    "health_status": random.choice(STATES),
                }
            ),
            "key",
            f"{number:056}",
            NOON.timestamp() + number * every,
            SHARD,
        )
        for number in range(count)
    ]


async def store(path, taken, *, group=10, **options):
    batcher = Batcher(path.as_uri(), **options)
    for start in range(0, len(taken), group):
        result = await batcher.store_group(event_of(ARN, SHARD, taken[start : start + group]))
        assert result.not_stored == 0


def numbers(rows):
    return [int(row["kinesis_sequence_number"]) for row in rows]


@pytest.mark.parametrize("options", [{}, {"format": "parquet"}, {"layout": "hive", "compression": "gzip"}])
@pytest.mark.parametrize(
    "query",
    [
        "*",
        "brake_temp:>200 health_status:URGENT",
        "URGENT OR speed:0",
        "NOT (speed:[60 TO 70] OR truck_id:TRUCK_001)",
        "truck_id:(TRUCK_001 OR *7) engine_rpm:{1000 TO 2000]",
        "speed:>=-0 -health_status:NORMAL",
        "_exists_:kinesis_subsequence_number",
        f"kinesis_shard_id:{SHARD} timestamp:2025*",
        'timestamp:"2025-01-15 14:30:25"',
    ],
)
async def test_both_engines_give_the_same_rows(tmp_path, options, query):
    taken = records(60)
    await store(tmp_path, taken, add_stream_fields=True, **options)
    since, until = NOON + timedelta(minutes=5), NOON + timedelta(minutes=50)
    async with fake_opensearch() as fake, OpenSearchSink(fake.url) as sink:
        await sink.handle(SimpleNamespace(stream_name="trucks", shard_id=SHARD, records=taken))
        expected = await search_index(query, fake.url, since=since, until=until, limit=20)
    found = search_store(query, tmp_path, since=since, until=until, limit=20)
    assert found == expected
    assert len(found) > 1 or query.startswith("_exists_")


async def test_without_stream_fields_a_record_counts_with_its_object(tmp_path):
    await store(tmp_path, records(40), format="parquet")
    rows = search_store("*", tmp_path, since=NOON + timedelta(minutes=15), until=NOON + timedelta(minutes=25))
    assert numbers(rows) == list(range(29, 19, -1))  # the object that began at 12:20
    assert rows[0]["kinesis_arrival_time"] is None


async def test_an_object_that_began_before_the_time_is_read(tmp_path):
    await store(tmp_path, records(40), add_stream_fields=True)
    rows = search_store("*", tmp_path, since=NOON + timedelta(minutes=35))
    assert numbers(rows) == [39, 38, 37, 36, 35]


async def test_a_compacted_hour_counts_with_the_whole_hour(tmp_path):
    await store(tmp_path, records(40))
    await compact(tmp_path.as_uri())
    for path in tmp_path.glob("sensor_data/batch*"):
        path.unlink()
    assert len(search_store("*", tmp_path, since=NOON + timedelta(minutes=15))) == 40
    with pytest.raises(StoreError, match="no objects"):
        search_store("*", tmp_path, since=NOON + timedelta(hours=2))


async def test_wrong_options_and_queries_are_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match="limit"):
        search_store("*", tmp_path, limit=0)
    with pytest.raises(InvalidArgumentError, match="time zone"):
        search_store("*", tmp_path, since=datetime(2025, 1, 1))  # noqa: DTZ001 - the time without a zone
    with pytest.raises(InvalidQueryError, match="Did you mean brake_temp"):
        search_store("brake_tmp:1", tmp_path)
    with pytest.raises(InvalidArgumentError, match="named fields"):
        search_store("*", tmp_path, schema=None)


async def test_a_value_with_quotes_is_a_value(tmp_path):
    await store(tmp_path, records(10))
    assert search_store('truck_id:"x\' OR 1=1 --"', tmp_path) == []

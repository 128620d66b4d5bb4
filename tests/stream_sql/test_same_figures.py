"""The stream and the stored objects give the same figures for the same windows."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.commands.support import AWS
from tests.stream_sql.support import BASE, line
from truckstream import Fleet
from truckstream.data.query import open_tables
from truckstream.local import LocalKinesis
from truckstream.producer import Producer
from truckstream.stream_sql import SqlStream
from truckstream.worker import Worker

QUESTIONS = [
    "SELECT truck_id, count(*) AS n, avg(engine_temp) AS average, max(speed) AS fastest FROM records GROUP BY truck_id",
    "SELECT health_status, count(*) AS n, quantile_cont(brake_temp, 0.9) AS p90 FROM records GROUP BY ALL",
    "SELECT count(DISTINCT truck_id) AS trucks, min(timestamp) AS first, max(timestamp) AS last FROM records",
    "SELECT truck_id, timestamp, tire_pressure_fl FROM records WHERE truck_id LIKE '%3' AND engine_rpm > 0",
    """WITH hot AS (SELECT truck_id, max(engine_temp) AS hottest FROM records GROUP BY truck_id)
    SELECT truck_id, hottest FROM hot WHERE hottest > (SELECT avg(hottest) FROM hot)""",
]


def rounded(rows):
    """Return rows without their window, in order; sums of floats depend on the order of the records."""
    return sorted(tuple(round(value, 6) if isinstance(value, float) else value for value in row) for row in rows)


def objects_of(folder):
    """Return the number of records in the objects."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*/*.json"))


@pytest.fixture
async def stored(tmp_path, monkeypatch):
    """A stream, and the folder with its objects."""
    for name, value in {**AWS, "AWS_DEFAULT_REGION": AWS["AWS_REGION"]}.items():
        monkeypatch.setenv(name, value)
    fleet = Fleet(30, rate=100, seed=16, invalid=0.05, start=datetime.fromtimestamp(BASE, UTC))
    async with LocalKinesis(shards=2, quotas=False) as kinesis:
        async with Producer(kinesis.stream_name, endpoint_url=kinesis.endpoint_url, aggregate=True) as producer:
            for report in fleet.take(3500):
                await producer.put(report.data, report.truck_id)
            for key in "ABCDEFGH":
                await producer.put(line(1000), key)
        folder = tmp_path / "objects"
        folder.mkdir()
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        worker = Worker(kinesis.stream_name, folder.as_uri(), endpoint_url=kinesis.endpoint_url, max_wait=0.2)
        async with worker:
            running = asyncio.create_task(worker.run())
            while objects_of(folder) < 3508:  # noqa: ASYNC110 - storing sets no event
                await asyncio.sleep(0.2)
            worker.stop()
            await running
        yield kinesis, folder


async def test_each_question_has_the_same_answer_on_the_stream_and_later_on_the_objects(stored):
    kinesis, folder = stored
    options = {"window": 10, "every": 0.05, "start": "TRIM_HORIZON", "endpoint_url": kinesis.endpoint_url}
    with open_tables(str(folder)) as tables:
        for question in QUESTIONS:
            async with SqlStream(kinesis.stream_name, question, **options) as stream:
                while stream.stats.read < 3508:  # noqa: ASYNC110 - reading sets no event
                    await asyncio.sleep(0.02)
                stream.stop()
                results = {result.window_start: result.rows async for result in stream}
                assert (stream.stats.late, stream.stats.open_windows) == (0, 1)
                assert stream.stats.rejected > 100
            assert len(results) == 4, question
            for window in range(0, 40, 10):
                start = datetime.fromtimestamp(BASE + window, UTC)
                expected = answer_of_objects(tables, question, start)
                assert rounded(row[2:] for row in results.get(start, [])) == rounded(expected), question


def answer_of_objects(tables, question, start):
    """Return the answer for the records of one window that are stored."""
    since, until = (f"'{time:%Y-%m-%d %H:%M:%S}'" for time in (start, start + timedelta(seconds=10)))
    when = f"timestamp::TIMESTAMP >= {since} AND timestamp::TIMESTAMP < {until}"
    tables.execute(f"CREATE OR REPLACE VIEW records_now AS SELECT * FROM records WHERE {when}")
    return tables.execute(question.replace("FROM records", "FROM records_now")).fetchall()

"""A query on a local stream: it gives each window once, goes on where it ended, and agrees with stored objects."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.commands.support import AWS
from tests.stream_sql.support import BASE, line
from truckstream.consumer.tables import SqliteTable
from truckstream.errors import ConfigurationError, ConsumerClosedError, InvalidArgumentError, UsageError
from truckstream.local import LocalKinesis
from truckstream.producer import Producer
from truckstream.stream_sql import QueryFailedError, SqlStream

SQL = "SELECT truck_id, count(*) AS n, sum(engine_rpm) AS rpm FROM records GROUP BY truck_id ORDER BY truck_id"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    for name, value in {**AWS, "AWS_DEFAULT_REGION": AWS["AWS_REGION"]}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def kinesis():
    async with LocalKinesis(shards=2) as kinesis:
        yield kinesis


#: Records of each shard that end all windows before them.
END = [line(1000)] * 8


async def put(kinesis, *lines, keys="ABCDEFGH"):
    """Put records with several keys, so that each shard gets some."""
    async with Producer(kinesis.stream_name, endpoint_url=kinesis.endpoint_url) as producer:
        for number, data in enumerate(lines):
            await producer.put(data, keys[number % len(keys)])


def make(kinesis, sql=SQL, **options):
    options = {"window": 10, "every": 0.05, "lateness": 0, "start": "TRIM_HORIZON", **options}
    return SqlStream(kinesis.stream_name, sql, endpoint_url=kinesis.endpoint_url, **options)


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - reading sets no event
            await asyncio.sleep(0.02)


async def take(stream, count):
    """Return the first results; those that were taken count as delivered."""
    results = []
    async for result in stream:
        results.append(result)
        if len(results) == count:
            stream.delivered()
            break
    return results


def rows_of(result):
    start = (result.window_start - datetime.fromtimestamp(BASE, UTC)) // timedelta(seconds=1)
    return start, [row[2:] for row in result.rows]


async def test_each_window_is_given_once_with_its_whole_answer(kinesis):
    await put(kinesis, *[line(n, "AB"[n % 2], engine_rpm=n) for n in range(30)], *END)
    async with make(kinesis) as stream:
        results = await take(stream, 3)
        assert [column.name for column in stream.answer] == ["window_start", "window_end", "truck_id", "n", "rpm"]
        stats = stream.stats
    assert [rows_of(result) for result in results] == [
        (start, [("A", 5, sum(range(start, start + 10, 2))), ("B", 5, sum(range(start + 1, start + 10, 2)))])
        for start in (0, 10, 20)
    ]
    assert all(
        result.is_final and result.window_end - result.window_start == timedelta(seconds=10) for result in results
    )
    assert (stats.read, stats.late, stats.open_windows, stats.buffered_records) == (38, 0, 1, 8)
    assert str(stats.watermark) >= "2025-01-15 08:16:40+00:00"


async def test_the_changes_of_a_window_are_given_while_it_is_open(kinesis):
    now = datetime.now(UTC).timestamp() - BASE
    async with make(kinesis, window=3600, emit="changes", lateness=3600) as stream:
        await put(kinesis, line(now, "A", engine_rpm=1), line(now, "B", engine_rpm=1))
        seen = {}
        async with asyncio.timeout(30):
            async for result in stream:
                assert not result.is_final
                for kind, (_, _, truck, n, _) in result.changes:
                    assert (kind == "insert") == (truck not in seen)
                    seen[truck] = n
                if seen == {"A": 1, "B": 1}:
                    await put(kinesis, line(now, "A", engine_rpm=1))
                if seen == {"A": 2, "B": 1}:
                    break
        assert result.changes[0].row[2] == "A"
        assert len(result.rows) == 2


async def test_late_and_invalid_records_are_counted(kinesis):
    await put(kinesis, line(1), line(25), line(26), b"{}", line(1, timestamp="never"), *END)
    async with make(kinesis) as stream:
        await take(stream, 2)
        await put(kinesis, line(2), keys="A")
        await until(lambda: stream.stats.late)
        stats = stream.stats
    assert (stats.read, stats.rejected, stats.without_time, stats.late, stats.left_out) == (14, 1, 1, 1, 3)


async def test_stopping_gives_no_windows_that_are_open(kinesis):
    now = datetime.now(UTC).timestamp() - BASE
    async with make(kinesis, window=3600) as stream:
        await put(kinesis, line(now))
        await until(lambda: stream.stats.read)
        stream.stop()
        assert [result async for result in stream] == []
        assert stream.stats.open_windows == 1


async def test_a_query_that_cannot_be_answered_ends_with_duckdbs_reason(kinesis):
    await put(kinesis, line(1), *END)
    async with make(kinesis, "SELECT max(timestamp::INTEGER) AS t FROM records") as stream:
        with pytest.raises(QueryFailedError, match="Could not convert"):
            await take(stream, 1)


async def test_it_must_be_open(kinesis):
    stream = make(kinesis)
    with pytest.raises(ConsumerClosedError, match="not open"):
        await anext(stream)
    await stream.close()


async def test_it_can_be_opened_once(kinesis):
    async with make(kinesis) as stream:
        with pytest.raises(ConsumerClosedError, match="opened only once"):
            await stream.open()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"window": 0}, "window is 0: must be a number, at least 0.001"),
        ({"every": 0}, "every is 0: must be a number, at least 0.01"),
        ({"slide": 3}, "slide is 3: must divide the window of 10 s without a rest"),
        ({"slide": 20}, "slide is 20: must be a number, from 0.001 to 10"),
        ({"slide": 0.001}, "slide is 0.001: must divide the window of 10 s without a rest, at most 3600 times"),
        ({"emit": "all"}, 'emit is \'all\': must be "changes" or "final"'),
        ({"memory_bytes": 1}, "memory_bytes is 1: must be a whole number, at least 67108864"),
        ({"event_time": "time"}, "event_time is 'time': must be a field of the schema"),
        ({"schema": None}, "schema is None: must be a msgspec.Struct"),
        ({"lateness": -1}, "out_of_orderness is -1: must be a number, at least 0"),
        ({"application": "a"}, "application is 'a': must have 3 to 255 letters"),
        ({"leases": object()}, "is for an application: pass its name, too"),
    ],
)
def test_an_option_that_breaks_a_rule_is_refused_at_once(options, text):
    with pytest.raises(InvalidArgumentError) as raised:
        SqlStream("trucks", SQL, **{"window": 10, **options})
    assert text in str(raised.value)


# --- Progress -----------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    """Return a function that makes the table of progress, which each run opens for itself."""
    return lambda: SqliteTable(tmp_path / "progress.sqlite")


async def test_the_next_run_goes_on_where_the_last_one_ended(kinesis, table):
    lines = [line(n, "A", engine_rpm=1) for n in range(25)]
    await put(kinesis, *lines[:17], keys="A")
    options = {"application": "fleet"}
    async with make(kinesis, leases=table(), **options) as stream:
        [first] = await take(stream, 1)
    await put(kinesis, *lines[17:], keys="A")
    await put(kinesis, *END)
    async with make(kinesis, leases=table(), **options) as stream:
        [second, third] = await take(stream, 2)
        assert stream.stats.late == 0
    assert rows_of(first) == (0, [("A", 10, 10)])
    assert rows_of(third) == (20, [("A", 5, 5)])
    assert rows_of(second) == (10, [("A", 10, 10)])


async def test_results_that_were_not_delivered_come_again(kinesis, table):
    await put(kinesis, *[line(n, "A", engine_rpm=1) for n in range(25)], keys="A")
    await put(kinesis, *END)
    async with make(kinesis, leases=table(), application="fleet") as stream:
        assert rows_of(await anext(stream)) == (0, [("A", 10, 10)])
        assert rows_of(await anext(stream)) == (10, [("A", 10, 10)])
    async with make(kinesis, leases=table(), application="fleet") as stream:
        assert rows_of(await anext(stream)) == (10, [("A", 10, 10)])
        assert rows_of(await anext(stream)) == (20, [("A", 5, 5)])


async def test_a_window_that_was_final_is_not_given_again_in_part(kinesis, table):
    """Its last record is read again, because it comes after the first one of a window that is open."""
    await put(kinesis, line(1), line(12), line(3), keys="A")
    async with make(kinesis, leases=table(), application="fleet") as stream:
        [first] = await take(stream, 1)
    await put(kinesis, line(13), keys="A")
    await put(kinesis, *END)
    async with make(kinesis, leases=table(), application="fleet") as stream:
        [second] = await take(stream, 1)
        assert stream.stats.late == 0
    assert [(start, n) for start, [(_, n, _)] in (rows_of(first), rows_of(second))] == [(0, 2), (10, 2)]


async def test_an_application_belongs_to_one_query(kinesis, table):
    async with make(kinesis, leases=table(), application="fleet"):
        pass
    for other in (
        {"window": 20},
        {"slide": 5},
        {"sql": "SELECT 1 AS one FROM records"},
        {"event_time": "kinesis_arrival_time"},
    ):
        with pytest.raises(ConfigurationError, match="belongs to another query"):
            async with make(kinesis, leases=table(), application="fleet", **other):
                pass


async def test_a_second_process_takes_the_application_over(kinesis, table):
    await put(kinesis, *[line(n) for n in range(25)], *END)
    async with make(kinesis, leases=table(), application="fleet") as first:
        await anext(first)
        async with make(kinesis, leases=table(), application="fleet") as second:
            with pytest.raises(UsageError, match="another process runs the application fleet"):
                await take(first, 3)
            assert len(await take(second, 3)) == 3


async def test_an_application_that_begins_at_latest_skips_nothing_between_two_runs(kinesis, table):
    await put(kinesis, line(1))
    async with make(kinesis, leases=table(), application="fleet", start="LATEST"):
        pass
    await put(kinesis, line(1), line(2), *END)
    async with make(kinesis, leases=table(), application="fleet", start="LATEST") as stream:
        [result] = await take(stream, 1)
    assert [n for _, n, _ in rows_of(result)[1]] == [2]


async def test_no_record_is_lost_at_a_reshard_whose_last_records_an_open_window_needs(table):
    """The parent has ended when the process ends; the windows that it was in are open."""
    now = int(datetime.now(UTC).timestamp()) - BASE
    async with LocalKinesis(shards=1) as kinesis:
        options = {"application": "fleet", "window": 2, "lateness": 1}
        async with make(kinesis, leases=table(), **options) as stream:
            await put(kinesis, *[line(now + n / 100) for n in range(100)])
            half = str(2**127)
            await kinesis.call(
                "SplitShard",
                StreamName=kinesis.stream_name,
                ShardToSplit="shardId-000000000000",
                NewStartingHashKey=half,
            )
            await put(kinesis, *[line(now + 1 + n / 100) for n in range(50)])
            await until(lambda: stream.stats.read == 150)
            await stream._progress.save(stream._windows)  # as the step of every few seconds does
        counts = {}
        async with make(kinesis, leases=table(), **options) as stream:
            async with asyncio.timeout(40):
                while sum(counts.values()) < 150:
                    result = await anext(stream)
                    counts[result.window_start] = sum(row[3] for row in result.rows)
            assert stream.stats.late == 0
    assert sum(counts.values()) == 150

"""The objects of each hour are compared with the metric of the stream."""

from datetime import UTC, datetime, timedelta

import obstore.store
import pytest

from tests.batcher.support import ARN, aggregate, record
from tests.cloud.scripted_aws import ScriptedAws
from tests.data.audit.support import fill_by_function, keys, verify

BEGIN = datetime(2025, 1, 15, 14, tzinfo=UTC)


def at(n, minutes, data=None):
    return record(
        b'{"n":%d}' % n if data is None else data, n, arrival=(BEGIN + timedelta(minutes=minutes)).timestamp()
    )


def cloudwatch(taken, pages=1):
    """Return an account whose metric has these values for the hours from `BEGIN` on."""
    times = [BEGIN + timedelta(hours=hour) for hour in taken]
    cuts = [slice(page, None, pages) for page in range(pages)]

    def response(cut, token):
        result = {"Id": "incoming", "Timestamps": times[cut], "Values": [*map(float, taken.values())][cut]}
        return {"MetricDataResults": [result], **({"NextToken": token} if token else {})}

    responses = [response(cut, "more" if cut != cuts[-1] else None) for cut in cuts]
    return ScriptedAws({"cloudwatch.get_metric_data": responses})


@pytest.fixture
async def store():
    """Objects of four hours: 2, 10, 5 and 1 records; one of 5 lies beside the end of the second hour."""
    store = obstore.store.MemoryStore()
    first = [at(n, 30) for n in range(2)]
    second = [at(n, 90 + n) for n in range(2, 7)] + [at(n, 119) for n in range(7, 12)]
    third = [at(n, 150) for n in range(12, 17)]
    await fill_by_function(store, first, second, third, [at(17, 200)])
    return store


async def counts(store, taken, **options):
    report = await verify(store, cloudwatch=cloudwatch(taken, options.pop("pages", 1)), **options)
    return [(each.kind, each.text) for each in report.findings], report


@pytest.mark.parametrize("taken", [{1: 10, 2: 5}, {1: 5, 2: 10}, {0: 9, 1: 7, 2: 8, 3: 9}])
async def test_counts_within_the_bounds_agree(store, taken):
    """The group at the end of an hour may lie in either; the hours at both ends are not compared."""
    findings, report = await counts(store, taken, pages=2)
    assert (findings, report.compared_hours, report.exit_status) == ([], 2, 0)


async def test_an_hour_in_which_the_stream_took_more_has_lost_records(store):
    [(kind, text)], report = await counts(store, {1: 10, 2: 11})
    assert kind == "count"
    assert "from 2025-01-15T16:00Z on" in text
    assert "took 11 records in an hour, by CloudWatch, and the objects hold 5 to 10: records are missing" in text
    assert report.exit_status == 1


async def test_an_hour_in_which_the_stream_took_less_is_doubled(store):
    [(_, text)], _ = await counts(store, {1: 4, 2: 5})
    assert "objects hold 5 to 10: records are stored twice" in text


async def test_an_hour_without_objects_has_lost_its_records(store):
    store.delete(keys(store)[3])
    store.delete(keys(store)[2])
    findings, _ = await counts(store, {1: 5, 2: 5})
    assert [kind for kind, _ in findings] == ["count"]


async def test_only_whole_hours_of_the_time_are_compared(store):
    wrong = {1: 99, 2: 99}
    assert (await counts(store, wrong, since=BEGIN + timedelta(minutes=70)))[1].compared_hours == 1
    assert (await counts(store, wrong, until=BEGIN + timedelta(minutes=170)))[1].compared_hours == 1
    assert (await counts(store, wrong, until=BEGIN + timedelta(minutes=80)))[1].compared_hours == 0


async def test_an_aggregate_counts_as_one_record(store):
    store = obstore.store.MemoryStore()
    bundle = aggregate(*(b'{"n":%d}' % n for n in range(9)))
    await fill_by_function(store, [at(0, 30)], [at(1, 90, bundle), at(2, 90)], [at(3, 150)])
    assert (await counts(store, {1: 2}))[0] == []


async def test_the_metric_is_that_of_the_objects_stream(store):
    aws = cloudwatch({1: 10, 2: 5})
    await verify(store, cloudwatch=aws)
    [asked] = aws.calls_of("cloudwatch.get_metric_data")
    [query] = asked["MetricDataQueries"]
    assert query["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "StreamName", "Value": ARN.rpartition("/")[2]}]
    assert (asked["StartTime"], asked["EndTime"]) == (BEGIN + timedelta(hours=1), BEGIN + timedelta(hours=3))


async def test_a_store_without_objects_asks_nothing():
    report = await verify(obstore.store.MemoryStore(), cloudwatch=ScriptedAws({}))
    assert (report.compared_hours, [each.kind for each in report.findings]) == (0, ["no_objects"])

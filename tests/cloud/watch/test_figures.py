"""CloudWatch's figures: the queries for them, and their computation from the results."""

from datetime import UTC, datetime

import pytest

from tests import virtual_time
from tests.cloud.scripted_aws import ScriptedAws
from tests.cloud.watch.support import results
from truckstream.cloud.watch.figures import Figures, queries, summarize
from truckstream.cloud.watch.reading.cloudwatch import read_figures
from truckstream.errors import InvalidArgumentError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_figure_is_the_peak_of_a_minute_or_the_sum_of_all():
    found = summarize(results(records_per_second=[600.0, 6_000.0], records=[600.0, 6_000.0], errors=[1.0, 2.0]), 60)
    assert (found.records_per_second, found.records, found.errors) == (100.0, 6_600.0, 3.0)


@pytest.mark.parametrize("minutes", [0, -5, 21_601, 10**12])
def test_a_period_that_cloudwatch_does_not_keep_is_rejected(minutes):
    with pytest.raises(InvalidArgumentError, match=f"minutes is {minutes}: must be from 1 to 21600"):
        virtual_time.run(read_figures(ScriptedAws({}), stream=None, function=None, now=NOW, minutes=minutes))


def test_a_figure_without_data_points_is_none():
    assert summarize(results(errors=[]), 60) == Figures(60)
    assert Figures(60, errors=0.0, invocations=0.0).error_rate is None


def test_without_a_function_only_metrics_of_the_stream_are_queried():
    assert {query["MetricStat"]["Metric"]["Namespace"] for query in queries("trucks", None)} == {"AWS/Kinesis"}
    assert queries(None, None) == []

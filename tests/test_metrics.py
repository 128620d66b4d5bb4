"""The tables of metrics are consistent. Other tests compare the template and the pages with them."""

import pytest

from truckstream.alarms import ALARMS
from truckstream.metrics import CONSUMER_METRICS, FUNCTION_METRICS, METRICS, NAMESPACE, PRODUCER_METRICS


def test_names_are_unique():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert len({alarm.name for alarm in ALARMS}) == len(ALARMS)


def test_each_alarm_uses_metrics_of_the_table():
    assert {name for alarm in ALARMS for name in alarm.metrics} <= {metric.name for metric in METRICS}


def test_the_function_writes_only_metrics_of_its_namespace():
    assert {metric.namespace for metric in FUNCTION_METRICS} == {NAMESPACE}
    assert [metric.name for metric in FUNCTION_METRICS][:3] == ["RecordsReceived", "RecordsStored", "RecordsRejected"]


@pytest.mark.parametrize("table", [PRODUCER_METRICS, CONSUMER_METRICS], ids=["producer", "consumer"])
def test_metrics_for_opentelemetry_have_unique_names_and_increasing_buckets(table):
    assert len({row.name for row in table}) == len(table)
    for row in table:
        assert row.attributes[0] == "aws.kinesis.stream_name"
        assert bool(row.buckets) == (row.kind == "histogram")
        assert list(row.buckets) == sorted(set(row.buckets))

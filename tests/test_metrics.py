"""The table of metrics is sound in itself; template.yaml and the docs are held to it elsewhere."""

from truckstream.alarms import ALARMS
from truckstream.metrics import FUNCTION_METRICS, METRICS, NAMESPACE, PRODUCER_METRICS


def test_names_are_unique():
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert len({alarm.name for alarm in ALARMS}) == len(ALARMS)


def test_each_alarm_looks_at_metrics_of_the_table():
    assert {name for alarm in ALARMS for name in alarm.metrics} <= {metric.name for metric in METRICS}


def test_the_function_writes_its_own_alone():
    assert {metric.namespace for metric in FUNCTION_METRICS} == {NAMESPACE}
    assert [metric.name for metric in FUNCTION_METRICS][:3] == ["RecordsReceived", "RecordsStored", "RecordsRejected"]


def test_the_producers_have_names_of_their_own_and_buckets_that_grow():
    assert len({row.name for row in PRODUCER_METRICS}) == len(PRODUCER_METRICS)
    for row in PRODUCER_METRICS:
        assert row.attributes[0] == "aws.kinesis.stream_name"
        assert bool(row.buckets) == (row.kind == "histogram")
        assert list(row.buckets) == sorted(set(row.buckets))

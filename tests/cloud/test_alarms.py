"""Each alarm of the template rings when its metrics show the trouble, and is silent otherwise."""

import pytest

from tests.cloud.alarm_evaluator import Metrics, rings
from tests.cloud.resolved_template import created, properties_of, references
from truckstream.alarms import ALARMS

MINUTE = 60
NOW = 3_600


def alarms(**parameters):
    """Return the properties of each alarm by its name without the stack's."""
    names = references("acme", **{"CreateCompaction": "true", **parameters})
    found = (properties_of(name, names) for name, kind in created(names).items() if kind == "AWS::CloudWatch::Alarm")
    return {alarm["AlarmName"].removeprefix("acme-"): alarm for alarm in found}


def ringing(metrics, now=NOW, **parameters):
    """Return the names of the alarms that ring."""
    return {name for name, alarm in alarms(**parameters).items() if rings(alarm, metrics, now)}


def minutes(first, last):
    """Return one second within each minute of the hour from `first` to `last`, exclusive."""
    return [MINUTE * minute + 30 for minute in range(first, last)]


def healthy(*, until=60, called_until=None, polled_until=None):
    """Return the metrics of a pipeline that carries 100 records/s in twelve calls a minute."""
    metrics = Metrics()
    called = minutes(0, until if called_until is None else called_until)
    metrics.add("AWS/Kinesis", "IncomingRecords", 6_000, *minutes(0, until))
    metrics.add("AWS/Kinesis", "IncomingBytes", 3_000_000, *minutes(0, until))
    metrics.add("AWS/Lambda", "PolledEventCount", 6_000, *minutes(0, until if polled_until is None else polled_until))
    for name, value in (("Invocations", 12), ("Errors", 0), ("Duration", 900), ("IteratorAge", 5_000)):
        metrics.add("AWS/Lambda", name, value, *called)
    for name, value in (("UploadsFailed", 0), ("PutLatency", 120)):
        metrics.add("Truckstream", name, value, *called)
    return metrics


def test_no_alarm_rings_for_a_healthy_pipeline():
    assert ringing(healthy()) == set()


def test_no_alarm_rings_while_nothing_is_sent():
    assert ringing(Metrics()) == set()
    assert ringing(healthy(until=20)) == set()


#: By alarm: metrics of a healthy pipeline with this trouble, and the alarms that ring beside it.
TROUBLES = {
    "function-errors": ([("AWS/Lambda", "Errors", 1, 58)], {"error-rate"}),
    "error-rate": ([("AWS/Lambda", "Errors", 1, 58)], {"function-errors"}),
    "throttled-calls": ([("AWS/Lambda", "Throttles", 1, 58)], set()),
    "iterator-age": ([("AWS/Lambda", "IteratorAge", 31_000, minute) for minute in (57, 58, 59)], set()),
    "given-up": ([("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", 700, 57)], set()),
    "destination-failed": ([("AWS/Lambda", "DestinationDeliveryFailures", 1, 56)], set()),
    "duration": ([("AWS/Lambda", "Duration", 240_001, 59)], set()),
    "failed-uploads": ([("Truckstream", "UploadsFailed", 1, 56)], set()),
    "upload-latency": ([("Truckstream", "PutLatency", 5_001, minute) for minute in (57, 58, 59)], set()),
    "throttled-writes": (
        [("AWS/Kinesis", "WriteProvisionedThroughputExceeded", 1, minute) for minute in (55, 57, 59)],
        set(),
    ),
    "stream-load": ([("AWS/Kinesis", "IncomingRecords", 42_001, minute) for minute in range(55, 60)], set()),
    "compactions-not-called": ([("AWS/Events", "FailedInvocations", 1, 30)], set()),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_an_alarm_rings_for_its_trouble(name):
    samples, beside = TROUBLES[name]
    metrics = healthy()
    for namespace, metric, value, minute in samples:
        metrics.add(namespace, metric, value, *minutes(minute, minute + 1))
    assert ringing(metrics) == {name} | beside


def test_every_alarm_has_a_trouble_that_rings_it():
    others = {"no-calls", "mapping-stopped", "compactions-failed", "compactions-slow"}
    assert set(TROUBLES) | others == {alarm.name for alarm in ALARMS} == set(alarms())


# --- Silence ----------------------------------------------------------------------------------------


def test_records_without_calls_ring_after_ten_minutes():
    metrics = healthy(called_until=50)
    assert ringing(metrics, now=59 * MINUTE) == set()
    assert ringing(metrics, now=60 * MINUTE) == {"no-calls"}


def test_a_disabled_mapping_rings_after_ten_minutes():
    """It polls no records and makes no calls, so that Lambda reports nothing at all."""
    metrics = healthy(called_until=50, polled_until=50)
    assert ringing(metrics, now=59 * MINUTE) == set()
    assert ringing(metrics, now=60 * MINUTE) == {"mapping-stopped", "no-calls"}


def test_a_mapping_that_never_worked_rings():
    metrics = healthy(called_until=0, polled_until=0)
    assert ringing(metrics, now=10 * MINUTE) == {"mapping-stopped", "no-calls"}


def test_a_delivery_that_waits_for_the_longest_window_rings_nothing():
    """EventWindow is at most 5 minutes: a record of one period may be delivered at the end of the next."""
    metrics = Metrics()
    metrics.add("AWS/Kinesis", "IncomingRecords", 1, *range(0, NOW, 300))
    metrics.add("AWS/Lambda", "PolledEventCount", 1, *range(0, NOW, 300))
    metrics.add("AWS/Lambda", "Invocations", 1, *range(299, NOW, 300))
    found = {now: ringing(metrics, now=now) for now in range(600, NOW, MINUTE)}
    assert {now: names for now, names in found.items() if names} == {}


def test_throttled_calls_ring_although_the_function_reports_nothing():
    metrics = healthy(called_until=50)
    metrics.add("AWS/Lambda", "Throttles", 5, *minutes(50, 60))
    assert ringing(metrics) == {"throttled-calls", "no-calls"}


def test_records_that_lambda_drops_ring_without_a_destination_too():
    metrics = healthy()
    metrics.add("AWS/Lambda", "DroppedEventCount", 1, *minutes(59, 60))
    assert ringing(metrics) == {"given-up"}


# --- The compaction ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("Errors", 1, {"compactions-failed"}),
        ("Errors", 0, set()),
        ("Duration", 720_001, {"compactions-slow"}),
        ("Duration", 720_000, set()),
    ],
)
def test_the_alarms_of_the_compaction_look_at_its_own_calls(metric, value, expected):
    metrics = healthy()
    metrics.add("AWS/Lambda", metric, value, 1_800, compaction=True)
    assert ringing(metrics) == expected
    assert ringing(metrics, CreateCompaction="false") == set()


# --- Alarms that follow a parameter -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "milliseconds", "expected"),
    [(300, 240_000, set()), (300, 240_100, {"duration"}), (900, 600_000, set()), (60, 48_100, {"duration"})],
)
def test_the_duration_alarm_follows_the_timeout(timeout, milliseconds, expected):
    metrics = healthy()
    metrics.add("AWS/Lambda", "Duration", milliseconds, *minutes(59, 60))
    assert ringing(metrics, Timeout=timeout) == expected


@pytest.mark.parametrize(
    ("shards", "records", "size", "expected"),
    [
        (1, 800, 0, set()),
        (1, 801, 0, {"stream-load"}),
        (4, 3_200, 0, set()),
        (4, 3_201, 0, {"stream-load"}),
        (4, 100, 3.3 * 1024 * 1024, {"stream-load"}),
    ],
)
def test_the_load_alarm_follows_the_number_of_shards(shards, records, size, expected):
    metrics = Metrics()
    metrics.add("AWS/Kinesis", "IncomingRecords", MINUTE * records, *minutes(50, 60))
    metrics.add("AWS/Kinesis", "IncomingBytes", MINUTE * size, *minutes(50, 60))
    metrics.add("AWS/Lambda", "PolledEventCount", 1, *minutes(50, 60))
    metrics.add("AWS/Lambda", "Invocations", 1, *minutes(50, 60))
    assert ringing(metrics, ShardCount=shards) == expected


def test_thresholds_can_be_raised():
    metrics = healthy()
    metrics.add("AWS/Lambda", "Errors", 2, *minutes(59, 60))
    metrics.add("Truckstream", "UploadsFailed", 2, *minutes(59, 60))
    assert ringing(metrics, ErrorsThreshold=3, FailedUploadsThreshold=3) == {"error-rate"}


def test_an_on_demand_stream_has_no_load_alarm():
    assert "stream-load" not in alarms(StreamMode="ON_DEMAND")


# --- The evaluator ----------------------------------------------------------------------------------

#: Five data points (X breaches, 0 does not, - is missing), and whether 3 of 3 ring, by treatment of missing ones.
MISSING = [
    ("0-X-X", False, False),
    ("-----", False, True),
    ("0----", False, False),
    ("XX--X", True, True),
    ("X--X-", False, True),
]


@pytest.mark.parametrize(("points", "not_breaching", "breaching"), MISSING)
def test_existing_data_count_before_missing_ones(points, not_breaching, breaching):
    metrics = Metrics()
    for minute, point in enumerate(points):
        if point != "-":
            metrics.add("AWS/Lambda", "Errors", float(point == "X"), *minutes(minute, minute + 1))
    alarm = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
    }
    found = [rings(alarm | {"TreatMissingData": how}, metrics, 5 * MINUTE) for how in ("notBreaching", "breaching")]
    assert found == [not_breaching, breaching]

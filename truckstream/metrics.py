"""All metrics, as tables. Log lines, the template, the dashboard and the pages are tested against them.

`METRICS` are those of CloudWatch. The function writes its own in the embedded metric format (EMF), into `NAMESPACE`
with the dimension `FunctionName`; the services write the others. Those whose name ends in EventCount belong to an event
source mapping, and must be switched on for it (MetricsConfig). `PRODUCER_METRICS` and `CONSUMER_METRICS` are those that
producers and consumers report to OpenTelemetry. `alarms.py` has the alarms on these metrics.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = [
    "CONSUMER_METRICS",
    "DIMENSION",
    "FUNCTION_METRICS",
    "METRICS",
    "NAMESPACE",
    "PRODUCER_METRICS",
    "Instrument",
    "Metric",
]

#: CloudWatch namespace of the function's own metrics.
NAMESPACE: Final = "Truckstream"
#: Dimension of these metrics and of those of AWS/Lambda.
DIMENSION: Final = "FunctionName"

Unit = Literal["Count", "Bytes", "Milliseconds"]


class Metric(NamedTuple):  # a dataclass would take a millisecond of each cold start
    """One metric of CloudWatch."""

    name: str
    namespace: str
    unit: Unit
    #: The statistic that is used, as CloudWatch names it.
    statistic: str
    meaning: str


class Instrument(NamedTuple):
    """One metric of the producer or the consumer. Units are those of UCUM, as OpenTelemetry requires."""

    name: str
    #: A counter only increases; an up-down counter is a present value, summed over all of them; a gauge is a present
    #: value, which is read when the metrics are exported.
    kind: Literal["counter", "up-down counter", "histogram", "gauge"]
    unit: str
    #: Attributes that separate its series.
    attributes: tuple[str, ...]
    meaning: str
    #: Upper bounds of the buckets of a histogram.
    buckets: tuple[float, ...] = ()


METRICS: Final = (
    Metric("IncomingRecords", "AWS/Kinesis", "Count", "Sum", "records put to the stream"),
    Metric("IncomingBytes", "AWS/Kinesis", "Bytes", "Sum", "bytes of these records"),
    Metric("GetRecords.Records", "AWS/Kinesis", "Count", "Sum", "records read from the stream (OutgoingRecords)"),
    Metric("WriteProvisionedThroughputExceeded", "AWS/Kinesis", "Count", "Sum", "records that a full shard throttled"),
    Metric("Invocations", "AWS/Lambda", "Count", "Sum", "calls of the function"),
    Metric("Duration", "AWS/Lambda", "Milliseconds", "Maximum", "duration of a call"),
    Metric("Errors", "AWS/Lambda", "Count", "Sum", "calls that failed or timed out"),
    Metric("Throttles", "AWS/Lambda", "Count", "Sum", "calls throttled by the concurrency limit"),
    Metric("IteratorAge", "AWS/Lambda", "Milliseconds", "Maximum", "age of the last record of a batch"),
    Metric("PolledEventCount", "AWS/Lambda", "Count", "Sum", "records that the event source mapping read"),
    Metric(
        "OnFailureDestinationDeliveredEventCount",
        "AWS/Lambda",
        "Count",
        "Sum",
        "records that Lambda gave up and stored in FailedBucket",
    ),
    Metric("DroppedEventCount", "AWS/Lambda", "Count", "Sum", "records that Lambda gave up without a destination"),
    Metric(
        "DestinationDeliveryFailures",
        "AWS/Lambda",
        "Count",
        "Sum",
        "deliveries given up that could not be stored in FailedBucket",
    ),
    Metric(
        "FailedInvocations", "AWS/Events", "Count", "Sum", "calls of the compaction that its schedule could not make"
    ),
    Metric("RecordsReceived", NAMESPACE, "Count", "Sum", "records in batches: stored + rejected + not stored"),
    Metric("RecordsStored", NAMESPACE, "Count", "Sum", "valid records that are stored in objects"),
    Metric("RecordsRejected", NAMESPACE, "Count", "Sum", "invalid records that are stored below rejected/"),
    Metric(
        "RecordsAdopted", NAMESPACE, "Count", "Sum", "stored or rejected records that an earlier delivery had stored"
    ),
    Metric("RecordsNotStored", NAMESPACE, "Count", "Sum", "records that must be delivered again"),
    Metric("ObjectsCreated", NAMESPACE, "Count", "Sum", "objects that a call created"),
    Metric("ObjectsAdopted", NAMESPACE, "Count", "Sum", "existing objects of an earlier delivery that were accepted"),
    Metric("UploadsFailed", NAMESPACE, "Count", "Sum", "groups that were not stored in a call"),
    Metric("BytesStored", NAMESPACE, "Bytes", "Sum", "bytes of the objects created"),
    Metric("PutLatency", NAMESPACE, "Milliseconds", "p99", "time that S3 takes to store an object"),
    Metric(
        "OldestRecordAge", NAMESPACE, "Milliseconds", "Maximum", "time since the arrival of the first record of a batch"
    ),
    Metric("NumberOfObjects", "AWS/S3", "Count", "Average", "objects in the bucket, once a day"),
    Metric("BucketSizeBytes", "AWS/S3", "Bytes", "Average", "bytes of these objects, once a day"),
)

#: The metrics that the function writes.
FUNCTION_METRICS: Final = tuple(metric for metric in METRICS if metric.namespace == NAMESPACE)

_STREAM: Final = ("aws.kinesis.stream_name",)
_SHARD: Final = (*_STREAM, "aws.kinesis.shard_id")
_ERROR: Final = (*_STREAM, "error.type")
_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_RECORDS: Final = (1, 10, 50, 100, 200, 300, 400, 499, 500, 1_000, 5_000, 10_000, 50_000)
_PREFIX: Final = "truckstream.producer"

PRODUCER_METRICS: Final = (
    Instrument(f"{_PREFIX}.records.acknowledged", "counter", "{record}", _SHARD, "records that the service stored"),
    Instrument(f"{_PREFIX}.bytes.acknowledged", "counter", "By", _STREAM, "bytes of their data and keys"),
    Instrument(
        f"{_PREFIX}.records.doubtful", "counter", "{record}", _STREAM, "acknowledged records that may be stored twice"
    ),
    Instrument(f"{_PREFIX}.records.failed", "counter", "{record}", _ERROR, "records whose Delivery raises an error"),
    Instrument(
        f"{_PREFIX}.records.sent", "counter", "{record}", _SHARD, "sends of records, first attempts and retries"
    ),
    Instrument(f"{_PREFIX}.records.retried", "counter", "{record}", _SHARD, "records that are retried"),
    Instrument(f"{_PREFIX}.records.throttled", "counter", "{record}", _SHARD, "sends that a full shard throttled"),
    Instrument(f"{_PREFIX}.requests.sent", "counter", "{request}", _STREAM, "PutRecords requests"),
    Instrument(f"{_PREFIX}.requests.failed", "counter", "{request}", _ERROR, "requests that failed as a whole"),
    Instrument(f"{_PREFIX}.map.refreshes", "counter", "{refresh}", _STREAM, "refreshes of the shard map"),
    Instrument(f"{_PREFIX}.request.records", "histogram", "{record}", _STREAM, "records per request", _RECORDS),
    Instrument(
        f"{_PREFIX}.request.duration",
        "histogram",
        "s",
        _STREAM,
        "duration of a request, until it fails or any of its records is stored",
        _SECONDS,
    ),
    Instrument(
        f"{_PREFIX}.delivery.duration",
        "histogram",
        "s",
        _STREAM,
        "time from put to acknowledgement of the oldest record of a request",
        _SECONDS,
    ),
    Instrument(f"{_PREFIX}.buffer.used", "up-down counter", "By", _STREAM, "bytes of buffer_bytes in use"),
    Instrument(f"{_PREFIX}.records.buffered", "up-down counter", "{record}", _SHARD, "records that wait to be sent"),
    Instrument(f"{_PREFIX}.records.in_flight", "up-down counter", "{record}", _SHARD, "records in flight"),
    Instrument(f"{_PREFIX}.requests.in_flight", "up-down counter", "{request}", _STREAM, "requests in flight"),
    Instrument(f"{_PREFIX}.shard.pace", "up-down counter", "{record}/s", _SHARD, "rate that pacing allows"),
)

_CONSUMER: Final = "truckstream.consumer"

CONSUMER_METRICS: Final = (
    Instrument(f"{_CONSUMER}.records.read", "counter", "{record}", _SHARD, "records read, aggregates taken apart"),
    Instrument(f"{_CONSUMER}.bytes.read", "counter", "By", _STREAM, "bytes of the responses"),
    Instrument(f"{_CONSUMER}.reads", "counter", "{response}", _SHARD, "responses, those without records included"),
    Instrument(f"{_CONSUMER}.reads.throttled", "counter", "{request}", _SHARD, "calls that the service throttled"),
    Instrument(f"{_CONSUMER}.reads.failed", "counter", "{request}", _ERROR, "calls that failed otherwise"),
    Instrument(
        f"{_CONSUMER}.aggregates.broken", "counter", "{record}", _ERROR, "aggregates that could not be taken apart"
    ),
    Instrument(f"{_CONSUMER}.records.processed", "counter", "{record}", _SHARD, "records that were finished"),
    Instrument(f"{_CONSUMER}.leases.taken", "counter", "{lease}", _STREAM, "leases taken"),
    Instrument(f"{_CONSUMER}.leases.lost", "counter", "{lease}", _STREAM, "leases that other workers have taken"),
    Instrument(f"{_CONSUMER}.read.duration", "histogram", "s", _STREAM, "duration of a call", _SECONDS),
    Instrument(
        f"{_CONSUMER}.processing.duration", "histogram", "s", _STREAM, "time until a batch was finished", _SECONDS
    ),
    Instrument(
        f"{_CONSUMER}.behind",
        "gauge",
        "s",
        _SHARD,
        "how far behind a shard is; it grows while a handler hangs or calls fail",
    ),
    Instrument(f"{_CONSUMER}.leases.held", "up-down counter", "{lease}", _STREAM, "shards that are read"),
    Instrument(f"{_CONSUMER}.prefetch.used", "up-down counter", "By", _STREAM, "bytes of prefetch_bytes in use"),
    Instrument(
        f"{_CONSUMER}.records.buffered", "up-down counter", "{record}", _SHARD, "records read and not yet processed"
    ),
)

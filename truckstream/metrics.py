"""Every metric that is watched, in one table, which the function's log lines, alarms, dashboard and docs follow.

The producer's, which OpenTelemetry carries, have a table of their own (`truckstream.otel`).

The function writes its own as EMF, CloudWatch's embedded metric format, into `NAMESPACE` with the one dimension
`FunctionName`; the others come from the services. An alarm's name in template.yaml is its `Alarm.name`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "ALARMS",
    "DIMENSION",
    "FUNCTION_METRICS",
    "METRICS",
    "NAMESPACE",
    "PRODUCER_METRICS",
    "Alarm",
    "Instrument",
    "Metric",
]

#: Where the function's own metrics lie in CloudWatch.
NAMESPACE: Final = "Truckstream"
#: The dimension of each of them, and of AWS/Lambda's.
DIMENSION: Final = "FunctionName"

Unit = Literal["Count", "Bytes", "Milliseconds"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row."""

    name: str
    namespace: str
    unit: Unit
    #: What is read of it: CloudWatch's own name of the statistic.
    statistic: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: when it rings, what that means, and what to do."""

    name: str
    #: The metrics that it looks at; several make one expression.
    metrics: tuple[str, ...]
    rings: str
    means: str
    do: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric of the producer's. Units are UCUM's, as OpenTelemetry asks."""

    name: str
    #: A counter only grows; an up-down counter is what is there at present, of all producers together.
    kind: Literal["counter", "up-down counter", "histogram"]
    unit: str
    #: What it is told apart by.
    attributes: tuple[str, ...]
    meaning: str
    #: Of a histogram, the upper ends of its buckets.
    buckets: tuple[float, ...] = ()


METRICS: Final = (
    Metric("IncomingRecords", "AWS/Kinesis", "Count", "Sum", "records put to the stream"),
    Metric("IncomingBytes", "AWS/Kinesis", "Bytes", "Sum", "their bytes"),
    Metric("GetRecords.Records", "AWS/Kinesis", "Count", "Sum", "records read from the stream (OutgoingRecords)"),
    Metric("WriteProvisionedThroughputExceeded", "AWS/Kinesis", "Count", "Sum", "records refused by a full shard"),
    Metric("Invocations", "AWS/Lambda", "Count", "Sum", "calls of the function"),
    Metric("Duration", "AWS/Lambda", "Milliseconds", "Maximum", "how long a call takes"),
    Metric("Errors", "AWS/Lambda", "Count", "Sum", "calls that failed or timed out"),
    Metric("Throttles", "AWS/Lambda", "Count", "Sum", "calls refused for want of concurrency"),
    Metric("IteratorAge", "AWS/Lambda", "Milliseconds", "Maximum", "age of the last record of a delivery"),
    Metric("RecordsReceived", NAMESPACE, "Count", "Sum", "records in deliveries: stored + rejected + not stored"),
    Metric("RecordsStored", NAMESPACE, "Count", "Sum", "valid records that lie in objects"),
    Metric("RecordsRejected", NAMESPACE, "Count", "Sum", "records that broke a rule and lie below rejected/"),
    Metric("RecordsAdopted", NAMESPACE, "Count", "Sum", "of these two, records that an earlier delivery had stored"),
    Metric("RecordsNotStored", NAMESPACE, "Count", "Sum", "records that must be delivered again"),
    Metric("ObjectsCreated", NAMESPACE, "Count", "Sum", "objects that a call created"),
    Metric("ObjectsAdopted", NAMESPACE, "Count", "Sum", "objects of an earlier delivery, found and believed"),
    Metric("UploadsFailed", NAMESPACE, "Count", "Sum", "groups that could not be stored in a call"),
    Metric("BytesStored", NAMESPACE, "Bytes", "Sum", "bytes of the objects created"),
    Metric("PutLatency", NAMESPACE, "Milliseconds", "p99", "how long S3 takes to store an object"),
    Metric("OldestRecordAge", NAMESPACE, "Milliseconds", "Maximum", "from a delivery's first record's arrival to now"),
    Metric("NumberOfObjects", "AWS/S3", "Count", "Average", "objects in the bucket, once a day"),
    Metric("BucketSizeBytes", "AWS/S3", "Bytes", "Average", "their bytes, once a day"),
)

#: Those that the function writes.
FUNCTION_METRICS: Final = tuple(metric for metric in METRICS if metric.namespace == NAMESPACE)

ALARMS: Final = (
    Alarm(
        "function-errors",
        ("Errors",),
        "calls failed or timed out: 1 in 5 minutes (ErrorsThreshold)",
        "Lambda delivers the same records again up to RetryAttempts or RecordAge, then puts them below aws/lambda/.",
        "truckstream status shows the last errors; truckstream doctor the settings that cause them.",
    ),
    Alarm(
        "error-rate",
        ("Errors", "Invocations"),
        "more than 1 % of the calls of 5 minutes failed",
        "Not one bad moment, but something that stays: permissions, a deleted bucket, a new defect.",
        "Investigate before the stream's retention is over: truckstream doctor, then the function's log.",
    ),
    Alarm(
        "iterator-age",
        ("IteratorAge",),
        "a delivery's last record is older than 30 s, for 3 minutes",
        "The function falls behind the stream. Records are lost when their age reaches the retention.",
        "truckstream scale: more shards or more memory; look at Throttles and UploadsFailed first.",
    ),
    Alarm(
        "duration",
        ("Duration",),
        "a call took more than 4 minutes of its 5",
        "The next step is a timeout, after which all its records come again.",
        "truckstream scale --apply gives it more memory, and with it more CPU and network.",
    ),
    Alarm(
        "failed-uploads",
        ("UploadsFailed",),
        "a group of records was not stored in a call, in 5 minutes (FailedUploadsThreshold)",
        "S3 refused or did not answer. The records come again; nothing is lost yet.",
        "truckstream doctor says whether it is permissions or the key; else look at S3's health.",
    ),
    Alarm(
        "upload-latency",
        ("PutLatency",),
        "S3 takes more than 5 s for an object (99th percentile), for 3 minutes",
        "Network, DNS or an endpoint's policy, or a key that is throttled by KMS.",
        "Check the VPC's endpoints and the KMS quota; truckstream doctor checks permissions.",
    ),
    Alarm(
        "throttled-writes",
        ("WriteProvisionedThroughputExceeded",),
        "Kinesis refused records of a full shard, in 3 of 5 minutes",
        "Producers wait and send again; at the end of their patience they fail.",
        "truckstream scale --apply adds shards; one hot partition key is helped by no number of them.",
    ),
    Alarm(
        "stream-load",
        ("IncomingRecords",),
        "more than 800 records/s a shard, for 5 minutes: 80 % of the quota",
        "There is little room for a burst.",
        "truckstream scale --apply adds shards.",
    ),
)

_STREAM: Final = ("aws.kinesis.stream_name",)
_SHARD: Final = (*_STREAM, "aws.kinesis.shard_id")
_ERROR: Final = (*_STREAM, "error.type")
_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_RECORDS: Final = (1, 10, 50, 100, 200, 300, 400, 499, 500, 1_000, 5_000, 10_000, 50_000)
_PREFIX: Final = "truckstream.producer"

PRODUCER_METRICS: Final = (
    Instrument(f"{_PREFIX}.records.acknowledged", "counter", "{record}", _SHARD, "records that the service stored"),
    Instrument(f"{_PREFIX}.bytes.acknowledged", "counter", "By", _STREAM, "their data and keys"),
    Instrument(f"{_PREFIX}.records.doubtful", "counter", "{record}", _STREAM, "those that may be stored twice"),
    Instrument(f"{_PREFIX}.records.failed", "counter", "{record}", _ERROR, "records given up: their Delivery raises"),
    Instrument(f"{_PREFIX}.records.sent", "counter", "{record}", _SHARD, "sends of records, first and again"),
    Instrument(f"{_PREFIX}.records.retried", "counter", "{record}", _SHARD, "records that must be sent again"),
    Instrument(f"{_PREFIX}.records.throttled", "counter", "{record}", _SHARD, "sends that a full shard refused"),
    Instrument(f"{_PREFIX}.requests.sent", "counter", "{request}", _STREAM, "PutRecords requests"),
    Instrument(f"{_PREFIX}.requests.failed", "counter", "{request}", _ERROR, "those refused or without an answer"),
    Instrument(f"{_PREFIX}.map.refreshes", "counter", "{refresh}", _STREAM, "listings of the stream's shards"),
    Instrument(
        f"{_PREFIX}.request.records", "histogram", "{record}", _STREAM, "how many records a request carries", _RECORDS
    ),
    Instrument(
        f"{_PREFIX}.request.duration",
        "histogram",
        "s",
        _STREAM,
        "from a request to its failure, or to an answer that stored any of it",
        _SECONDS,
    ),
    Instrument(
        f"{_PREFIX}.delivery.duration",
        "histogram",
        "s",
        _STREAM,
        "from put to acknowledgement, of a request's oldest record",
        _SECONDS,
    ),
    Instrument(f"{_PREFIX}.buffer.used", "up-down counter", "By", _STREAM, "of buffer_bytes, by records under way"),
    Instrument(f"{_PREFIX}.records.buffered", "up-down counter", "{record}", _SHARD, "records that wait to be sent"),
    Instrument(f"{_PREFIX}.records.in_flight", "up-down counter", "{record}", _SHARD, "records in requests under way"),
    Instrument(f"{_PREFIX}.requests.in_flight", "up-down counter", "{request}", _STREAM, "requests under way"),
    Instrument(f"{_PREFIX}.shard.pace", "up-down counter", "{record}/s", _SHARD, "the rate that pacing allows"),
)

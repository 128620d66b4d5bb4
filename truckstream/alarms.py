"""All alarms of the deployed pipeline, as one table.

lambda_entry/template.yaml creates each alarm under its name with its description, and the page for operators
(cloud/README.md) lists it. Tests compare both with this table, and evaluate each alarm on metrics that must ring it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ALARMS", "Alarm"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: its condition, its meaning, and the remedy."""

    name: str
    #: Its metrics; several form an expression.
    metrics: tuple[str, ...]
    rings: str
    means: str
    do: str

    @property
    def description(self) -> str:
        """The text that CloudWatch sends with the alarm."""
        return f"{self.means} {self.do}"


ALARMS: Final = (
    Alarm(
        "function-errors",
        ("Errors",),
        "calls failed or timed out: 1 in 5 minutes (ErrorsThreshold)",
        "Calls failed. Lambda delivers their records again up to RecordAge, then stores them in FailedBucket.",
        "truckstream status shows the last errors; truckstream doctor finds the settings that cause them.",
    ),
    Alarm(
        "error-rate",
        ("Errors", "Invocations"),
        "more than 1 % of the calls of 5 minutes failed",
        "The cause is permanent: permissions, a deleted bucket, or a new defect.",
        "Investigate before the retention of the stream ends: truckstream doctor, then the log of the function.",
    ),
    Alarm(
        "throttled-calls",
        ("Throttles",),
        "calls were throttled: 1 in 5 minutes",
        "No concurrency was left for the function, so its records wait in the stream.",
        "truckstream scale advises a reservation. A ReservedConcurrency of 0 stops the function.",
    ),
    Alarm(
        "no-calls",
        ("IncomingRecords", "Invocations"),
        "records arrive and the function is not called, for 10 minutes",
        "Records wait in the stream and are lost when its retention ends.",
        "truckstream doctor finds the cause: the mapping is missing, disabled or filtered, or calls are throttled.",
    ),
    Alarm(
        "mapping-stopped",
        ("IncomingRecords", "PolledEventCount"),
        "records arrive and the mapping reads none, for 10 minutes",
        "The event source mapping is disabled or deleted, may not read the stream, or waits for a delivery that fails.",
        "If calls fail, repair that first. Else truckstream doctor prints the repair.",
    ),
    Alarm(
        "iterator-age",
        ("IteratorAge",),
        "the last record of a batch is older than 30 s, for 3 minutes",
        "The function falls behind the stream. Records are lost when their age reaches the retention.",
        "Check Throttles and UploadsFailed first; then truckstream scale advises more shards or more memory.",
    ),
    Alarm(
        "given-up",
        ("OnFailureDestinationDeliveredEventCount", "DroppedEventCount"),
        "Lambda gave up records: 1 in 5 minutes",
        "They failed until RecordAge or RetryAttempts ended. FailedBucket keeps them for RejectedDays.",
        "Repair the cause (truckstream doctor), then replay the objects of FailedBucket as cloud/README.md explains.",
    ),
    Alarm(
        "destination-failed",
        ("DestinationDeliveryFailures",),
        "Lambda could not store records that it gave up: 1 in 5 minutes",
        "These records are in the stream only, and are lost when its retention ends.",
        "truckstream deploy restores FailedBucket and its permission. Then store them by a mapping with TRIM_HORIZON.",
    ),
    Alarm(
        "duration",
        ("Duration",),
        "a call took more than 80 % of Timeout, in 5 minutes",
        "A timeout is near, after which all records of the call are delivered again.",
        "truckstream scale --apply adds memory, and with it CPU and network.",
    ),
    Alarm(
        "failed-uploads",
        ("UploadsFailed",),
        "a group of records was not stored in a call, in 5 minutes (FailedUploadsThreshold)",
        "S3 returned an error or no response. The records are delivered again; nothing is lost yet.",
        "truckstream doctor checks permissions and the key; if they are right, check the health of S3.",
    ),
    Alarm(
        "upload-latency",
        ("PutLatency",),
        "S3 takes more than 5 s for an object (99th percentile), for 3 minutes",
        "The cause is the network, DNS, the policy of an endpoint, or a KMS key that is throttled.",
        "Check the endpoints of the VPC and the KMS quota; truckstream doctor checks permissions.",
    ),
    Alarm(
        "throttled-writes",
        ("WriteProvisionedThroughputExceeded",),
        "Kinesis throttled records of a full shard, in 3 of 5 minutes",
        "Producers retry; records fail when their delivery timeout ends.",
        "truckstream scale --apply adds shards; more shards do not help a single hot partition key.",
    ),
    Alarm(
        "stream-load",
        ("IncomingRecords", "IncomingBytes"),
        "more than 80 % of the quota of ShardCount shards (800 records/s or 0.8 MiB/s each), for 5 minutes",
        "There is little capacity left for a burst.",
        "truckstream scale --apply adds shards.",
    ),
    Alarm(
        "compactions-failed",
        ("Errors",),
        "a call of the compaction failed, or left out objects that it cannot read, in an hour (CreateCompaction)",
        "Objects stay small and nothing is lost: the next call does what is left, for CompactionHours.",
        "The log of the compaction names the cause, or the objects that it cannot read. For earlier hours run "
        "truckstream compact.",
    ),
    Alarm(
        "compactions-slow",
        ("Duration",),
        "a call of the compaction took more than 12 of its 15 minutes, in an hour",
        "A call ends after 15 minutes, and the next one goes on from there.",
        "Set a larger CompactionMemorySize, which is more CPU too, or let it run more often.",
    ),
    Alarm(
        "compactions-not-called",
        ("FailedInvocations",),
        "the schedule could not call the compaction, in an hour",
        "The function or its permission is missing, so that objects stay small. Nothing is lost.",
        "truckstream deploy restores CompactionFunction and CompactionPermission.",
    ),
)

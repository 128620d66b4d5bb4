"""The rules that find dangerous settings in a deployed pipeline. A finding has the consequence and the repair command.

Nothing in here calls AWS. A rule takes the `Facts` and returns a finding or None; `CHECKS` lists the rules.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from truckstream.cloud.watch.status_page import delivery_failed, failure_reason
from truckstream.command_line import command_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from truckstream.cloud.watch.reading.deployed_parts import DeployedParts

__all__ = [
    "CHECKS",
    "EVENT_BYTES",
    "RECORD_BYTES_IN_EVENT",
    "Facts",
    "Finding",
    "access_errors",
    "examine",
    "needed_actions",
]

#: - danger: records are lost, duplicated or readable by others.
#: - stopped: nothing is being stored.
#: - warning: slower, more expensive or less reliable than necessary.
Severity = Literal["danger", "stopped", "warning"]

#: Payload of an event: 6 MB.
EVENT_BYTES: Final = 6_000_000
#: A 498-byte record in an event: base64, and 543 bytes around it.
RECORD_BYTES_IN_EVENT: Final = 1_207
#: Seconds. A shorter timeout leaves no time for a cold start, a full event and retries of S3.
SHORTEST_TIMEOUT: Final = 60
LEAST_MEMORY: Final = 256
#: Seconds; Lambda's limit of MaximumRecordAgeInSeconds (API reference, 2026-11).
LONGEST_RECORD_AGE: Final = 604_800
#: Records of a full object.
FULL_OBJECT: Final = 700


@dataclass(frozen=True, slots=True)
class Finding:
    """One dangerous setting: its consequence, and the command that repairs it."""

    check: str
    severity: Severity
    problem: str
    repair: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The input of the rules. None for settings that do not exist or could not be read."""

    stack_name: str
    parts: DeployedParts
    #: The flags that make a command use this account's region and endpoint.
    where: tuple[str, ...] = ()
    #: AWS's partition, as in ARNs.
    partition: str = "aws"
    #: First rule of GetBucketEncryption; None for none.
    encryption: Mapping[str, Any] | None = None
    #: The four switches of GetPublicAccessBlock; None for none.
    public_access_block: Mapping[str, bool] | None = None
    #: Policy of the bucket as text; None for none.
    bucket_policy: str | None = None
    #: The bucket's lifecycle rules.
    lifecycle: tuple[Mapping[str, Any], ...] = ()
    #: Whether the bucket keeps deleted objects as old versions.
    versioned: bool = False
    #: False if the bucket does not exist, None if unknown.
    bucket_exists: bool | None = None
    #: Actions that the function needs and its role does not allow.
    denied: tuple[str, ...] = ()
    #: Recent errors of the function about denied access.
    access_errors: tuple[str, ...] = ()
    #: Confirmed subscriptions of the alarms' topic; None without a topic.
    subscribers: int | None = None
    #: Settings of the bucket that could be read: "encryption", "public", "policy", "lifecycle", "versioning".
    seen: frozenset[str] = field(default_factory=frozenset)

    @property
    def mapping(self) -> Mapping[str, Any]:
        return self.parts.mapping or {}

    @property
    def function(self) -> Mapping[str, Any]:
        return self.parts.function or {}

    @property
    def destination(self) -> str | None:
        found: str | None = self.mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        return found

    @property
    def stack_parameters(self) -> Mapping[str, str]:
        return self.parts.stack.parameters if self.parts.stack else {}


def examine(facts: Facts) -> tuple[Finding, ...]:
    """Apply all rules, and return the findings, the most serious first."""
    found = [finding for check in CHECKS if (finding := check(facts))]
    return tuple(sorted(found, key=lambda finding: ("danger", "stopped", "warning").index(finding.severity)))


def needed_actions(parts: DeployedParts) -> dict[str, list[str]]:
    """Return the actions that the function needs by the ARN of the resource; none if a part is missing."""
    stream_arn = (parts.stream or {}).get("StreamARN")
    if not (parts.function or {}).get("Role") or not parts.bucket_name or not stream_arn:
        return {}
    bucket_arn = f"arn:{stream_arn.split(':')[1]}:s3:::{parts.bucket_name}"
    prefix = parts.variables.get("PREFIX", "sensor_data")
    return {
        f"{bucket_arn}/{prefix}/batch": ["s3:PutObject", "s3:GetObject"],
        bucket_arn: ["s3:ListBucket"],
        stream_arn: ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"],
    }


def access_errors(messages: Iterable[str]) -> tuple[str, ...]:
    """Return the messages about denied access."""
    signs = ("AccessDenied", "PermissionDenied", "403")
    return tuple(message for message in messages if any(sign in message for sign in signs))


def _truckstream(facts: Facts, command: str, *flags: str) -> str:
    """Return a command on this stack. Without flags, `deploy` keeps every choice of the stack."""
    return command_line("truckstream", command, "--stack", facts.stack_name, *facts.where, *flags)


def _aws(facts: Facts, *words: object) -> str:
    return command_line("aws", *words, *facts.where)


def _mapping_command(facts: Facts, *flags: object) -> str:
    return _aws(facts, "lambda", "update-event-source-mapping", "--uuid", facts.mapping.get("UUID"), *flags)


def _destination_command(facts: Facts) -> str:
    """Return the command that makes the stack's bucket of failed deliveries the on-failure destination."""
    bucket = facts.parts.outputs.get("FailedBucketName")
    if not bucket:  # the stack is older than this bucket, which the deployment adds
        return _truckstream(facts, "deploy")
    destination = f"arn:{facts.partition}:s3:::{bucket}"
    config = json.dumps({"OnFailure": {"Destination": destination}}, separators=(",", ":"))
    return _mapping_command(facts, "--destination-config", config)


def _function_command(facts: Facts, *flags: object) -> str:
    return _aws(facts, "lambda", "update-function-configuration", "--function-name", facts.parts.function_name, *flags)


# --- Existence and operation ------------------------------------------------------------------------


def stream_found(facts: Facts) -> Finding | None:
    name = facts.parts.stream_name
    if facts.parts.stream is not None or facts.parts.could_not_read("kinesis"):
        return None
    what = f"the stream {name} does not exist in this account and region" if name else "no stream is deployed"
    return Finding("stream-found", "stopped", what, _truckstream(facts, "deploy"))


def function_found(facts: Facts) -> Finding | None:
    if facts.parts.function is not None or facts.parts.could_not_read("lambda"):
        return None
    repair = _truckstream(facts, "deploy")
    return Finding("function-found", "stopped", "no function is deployed: records wait in the stream", repair)


def function_runs(facts: Facts) -> Finding | None:
    state, update = facts.function.get("State", "Active"), facts.function.get("LastUpdateStatus", "Successful")
    if state in {"Active", "Pending"} and update != "Failed":
        return None
    problem = f"the function is {state}, its last update {update}: {failure_reason(facts.function)}"
    return Finding("function-runs", "stopped", problem, _truckstream(facts, "deploy"))


def mapping_found(facts: Facts) -> Finding | None:
    if facts.parts.mapping is not None or facts.parts.function is None or facts.parts.could_not_read("lambda"):
        return None
    problem = "no event source mapping connects the stream to the function: records wait in the stream"
    return Finding("mapping-found", "stopped", problem, _truckstream(facts, "deploy"))


def mapping_enabled(facts: Facts) -> Finding | None:
    if facts.mapping.get("State", "Enabled") not in {"Disabled", "Disabling"}:
        return None
    problem = "the mapping is disabled: records wait in the stream until their retention ends"
    return Finding("mapping-enabled", "stopped", problem, _mapping_command(facts, "--enabled"))


def last_delivery_worked(facts: Facts) -> Finding | None:
    result = facts.mapping.get("LastProcessingResult", "OK")
    if not delivery_failed(result):
        return None
    repair = _truckstream(facts, "status")
    return Finding("last-delivery-worked", "stopped", f"the mapping's last delivery: {result}", repair)


# --- Loss of records --------------------------------------------------------------------------------


def reports_failures(facts: Facts) -> Finding | None:
    if facts.parts.mapping is None or "ReportBatchItemFailures" in facts.mapping.get("FunctionResponseTypes", ()):
        return None
    problem = "ReportBatchItemFailures is off: Lambda treats reported failures as success, and those records are lost"
    repair = _mapping_command(facts, "--function-response-types", "ReportBatchItemFailures")
    return Finding("reports-failures", "danger", problem, repair)


def does_not_bisect(facts: Facts) -> Finding | None:
    if not facts.mapping.get("BisectBatchOnFunctionError"):
        return None
    problem = "bisection is on: after a timeout a batch begins in the middle of an object, and records are stored twice"
    return Finding("does-not-bisect", "danger", problem, _mapping_command(facts, "--no-bisect-batch-on-function-error"))


def gives_up_into_a_destination(facts: Facts) -> Finding | None:
    attempts, age = facts.mapping.get("MaximumRetryAttempts", -1), facts.mapping.get("MaximumRecordAgeInSeconds", -1)
    if (attempts == -1 and age == -1) or facts.destination:
        return None
    problem = f"retries end ({attempts} attempts, {age} s) without an on-failure destination: the records are lost"
    return Finding("gives-up-into-a-destination", "danger", problem, _destination_command(facts))


def destination_keeps_records(facts: Facts) -> Finding | None:
    if not facts.destination or ":s3:" in facts.destination:
        return None
    problem = "the on-failure destination receives only metadata of failed records: only S3 receives the records"
    return Finding("destination-keeps-records", "warning", problem, _destination_command(facts))


def destination_is_apart(facts: Facts) -> Finding | None:
    if not facts.destination or facts.destination.rpartition(":")[2] != facts.parts.bucket_name:
        return None
    problem = "failed deliveries go to the data bucket: whatever keeps the function from storing them keeps Lambda too"
    return Finding("destination-is-apart", "danger", problem, _destination_command(facts))


def starts_at_the_oldest_record(facts: Facts) -> Finding | None:
    if facts.mapping.get("StartingPosition") != "LATEST":
        return None
    problem = "StartingPosition is LATEST: records that arrive while the mapping is created or updated may be skipped"
    deploy = _truckstream(facts, "deploy", "--parameter", "StartingPosition=TRIM_HORIZON")
    delete = _aws(facts, "lambda", "delete-event-source-mapping", "--uuid", facts.mapping.get("UUID"))
    return Finding("starts-at-the-oldest-record", "warning", problem, f"{deploy}  # after {delete}")


def gives_up_before_the_stream_forgets(facts: Facts) -> Finding | None:
    age = facts.mapping.get("MaximumRecordAgeInSeconds", -1)
    hours = (facts.parts.stream or {}).get("RetentionPeriodHours")
    if facts.parts.mapping is None or hours is None or 0 < age < hours * 3600:
        return None
    problem = f"failing records are retried until they expire after {hours} h, and never reach the destination"
    age = min(hours * 3600 * 5 // 6, LONGEST_RECORD_AGE)
    repair = _mapping_command(facts, "--maximum-record-age-in-seconds", age)
    return Finding("gives-up-before-the-stream-forgets", "danger", problem, repair)


def no_parallel_shards(facts: Facts) -> Finding | None:
    factor = facts.mapping.get("ParallelizationFactor", 1)
    if factor == 1:
        return None
    problem = f"ParallelizationFactor is {factor}: it breaks aggregated records and the order within a shard"
    return Finding("no-parallel-shards", "danger", problem, _mapping_command(facts, "--parallelization-factor", 1))


def data_do_not_expire(facts: Facts) -> Finding | None:
    """Return a rule that is meant for a folder above the data. One for the data or for the whole bucket is a choice."""
    folder = _data_folder(facts)
    for rule in _enabled(facts):
        prefix = _prefix(rule)
        if "Expiration" in rule and prefix and prefix != folder and folder.startswith(prefix):
            after = rule["Expiration"].get("Days", "some")
            problem = f"the lifecycle rule {rule.get('ID')} deletes valid records after {after} days"
            repair = f"{_truckstream(facts, 'deploy')}  # after the rule is removed"
            return Finding("data-do-not-expire", "danger", problem, repair)
    return None


# --- Permissions ------------------------------------------------------------------------------------


def bucket_found(facts: Facts) -> Finding | None:
    if facts.bucket_exists is not False:
        return None
    repair = _truckstream(facts, "deploy")
    return Finding("bucket-found", "stopped", f"the bucket {facts.parts.bucket_name} does not exist", repair)


def writes_to_its_bucket(facts: Facts) -> Finding | None:
    named = facts.parts.variables.get("BUCKET_NAME")
    wanted = facts.parts.stack.outputs.get("BucketName") if facts.parts.stack else None
    if not named or not wanted or named == wanted:
        return None
    problem = f"the function writes to {named}, but the bucket of the stack is {wanted}"
    repair = _truckstream(facts, "deploy", "--parameter", f"ExistingBucketName={named}")
    return Finding("writes-to-its-bucket", "warning", problem, repair)


def has_permissions(facts: Facts) -> Finding | None:
    if not facts.denied:
        return None
    problem = f"the function's role does not allow {', '.join(facts.denied)}"
    return Finding("has-permissions", "stopped", problem, _truckstream(facts, "deploy"))


def s3_lets_it_in(facts: Facts) -> Finding | None:
    if not facts.access_errors:
        return None
    problem = f"S3 denies the function access: {facts.access_errors[0]}"
    repair = f"{_truckstream(facts, 'deploy')}  # after the policies of the bucket and the key allow the role"
    return Finding("s3-lets-it-in", "stopped", problem, repair)


# --- Security of the data ---------------------------------------------------------------------------


def stream_encrypted(facts: Facts) -> Finding | None:
    if facts.parts.stream is None or facts.parts.stream.get("EncryptionType") == "KMS":
        return None
    name = facts.parts.stream_name
    words = ("kinesis", "start-stream-encryption", "--stream-name", name, "--encryption-type", "KMS")
    repair = _aws(facts, *words, "--key-id", "alias/aws/kinesis")
    return Finding("stream-encrypted", "danger", f"the stream {name} is not encrypted at rest", repair)


def bucket_encrypted(facts: Facts) -> Finding | None:
    if "encryption" not in facts.seen or facts.encryption is not None:
        return None
    rule = '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
    bucket = facts.parts.bucket_name
    words = ("s3api", "put-bucket-encryption", "--bucket", bucket, "--server-side-encryption-configuration", rule)
    problem = f"the bucket {bucket} has no encryption by default"
    return Finding("bucket-encrypted", "danger", problem, _aws(facts, *words))


def bucket_private(facts: Facts) -> Finding | None:
    blocked = facts.public_access_block or {}
    if "public" not in facts.seen or (len(blocked) == 4 and all(blocked.values())):  # noqa: PLR2004 - there are four
        return None
    switches = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
    bucket = facts.parts.bucket_name
    words = ("s3api", "put-public-access-block", "--bucket", bucket, "--public-access-block-configuration", switches)
    return Finding("bucket-private", "danger", f"the bucket {bucket} can be made public", _aws(facts, *words))


def bucket_tls_only(facts: Facts) -> Finding | None:
    if "policy" not in facts.seen or "aws:SecureTransport" in (facts.bucket_policy or ""):
        return None
    problem = f"the bucket {facts.parts.bucket_name} can be read without TLS"
    return Finding("bucket-tls-only", "danger", problem, _truckstream(facts, "deploy"))


# --- Alarms -----------------------------------------------------------------------------------------


def mapping_reports_its_events(facts: Facts) -> Finding | None:
    if facts.parts.mapping is None or "EventCount" in facts.mapping.get("MetricsConfig", {}).get("Metrics", ()):
        return None
    problem = "the mapping does not report its events: the alarms mapping-stopped and given-up cannot ring"
    repair = _mapping_command(facts, "--metrics-config", "Metrics=EventCount")
    return Finding("mapping-reports-its-events", "warning", problem, repair)


def load_alarm_counts_the_shards(facts: Facts) -> Finding | None:
    counted, shards = facts.stack_parameters.get("ShardCount"), facts.parts.shards
    if counted is None or facts.parts.stream is None or facts.parts.on_demand or counted == str(shards):
        return None
    problem = f"the alarm stream-load counts {counted} shards, but the stream has {shards}"
    repair = _truckstream(facts, "deploy", "--parameter", f"ShardCount={shards}")
    return Finding("load-alarm-counts-the-shards", "warning", problem, repair)


def somebody_listens(facts: Facts) -> Finding | None:
    if facts.subscribers is None or facts.subscribers > 0:
        return None
    repair = _truckstream(facts, "deploy", "--parameter", "AlarmEmail=you@example.com")
    return Finding("somebody-listens", "warning", "nobody receives the alarms", repair)


# --- Efficiency -------------------------------------------------------------------------------------


def timeout_long_enough(facts: Facts) -> Finding | None:
    timeout = facts.function.get("Timeout")
    if timeout is None or timeout >= SHORTEST_TIMEOUT:
        return None
    problem = f"the function's timeout is {timeout} s: too short for a full event with a retry of S3"
    return Finding("timeout-long-enough", "danger", problem, _function_command(facts, "--timeout", 300))


def memory_enough(facts: Facts) -> Finding | None:
    memory = facts.function.get("MemorySize")
    if memory is None or memory >= LEAST_MEMORY:
        return None
    problem = f"the function has {memory} MB: a full event of 6 MB needs up to {LEAST_MEMORY}"
    return Finding("memory-enough", "danger", problem, _function_command(facts, "--memory-size", 512))


def batch_can_fill(facts: Facts) -> Finding | None:
    size, most = facts.mapping.get("BatchSize"), EVENT_BYTES // RECORD_BYTES_IN_EVENT
    if size is None or size <= most:
        return None
    problem = f"BatchSize is {size:,}: 6 MB hold about {most:,} records of 498 bytes, so that batches are cut short"
    return Finding("batch-can-fill", "warning", problem, _mapping_command(facts, "--batch-size", 4900))


def batch_fills_objects(facts: Facts) -> Finding | None:
    size, window = facts.mapping.get("BatchSize"), facts.mapping.get("MaximumBatchingWindowInSeconds", 0)
    if size is None or (size >= FULL_OBJECT and window > 0):
        return None
    problem = f"BatchSize {size} with a window of {window} s makes small objects: expensive to store, slow to query"
    repair = _mapping_command(facts, "--batch-size", 4900, "--maximum-batching-window-in-seconds", 5)
    return Finding("batch-fills-objects", "warning", problem, repair)


def reservation_fits(facts: Facts) -> Finding | None:
    reserved = facts.parts.reserved_concurrency
    needed = facts.parts.shards * facts.mapping.get("ParallelizationFactor", 1)
    if reserved is None or reserved >= needed:
        return None
    repair = _truckstream(facts, "deploy", "--parameter", f"ReservedConcurrency={needed}")
    if not reserved:
        return Finding("reservation-fits", "stopped", "the reserved concurrency is 0: the function never runs", repair)
    problem = f"{reserved} concurrent calls are reserved, but {needed} shards need one each: some wait"
    return Finding("reservation-fits", "warning", problem, repair)


def created_in_their_class(facts: Facts) -> Finding | None:
    if facts.parts.function is None:
        return None
    found = facts.parts.variables.get("STORAGE_CLASS", "")
    for rule in _enabled(facts):
        for move in rule.get("Transitions", ()):
            name = move.get("StorageClass")
            if _prefix(rule) == _data_folder(facts) and move.get("Days") == 0 and name != found:
                problem = f"each object is created in {found or 'STANDARD'} and moved to {name} for $0.01 per 1,000"
                repair = _truckstream(facts, "deploy", "--parameter", f"StorageClass={name}")
                return Finding("created-in-their-class", "warning", problem, repair)
    return None


def old_versions_expire(facts: Facts) -> Finding | None:
    if not {"versioning", "lifecycle"} <= facts.seen or not facts.versioned:
        return None
    if any("NoncurrentVersionExpiration" in rule for rule in _enabled(facts)):
        return None
    problem = f"the bucket {facts.parts.bucket_name} keeps every version of a deleted object for ever"
    return Finding("old-versions-expire", "warning", problem, _truckstream(facts, "deploy"))


def _data_folder(facts: Facts) -> str:
    return f"{facts.parts.variables.get('PREFIX', 'sensor_data')}/"


def _enabled(facts: Facts) -> list[Mapping[str, Any]]:
    return [rule for rule in facts.lifecycle if rule.get("Status") == "Enabled"]


def _prefix(rule: Mapping[str, Any]) -> str | None:
    """Return the prefix of a lifecycle rule; None if it also depends on tags or sizes."""
    found = rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))
    return None if rule.get("Filter", {}).keys() - {"Prefix"} else str(found)


CHECKS: Final[tuple[Callable[[Facts], Finding | None], ...]] = (
    *(stream_found, function_found, function_runs, mapping_found, mapping_enabled, last_delivery_worked),
    *(reports_failures, does_not_bisect, gives_up_into_a_destination, destination_keeps_records, destination_is_apart),
    *(gives_up_before_the_stream_forgets, starts_at_the_oldest_record, no_parallel_shards, data_do_not_expire),
    *(bucket_found, writes_to_its_bucket, has_permissions, s3_lets_it_in),
    *(stream_encrypted, bucket_encrypted, bucket_private, bucket_tls_only),
    *(mapping_reports_its_events, load_alarm_counts_the_shards, somebody_listens),
    *(timeout_long_enough, memory_enough, batch_can_fill, batch_fills_objects, reservation_fits),
    *(created_in_their_class, old_versions_expire),
)

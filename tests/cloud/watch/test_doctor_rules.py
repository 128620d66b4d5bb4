"""The doctor's rules: each dangerous setting causes exactly one finding, and its repair command is valid."""

import shlex

import pytest

from tests.cloud.scripted_aws import operation_model
from tests.cloud.watch.healthy_pipeline import (
    BUCKET_ARN,
    FAILED_ARN,
    NO_PUBLIC_ACCESS,
    healthy_function,
    healthy_lifecycle,
    healthy_mapping,
    healthy_stack,
    healthy_stream,
)
from tests.pasting import HOSTILE, pasted
from truckstream.cloud.watch.doctor_rules import CHECKS, EVENT_BYTES, RECORD_BYTES_IN_EVENT, Facts, examine
from truckstream.cloud.watch.reading.deployed_parts import DeployedParts
from truckstream.commands.app import app


def facts(*, stream=None, mapping=None, function=None, parts=None, missing=(), **more):
    """Return the facts of a healthy pipeline, with these changes."""
    found = {
        "stream": healthy_stream() | (stream or {}),
        "mapping": healthy_mapping() | (mapping or {}),
        "function": healthy_function() | (function or {}),
    }
    found |= dict.fromkeys(missing)
    found |= {"stack": healthy_stack()} | (parts or {})
    names = {"stream_name": "trucks", "bucket_name": "acme-truck-data", "function_name": "acme"}
    seen = {
        "encryption": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}},
        "public_access_block": NO_PUBLIC_ACCESS,
        "bucket_policy": '{"Condition": {"Bool": {"aws:SecureTransport": "false"}}}',
        "bucket_exists": True,
        "lifecycle": healthy_lifecycle(),
        "versioned": True,
        "subscribers": 1,
        "seen": frozenset({"encryption", "public", "policy", "lifecycle", "versioning"}),
    }
    return Facts("acme", DeployedParts(**(names | found)), **(seen | more))


def expiring(prefix):
    return {"ID": "mine", "Status": "Enabled", "Filter": {"Prefix": prefix}, "Expiration": {"Days": 30}}


#: (check, changed facts, part of the problem, part of the repair)
DANGERS = [
    ("stream-found", {"missing": ["stream"]}, "trucks does not exist in this account and region", "deploy --stack"),
    ("function-found", {"missing": ["function", "mapping"]}, "no function is deployed", "deploy --stack acme"),
    ("function-runs", {"function": {"State": "Failed", "StateReason": "no such key"}}, "no such key", "deploy"),
    ("function-runs", {"function": {"LastUpdateStatus": "Failed"}}, "its last update Failed", "deploy"),
    ("mapping-found", {"missing": ["mapping"]}, "no event source mapping", "deploy --stack acme"),
    ("mapping-enabled", {"mapping": {"State": "Disabled"}}, "disabled", "--enabled"),
    (
        "last-delivery-worked",
        {"mapping": {"LastProcessingResult": "PROBLEM: Function call failed"}},
        "PROBLEM: Function call failed",
        "status --stack acme",
    ),
    ("reports-failures", {"mapping": {"FunctionResponseTypes": []}}, "those records are lost", "ReportBatchItem"),
    ("does-not-bisect", {"mapping": {"BisectBatchOnFunctionError": True}}, "stored twice", "--no-bisect"),
    (
        "gives-up-into-a-destination",
        {"mapping": {"MaximumRetryAttempts": 3, "DestinationConfig": {}}},
        "3 attempts, 72000 s",
        FAILED_ARN,
    ),
    (
        "destination-keeps-records",
        {"mapping": {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:1:dead"}}}},
        "only S3 receives the records",
        FAILED_ARN,
    ),
    (
        "destination-is-apart",
        {"mapping": {"DestinationConfig": {"OnFailure": {"Destination": BUCKET_ARN}}}},
        "go to the data bucket",
        FAILED_ARN,
    ),
    (
        "destination-is-apart",
        {"mapping": {"DestinationConfig": {"OnFailure": {"Destination": BUCKET_ARN}}}, "parts": {"stack": None}},
        "go to the data bucket",
        "truckstream deploy --stack acme",
    ),
    (
        "starts-at-the-oldest-record",
        {"mapping": {"StartingPosition": "LATEST"}},
        "may be skipped",
        "TRIM_HORIZON  # after",
    ),
    (
        "data-do-not-expire",
        {"function": {"Environment": {"Variables": {"PREFIX": "rejected/batch_x", "STORAGE_CLASS": "STANDARD"}}}},
        "rejected-records deletes valid records after 90 days",
        "deploy --stack acme  # after",
    ),
    (
        "data-do-not-expire",
        {
            "function": {"Environment": {"Variables": {"PREFIX": "rejected/data", "STORAGE_CLASS": "STANDARD"}}},
            "lifecycle": (expiring("rejected/"),),
            "versioned": False,
        },
        "mine deletes valid records after 30 days",
        "deploy --stack acme  # after",
    ),
    (
        "mapping-reports-its-events",
        {"mapping": {"MetricsConfig": {}}},
        "cannot ring",
        "--metrics-config Metrics=EventCount",
    ),
    (
        "load-alarm-counts-the-shards",
        {"stream": {"OpenShardCount": 8}},
        "counts 4 shards, but the stream has 8",
        "ShardCount=8",
    ),
    (
        "created-in-their-class",
        {"function": {"Environment": {"Variables": {"BUCKET_NAME": "acme-truck-data"}}}},
        "created in STANDARD and moved to INTELLIGENT_TIERING",
        "StorageClass=INTELLIGENT_TIERING",
    ),
    ("old-versions-expire", {"lifecycle": ()}, "keeps every version", "deploy --stack acme"),
    ("reservation-fits", {"parts": {"reserved_concurrency": 0}}, "the function never runs", "Concurrency=4"),
    (
        "gives-up-before-the-stream-forgets",
        {"stream": {"RetentionPeriodHours": 8760}, "mapping": {"MaximumRecordAgeInSeconds": -1}},
        "until they expire after 8760 h",
        "--maximum-record-age-in-seconds 604800",
    ),
    (
        "gives-up-before-the-stream-forgets",
        {"mapping": {"MaximumRecordAgeInSeconds": -1}},
        "until they expire after 24 h",
        "--maximum-record-age-in-seconds 72000",
    ),
    (
        "gives-up-before-the-stream-forgets",
        {"mapping": {"MaximumRecordAgeInSeconds": 86_400}},
        "until they expire after 24 h",
        "--maximum-record-age-in-seconds 72000",
    ),
    ("no-parallel-shards", {"mapping": {"ParallelizationFactor": 10}}, "aggregated records", "factor 1"),
    ("bucket-found", {"bucket_exists": False}, "acme-truck-data does not exist", "deploy --stack acme"),
    (
        "writes-to-its-bucket",
        {
            "function": {
                "Environment": {"Variables": {"BUCKET_NAME": "another", "STORAGE_CLASS": "INTELLIGENT_TIERING"}}
            }
        },
        "writes to another, but the bucket of the stack is acme-truck-data",
        "ExistingBucketName=another",
    ),
    ("has-permissions", {"denied": (f"s3:PutObject on {BUCKET_ARN}/*",)}, "does not allow s3:PutObject", "deploy"),
    ("s3-lets-it-in", {"access_errors": ("PutObject: AccessDenied",)}, "PutObject: AccessDenied", "deploy"),
    ("stream-encrypted", {"stream": {"EncryptionType": "NONE"}}, "not encrypted at rest", "start-stream-encryption"),
    ("bucket-encrypted", {"encryption": None}, "no encryption", "put-bucket-encryption"),
    ("bucket-private", {"public_access_block": None}, "can be made public", "put-public-access-block"),
    (
        "bucket-private",
        {"public_access_block": NO_PUBLIC_ACCESS | {"BlockPublicAcls": False}},
        "public",
        "BlockPublicAcls",
    ),
    ("bucket-tls-only", {"bucket_policy": None}, "without TLS", "deploy --stack acme"),
    ("timeout-long-enough", {"function": {"Timeout": 3}}, "timeout is 3 s", "--timeout 300"),
    ("memory-enough", {"function": {"MemorySize": 128}}, "has 128 MB", "--memory-size 512"),
    ("batch-can-fill", {"mapping": {"BatchSize": 10_000}}, "6 MB hold about 4,971", "--batch-size 4900"),
    ("batch-fills-objects", {"mapping": {"BatchSize": 100}}, "small objects", "--batch-size 4900"),
    ("batch-fills-objects", {"mapping": {"MaximumBatchingWindowInSeconds": 0}}, "window of 0 s", "in-seconds 5"),
    ("reservation-fits", {"parts": {"reserved_concurrency": 2}}, "4 shards need one each", "Concurrency=4"),
    ("somebody-listens", {"subscribers": 0}, "nobody receives", "AlarmEmail="),
]


def test_a_healthy_pipeline_has_no_findings():
    assert examine(facts()) == ()


@pytest.mark.parametrize(("check", "changed", "problem", "repair"), DANGERS)
def test_a_dangerous_setting_causes_one_finding_with_its_repair(check, changed, problem, repair):
    [finding] = examine(facts(**changed))
    assert finding.check == check
    assert problem in finding.problem
    assert repair in finding.repair


@pytest.mark.parametrize("prefix", ["", "sensor_data/", "sensor_data/year=", "other/"])
def test_a_lifecycle_rule_for_the_data_themselves_is_a_choice(prefix):
    assert examine(facts(lifecycle=(expiring(prefix),), versioned=False)) == ()


def test_every_check_has_a_case():
    assert {check.__name__.replace("_", "-") for check in CHECKS} == {check for check, *_ in DANGERS}


def test_the_most_serious_finding_comes_first():
    found = examine(facts(subscribers=0, mapping={"State": "Disabled", "FunctionResponseTypes": []}))
    assert [finding.severity for finding in found] == ["danger", "stopped", "warning"]


def test_the_recommended_batch_fits_an_event_of_6_mb():
    assert 4_900 * RECORD_BYTES_IN_EVENT <= EVENT_BYTES < 5_000 * RECORD_BYTES_IN_EVENT


# --- The repairs are commands -----------------------------------------------------------------------

WHERE = ("--region", "us-east-1", "--endpoint-url", f"http://127.0.0.1/{HOSTILE}")


@pytest.mark.parametrize("changed", [changed for _, changed, *_ in DANGERS])
def test_a_repair_can_be_pasted_whatever_the_names_are(changed, tmp_path):
    """The command is for the region and the endpoint that the doctor looked at."""
    names = dict.fromkeys(("stream_name", "bucket_name", "function_name"), HOSTILE)
    hostile = changed | {"parts": names | changed.get("parts", {}), "where": WHERE}
    hostile["mapping"] = {"UUID": HOSTILE} | changed.get("mapping", {})
    for finding in examine(facts(**hostile)):
        words = pasted(finding.repair, tmp_path)
        assert words == shlex.split(finding.repair, comments=True)
        start = words.index("--region")
        assert tuple(words[start : start + 4]) == WHERE


REPAIRS = sorted({finding.repair for _, changed, *_ in DANGERS for finding in examine(facts(**changed))})

#: Services whose name in the AWS command line differs from botocore's.
SERVICES = {"s3api": "s3"}


def parameter_of(flag):
    return flag.removeprefix("--").removeprefix("no-").replace("-", "").lower()


@pytest.mark.parametrize("repair", [repair for repair in REPAIRS if repair.startswith("aws ")])
def test_a_repair_by_the_aws_command_line_is_valid(repair):
    """The operation exists, each flag is a parameter of it, and no required parameter is missing."""
    _, service, operation, *arguments = shlex.split(repair)
    model = operation_model(SERVICES.get(service, service), operation.replace("-", "_"))
    flags = {parameter_of(word) for word in arguments if word.startswith("--")}
    assert flags <= {name.lower() for name in model.input_shape.members}
    required = {name.lower() for name in model.input_shape.required_members}
    assert required <= flags


@pytest.mark.parametrize("repair", [repair for repair in REPAIRS if repair.startswith("truckstream ")])
def test_a_repair_by_truckstream_is_valid(repair):
    app.parse_args(shlex.split(repair, comments=True)[1:], exit_on_error=False, print_error=False)

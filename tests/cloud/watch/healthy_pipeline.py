"""AWS's descriptions of a pipeline in which the doctor finds nothing."""

from __future__ import annotations

from typing import Any

from tests.cloud.resolved_template import properties_of, references
from truckstream.cloud.deployment.cloudformation.stack import Stack

BUCKET_ARN = "arn:aws:s3:::acme-truck-data"
FAILED_ARN = "arn:aws:s3:::acme-failedbucket-1"
NO_PUBLIC_ACCESS = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def healthy_stack() -> Stack:
    outputs = {"BucketName": "acme-truck-data", "FailedBucketName": "acme-failedbucket-1"}
    return Stack("acme", "arn:stack/acme", "UPDATE_COMPLETE", "", {"ShardCount": "4"}, outputs)


def healthy_lifecycle() -> tuple[dict[str, Any], ...]:
    """Return the template's rules as S3 returns them."""
    names = references("acme", ExistingBucketName="none")
    rules = properties_of("Bucket", names)["LifecycleConfiguration"]["Rules"]
    return tuple(_as_returned(rule) for rule in rules)


def _as_returned(rule: dict[str, Any]) -> dict[str, Any]:
    found = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "ExpirationInDays" in rule:
        found["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "Transitions" in rule:
        found["Transitions"] = [
            {"StorageClass": each["StorageClass"], "Days": each["TransitionInDays"]} for each in rule["Transitions"]
        ]
    return found | {name: rule[name] for name in ("NoncurrentVersionExpiration",) if name in rule}


def healthy_stream() -> dict[str, Any]:
    return {"StreamName": "trucks", "EncryptionType": "KMS", "RetentionPeriodHours": 24, "OpenShardCount": 4}


def healthy_mapping() -> dict[str, Any]:
    return {
        "UUID": "0c9b3fd2-5c5a-4f0e-9c3b-7d1e5a2b9f10",
        "State": "Enabled",
        "LastProcessingResult": "OK",
        "StartingPosition": "TRIM_HORIZON",
        "MetricsConfig": {"Metrics": ["EventCount"]},
        "BatchSize": 4900,
        "MaximumBatchingWindowInSeconds": 5,
        "ParallelizationFactor": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 72_000,
        "DestinationConfig": {"OnFailure": {"Destination": FAILED_ARN}},
    }


def healthy_function() -> dict[str, Any]:
    return {
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Timeout": 300,
        "MemorySize": 512,
        "Environment": {"Variables": {"BUCKET_NAME": "acme-truck-data", "STORAGE_CLASS": "INTELLIGENT_TIERING"}},
    }

"""AWS's descriptions of a pipeline in which the doctor finds nothing."""

from __future__ import annotations

from typing import Any

from truckstream.cloud.deployment.stack import Stack

BUCKET_ARN = "arn:aws:s3:::acme-truck-data"
NO_PUBLIC_ACCESS = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def healthy_stack() -> Stack:
    return Stack("acme", "arn:stack/acme", "UPDATE_COMPLETE", "", {}, {"BucketName": "acme-truck-data"})


def healthy_stream() -> dict[str, Any]:
    return {"StreamName": "trucks", "EncryptionType": "KMS", "RetentionPeriodHours": 24, "OpenShardCount": 4}


def healthy_mapping() -> dict[str, Any]:
    return {
        "UUID": "0c9b3fd2-5c5a-4f0e-9c3b-7d1e5a2b9f10",
        "State": "Enabled",
        "LastProcessingResult": "OK",
        "BatchSize": 4900,
        "MaximumBatchingWindowInSeconds": 5,
        "ParallelizationFactor": 1,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 72_000,
        "DestinationConfig": {"OnFailure": {"Destination": BUCKET_ARN}},
    }


def healthy_function() -> dict[str, Any]:
    return {
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Timeout": 300,
        "MemorySize": 512,
        "Environment": {"Variables": {"BUCKET_NAME": "acme-truck-data"}},
    }

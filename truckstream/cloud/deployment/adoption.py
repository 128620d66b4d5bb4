"""Adoption: a deployment that uses a stream and a bucket that exist already. Nothing in here calls AWS.

They are used by name, through CreateStream=false and ExistingBucketName, and not imported into the stack. An import
cannot create the rest of the stack in the same operation, does not compare the template with the resource, and makes
the stream with its records a part of every later rollback and replacement. Used by name, no operation of the stack can
delete them. (CloudFormation user guide, "Import AWS resources into a CloudFormation stack", 2026-11.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.cloud.deployment.stack import Stack

__all__ = ["DEFAULT_STREAM", "Adoption", "NewNames", "adopted_bucket", "adopted_stream", "new_names"]

#: The template's default.
DEFAULT_STREAM: Final = "truck-sensor-stream"
#: Keys that AWS manages for Kinesis and S3. Whoever may use the stream or the bucket may use them.
_AWS_KEYS: Final = ("alias/aws/kinesis", "alias/aws/s3")


@dataclass(frozen=True, slots=True)
class Adoption:
    """The parameters that make a deployment use existing resources, and remarks for its plan."""

    parameters: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NewNames:
    """Names of the stream and the bucket that a deployment creates; None if it creates none, or one without a name."""

    stream: str | None
    bucket: str | None


def new_names(values: Mapping[str, str], stack: Stack | None) -> NewNames:
    """Return the names that a deployment creates.

    Args:
        values: the parameters that the stack will have.
        stack: the stack before the deployment; None if it is to be created.
    """
    stream = values.get("StreamName", DEFAULT_STREAM) if values.get("CreateStream", "true") == "true" else None
    bucket = values.get("BucketName") if values.get("ExistingBucketName", "none") == "none" else None
    ours = stack.outputs if stack else {}
    return NewNames(
        stream if stream != ours.get("StreamName") else None,
        bucket if bucket and bucket != ours.get("BucketName") else None,
    )


def adopted_stream(name: str, summary: Mapping[str, Any]) -> Adoption:
    """Return the adoption of a stream, from its description by DescribeStreamSummary.

    The alarms, and the mapping's settings, follow from the capacity and the retention that the stream has.
    """
    mode = summary.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    parameters = {
        "CreateStream": "false",
        "StreamName": name,
        "StreamMode": mode,
        "RetentionHours": str(summary["RetentionPeriodHours"]),
        # The stream may hold records that its last mapping did not deliver, and LATEST would lose them. From the
        # beginning, the records that were delivered are stored once more.
        "StartingPosition": "TRIM_HORIZON",
    }
    if mode == "PROVISIONED":
        parameters["ShardCount"] = str(summary["OpenShardCount"])
    notes = [f"The stack uses the existing stream {name} as it is, and never deletes it."]
    key = summary.get("KeyId") if summary.get("EncryptionType") == "KMS" else None
    return Adoption(parameters, (*notes, *_key_note(f"stream {name}", key, "kms:Decrypt")))


def adopted_bucket(name: str, encryption: Mapping[str, Any] | None) -> Adoption:
    """Return the adoption of a bucket, from the response of GetBucketEncryption; None if it has none."""
    rules = (encryption or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [{}])
    key = rules[0].get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    notes = [f"The stack uses the existing bucket {name} with its settings as they are, and never deletes it."]
    actions = "kms:GenerateDataKey and kms:Decrypt"
    return Adoption({"ExistingBucketName": name}, (*notes, *_key_note(f"bucket {name}", key, actions)))


def _key_note(what: str, key: str | None, actions: str) -> list[str]:
    if key is None or key.endswith(_AWS_KEYS):
        return []
    return [f"The {what} is encrypted with {key}: in the policy of this key, allow the function's role {actions}."]

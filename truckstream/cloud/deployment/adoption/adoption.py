"""Adoption: a deployment that uses a stream and a bucket that exist already. Nothing in here calls AWS.

They are used by name, through CreateStream=false and ExistingBucketName, and not imported into the stack. A change set
of type IMPORT can create nothing else, and one with ImportExistingResources accepts no names that come from parameters
(CloudFormation user guide, "Import AWS resources into a CloudFormation stack", 2026-11). Neither compares the template
with the resource, and afterwards a stream with records takes part in rollbacks and replacements. Used by name, no
operation of the stack can delete it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from truckstream.cloud.deployment.cloudformation.stack import Stack

__all__ = [
    "Adoption",
    "NewNames",
    "adopted_bucket",
    "adopted_stream",
    "both",
    "bucket_key",
    "new_names",
    "stream_key",
]

#: Keys that AWS manages for Kinesis and S3. Whoever may use the stream or the bucket may use them.
_AWS_KEYS: Final = ("alias/aws/kinesis", "alias/aws/s3")


@dataclass(frozen=True, slots=True)
class Adoption:
    """The parameters that make a deployment use existing resources, and remarks for its plan."""

    parameters: Mapping[str, str]
    notes: tuple[str, ...]
    #: The customer-managed key of one resource.
    key_arn: str | None = None


@dataclass(frozen=True, slots=True)
class NewNames:
    """Names of the stream and the bucket that a deployment creates; None if it creates none, or one without a name."""

    stream: str | None
    bucket: str | None


def new_names(values: Mapping[str, str], stack: Stack | None) -> NewNames:
    """Return the names that a deployment creates.

    Args:
        values: all parameters that the stack will have.
        stack: the stack before the deployment; None if it is to be created.
    """
    stream = values["StreamName"] if values["CreateStream"] == "true" else None
    bucket = values["BucketName"] if values["ExistingBucketName"] == "none" else None
    ours = stack.outputs if stack else {}
    return NewNames(
        stream if stream != ours.get("StreamName") else None,
        bucket if bucket and bucket != ours.get("BucketName") else None,
    )


def adopted_stream(name: str, summary: Mapping[str, Any], key_arn: str | None) -> Adoption:
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
    return Adoption(parameters, _notes(f"stream {name}", key_arn), key_arn)


def adopted_bucket(name: str, key_arn: str | None) -> Adoption:
    """Return the adoption of a bucket."""
    return Adoption({"ExistingBucketName": name}, _notes(f"bucket {name}", key_arn), key_arn)


def both(adoptions: Sequence[Adoption]) -> Adoption:
    """Return the adoption of a stream and a bucket together, or of one of them."""
    parameters = {name: value for each in adoptions for name, value in each.parameters.items()}
    if keys := sorted({each.key_arn for each in adoptions if each.key_arn}):
        parameters["ExistingKeyArns"] = ",".join(keys)
    return Adoption(parameters, tuple(note for each in adoptions for note in each.notes))


def stream_key(summary: Mapping[str, Any]) -> str | None:
    """Return the stream's key as DescribeStreamSummary names it; None if AWS manages it."""
    return _customer_managed(summary.get("KeyId") if summary.get("EncryptionType") == "KMS" else None)


def bucket_key(encryption: Mapping[str, Any] | None) -> str | None:
    """Return the bucket's key as GetBucketEncryption names it; None if AWS manages it, or there is none."""
    rules = (encryption or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules", [{}])
    return _customer_managed(rules[0].get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID"))


def _customer_managed(key: str | None) -> str | None:
    return None if key is None or key.endswith(_AWS_KEYS) else key


def _notes(what: str, key_arn: str | None) -> tuple[str, ...]:
    use = f"The stack uses the existing {what} as it is, and never deletes it."
    if key_arn is None:
        return (use,)
    return (use, f"The function's role may use its key {key_arn}, as far as the policy of that key lets IAM decide.")

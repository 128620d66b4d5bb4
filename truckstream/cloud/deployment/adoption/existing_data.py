"""Streams and buckets that exist outside the stack: refuse their names, or adopt them.

CloudFormation notices a taken name only after minutes, and then rolls back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from truckstream.cloud.deployment.adoption.adoption import (
    Adoption,
    adopted_bucket,
    adopted_stream,
    both,
    bucket_key,
    new_names,
    stream_key,
)
from truckstream.errors import AwsError, DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.cloudformation.stack import Stack

__all__ = ["adopt", "refuse_missing", "refuse_taken"]

#: S3 answers HEAD without a body, so that the code is the status.
_DENIED: Final = frozenset({"403", "AccessDenied", "Forbidden"})


async def adopt(aws: Aws, values: Mapping[str, str], stack: Stack | None) -> Adoption:
    """Return the adoption of the stream and the bucket that the deployment would create and that exist already.

    Args:
        aws: the account and region.
        values: all parameters that the stack would have.
        stack: the stack; None if it is to be created.

    Raises:
        DeploymentError: the bucket belongs to another account, or is in another region.
    """
    names = new_names(values, stack)
    found: list[Adoption] = []
    if names.stream and (summary := await _read_stream(aws, names.stream)):
        found.append(adopted_stream(names.stream, summary, await _key_arn(aws, stream_key(summary))))
    if names.bucket and await _own_bucket_exists(aws, names.bucket):
        encryption = await aws.find("s3", "get_bucket_encryption", Bucket=names.bucket)
        found.append(adopted_bucket(names.bucket, await _key_arn(aws, bucket_key(encryption))))
    return both(found)


async def refuse_taken(aws: Aws, values: Mapping[str, str], stack: Stack | None) -> None:
    """Raise DeploymentError if a stream or a bucket that the deployment would create exists already.

    The arguments are those of `adopt`.
    """
    names = new_names(values, stack)
    adopting = "Pass --adopt to use it with its contents, such as after truckstream destroy"
    if names.stream and await _read_stream(aws, names.stream):
        text = f"a stream {names.stream} exists already that is not part of this stack"
        raise DeploymentError("NameTaken", f"{text}. {adopting}, or choose another name with --stream.")
    if names.bucket and await _own_bucket_exists(aws, names.bucket):
        text = f"a bucket {names.bucket} exists already that is not part of this stack"
        raise DeploymentError("NameTaken", f"{text}. {adopting}, or choose another name with --bucket.")


async def refuse_missing(aws: Aws, values: Mapping[str, str]) -> None:
    """Raise DeploymentError if a stream or a bucket that the deployment would use by name does not exist."""
    stream, bucket = values["StreamName"], values["ExistingBucketName"]
    if values["CreateStream"] == "false" and await _read_stream(aws, stream) is None:
        hint = "Correct --stream or --region, or pass --parameter CreateStream=true."
        raise DeploymentError("NotFound", f"the stream {stream} does not exist in {aws.region}. {hint}")
    if bucket != "none" and not await _bucket_exists(aws, bucket):
        hint = "Correct the name, or pass --parameter ExistingBucketName=none to create a bucket."
        raise DeploymentError("NotFound", f"the bucket {bucket} of ExistingBucketName does not exist. {hint}")


async def _read_stream(aws: Aws, name: str) -> dict[str, Any] | None:
    response = await aws.find("kinesis", "describe_stream_summary", StreamName=name)
    return response["StreamDescriptionSummary"] if response else None


async def _key_arn(aws: Aws, key: str | None) -> str | None:
    """Return the ARN of a key, which policies need, from its ARN, ID or alias; None for a key that AWS manages."""
    if key is None or ":key/" in key:
        return key
    response = await aws.call("kms", "describe_key", KeyId=key)
    found = response["KeyMetadata"]
    return str(found["Arn"]) if found.get("KeyManager") == "CUSTOMER" else None


async def _bucket_exists(aws: Aws, name: str) -> bool:
    """Return whether the bucket exists, in any account and whether or not we may read it."""
    try:
        return await aws.find("s3", "head_bucket", Bucket=name) is not None
    except AwsError as error:
        if error.code in _DENIED:
            return True
        raise


async def _own_bucket_exists(aws: Aws, name: str) -> bool:
    """Return whether the bucket exists in this account and region.

    Raises:
        DeploymentError: it exists elsewhere.
    """
    account = (await aws.call("sts", "get_caller_identity"))["Account"]
    try:
        found = await aws.find("s3", "head_bucket", Bucket=name, ExpectedBucketOwner=account)
    except AwsError as error:
        if error.code not in _DENIED:
            raise
        text = f"the bucket {name} belongs to another account, or its policy denies you access"
        hint = "Bucket names are unique across all accounts: choose another with --bucket."
        raise DeploymentError("NameTaken", f"{text}. {hint}") from error
    if found is None:
        return False
    region = found.get("BucketRegion", aws.region)
    if region != aws.region:
        text = f"the bucket {name} is in {region}, and this deployment is in {aws.region}"
        raise DeploymentError("NameTaken", f"{text}. Choose another name with --bucket, or pass --region {region}.")
    return True

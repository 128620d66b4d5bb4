"""The bucket for the function's zips: one per account and region, private, created when needed.

A zip is named after its contents, so that an existing zip need not be uploaded, and old versions remain for a rollback.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.cloud.aws_account import Aws

__all__ = ["artifact_bucket", "upload"]


async def artifact_bucket(aws: Aws) -> str:
    """Return the name of the bucket."""
    identity = await aws.call("sts", "get_caller_identity")
    return f"truckstream-artifacts-{identity['Account']}-{aws.region}"


async def upload(aws: Aws, bucket: str, key: str, content: bytes) -> None:
    """Upload the zip unless it exists, and create the bucket if needed."""
    if await aws.find("s3", "head_bucket", Bucket=bucket) is None:
        await _create(aws, bucket)
    if await aws.find("s3", "head_object", Bucket=bucket, Key=key) is None:
        await aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=content, ContentType="application/zip")


async def _create(aws: Aws, bucket: str) -> None:
    # us-east-1 is the only region that must not be given.
    where = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    await aws.call("s3", "create_bucket", Bucket=bucket, ObjectOwnership="BucketOwnerEnforced", **where)
    blocked = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    await aws.call(
        "s3",
        "put_public_access_block",
        Bucket=bucket,
        PublicAccessBlockConfiguration=dict.fromkeys(blocked, True),
    )
    partition = "aws-cn" if aws.region.startswith("cn-") else "aws-us-gov" if "-gov-" in aws.region else "aws"
    arn = f"arn:{partition}:s3:::{bucket}"
    tls_only = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [tls_only]})
    await aws.call("s3", "put_bucket_policy", Bucket=bucket, Policy=policy)

"""The bucket that the function's zip is deployed from: one an account and region, private, made when first needed.

A zip is named after its contents, so what is there is right, and an old version stays for a rollback.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truckstream.cloud.aws_account import Aws

__all__ = ["artifact_bucket", "upload"]


async def artifact_bucket(aws: Aws) -> str:
    """The bucket's name."""
    identity = await aws.call("sts", "get_caller_identity")
    return f"truckstream-artifacts-{identity['Account']}-{aws.region}"


async def upload(aws: Aws, bucket: str, key: str, content: bytes) -> None:
    """Store the zip unless it is there; make the bucket if need be."""
    if await aws.ask("s3", "head_bucket", Bucket=bucket) is None:
        await _make(aws, bucket)
    if await aws.ask("s3", "head_object", Bucket=bucket, Key=key) is None:
        await aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=content, ContentType="application/zip")


async def _make(aws: Aws, bucket: str) -> None:
    # us-east-1 is the one region that must not be named.
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

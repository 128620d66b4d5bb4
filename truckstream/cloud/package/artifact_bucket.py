"""The bucket that CloudFormation reads zips and templates from: private, created when needed.

There is one per account and region. A zip is named after its contents, so that an existing one need not be uploaded,
and old versions remain for a rollback. CloudFormation reads a template once, when a change set is created.
"""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from truckstream.cloud.partitions import partition_of
from truckstream.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from truckstream.cloud.aws_account import Aws

__all__ = ["artifact_bucket", "upload", "uploaded_template", "url_of"]


async def artifact_bucket(aws: Aws) -> str:
    """Return the name of the bucket."""
    identity = await aws.call("sts", "get_caller_identity")
    return f"truckstream-artifacts-{identity['Account']}-{aws.region}"


def url_of(aws: Aws, bucket: str, key: str) -> str:
    """Return the URL of an object, as CloudFormation expects it."""
    if aws.endpoint_url:
        return f"{aws.endpoint_url.rstrip('/')}/{bucket}/{key}"
    return f"https://{bucket}.s3.{aws.region}.{partition_of(aws.region).dns_suffix}/{key}"


async def upload(aws: Aws, bucket: str, key: str, content: bytes, content_type: str) -> None:
    """Upload an object unless it exists, and create the bucket if needed."""
    if await aws.find("s3", "head_bucket", Bucket=bucket) is None:
        await _create(aws, bucket)
    if await aws.find("s3", "head_object", Bucket=bucket, Key=key) is None:
        await aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=content, ContentType=content_type)


@asynccontextmanager
async def uploaded_template(aws: Aws, bucket: str, stack_name: str, template: str) -> AsyncIterator[str]:
    """Yield the URL of a template that is uploaded for so long.

    Nothing remains of it afterwards, so that a plan that is not executed leaves nothing behind: a bucket that was
    created for the template is deleted too, unless a zip is in it by then.
    """
    key = f"{stack_name}/template-{time.time_ns():x}.yaml"
    is_new = await aws.find("s3", "head_bucket", Bucket=bucket) is None
    if is_new:
        await _create(aws, bucket)
    try:
        body = template.encode()
        await aws.call("s3", "put_object", Bucket=bucket, Key=key, Body=body, ContentType="application/yaml")
        yield url_of(aws, bucket, key)
    finally:
        # A failure to tidy up must not hide the outcome of the deployment. Destroying the stack empties its folder.
        with suppress(AwsError):
            await aws.call("s3", "delete_object", Bucket=bucket, Key=key)
            if is_new:
                await aws.call("s3", "delete_bucket", Bucket=bucket)  # which S3 refuses if there is an object in it


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
    arn = f"arn:{partition_of(aws.region).name}:s3:::{bucket}"
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

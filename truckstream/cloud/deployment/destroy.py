"""Destroy: delete the stack, keep its data unless `delete_data` is set, and list the resources that remain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from truckstream.cloud.aws_account import flags_of
from truckstream.cloud.deployment.choices import flags_for_successor
from truckstream.cloud.deployment.cloudformation.stack import PRECIOUS, check_stack_name, is_busy
from truckstream.cloud.deployment.cloudformation.stack_operations import (
    POLL_SECONDS,
    confirm_always,
    delete_stack,
    find_stack,
)
from truckstream.cloud.deployment.template.template_text import defaults_of, read_template
from truckstream.cloud.package.artifact_bucket import artifact_bucket
from truckstream.command_line import command_line
from truckstream.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.cloudformation.stack import Stack, StackEvent

__all__ = ["Destruction", "Resource", "destroy"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the stack: its name in the template, its type, and its physical ID in AWS."""

    name: str
    kind: str
    physical_id: str

    @property
    def kept(self) -> bool:
        """Whether the resource holds or protects data."""
        return self.kind in PRECIOUS or self.kind == "AWS::S3::BucketPolicy"


@dataclass(frozen=True, slots=True)
class Destruction:
    """The resources that are deleted and those that remain."""

    stack: str
    goes: tuple[Resource, ...] = ()
    stays: tuple[Resource, ...] = ()
    done: bool = False
    #: The command line that deploys the pipeline again onto what remains; empty if nothing does.
    again: str = ""


async def destroy(
    aws: Aws,
    stack_name: str,
    *,
    confirm: Callable[[Destruction], Awaitable[bool]] = confirm_always,
    delete_data: bool = False,
    dry_run: bool = False,
    on_event: Callable[[StackEvent], None] = lambda _: None,
    poll: float = POLL_SECONDS,
) -> Destruction:
    """Delete a deployed stack.

    Args:
        aws: the account and region.
        stack_name: name of the stack.
        confirm: called with the resources to delete and to keep; they are deleted if it returns True, the default.
        delete_data: also delete the stream with its records, the bucket with its objects, and the key after 30 days.
        dry_run: return the resources that would be deleted, and delete nothing.
        on_event: called with each event of the stack.
        poll: seconds between two calls for the state of the stack.

    Raises:
        AwsError: AWS returned an error.
        DeploymentError: the stack is being changed, or a resource could not be deleted.
        InvalidArgumentError: the stack's name breaks a rule.
    """
    stack = await find_stack(aws, check_stack_name(stack_name))
    if stack is None:
        raise DeploymentError("NotDeployed", f"the stack {stack_name} does not exist in {aws.region}")
    if is_busy(stack.status):
        raise DeploymentError(stack.status, f"the stack {stack_name} is being changed. Wait until it is done.")
    response = await aws.call("cloudformation", "describe_stack_resources", StackName=stack.stack_id)
    found = tuple(_resource(row) for row in response["StackResources"])
    kept = () if delete_data else tuple(each for each in found if each.kept)
    goes = tuple(each for each in found if each not in kept)
    stays = (*kept, *_used_by_name(stack))
    plan = Destruction(stack_name, goes, stays, again=_again(aws, stack) if stays else "")
    if dry_run or not await confirm(plan):
        return plan
    await delete_stack(aws, stack, on_event, poll)
    if delete_data:
        for resource in found:
            await _delete_data(aws, resource)
    await _delete_zips(aws, stack_name)
    return replace(plan, done=True)


def _used_by_name(stack: Stack) -> list[Resource]:
    """Return the stream and the bucket that the stack uses and that are not its resources: nothing deletes them."""
    found = []
    if stack.parameters.get("CreateStream") == "false":
        found.append(Resource("StreamName", "AWS::Kinesis::Stream", stack.outputs.get("StreamName", "")))
    if stack.parameters.get("ExistingBucketName", "none") != "none":
        found.append(Resource("ExistingBucketName", "AWS::S3::Bucket", stack.outputs.get("BucketName", "")))
    return found


def _again(aws: Aws, stack: Stack) -> str:
    flags = flags_for_successor(stack, defaults_of(read_template()))
    command = "provision" if stack.parameters.get("Scope") == "STORAGE" else "deploy"
    return command_line("truckstream", command, "--stack", stack.name, *flags_of(aws), *flags)


def _resource(row: dict[str, Any]) -> Resource:
    return Resource(row["LogicalResourceId"], row["ResourceType"], row.get("PhysicalResourceId", ""))


async def _delete_data(aws: Aws, resource: Resource) -> None:
    """Delete a resource with data, which the stack keeps when it is deleted."""
    if resource.kind == "AWS::S3::Bucket":
        await _empty(aws, resource.physical_id)
        await aws.find("s3", "delete_bucket", Bucket=resource.physical_id)
    elif resource.kind == "AWS::Kinesis::Stream":
        name = resource.physical_id.rpartition("/")[2]
        await aws.find("kinesis", "delete_stream", StreamName=name, EnforceConsumerDeletion=True)
    elif resource.kind == "AWS::KMS::Key":
        # The longest possible delay, because data encrypted with it elsewhere, such as logs, need the key.
        await aws.find("kms", "schedule_key_deletion", KeyId=resource.physical_id, PendingWindowInDays=30)


async def _empty(aws: Aws, bucket: str, prefix: str = "") -> None:
    """Delete all objects and all their versions, 1,000 at a time."""
    while True:
        response = await aws.find("s3", "list_object_versions", Bucket=bucket, Prefix=prefix)
        rows = [*(response or {}).get("Versions", ()), *(response or {}).get("DeleteMarkers", ())]
        if not rows:
            return
        objects = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in rows]
        deleted = await aws.call("s3", "delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := deleted.get("Errors"):
            first = errors[0]
            raise DeploymentError(
                first.get("Code", "Unknown"), f"s3://{bucket}/{first.get('Key')}: {first.get('Message')}"
            )


async def _delete_zips(aws: Aws, stack_name: str) -> None:
    bucket = await artifact_bucket(aws)
    if await aws.find("s3", "head_bucket", Bucket=bucket) is not None:
        await _empty(aws, bucket, f"{stack_name}/")

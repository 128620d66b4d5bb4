"""Destroy: delete the stack, and the data only when told to; say what stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from truckstream.cloud.deployment.cloudformation import POLL_SECONDS, delete_stack, find_stack
from truckstream.cloud.deployment.stack import PRECIOUS, is_busy
from truckstream.cloud.package.artifact_bucket import artifact_bucket
from truckstream.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.stack import StackEvent

__all__ = ["Destruction", "Resource", "destroy"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the stack: its name in the template, its type, and its name in AWS."""

    name: str
    kind: str
    physical_id: str

    @property
    def kept(self) -> bool:
        """True for what holds data, and for what protects it."""
        return self.kind in PRECIOUS or self.kind == "AWS::S3::BucketPolicy"


@dataclass(frozen=True, slots=True)
class Destruction:
    """What goes, or went, and what stays."""

    stack: str
    goes: tuple[Resource, ...] = ()
    stays: tuple[Resource, ...] = ()
    done: bool = False


async def _agree(_: object) -> bool:
    return True


async def destroy(
    aws: Aws,
    stack_name: str,
    *,
    confirm: Callable[[Destruction], Awaitable[bool]] = _agree,
    delete_data: bool = False,
    dry_run: bool = False,
    on_event: Callable[[StackEvent], None] = lambda _: None,
    poll: float = POLL_SECONDS,
) -> Destruction:
    """Delete what was deployed.

    Args:
        aws: the account and region.
        stack_name: the stack.
        confirm: is shown what goes and what stays, and its answer decides; by default it is carried out.
        delete_data: delete the stream with its records, the bucket with its objects, and the key 30 days later.
        dry_run: say what would go, and delete nothing.
        on_event: is told each step.
        poll: seconds between two looks at the stack.

    Raises:
        AwsError: AWS refused a call.
        DeploymentError: the stack is being changed, or something could not be deleted.
    """
    stack = await find_stack(aws, stack_name)
    if stack is None:
        raise DeploymentError("NotDeployed", f"there is no stack {stack_name} in {aws.region}")
    if is_busy(stack.status):
        raise DeploymentError(stack.status, f"the stack {stack_name} is being changed. Wait until it is done.")
    answer = await aws.call("cloudformation", "describe_stack_resources", StackName=stack.stack_id)
    found = tuple(_resource(row) for row in answer["StackResources"])
    stays = () if delete_data else tuple(each for each in found if each.kept)
    plan = Destruction(stack_name, tuple(each for each in found if each not in stays), stays)
    if dry_run or not await confirm(plan):
        return plan
    await delete_stack(aws, stack, on_event, poll)
    if delete_data:
        for resource in found:
            await _delete_data(aws, resource)
    await _delete_zips(aws, stack_name)
    return Destruction(stack_name, plan.goes, plan.stays, done=True)


def _resource(row: dict[str, Any]) -> Resource:
    return Resource(row["LogicalResourceId"], row["ResourceType"], row.get("PhysicalResourceId", ""))


async def _delete_data(aws: Aws, resource: Resource) -> None:
    """What the stack leaves behind."""
    if resource.kind == "AWS::S3::Bucket":
        await _empty(aws, resource.physical_id)
        await aws.ask("s3", "delete_bucket", Bucket=resource.physical_id)
    elif resource.kind == "AWS::Kinesis::Stream":
        name = resource.physical_id.rpartition("/")[2]
        await aws.ask("kinesis", "delete_stream", StreamName=name, EnforceConsumerDeletion=True)
    elif resource.kind == "AWS::KMS::Key":
        # The longest time to change one's mind: what it has encrypted elsewhere, such as logs, needs it.
        await aws.ask("kms", "schedule_key_deletion", KeyId=resource.physical_id, PendingWindowInDays=30)


async def _empty(aws: Aws, bucket: str, prefix: str = "") -> None:
    """Delete all objects and all their versions, 1,000 at a time."""
    while True:
        answer = await aws.ask("s3", "list_object_versions", Bucket=bucket, Prefix=prefix)
        rows = [*(answer or {}).get("Versions", ()), *(answer or {}).get("DeleteMarkers", ())]
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
    if await aws.ask("s3", "head_bucket", Bucket=bucket) is not None:
        await _empty(aws, bucket, f"{stack_name}/")

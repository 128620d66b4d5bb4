"""Provision and deploy: create a change set, show it, execute it after confirmation, and follow it to the end.

Both use the same template: provisioning creates the stream and the bucket (Scope=STORAGE), and deploying adds the rest
to the same stack. Parameters keep their previous values unless new ones are given.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from truckstream.cloud.deployment.cloudformation import (
    POLL_SECONDS,
    StackFollower,
    confirm_always,
    delete_stack,
    find_stack,
)
from truckstream.cloud.deployment.stack import (
    Plan,
    Stack,
    StackEvent,
    changed_parameters,
    is_busy,
    is_empty,
    read_changes,
)
from truckstream.cloud.deployment.template import compact, fits_a_call, parameters_of, read_template, without
from truckstream.cloud.error_hints import hint_for_reasons
from truckstream.cloud.package.artifact_bucket import artifact_bucket, upload, url_of
from truckstream.cloud.package.build import PackageOptions, build_package
from truckstream.errors import DeploymentError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.package.archive import Archive

__all__ = ["DeployOptions", "Deployment", "deploy", "update_parameters"]

#: States of a stack in which it can be changed.
_CHANGEABLE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")

#: Remedies for other states of rest.
_REMEDIES: Final = {
    "ROLLBACK_COMPLETE": "Its creation failed and left it empty: truckstream deploy deletes it and starts again.",
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --stack-name {stack} ends the rollback.",
}


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """Options of a deployment.

    Args:
        stack: name of the stack, and of the function.
        scope: "STORAGE" for stream and bucket, "PIPELINE" for everything.
        parameters: values by the name of the template's parameters; others keep their value or their default.
        package: processor and Python version of the function.
        artifact_bucket: bucket for the zip, and for a template that is too large for a call; the default is
            truckstream-artifacts-{account}-{region}, which is created when needed.
        leave_out: names of resources to leave out of the template.
        dry_run: create and show the plan, and change nothing.

    Raises:
        InvalidArgumentError: the template has no such parameter.
    """

    stack: str = "truckstream"
    scope: Literal["STORAGE", "PIPELINE"] = "PIPELINE"
    parameters: Mapping[str, str] = field(default_factory=dict)
    package: PackageOptions = field(default_factory=PackageOptions)
    artifact_bucket: str | None = None
    leave_out: tuple[str, ...] = ()
    dry_run: bool = False

    def __post_init__(self) -> None:
        known = parameters_of(read_template())
        for name in self.parameters:
            if name not in known:
                raise InvalidArgumentError("parameter", name, f"must be one of {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The result of a deployment."""

    plan: Plan
    #: False for a dry run, a plan that was not confirmed, and an empty plan.
    done: bool
    #: Outputs of the stack by name: StreamName, BucketName, FunctionName and others.
    outputs: Mapping[str, str] = field(default_factory=dict)


async def deploy(
    aws: Aws,
    options: DeployOptions,
    *,
    confirm: Callable[[Plan], Awaitable[bool]] = confirm_always,
    on_event: Callable[[StackEvent], None] = lambda _: None,
    poll: float = POLL_SECONDS,
) -> Deployment:
    """Create or update the stack according to the options.

    Args:
        aws: the account and region.
        options: options of the deployment.
        confirm: called with the plan; the plan is executed if it returns True, which is the default.
        on_event: called with each event of the stack.
        poll: seconds between two calls for the state of the stack.

    Raises:
        AwsError: AWS returned an error.
        DeploymentError: the stack is busy or broken, a name is taken, or CloudFormation failed and rolled back.
        PackageError, ConfigurationError: the zip of the function cannot be built.
    """
    stack = await _ready_stack(aws, options, on_event, poll)
    await _refuse_taken_stream(aws, stack, options)
    archive = await build_package(options.package) if options.scope == "PIPELINE" else None
    bucket = options.artifact_bucket or await artifact_bucket(aws)
    parameters = _parameters(options, archive, bucket)
    template = await _template(aws, options, bucket)
    proposal = _Proposal(aws, options.stack, stack, parameters, template, options.leave_out, poll)

    async def confirm_and_upload(plan: Plan) -> bool:
        if options.dry_run or not await confirm(plan):
            return False
        if archive:  # only now, so that a plan that is not confirmed leaves nothing behind
            await upload(aws, bucket, parameters["CodeKey"], archive.content, "application/zip")
        return True

    return await proposal.carry_out(confirm_and_upload, on_event)


async def update_parameters(
    aws: Aws,
    stack: Stack,
    parameters: Mapping[str, str],
    *,
    confirm: Callable[[Plan], Awaitable[bool]],
    on_event: Callable[[StackEvent], None] = lambda _: None,
    poll: float = POLL_SECONDS,
) -> Deployment:
    """Change parameters of a stack, and keep its template and its code.

    Raises:
        AwsError: AWS returned an error.
        DeploymentError: the stack is busy, or CloudFormation failed and rolled back.
    """
    _refuse_unchangeable(stack)
    return await _Proposal(aws, stack.name, stack, parameters, None, (), poll).carry_out(confirm, on_event)


@dataclass(frozen=True, slots=True)
class _Template:
    """A template: its text, and its URL if it is too large for a call."""

    text: str
    url: str | None = None

    def argument(self) -> dict[str, str]:
        """Return the argument of CreateChangeSet for it."""
        return {"TemplateURL": self.url} if self.url else {"TemplateBody": self.text}


async def _template(aws: Aws, options: DeployOptions, bucket: str) -> _Template:
    """Return the template without the resources to leave out, after uploading it if necessary."""
    text = without(compact(read_template()), options.leave_out)
    if fits_a_call(text):
        return _Template(text)
    # CloudFormation reads it when the change set is created, so that even a dry run must upload it.
    key = f"{options.stack}/{hashlib.sha256(text.encode()).hexdigest()}.yaml"
    await upload(aws, bucket, key, text.encode(), "application/yaml")
    return _Template(text, url_of(aws, bucket, key))


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A change set that is created, shown, and executed or discarded."""

    aws: Aws
    name: str
    #: None for a stack that is to be created.
    stack: Stack | None
    parameters: Mapping[str, str]
    #: None for the template that the stack has.
    template: _Template | None
    left_out: tuple[str, ...]
    poll: float

    async def carry_out(
        self, confirm: Callable[[Plan], Awaitable[bool]], on_event: Callable[[StackEvent], None]
    ) -> Deployment:
        change_set = await _create_change_set(self.aws, self.stack, self.name, self.template, self.parameters)
        agreed = False
        try:
            response = await _settled(self.aws, change_set, self.poll)
            plan = Plan(
                stack=self.name,
                kind="update" if self.stack else "create",
                changes=() if is_empty(response) else read_changes(response),
                parameters=changed_parameters(self.stack, self.parameters),
                left_out=self.left_out,
            )
            follower = await _follower(self.aws, change_set, on_event, self.poll)
            agreed = not plan.empty and await confirm(plan)
        finally:
            if not agreed:
                await _discard(self.aws, change_set, created=self.stack is None)
        if not agreed:
            return Deployment(plan, done=False, outputs=self.stack.outputs if self.stack else {})
        return Deployment(plan, done=True, outputs=await _execute(self.aws, change_set, follower))


async def _ready_stack(
    aws: Aws, options: DeployOptions, on_event: Callable[[StackEvent], None], poll: float
) -> Stack | None:
    """Return the stack to change, or None if it is to be created."""
    stack = await find_stack(aws, options.stack)
    if stack is None or not stack.exists:
        return None
    if stack.status == "ROLLBACK_COMPLETE" and not options.dry_run:
        # A failed creation leaves an empty stack, which can only be deleted.
        await delete_stack(aws, stack, on_event, poll)
        return None
    _refuse_unchangeable(stack)
    if options.scope == "STORAGE" and stack.parameters.get("Scope") == "PIPELINE":
        raise DeploymentError(
            "AlreadyDeployed", f"the stack {stack.name} already has a function. Use truckstream deploy."
        )
    return stack


def _refuse_unchangeable(stack: Stack) -> None:
    if stack.status not in _CHANGEABLE:
        removal = f"truckstream destroy --stack {stack.name} removes the rest of it."
        remedy = _REMEDIES.get(stack.status, removal).format(stack=stack.name)
        hint = "Wait until it is done: truckstream status." if is_busy(stack.status) else remedy
        raise DeploymentError(stack.status, f"the stack {stack.name} cannot be changed now. {hint}")


async def _refuse_taken_stream(aws: Aws, stack: Stack | None, options: DeployOptions) -> None:
    """Raise at once if the stream exists but is not the stack's: CloudFormation would fail only after minutes."""
    name = options.parameters.get("StreamName", "truck-sensor-stream")
    ours = stack is not None and stack.outputs.get("StreamName") == name
    if ours or options.parameters.get("CreateStream") == "false":
        return
    if stack and "StreamName" not in options.parameters:
        return
    if await aws.find("kinesis", "describe_stream_summary", StreamName=name):
        hint = "Deploy onto it with --parameter CreateStream=false, or choose another name with --stream."
        raise DeploymentError("NameTaken", f"a stream {name} exists already that is not part of this stack. {hint}")


def _parameters(options: DeployOptions, archive: Archive | None, bucket: str) -> dict[str, str]:
    if archive is None:
        return {**options.parameters, "Scope": options.scope}
    return {
        **options.parameters,
        "Scope": options.scope,
        "CodeBucket": bucket,
        "CodeKey": f"{options.stack}/{archive.digest}.zip",
        "Runtime": f"python{options.package.python}",
        "Architecture": options.package.architecture,
    }


async def _create_change_set(
    aws: Aws, stack: Stack | None, name: str, template: _Template | None, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Create a change set, and return its IDs as parameters of the other calls."""
    known = stack.parameters if stack else {}
    names = tuple(known) if template is None else parameters_of(template.text)
    rows: list[dict[str, Any]] = [
        {"ParameterKey": each, "ParameterValue": parameters[each]}
        if each in parameters
        else {"ParameterKey": each, "UsePreviousValue": True}
        for each in names
        if each in parameters or each in known
    ]
    response = await aws.call(
        "cloudformation",
        "create_change_set",
        StackName=stack.stack_id if stack else name,
        ChangeSetName=f"truckstream-{time.time_ns():x}",
        ChangeSetType="UPDATE" if stack else "CREATE",
        Parameters=rows,
        Capabilities=["CAPABILITY_IAM"],
        **({"UsePreviousTemplate": True} if template is None else template.argument()),
    )
    return {"ChangeSetName": response["Id"], "StackName": response["StackId"]}


async def _settled(aws: Aws, change_set: Mapping[str, Any], poll: float) -> dict[str, Any]:
    """Wait until CloudFormation has computed the change set, and return its description with all pages."""
    while True:
        response = await aws.call("cloudformation", "describe_change_set", **change_set)
        if not is_busy(response["Status"]):
            break
        await asyncio.sleep(poll)
    if response["Status"] == "FAILED" and not is_empty(response):
        reason = response.get("StatusReason") or "CloudFormation gives no reason"
        hint = hint_for_reasons(reason)
        raise DeploymentError("ChangeSetFailed", f"{reason.rstrip('.')}. {hint}" if hint else reason)
    changes, token = list(response.get("Changes", ())), response.get("NextToken")
    while token:
        page = await aws.call("cloudformation", "describe_change_set", **change_set, NextToken=token)
        changes += page.get("Changes", ())
        token = page.get("NextToken")
    return {**response, "Changes": changes}


async def _discard(aws: Aws, change_set: Mapping[str, Any], *, created: bool) -> None:
    """Delete a change set that is not executed, and the empty stack that it created."""
    await aws.find("cloudformation", "delete_change_set", **change_set)
    if created:  # a change set for a new stack creates an empty stack
        await aws.call("cloudformation", "delete_stack", StackName=change_set["StackName"])


async def _follower(
    aws: Aws, change_set: Mapping[str, Any], on_event: Callable[[StackEvent], None], poll: float
) -> StackFollower:
    stack = await find_stack(aws, change_set["StackName"])
    assert stack is not None  # noqa: S101 - its change set has just been described
    follower = StackFollower(aws, stack, on_event, poll)
    await follower.begin()
    return follower


async def _execute(aws: Aws, change_set: Mapping[str, Any], follower: StackFollower) -> Mapping[str, str]:
    """Execute the change set and return the outputs of the stack. A cancelled call does not stop CloudFormation."""
    await aws.call("cloudformation", "execute_change_set", **change_set)
    await follower.follow("CREATE_COMPLETE", "UPDATE_COMPLETE")
    done = await find_stack(aws, change_set["StackName"])
    return done.outputs if done else {}

"""Provision and deploy: a change set, shown, agreed to, executed and followed.

Both are the one template: provisioning is stream and bucket (Scope=STORAGE), and deploying adds the rest, onto the
same stack. What a stack has been told before holds until it is told otherwise.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from truckstream.cloud.deployment.cloudformation import POLL_SECONDS, Follower, delete_stack, find_stack
from truckstream.cloud.deployment.stack import (
    Plan,
    Stack,
    StackEvent,
    changed_parameters,
    is_busy,
    is_empty,
    read_changes,
)
from truckstream.cloud.deployment.template import LOCALLY_LEFT_OUT, compact, parameters_of, read_template, without
from truckstream.cloud.error_hints import hint_for_reasons
from truckstream.cloud.package.artifact_bucket import artifact_bucket, upload
from truckstream.cloud.package.build import PackageOptions, build_package
from truckstream.errors import DeploymentError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.package.archive import Archive

__all__ = ["DeployOptions", "Deployment", "deploy", "update_parameters"]

#: What a stack of ours may be in, to be changed.
_CHANGEABLE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")

#: What helps in the other states of rest.
_WAYS_OUT: Final = {
    "ROLLBACK_COMPLETE": "Its creation failed and left it empty: truckstream deploy deletes it and begins anew.",
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --stack-name {stack} takes the change back.",
}


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """What to deploy.

    Args:
        stack: the stack's name, which is also the function's.
        scope: "STORAGE" for stream and bucket, "PIPELINE" for all.
        parameters: values by the template's parameters; the others keep what they have, or their default.
        package: the function's machine.
        artifact_bucket: where the zip goes; by default truckstream-artifacts-{account}-{region}, made when needed.
        leave_out: resources that are not wanted.
        dry_run: show what would change, and change nothing.

    Raises:
        InvalidArgumentError: there is no such parameter.
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
    """What was done."""

    plan: Plan
    #: False for a dry run, for a plan that was not agreed to, and where there was nothing to do.
    done: bool
    #: The stack's outputs by name: StreamName, BucketName, FunctionName and others.
    outputs: Mapping[str, str] = field(default_factory=dict)


async def _agree(_: object) -> bool:
    return True


async def deploy(
    aws: Aws,
    options: DeployOptions,
    *,
    confirm: Callable[[Plan], Awaitable[bool]] = _agree,
    on_event: Callable[[StackEvent], None] = lambda _: None,
    poll: float = POLL_SECONDS,
) -> Deployment:
    """Bring the stack to what the options say.

    Args:
        aws: the account and region.
        options: what to deploy.
        confirm: is shown the plan, and its answer decides; by default it is carried out.
        on_event: is told each step.
        poll: seconds between two looks at the stack.

    Raises:
        AwsError: AWS refused a call.
        DeploymentError: the stack is busy or broken, a name is taken, or CloudFormation failed and rolled back.
        PackageError, ConfigurationError: the function's zip cannot be built.
    """
    stack = await _ready_stack(aws, options, on_event, poll)
    await _refuse_taken_stream(aws, stack, options)
    archive = await build_package(options.package) if options.scope == "PIPELINE" else None
    bucket = options.artifact_bucket or await artifact_bucket(aws)
    parameters = _parameters(options, archive, bucket)
    left_out = (*options.leave_out, *(LOCALLY_LEFT_OUT if aws.endpoint_url else ()))
    template = without(compact(read_template()), left_out)
    proposal = _Proposal(aws, options.stack, stack, parameters, template, left_out, poll)

    async def agreed(plan: Plan) -> bool:
        if options.dry_run or not await confirm(plan):
            return False
        if archive:  # only now, so that a plan that is not carried out leaves nothing behind
            await upload(aws, bucket, parameters["CodeKey"], archive.content)
        return True

    return await proposal.carry_out(agreed, on_event)


async def update_parameters(
    aws: Aws,
    stack: Stack,
    parameters: Mapping[str, str],
    *,
    confirm: Callable[[Plan], Awaitable[bool]],
    on_event: Callable[[StackEvent], None] = lambda _: None,
    poll: float = POLL_SECONDS,
) -> Deployment:
    """Change a stack's parameters and nothing else: its template and its code stay.

    Raises:
        AwsError: AWS refused a call.
        DeploymentError: the stack is busy, or CloudFormation failed and rolled back.
    """
    _refuse_unchangeable(stack)
    return await _Proposal(aws, stack.name, stack, parameters, None, (), poll).carry_out(confirm, on_event)


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A change set on its way: made, shown, and executed or discarded."""

    aws: Aws
    name: str
    #: None to create it.
    stack: Stack | None
    parameters: Mapping[str, str]
    #: None for the one that the stack has.
    template: str | None
    left_out: tuple[str, ...]
    poll: float

    async def carry_out(
        self, confirm: Callable[[Plan], Awaitable[bool]], on_event: Callable[[StackEvent], None]
    ) -> Deployment:
        change_set = await _create_change_set(self.aws, self.stack, self.name, self.template, self.parameters)
        agreed = False
        try:
            answer = await _settled(self.aws, change_set, self.poll)
            plan = Plan(
                stack=self.name,
                kind="update" if self.stack else "create",
                changes=() if is_empty(answer) else read_changes(answer),
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
    """The stack that will be changed; None if one is to be created."""
    stack = await find_stack(aws, options.stack)
    if stack is None or not stack.exists:
        return None
    if stack.status == "ROLLBACK_COMPLETE" and not options.dry_run:
        # What a failed creation leaves behind is empty, and CloudFormation takes it for nothing but deletion.
        await delete_stack(aws, stack, on_event, poll)
        return None
    _refuse_unchangeable(stack)
    if options.scope == "STORAGE" and stack.parameters.get("Scope") == "PIPELINE":
        raise DeploymentError("AlreadyDeployed", f"the stack {stack.name} has a function already: truckstream deploy")
    return stack


def _refuse_unchangeable(stack: Stack) -> None:
    if stack.status not in _CHANGEABLE:
        removal = f"truckstream destroy --stack {stack.name} removes what is left of it."
        way_out = _WAYS_OUT.get(stack.status, removal).format(stack=stack.name)
        help_ = "Wait until it is done: truckstream status." if is_busy(stack.status) else way_out
        raise DeploymentError(stack.status, f"the stack {stack.name} cannot be changed now. {help_}")


async def _refuse_taken_stream(aws: Aws, stack: Stack | None, options: DeployOptions) -> None:
    """A stream that is not the stack's own would make CloudFormation fail after minutes: say so at once."""
    name = options.parameters.get("StreamName", "truck-sensor-stream")
    ours = stack is not None and stack.outputs.get("StreamName") == name
    if ours or options.parameters.get("CreateStream") == "false":
        return
    if stack and "StreamName" not in options.parameters:
        return
    if await aws.ask("kinesis", "describe_stream_summary", StreamName=name):
        help_ = "Deploy onto it with --parameter CreateStream=false, or choose another name with --stream."
        raise DeploymentError("NameTaken", f"there is a stream {name} already that is not this stack's. {help_}")


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
    aws: Aws, stack: Stack | None, name: str, template: str | None, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Its ids, as the other calls take them."""
    known = stack.parameters if stack else {}
    names = tuple(known) if template is None else parameters_of(template)
    rows: list[dict[str, Any]] = [
        {"ParameterKey": each, "ParameterValue": parameters[each]}
        if each in parameters
        else {"ParameterKey": each, "UsePreviousValue": True}
        for each in names
        if each in parameters or each in known
    ]
    answer = await aws.call(
        "cloudformation",
        "create_change_set",
        StackName=stack.stack_id if stack else name,
        ChangeSetName=f"truckstream-{time.time_ns():x}",
        ChangeSetType="UPDATE" if stack else "CREATE",
        Parameters=rows,
        Capabilities=["CAPABILITY_IAM"],
        **({"UsePreviousTemplate": True} if template is None else {"TemplateBody": template}),
    )
    return {"ChangeSetName": answer["Id"], "StackName": answer["StackId"]}


async def _settled(aws: Aws, change_set: Mapping[str, Any], poll: float) -> dict[str, Any]:
    """The change set's description once CloudFormation has worked it out, with all its pages."""
    while True:
        answer = await aws.call("cloudformation", "describe_change_set", **change_set)
        if not is_busy(answer["Status"]):
            break
        await asyncio.sleep(poll)
    if answer["Status"] == "FAILED" and not is_empty(answer):
        reason = answer.get("StatusReason") or "CloudFormation gives no reason"
        hint = hint_for_reasons(reason)
        raise DeploymentError("ChangeSetFailed", f"{reason.rstrip('.')}. {hint}" if hint else reason)
    changes, token = list(answer.get("Changes", ())), answer.get("NextToken")
    while token:
        page = await aws.call("cloudformation", "describe_change_set", **change_set, NextToken=token)
        changes += page.get("Changes", ())
        token = page.get("NextToken")
    return {**answer, "Changes": changes}


async def _discard(aws: Aws, change_set: Mapping[str, Any], *, created: bool) -> None:
    """Leave nothing behind of a plan that is not carried out."""
    await aws.ask("cloudformation", "delete_change_set", **change_set)
    if created:  # a change set for a new stack makes an empty one
        await aws.call("cloudformation", "delete_stack", StackName=change_set["StackName"])


async def _follower(
    aws: Aws, change_set: Mapping[str, Any], on_event: Callable[[StackEvent], None], poll: float
) -> Follower:
    stack = await find_stack(aws, change_set["StackName"])
    assert stack is not None  # noqa: S101 - its change set was just described
    follower = Follower(aws, stack, on_event, poll)
    await follower.begin()
    return follower


async def _execute(aws: Aws, change_set: Mapping[str, Any], follower: Follower) -> Mapping[str, str]:
    """Its outputs. Who breaks off from here on stops watching; CloudFormation goes on."""
    await aws.call("cloudformation", "execute_change_set", **change_set)
    await follower.follow("CREATE_COMPLETE", "UPDATE_COMPLETE")
    done = await find_stack(aws, change_set["StackName"])
    return done.outputs if done else {}

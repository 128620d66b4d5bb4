"""Provision and deploy: create a change set, show it, execute it after confirmation, and follow it to the end.

Both use the same template: provisioning creates the stream and the bucket (Scope=STORAGE), and deploying adds the rest
to the same stack. Parameters keep their previous values unless new ones are given.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from truckstream.cloud.deployment.change_set import ChangeSet, Deployment, TemplateSource
from truckstream.cloud.deployment.cloudformation import POLL_SECONDS, confirm_always, delete_stack, find_stack
from truckstream.cloud.deployment.stack import is_busy
from truckstream.cloud.deployment.template import compact, fits_a_call, parameters_of, read_template, without
from truckstream.cloud.package.artifact_bucket import artifact_bucket, upload, url_of
from truckstream.cloud.package.build import PackageOptions, build_package
from truckstream.errors import DeploymentError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.stack import Plan, Stack, StackEvent
    from truckstream.cloud.package.archive import Archive

__all__ = ["DeployOptions", "deploy", "update_parameters"]

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
    change_set = ChangeSet(
        aws=aws,
        name=options.stack,
        stack=stack,
        parameters=parameters,
        template=template,
        left_out=options.leave_out,
        poll=poll,
    )

    async def confirm_and_upload(plan: Plan) -> bool:
        if options.dry_run or not await confirm(plan):
            return False
        if archive:  # only now, so that a plan that is not confirmed leaves nothing behind
            await upload(aws, bucket, parameters["CodeKey"], archive.content, "application/zip")
        return True

    return await change_set.carry_out(confirm_and_upload, on_event)


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
    change_set = ChangeSet(
        aws=aws, name=stack.name, stack=stack, parameters=parameters, template=None, left_out=(), poll=poll
    )
    return await change_set.carry_out(confirm, on_event)


async def _template(aws: Aws, options: DeployOptions, bucket: str) -> TemplateSource:
    """Return the template without the resources to leave out, after uploading it if necessary."""
    text = without(compact(read_template()), options.leave_out)
    if fits_a_call(text):
        return TemplateSource(text)
    # CloudFormation reads it when the change set is created, so that even a dry run must upload it.
    key = f"{options.stack}/{hashlib.sha256(text.encode()).hexdigest()}.yaml"
    await upload(aws, bucket, key, text.encode(), "application/yaml")
    return TemplateSource(text, url_of(aws, bucket, key))


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

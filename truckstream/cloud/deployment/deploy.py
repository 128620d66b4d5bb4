"""Provision and deploy: create a change set, show it, execute it after confirmation, and follow it to the end.

Both use the same template: provisioning creates the stream and the bucket (Scope=STORAGE), and deploying adds the rest
to the same stack. Everything that an earlier deployment was given is kept unless new values are given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from truckstream.cloud.aws_account import flags_of
from truckstream.cloud.deployment.adoption.adoption import Adoption
from truckstream.cloud.deployment.adoption.existing_data import adopt, refuse_missing, refuse_taken
from truckstream.cloud.deployment.choices import LEFT_OUT, Choices, choose, given_parameters, refuse_contradictions
from truckstream.cloud.deployment.cloudformation.change_set import ChangeSet, Deployment, TemplateSource
from truckstream.cloud.deployment.cloudformation.stack import is_busy
from truckstream.cloud.deployment.cloudformation.stack_operations import (
    POLL_SECONDS,
    confirm_always,
    delete_stack,
    find_stack,
)
from truckstream.cloud.deployment.options import DeployOptions
from truckstream.cloud.deployment.template.record_table import fit_table
from truckstream.cloud.deployment.template.template_text import (
    defaults_of,
    parameters_of,
    read_template,
    resources_of,
    with_parameter,
    without,
    without_metadata,
)
from truckstream.cloud.package.artifact_bucket import artifact_bucket, upload, uploaded_template
from truckstream.cloud.package.build import build_package
from truckstream.cloud.package.flink import build_flink_package
from truckstream.cloud.package.user_modules.schema_module import load_schema
from truckstream.command_line import command_line
from truckstream.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.cloudformation.stack import Plan, Stack, StackEvent

__all__ = ["DeployOptions", "deploy", "update_parameters"]

#: States of a stack in which it can be changed.
_CHANGEABLE: Final = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


@dataclass(frozen=True, slots=True)
class _Predecessor:
    """What a deployment continues."""

    #: None if the stack is to be created.
    stack: Stack | None = None
    #: The parameters of the stack, or of one that was deleted because its creation had failed.
    parameters: Mapping[str, str] = field(default_factory=dict)


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
        ConfigurationError: a setting contradicts the stack.
        PackageError, ConfigurationError: the zip of the function cannot be built.
    """
    predecessor = await _find_predecessor(aws, options, on_event, poll)
    stack = predecessor.stack
    template = read_template()
    given = given_parameters(options, stack, predecessor.parameters)
    values = {**defaults_of(template), **predecessor.parameters, **given}
    adoption = await _check_existing_data(aws, options, stack, values)
    choices = choose(options, values, resources_of(template))
    fitted = _fitted(template, options, values)
    archives = {code_key: await build_package(package) for code_key, package in choices.packages.items()}
    if archives and choices.flink_package:
        archives["FlinkCodeKey"] = await build_flink_package(choices.flink_package)
    bucket = choices.artifact_bucket or await artifact_bucket(aws)
    known = parameters_of(template)
    wanted = {**given, **adoption.parameters, **options.parameters}
    parameters = {
        **{name: value for name, value in wanted.items() if name in known},
        **choices.parameters(options, archives, bucket),
    }

    async def confirm_and_upload(plan: Plan) -> bool:
        if options.dry_run or not await confirm(plan):
            return False
        for code_key, archive in archives.items():  # only now: a plan that is not confirmed leaves nothing behind
            await upload(aws, bucket, parameters[code_key], archive.content, "application/zip")
        return True

    tailored = _tailored(fitted, choices)
    async with uploaded_template(aws, bucket, options.stack, tailored) as url:
        change_set = ChangeSet(
            aws=aws,
            name=options.stack,
            stack=stack,
            parameters=parameters,
            template=TemplateSource(url, parameters_of(tailored)),
            left_out=choices.leave_out,
            notes=adoption.notes,
            poll=poll,
        )
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
    _refuse_unchangeable(aws, stack)
    change_set = ChangeSet(
        aws=aws, name=stack.name, stack=stack, parameters=parameters, template=None, left_out=(), notes=(), poll=poll
    )
    return await change_set.carry_out(confirm, on_event)


async def _check_existing_data(
    aws: Aws, options: DeployOptions, stack: Stack | None, values: Mapping[str, str]
) -> Adoption:
    """Adopt the existing stream and bucket, or raise if their names are taken."""
    if stack:
        refuse_contradictions(options, stack)
    await refuse_missing(aws, values)
    if options.adopt:
        return await adopt(aws, values, stack)
    await refuse_taken(aws, values, stack)
    return Adoption({}, ())


def _fitted(template: str, options: DeployOptions, values: Mapping[str, str]) -> str:
    """Return the template with the table of the records that the function will store.

    Raises:
        ConfigurationError: the function could not load its schema, or the table cannot have its fields.
    """
    schema = values["Schema"]
    if options.scope == "STORAGE":
        return template
    if values["CreateCatalog"] == "false":
        if ":" in schema:
            load_schema(schema, options.include)
        return template
    load = partial(load_schema, include=options.include)
    return fit_table(template, schema, values["Format"], values["Layout"], load)


def _tailored(template: str, choices: Choices) -> str:
    """Return the template without the resources to leave out, and with the parameter that keeps their names."""
    return with_parameter(without(without_metadata(template), choices.leave_out), LEFT_OUT)


async def _find_predecessor(
    aws: Aws, options: DeployOptions, on_event: Callable[[StackEvent], None], poll: float
) -> _Predecessor:
    """Return the stack to change, or nothing if it is to be created."""
    stack = await find_stack(aws, options.stack)
    if stack is None or not stack.exists:
        return _Predecessor()
    if stack.status == "ROLLBACK_COMPLETE" and not options.dry_run:
        # A failed creation leaves an empty stack, which can only be deleted.
        await delete_stack(aws, stack, on_event, poll)
        return _Predecessor(None, stack.parameters)
    _refuse_unchangeable(aws, stack)
    if options.scope == "STORAGE" and stack.parameters.get("Scope") == "PIPELINE":
        raise DeploymentError(
            "AlreadyDeployed", f"the stack {stack.name} already has a function. Use truckstream deploy."
        )
    return _Predecessor(stack, stack.parameters)


def _refuse_unchangeable(aws: Aws, stack: Stack) -> None:
    if stack.status not in _CHANGEABLE:
        raise DeploymentError(stack.status, f"the stack {stack.name} cannot be changed now. {_remedy(aws, stack)}")


def _remedy(aws: Aws, stack: Stack) -> str:
    """Return what to do about a stack in a state in which it cannot be changed."""
    where = flags_of(aws)
    if is_busy(stack.status):
        return f"Wait until it is done: {command_line('truckstream', 'status', '--stack', stack.name, *where)}"
    if stack.status == "ROLLBACK_COMPLETE":
        return "Its creation failed and left it empty: truckstream deploy deletes it and starts again."
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        words = ("aws", "cloudformation", "continue-update-rollback", "--stack-name", stack.name, *where)
        return f"To end the rollback: {command_line(*words)}"
    return f"To remove the rest of it: {command_line('truckstream', 'destroy', '--stack', stack.name, *where)}"

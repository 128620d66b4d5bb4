"""One change set: create it, show its plan, and execute or discard it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from truckstream.cloud.deployment.cloudformation.stack import Plan, changed_parameters, is_busy, is_empty, read_changes
from truckstream.cloud.deployment.cloudformation.stack_operations import StackFollower, find_stack
from truckstream.cloud.error_hints import hint_for_reasons
from truckstream.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.cloudformation.stack import Stack, StackEvent

__all__ = ["ChangeSet", "Deployment", "TemplateSource"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The result of a deployment."""

    plan: Plan
    #: False for a dry run, a plan that was not confirmed, and an empty plan.
    done: bool
    #: Outputs of the stack by name: StreamName, BucketName, FunctionName and others.
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """The URL of a template, and the names of its parameters."""

    url: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that is created, shown, and executed or discarded."""

    aws: Aws
    name: str
    #: None for a stack that is to be created.
    stack: Stack | None
    parameters: Mapping[str, str]
    #: None for the template that the stack has.
    template: TemplateSource | None
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
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
                notes=(*self.notes, *_doubts(self.aws.stand_in)),
            )
            follower = await _follower(self.aws, change_set, on_event, self.poll)
            agreed = not plan.empty and await confirm(plan)
        finally:
            if not agreed:
                await _discard(self.aws, change_set, created=self.stack is None)
        if not agreed:
            return Deployment(plan, done=False, outputs=self.stack.outputs if self.stack else {})
        return Deployment(plan, done=True, outputs=await _execute(self.aws, change_set, follower))


def _doubts(stand_in: str | None) -> list[str]:
    """Return a remark about a plan that AWS did not compute. Stand-ins ignore conditions, or properties that change."""
    if stand_in is None:
        return []
    return [f"This plan is from {stand_in}, which is not AWS: it can list changes that are not made, and miss others."]


async def _create_change_set(
    aws: Aws, stack: Stack | None, name: str, template: TemplateSource | None, parameters: Mapping[str, str]
) -> dict[str, Any]:
    """Create a change set, and return its IDs as parameters of the other calls."""
    known = stack.parameters if stack else {}
    names = tuple(known) if template is None else template.parameters
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
        **({"UsePreviousTemplate": True} if template is None else {"TemplateURL": template.url}),
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

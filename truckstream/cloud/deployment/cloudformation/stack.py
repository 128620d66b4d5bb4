"""CloudFormation's responses as values: stacks, plans and events. Nothing in here calls AWS."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from truckstream.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

__all__ = [
    "Change",
    "ParameterChange",
    "Plan",
    "Stack",
    "StackEvent",
    "changed_parameters",
    "check_stack_name",
    "is_busy",
    "is_empty",
    "read_changes",
    "read_event",
    "read_stack",
    "why_it_failed",
]

Action = Literal["add", "modify", "replace", "remove"]

_ACTIONS: Final[Mapping[str, Action]] = {"Add": "add", "Import": "add", "Modify": "modify", "Remove": "remove"}

#: Types of resources that hold data, and the loss when one of them is removed.
PRECIOUS: Final = {
    "AWS::Kinesis::Stream": "its records are not carried over",
    "AWS::S3::Bucket": "its objects are not carried over",
    "AWS::KMS::Key": "the data that it encrypted become unreadable",
}


#: CloudFormation's rule for a stack's name, with Lambda's limit: the function has the same name.
_STACK_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,63}")


def check_stack_name(name: str) -> str:
    """Return the name of a stack if it is valid.

    Raises:
        InvalidArgumentError: it is not.
    """
    if not _STACK_NAME.fullmatch(name):
        rule = "must be 1 to 64 letters, digits and hyphens, and begin with a letter"
        raise InvalidArgumentError("stack", name, rule)
    return name


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as DescribeStacks returns it."""

    name: str
    stack_id: str
    status: str
    reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def exists(self) -> bool:
        """False while only a change set for its creation exists."""
        return self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one resource in a plan."""

    action: Action
    name: str
    kind: str
    #: The properties that change.
    properties: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """The loss of data that the change causes; empty for none."""
        return PRECIOUS.get(self.kind, "") if self.action in {"replace", "remove"} else ""


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """The value of a parameter before (None for a new one) and after."""

    name: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that a deployment would make."""

    stack: str
    kind: Literal["create", "update"]
    changes: tuple[Change, ...] = ()
    parameters: tuple[ParameterChange, ...] = ()
    #: Resources of the template that the user left out.
    left_out: tuple[str, ...] = field(default=())
    #: Sentences about the plan that its changes do not show.
    notes: tuple[str, ...] = field(default=())

    @property
    def empty(self) -> bool:
        return not self.changes


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One event of a stack."""

    event_id: str
    time: datetime
    name: str
    kind: str
    status: str
    reason: str

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")


def read_stack(response: Mapping[str, Any]) -> Stack:
    """Return the stack in a response of DescribeStacks for one stack."""
    [stack] = response["Stacks"]
    return Stack(
        name=stack["StackName"],
        stack_id=stack["StackId"],
        status=stack["StackStatus"],
        reason=stack.get("StackStatusReason", ""),
        parameters={row["ParameterKey"]: row.get("ParameterValue", "") for row in stack.get("Parameters", ())},
        outputs={row["OutputKey"]: row["OutputValue"] for row in stack.get("Outputs", ())},
    )


def read_changes(response: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the changes in a response of DescribeChangeSet: additions first, removals last."""
    changes = [_change(row["ResourceChange"]) for row in response.get("Changes", ()) if "ResourceChange" in row]
    order = ("add", "modify", "replace", "remove")
    return tuple(sorted(changes, key=lambda change: (order.index(change.action), change.name)))


def _change(row: Mapping[str, Any]) -> Change:
    action = _ACTIONS.get(row["Action"], "modify")
    if action == "modify" and row.get("Replacement") in {"True", "Conditional"}:
        action = "replace"
    names = (detail.get("Target", {}) for detail in row.get("Details", ()))
    properties = {target.get("Name") or target.get("Attribute", "") for target in names}
    return Change(action, row["LogicalResourceId"], row["ResourceType"], tuple(sorted(properties - {""})))


def changed_parameters(stack: Stack | None, given: Mapping[str, str]) -> tuple[ParameterChange, ...]:
    """Return the parameters whose values a deployment changes."""
    before = stack.parameters if stack and stack.exists else {}
    pairs = ((name, before.get(name), value) for name, value in sorted(given.items()))
    return tuple(ParameterChange(name, old, new) for name, old, new in pairs if old != new)


def is_empty(response: Mapping[str, Any]) -> bool:
    """Return whether a change set failed because it contains no changes."""
    reason = response.get("StatusReason") or ""
    return response["Status"] == "FAILED" and ("didn't contain changes" in reason or "No updates" in reason)


def is_busy(status: str) -> bool:
    """Return whether CloudFormation is working on a stack or a change set. One in review waits for us."""
    return status.endswith(("_IN_PROGRESS", "_PENDING")) and status != "REVIEW_IN_PROGRESS"


def read_event(row: Mapping[str, Any]) -> StackEvent:
    """Return the event in one row of DescribeStackEvents."""
    return StackEvent(
        event_id=row["EventId"],
        time=row["Timestamp"],
        name=row["LogicalResourceId"],
        kind=row["ResourceType"],
        status=row["ResourceStatus"],
        reason=row.get("ResourceStatusReason", ""),
    )


def why_it_failed(events: Iterable[StackEvent]) -> str:
    """Return the causes of a failed deployment, without resources that failed only because another one did."""
    failed = [event for event in events if event.failed and "cancelled" not in event.reason.lower()]
    causes = [event for event in failed if event.kind != "AWS::CloudFormation::Stack"]
    if not causes:  # checks before the first resource are reported for the stack itself
        return "; ".join(event.reason for event in failed if event.reason) or "CloudFormation gives no reason"
    return "; ".join(f"{event.name} ({event.kind}): {event.reason or event.status}" for event in causes)

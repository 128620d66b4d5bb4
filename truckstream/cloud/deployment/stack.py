"""CloudFormation's answers as values: a stack, what a change set would do, and what happened.

Nothing here calls; `deployment.py` and `destruction.py` do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

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
    "is_busy",
    "is_empty",
    "read_changes",
    "read_event",
    "read_stack",
    "why_it_failed",
]

Action = Literal["add", "modify", "replace", "remove"]

_ACTIONS: Final[Mapping[str, Action]] = {"Add": "add", "Import": "add", "Modify": "modify", "Remove": "remove"}

#: What is lost when one of these goes.
PRECIOUS: Final = {
    "AWS::Kinesis::Stream": "its records are not carried over",
    "AWS::S3::Bucket": "its objects are not carried over",
    "AWS::KMS::Key": "what it has encrypted needs it",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that exists."""

    name: str
    stack_id: str
    status: str
    reason: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def exists(self) -> bool:
        """False for one that a change set has announced and nobody has created."""
        return self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True)
class Change:
    """What would become of one resource."""

    action: Action
    name: str
    kind: str
    #: The properties that change.
    properties: tuple[str, ...] = ()

    @property
    def warning(self) -> str:
        """What is lost by it; empty if nothing is."""
        return PRECIOUS.get(self.kind, "") if self.action in {"replace", "remove"} else ""


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """A parameter's value before (None: it had none) and after."""

    name: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment would do."""

    stack: str
    kind: Literal["create", "update"]
    changes: tuple[Change, ...] = ()
    parameters: tuple[ParameterChange, ...] = ()
    #: Resources that are not asked for, because the user or the endpoint leaves them out.
    left_out: tuple[str, ...] = field(default=())

    @property
    def empty(self) -> bool:
        return not self.changes


@dataclass(frozen=True, slots=True)
class StackEvent:
    """One step of a deployment."""

    event_id: str
    time: datetime
    name: str
    kind: str
    status: str
    reason: str

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")


def read_stack(answer: Mapping[str, Any]) -> Stack:
    """DescribeStacks' answer for one stack."""
    [stack] = answer["Stacks"]
    return Stack(
        name=stack["StackName"],
        stack_id=stack["StackId"],
        status=stack["StackStatus"],
        reason=stack.get("StackStatusReason", ""),
        parameters={row["ParameterKey"]: row.get("ParameterValue", "") for row in stack.get("Parameters", ())},
        outputs={row["OutputKey"]: row["OutputValue"] for row in stack.get("Outputs", ())},
    )


def read_changes(answer: Mapping[str, Any]) -> tuple[Change, ...]:
    """DescribeChangeSet's answer: additions first, what is lost last."""
    changes = [_change(row["ResourceChange"]) for row in answer.get("Changes", ()) if "ResourceChange" in row]
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
    """The parameters that a deployment sets to something else than they have."""
    before = stack.parameters if stack and stack.exists else {}
    pairs = ((name, before.get(name), value) for name, value in sorted(given.items()))
    return tuple(ParameterChange(name, old, new) for name, old, new in pairs if old != new)


def is_empty(answer: Mapping[str, Any]) -> bool:
    """True for a change set that failed because there is nothing to change."""
    reason = answer.get("StatusReason") or ""
    return answer["Status"] == "FAILED" and ("didn't contain changes" in reason or "No updates" in reason)


def is_busy(status: str) -> bool:
    """True while CloudFormation works on a stack or a change set. What awaits review waits for us."""
    return status.endswith(("_IN_PROGRESS", "_PENDING")) and status != "REVIEW_IN_PROGRESS"


def read_event(row: Mapping[str, Any]) -> StackEvent:
    """One row of DescribeStackEvents."""
    return StackEvent(
        event_id=row["EventId"],
        time=row["Timestamp"],
        name=row["LogicalResourceId"],
        kind=row["ResourceType"],
        status=row["ResourceStatus"],
        reason=row.get("ResourceStatusReason", ""),
    )


def why_it_failed(events: Iterable[StackEvent]) -> str:
    """The first causes of a failed deployment, without those that failed only because another did."""
    failed = [event for event in events if event.failed and "cancelled" not in event.reason.lower()]
    causes = [event for event in failed if event.kind != "AWS::CloudFormation::Stack"]
    if not causes:  # what CloudFormation checks before it begins with the first resource, it tells of the stack
        return "; ".join(event.reason for event in failed if event.reason) or "CloudFormation gives no reason"
    return "; ".join(f"{event.name} ({event.kind}): {event.reason or event.status}" for event in causes)

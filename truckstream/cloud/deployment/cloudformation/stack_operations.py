"""Calls to CloudFormation: find a stack, delete it, and follow its events until it is at rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from truckstream.cloud.deployment.cloudformation.stack import (
    Stack,
    StackEvent,
    is_busy,
    read_event,
    read_stack,
    why_it_failed,
)
from truckstream.cloud.error_hints import hint_for_reasons
from truckstream.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.cloud.aws_account import Aws

__all__ = ["POLL_SECONDS", "StackFollower", "confirm_always", "delete_stack", "find_stack"]

#: Seconds between two calls for the state of a stack, as in CloudFormation's own console.
POLL_SECONDS: Final = 2.0


async def confirm_always(_: object) -> bool:
    """Agree to every plan: the default of `confirm` in the functions that change a stack."""
    return True


async def find_stack(aws: Aws, name: str) -> Stack | None:
    """Return the stack of this name, or None if it does not exist."""
    response = await aws.find("cloudformation", "describe_stacks", StackName=name)
    return read_stack(response) if response and response["Stacks"] else None


class StackFollower:
    """Reports the events of a stack from now on, until the stack is at rest."""

    def __init__(self, aws: Aws, stack: Stack, on_event: Callable[[StackEvent], None], poll: float) -> None:
        self._aws = aws
        self._stack = stack
        self._on_event = on_event
        self._poll = poll
        self._reported: set[str] = set()
        self._events: list[StackEvent] = []

    async def begin(self) -> None:
        """Skip the events up to now."""
        self._reported = {event.event_id for event in await self._read()}

    async def follow(self, *wanted: str) -> None:
        """Report events until the stack is at rest.

        Raises:
            DeploymentError: its final state is not in `wanted`; the message has CloudFormation's reasons.
        """
        while True:
            # The state is read first, so that every event before the final state is reported.
            response = await self._aws.call("cloudformation", "describe_stacks", StackName=self._stack.stack_id)
            status = read_stack(response).status
            await self._report()
            if not is_busy(status):
                break
            await asyncio.sleep(self._poll)
        if status not in wanted:
            reasons = why_it_failed(self._events)
            text = f"stack {self._stack.name}: {reasons}"
            raise DeploymentError(status, f"{text}. {hint}" if (hint := hint_for_reasons(reasons)) else text)

    async def _report(self) -> None:
        for event in await self._read():
            if event.event_id not in self._reported:
                self._reported.add(event.event_id)
                self._events.append(event)
                self._on_event(event)

    async def _read(self) -> list[StackEvent]:
        """Return all events, the oldest first."""
        rows: list[StackEvent] = []
        more: dict[str, Any] = {}
        while True:
            response = await self._aws.find(
                "cloudformation", "describe_stack_events", StackName=self._stack.stack_id, **more
            )
            if response is None:
                break
            rows += [read_event(row) for row in response["StackEvents"]]
            if not (token := response.get("NextToken")):
                break
            more = {"NextToken": token}
        return rows[::-1]


async def delete_stack(aws: Aws, stack: Stack, on_event: Callable[[StackEvent], None], poll: float) -> None:
    """Delete a stack and wait until it is gone.

    Raises:
        DeploymentError: a resource could not be deleted.
    """
    follower = StackFollower(aws, stack, on_event, poll)
    await follower.begin()
    await aws.call("cloudformation", "delete_stack", StackName=stack.stack_id)
    await follower.follow("DELETE_COMPLETE")

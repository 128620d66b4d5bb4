"""Calls to CloudFormation: read a stack, wait for it, follow what happens to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from truckstream.cloud.deployment.stack import Stack, StackEvent, is_busy, read_event, read_stack, why_it_failed
from truckstream.cloud.error_hints import hint_for_reasons
from truckstream.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from truckstream.cloud.aws_account import Aws

__all__ = ["POLL_SECONDS", "Follower", "delete_stack", "find_stack"]

#: CloudFormation's own console asks as often.
POLL_SECONDS: Final = 2.0


async def find_stack(aws: Aws, name: str) -> Stack | None:
    """The stack of this name; None if there is none."""
    answer = await aws.ask("cloudformation", "describe_stacks", StackName=name)
    return read_stack(answer) if answer and answer["Stacks"] else None


class Follower:
    """Tells what happens to a stack, from when it is made until the stack is at rest."""

    def __init__(self, aws: Aws, stack: Stack, on_event: Callable[[StackEvent], None], poll: float) -> None:
        self._aws = aws
        self._stack = stack
        self._on_event = on_event
        self._poll = poll
        self._told: set[str] = set()
        self._events: list[StackEvent] = []

    async def begin(self) -> None:
        """Forget what happened before."""
        self._told = {event.event_id for event in await self._read()}

    async def follow(self, *wanted: str) -> None:
        """Until the stack is at rest.

        Raises:
            DeploymentError: it came to rest in another state than `wanted`; with CloudFormation's reasons.
        """
        while True:
            # The state first: events that come between the two calls are then told, and none after the end is missed.
            answer = await self._aws.call("cloudformation", "describe_stacks", StackName=self._stack.stack_id)
            status = read_stack(answer).status
            await self._tell()
            if not is_busy(status):
                break
            await asyncio.sleep(self._poll)
        if status not in wanted:
            reasons = why_it_failed(self._events)
            told = f"stack {self._stack.name}: {reasons}"
            raise DeploymentError(status, f"{told}. {hint}" if (hint := hint_for_reasons(reasons)) else told)

    async def _tell(self) -> None:
        for event in await self._read():
            if event.event_id not in self._told:
                self._told.add(event.event_id)
                self._events.append(event)
                self._on_event(event)

    async def _read(self) -> list[StackEvent]:
        """All events there are, the oldest first."""
        rows: list[StackEvent] = []
        more: dict[str, Any] = {}
        while True:
            answer = await self._aws.ask(
                "cloudformation", "describe_stack_events", StackName=self._stack.stack_id, **more
            )
            if answer is None:
                break
            rows += [read_event(row) for row in answer["StackEvents"]]
            if not (token := answer.get("NextToken")):
                break
            more = {"NextToken": token}
        return rows[::-1]


async def delete_stack(aws: Aws, stack: Stack, on_event: Callable[[StackEvent], None], poll: float) -> None:
    """Delete a stack and wait until it is gone.

    Raises:
        DeploymentError: something could not be deleted.
    """
    follower = Follower(aws, stack, on_event, poll)
    await follower.begin()
    await aws.call("cloudformation", "delete_stack", StackName=stack.stack_id)
    await follower.follow("DELETE_COMPLETE")

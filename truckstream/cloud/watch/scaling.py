"""Scale: apply the scaling rules to CloudWatch's figures, and change the stack on request.

It changes parameters of the stack, so that the next deployment keeps the change and the alarms know the number of
shards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from truckstream.cloud.deployment.cloudformation.stack_operations import POLL_SECONDS
from truckstream.cloud.deployment.deploy import update_parameters
from truckstream.cloud.watch.reading.cloudwatch import read_figures
from truckstream.cloud.watch.reading.deployed_parts import read_parts
from truckstream.cloud.watch.scaling_rules import RULE_COUNT, Advice, Capacity, advise, capacity_of, unchecked_rules
from truckstream.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from truckstream.cloud.aws_account import Aws
    from truckstream.cloud.deployment.cloudformation.change_set import Deployment
    from truckstream.cloud.deployment.cloudformation.stack import Plan, StackEvent
    from truckstream.cloud.watch.figures import Figures

__all__ = ["Scaling", "scale"]


@dataclass(frozen=True, slots=True)
class Scaling:
    """The figures, the advice that follows from them, and the deployment if it was applied."""

    figures: Figures
    capacity: Capacity
    advice: tuple[Advice, ...]
    #: Names of the rules without data.
    unchecked: tuple[str, ...] = ()
    #: None if nothing was to be applied, or nothing can be.
    deployment: Deployment | None = None

    @property
    def checked(self) -> bool:
        """Whether at least one rule had data."""
        return len(self.unchecked) < RULE_COUNT

    @property
    def settled(self) -> bool:
        """Whether rules were checked, and all advice was carried out."""
        applied = self.deployment is not None and (self.deployment.done or self.deployment.plan.empty)
        return self.checked and all(applied and each.parameter is not None for each in self.advice)


async def scale(
    aws: Aws,
    stack_name: str,
    *,
    now: datetime,
    minutes: int = 60,
    apply: Callable[[Plan], Awaitable[bool]] | None = None,
    on_event: Callable[[StackEvent], None] = lambda _: None,
    poll: float = POLL_SECONDS,
) -> Scaling:
    """Compare the last `minutes` with the scaling rules.

    Args:
        aws: the account and region.
        stack_name: name of the deployed stack.
        now: the present time.
        minutes: length of the period.
        apply: None to change nothing; else it is called with the plan, which is executed if it returns True.
        on_event: called with each event of the stack.
        poll: seconds between two calls for the state of the stack.

    Raises:
        AwsError: AWS returned an error.
        DeploymentError: the stack does not exist, it has no function, or the change failed.
    """
    parts = await read_parts(aws, stack_name)
    if parts.stack is None or parts.stream is None or parts.function is None:
        raise DeploymentError(
            "NotDeployed", f"the stack {stack_name} has no stream and function. Use truckstream deploy."
        )
    figures = await read_figures(aws, stream=parts.stream_name, function=parts.function_name, now=now, minutes=minutes)
    capacity = capacity_of(parts)
    advice, unchecked = advise(figures, capacity), unchecked_rules(figures)
    changes = {each.parameter: each.value for each in advice if each.parameter and each.value}
    if apply is None or not changes:
        return Scaling(figures, capacity, advice, unchecked)
    deployment = await update_parameters(aws, parts.stack, changes, confirm=apply, on_event=on_event, poll=poll)
    if deployment.done and "ShardCount" in changes and parts.stack.parameters.get("CreateStream") == "false":
        # The stream is not part of the stack, whose parameter is only used by an alarm.
        await aws.call(
            "kinesis",
            "update_shard_count",
            StreamName=parts.stream_name,
            TargetShardCount=int(changes["ShardCount"]),
            ScalingType="UNIFORM_SCALING",
        )
    return Scaling(figures, capacity, advice, unchecked, deployment)

"""The commands that look at a deployment: status, doctor and scale."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from truckstream.commands.aws_options import DEFAULT_OPTIONS, AwsOptions
from truckstream.commands.output.change_dialog import ChangeDialog
from truckstream.commands.output.results import print_result, run_aws_command

if TYPE_CHECKING:
    from truckstream.cloud.deployment.stack import Plan

__all__ = ["doctor", "scale", "status"]


def status(
    *,
    aws: AwsOptions = DEFAULT_OPTIONS,
    function: str | None = None,
    minutes: int = 60,
    dry_run: bool = False,  # noqa: ARG001 - it never changes anything
) -> int:
    """Show the deployed parts and their health on one page. Exits with 1 if an alarm is active or a part is missing.

    Args:
        aws: Stack and account.
        function: Name of the function, for a pipeline without a stack.
        minutes: Length of the period in minutes.
        dry_run: Accepted for scripts; this command never changes anything.
    """
    return run_aws_command(_status(aws, function, minutes), json=aws.json)


async def _status(aws: AwsOptions, function: str | None, minutes: int) -> int:
    from truckstream.cloud.watch.status import read_status  # noqa: PLC0415
    from truckstream.commands.output.aws_reports import format_status  # noqa: PLC0415

    async with aws.account(aws.settings()) as account:
        found = await read_status(account, aws.stack, now=datetime.now(UTC), function_name=function, minutes=minutes)
    print_result(found, format_status(found), json=aws.json)
    return 0 if found.healthy else 1


def doctor(
    *,
    aws: AwsOptions = DEFAULT_OPTIONS,
    function: str | None = None,
    dry_run: bool = False,  # noqa: ARG001 - it never changes anything
) -> int:
    """Find dangerous settings, and print the command that repairs each. Exits with 1 if there are any.

    Args:
        aws: Stack and account.
        function: Name of the function, for a pipeline without a stack.
        dry_run: Accepted for scripts; this command never changes anything.
    """
    return run_aws_command(_doctor(aws, function), json=aws.json)


async def _doctor(aws: AwsOptions, function: str | None) -> int:
    from truckstream.cloud.watch.doctor import diagnose  # noqa: PLC0415
    from truckstream.commands.output.aws_reports import format_diagnosis  # noqa: PLC0415

    async with aws.account(aws.settings()) as account:
        diagnosis = await diagnose(account, aws.stack, now=datetime.now(UTC), function_name=function)
    print_result(diagnosis, format_diagnosis(diagnosis), json=aws.json)
    return 0 if diagnosis.healthy else 1


def scale(
    *,
    aws: AwsOptions = DEFAULT_OPTIONS,
    minutes: int = 60,
    apply: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> int:
    """Compare the last minutes with the scaling rules, and print their advice.

    Args:
        aws: Stack and account.
        minutes: Length of the period in minutes.
        apply: Follow the advice: change shards (as far as Kinesis allows at once), memory and concurrency.
        yes: Confirm without asking.
        dry_run: Change nothing, even with --apply.
    """
    dialog = ChangeDialog(aws, yes)
    return run_aws_command(
        _scale(dialog, minutes, apply=apply and not dry_run), json=aws.json, on_interrupt=dialog.on_interrupt
    )


async def _scale(dialog: ChangeDialog, minutes: int, *, apply: bool) -> int:
    from truckstream.cloud.watch.scaling import scale  # noqa: PLC0415
    from truckstream.commands.output.aws_reports import format_plan, format_scaling  # noqa: PLC0415

    async def confirm(plan: Plan) -> bool:
        return dialog.confirm(format_plan(plan))

    aws = dialog.aws
    async with aws.account(aws.settings()) as account:
        done = await scale(
            account,
            aws.stack,
            now=datetime.now(UTC),
            minutes=minutes,
            apply=confirm if apply else None,
            on_event=dialog.print_event,
            poll=aws.poll,
        )
    print_result(done, format_scaling(done), json=aws.json)
    return 0 if done.deployment is None or done.deployment.done or done.deployment.plan.empty else 1

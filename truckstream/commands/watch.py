"""The commands that look at a deployment: status, doctor and scale."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.live import Live
from rich.text import Text

from truckstream.commands.aws_options import DEFAULT_OPTIONS, AwsOptions
from truckstream.commands.output.change_dialog import ChangeDialog
from truckstream.commands.output.console import console, print_plain
from truckstream.commands.output.results import print_result, run_aws_command
from truckstream.commands.signals import run_command, stop_on_signals
from truckstream.commands.stream.connection import StreamConnection
from truckstream.errors import AwsError, ConfigurationError, InvalidArgumentError

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

    from truckstream.cloud.deployment.cloudformation.stack import Plan
    from truckstream.consumer.leases.lease_table import LeaseTable

__all__ = ["doctor", "redraw", "scale", "status"]


def status(
    *,
    aws: AwsOptions = DEFAULT_OPTIONS,
    function: str | None = None,
    application: str | None = None,
    stream: str | None = None,
    lease_table: Annotated[str | None, Parameter(env_var="LEASE_TABLE")] = None,
    minutes: int = 60,
    watch: bool = False,
    interval: float = 15.0,
    dry_run: bool = False,  # noqa: ARG001 - it never changes anything
) -> int:
    """Show the deployed parts and their health on one page, or the leases of a consumer's application.

    Exits with 1 if a part is missing or stopped, the mapping's last delivery failed, an alarm is active, or something
    could not be read. With --watch, Ctrl-C is the normal end: it exits with 0.

    Example:
        truckstream status --watch
        truckstream status --application lake --region eu-central-1

    Args:
        aws: Stack and account.
        function: Name of the function, for a pipeline without a stack.
        application: Show the leases of this consumer's application instead: who reads which shard, and how far behind.
        stream: Name or ARN of the stream that it reads. [STREAM_NAME]
        lease_table: Where its leases are kept, if its workers name a table: dynamodb:NAME or sqlite:FILE.
        minutes: Length of the period in minutes.
        watch: Show the page again and again until Ctrl-C.
        interval: Seconds between two pages of --watch, at least 1. AWS charges for each reading of the figures.
        dry_run: Accepted for scripts; this command never changes anything.
    """
    if watch and aws.json:
        raise ConfigurationError("--watch", "cannot be used with --json", "Run status --json repeatedly instead.")
    if interval < 1:
        raise InvalidArgumentError("interval", interval, "must be at least 1 second")
    if application is not None:
        if watch:
            raise ConfigurationError("--watch", "cannot be used with --application", "Run the command repeatedly.")
        return run_aws_command(_leases(aws, application, stream, lease_table), json=aws.json)
    if watch:
        return run_command(_watch(aws, function, minutes, interval))
    return run_aws_command(_status(aws, function, minutes), json=aws.json)


async def _status(aws: AwsOptions, function: str | None, minutes: int) -> int:
    from truckstream.cloud.watch.status import read_status  # noqa: PLC0415
    from truckstream.commands.output.aws_reports import format_status  # noqa: PLC0415

    async with aws.account(aws.settings()) as account:
        found = await read_status(account, aws.stack, now=datetime.now(UTC), function_name=function, minutes=minutes)
    print_result(found, format_status(found), json=aws.json)
    return 0 if found.healthy else 1


async def _leases(aws: AwsOptions, application: str, stream: str | None, lease_table: str | None) -> int:
    from truckstream.commands.output.lease_page import format_leases  # noqa: PLC0415
    from truckstream.consumer.watching.lease_report import read_lease_report  # noqa: PLC0415
    from truckstream.kinesis.client import KinesisClient  # noqa: PLC0415

    connection = StreamConnection(aws.region, aws.endpoint_url)
    name = connection.settings(stream).stream_name
    session = await connection.session(name)
    table = _lease_table(aws, application, lease_table, session)
    client = KinesisClient(name, region_name=aws.region, endpoint_url=aws.endpoint_url, session=session)
    try:
        await client.open()
        await table.open()
        report = await read_lease_report(application, table, client)
    finally:
        await table.close()
        await client.close()
    print_result(report, format_leases(report), json=aws.json)
    return 0 if report.healthy else 1


def _lease_table(aws: AwsOptions, application: str, text: str | None, session: AioSession) -> LeaseTable:
    from truckstream.consumer.tables.default_table import default_table  # noqa: PLC0415
    from truckstream.consumer.tables.named_table import named_table  # noqa: PLC0415

    if text:  # an empty variable counts as not set
        return named_table(text, region_name=aws.region, session=session, create=False)
    return default_table(
        application, region_name=aws.region, endpoint_url=aws.endpoint_url, session=session, create=False
    )


async def _watch(aws: AwsOptions, function: str | None, minutes: int, interval: float) -> int:
    """Show the page until the user stops the command."""
    with stop_on_signals() as stop:
        tasks = [asyncio.ensure_future(redraw(aws, function, minutes, interval)), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                await tasks[0]  # raises the error that ended it
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return 0


async def redraw(aws: AwsOptions, function: str | None, minutes: int, interval: float) -> None:
    """Show the page every `interval` seconds, on a terminal in the same place, until it is cancelled."""
    from truckstream.cloud.watch.status import read_status  # noqa: PLC0415
    from truckstream.commands.output.aws_reports import format_status  # noqa: PLC0415

    page = ""
    async with aws.account(aws.settings()) as account:
        with Live(console=console, auto_refresh=False) as live:
            while True:
                now = datetime.now(UTC)
                try:
                    status = await read_status(account, aws.stack, now=now, function_name=function, minutes=minutes)
                except AwsError as error:
                    if not page:
                        raise
                    foot = f"{now:%H:%M:%S} UTC: could not be read again: {error}"
                else:
                    page = format_status(status)
                    foot = f"{now:%H:%M:%S} UTC, every {interval:g} s until Ctrl-C"
                if console.is_terminal:
                    live.update(Text(f"{page}\n\n{foot}"), refresh=True)
                else:
                    print_plain(f"{page}\n\n{foot}\n")
                await asyncio.sleep(interval)


def doctor(
    *,
    aws: AwsOptions = DEFAULT_OPTIONS,
    function: str | None = None,
    dry_run: bool = False,  # noqa: ARG001 - it never changes anything
) -> int:
    """Find dangerous settings, and print the command that repairs each. Exits with 1 if there are any.

    Example:
        truckstream doctor --region eu-central-1

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

    Exits with 1 if a rule is broken and the advice was not followed, or if CloudWatch has no figures to check.

    Example:
        truckstream scale --minutes 60 --apply

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
    return 0 if done.settled else 1

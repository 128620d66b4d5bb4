"""The commands that change a deployment: package, provision, deploy, destroy, and the policies that they need."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from truckstream.commands.aws_options import DEFAULT_OPTIONS, AwsOptions
from truckstream.commands.output.change_dialog import ChangeDialog
from truckstream.commands.output.results import print_result, run_aws_command
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from truckstream.cloud.deployment.cloudformation.stack import Plan
    from truckstream.cloud.deployment.deploy import DeployOptions
    from truckstream.cloud.deployment.destroy import Destruction
    from truckstream.config import Settings

__all__ = ["deploy", "destroy", "package", "policies", "provision"]


def package(
    *,
    architecture: Literal["arm64", "x86_64"] = "arm64",
    python: str = "3.13",
    include: list[Path] | None = None,
    format: Literal["ndjson", "json", "parquet"] = "ndjson",  # noqa: A002 - the usual word for it
    compression: Literal["none", "gzip", "zstd"] = "none",
    function: Literal["storage", "compaction"] = "storage",
    flink: bool = False,
    connector: Path | None = None,
    out: Path = Path("function.zip"),
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Build the zip of a function or of the Flink application, with the same bytes each time, and list its contents.

    Example:
        truckstream package --architecture x86_64 --out function.zip

    Args:
        architecture: Processor of the function.
        python: Python version of the function: 3.11 (x86_64 only) to 3.14.
        include: Python file or package of your own, such as the one with the schema; may be repeated.
        format: Format of the objects that the function stores. Parquet needs more packages in the zip.
        compression: Compression of the objects. The zip is the same for all of them.
        function: storage, which stores the stream's records, or compaction, which makes large files of the objects and
            needs Python 3.12 or later.
        flink: Build the zip of the Managed Flink application instead, which needs no other option.
        connector: Jar of Flink's connector to Kinesis; by default Maven fetches it.
        out: File to write the zip to.
        dry_run: Build the zip, but do not write it.
        json: Print the result as JSON.
    """
    from truckstream.cloud.package.build import PackageOptions, build_package  # noqa: PLC0415
    from truckstream.cloud.package.flink import FlinkPackageOptions, build_flink_package  # noqa: PLC0415
    from truckstream.commands.output.aws_reports import format_package  # noqa: PLC0415

    if flink:
        archive = asyncio.run(build_flink_package(FlinkPackageOptions(connector)))
    else:
        options = PackageOptions(architecture, python, tuple(include or ()), format, compression, function)
        archive = asyncio.run(build_package(options))
    if not dry_run:
        _save(out, archive.content)
    print_result(archive.facts(), format_package(archive, None if dry_run else out), json=json)
    return 0


def provision(
    *,
    aws: AwsOptions = DEFAULT_OPTIONS,
    stream: str | None = None,
    bucket: str | None = None,
    shards: int | None = None,
    parameter: list[str] | None = None,
    adopt: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> int:
    """Create the stream, the bucket and the producers' policy. `deploy` adds the rest of the pipeline to them.

    Example:
        truckstream provision --stream trucks --shards 2 --dry-run

    Args:
        aws: Stack and account.
        stream: Name of the stream. [STREAM_NAME]
        bucket: Name of the bucket; by default CloudFormation creates one. [BUCKET_NAME]
        shards: Number of shards of the stream.
        parameter: Parameter of the template, such as RetentionHours=48; may be repeated.
        adopt: Use the stream and the bucket of these names if they exist already, such as after `destroy`.
        yes: Confirm without asking.
        dry_run: Show the plan, and change nothing.
    """
    from truckstream.cloud.deployment.deploy import DeployOptions  # noqa: PLC0415

    settings = aws.settings(stream, bucket)
    given, from_settings = _names(settings)
    options = DeployOptions(
        aws.stack,
        "STORAGE",
        given | _template_parameters(parameter, ShardCount=shards),
        from_settings,
        adopt=adopt,
        dry_run=dry_run,
    )
    return _deploy(aws, settings, options, yes=yes)


def deploy(
    *,
    aws: AwsOptions = DEFAULT_OPTIONS,
    stream: str | None = None,
    bucket: str | None = None,
    shards: int | None = None,
    memory: int | None = None,
    architecture: Literal["arm64", "x86_64"] | None = None,
    python: str | None = None,
    include: list[Path] | None = None,
    connector: Path | None = None,
    email: str | None = None,
    parameter: list[str] | None = None,
    leave_out: list[str] | None = None,
    artifact_bucket: str | None = None,
    adopt: bool = False,
    yes: bool = False,
    dry_run: bool = False,
) -> int:
    """Package the functions and create or update the whole pipeline, after showing the change set.

    An existing stack keeps everything that you do not give here: parameters, architecture, Python version, the
    resources that were left out, and the bucket of the zip.

    Example:
        truckstream deploy --stream trucks --shards 2 --email you@example.com

    Args:
        aws: Stack and account.
        stream: Name of the stream. [STREAM_NAME]
        bucket: Name of the bucket; by default CloudFormation creates one. [BUCKET_NAME]
        shards: Number of shards of the stream.
        memory: Memory of the function in MB.
        architecture: Processor of the function; in a new stack arm64.
        python: Python version of the function; in a new stack 3.13.
        include: Python file or package of your own, such as the one that Schema names; may be repeated.
        connector: With CreateFlink=true, jar of Flink's connector to Kinesis; by default Maven fetches it.
        email: Address that the alarms are sent to.
        parameter: Parameter of the template, such as Layout=hive; may be repeated.
        leave_out: Resource of the template to leave out; may be repeated. "none" brings all of them back.
        artifact_bucket: Bucket for the zips, in place of one that is created for them.
        adopt: Use the stream and the bucket of these names if they exist already, such as after `destroy`.
        yes: Confirm without asking.
        dry_run: Show the plan, and change nothing.
    """
    from truckstream.cloud.deployment.deploy import DeployOptions  # noqa: PLC0415

    settings = aws.settings(stream, bucket)
    given, from_settings = _names(settings)
    options = DeployOptions(
        aws.stack,
        "PIPELINE",
        given | _template_parameters(parameter, ShardCount=shards, MemorySize=memory, AlarmEmail=email),
        from_settings,
        architecture,
        python,
        artifact_bucket,
        _names_to_leave_out(leave_out),
        adopt,
        dry_run,
        tuple(include or ()),
        connector,
    )
    return _deploy(aws, settings, options, yes=yes)


def _deploy(aws: AwsOptions, settings: Settings, options: DeployOptions, *, yes: bool) -> int:
    dialog = ChangeDialog(aws, yes)
    return run_aws_command(_deploying(dialog, settings, options), json=aws.json, on_interrupt=dialog.on_interrupt)


async def _deploying(dialog: ChangeDialog, settings: Settings, options: DeployOptions) -> int:
    from truckstream.cloud.deployment.deploy import deploy  # noqa: PLC0415
    from truckstream.commands.output.aws_reports import format_outputs, format_plan  # noqa: PLC0415

    async def confirm(plan: Plan) -> bool:
        return dialog.confirm(format_plan(plan))

    async with dialog.aws.account(settings) as account:
        done = await deploy(account, options, confirm=confirm, on_event=dialog.print_event, poll=dialog.aws.poll)
    nothing_to_do = options.dry_run or done.plan.empty
    text = (
        format_plan(done.plan)
        if nothing_to_do
        else format_outputs(done.outputs)
        if done.done
        else "Nothing was changed."
    )
    print_result(done, text, json=dialog.aws.json)
    return 0 if done.done or nothing_to_do else 1


def destroy(
    *, aws: AwsOptions = DEFAULT_OPTIONS, delete_data: bool = False, yes: bool = False, dry_run: bool = False
) -> int:
    """Delete the pipeline and keep its data. Prints the resources that remain.

    Example:
        truckstream destroy --dry-run

    Args:
        aws: Stack and account.
        delete_data: Also delete the stream and the bucket with their contents, and the key after 30 days.
        yes: Confirm without asking.
        dry_run: Print the resources that would be deleted, and delete nothing.
    """
    dialog = ChangeDialog(aws, yes)
    return run_aws_command(
        _destroy(dialog, delete_data=delete_data, dry_run=dry_run), json=aws.json, on_interrupt=dialog.on_interrupt
    )


async def _destroy(dialog: ChangeDialog, *, delete_data: bool, dry_run: bool) -> int:
    from truckstream.cloud.deployment.destroy import destroy  # noqa: PLC0415
    from truckstream.commands.output.aws_reports import format_destruction  # noqa: PLC0415

    async def confirm(plan: Destruction) -> bool:
        return dialog.confirm(format_destruction(plan))

    aws = dialog.aws
    async with aws.account(aws.settings()) as account:
        done = await destroy(
            account,
            aws.stack,
            confirm=confirm,
            delete_data=delete_data,
            dry_run=dry_run,
            on_event=dialog.print_event,
            poll=aws.poll,
        )
    print_result(done, format_destruction(done), json=aws.json)
    return 0 if done.done or dry_run else 1


def policies(
    *,
    aws: AwsOptions = DEFAULT_OPTIONS,
    of: Literal["deploy", "watch", "boundary", "consumer"] = "deploy",
    application: str = "truckstream",
    account: str = "123456789012",
    stream: str | None = None,
    bucket: str | None = None,
    customer_key: bool = False,
    vpc: bool = False,
    compaction: bool = False,
    search: bool = False,
    quicksight: bool = False,
    flink: bool = False,
    delete_data: bool = False,
    dry_run: bool = False,  # noqa: ARG001 - it never changes anything
) -> int:
    """Print the least IAM policies that the commands need. Each fits into a managed policy.

    `put` and `simulate` need the policy that `provision` creates for producers, and `worker` that of consumer and the
    objects in its bucket.

    Example:
        truckstream policies --of watch > watch-policy.json

    Args:
        aws: Stack and account.
        of: deploy for the commands that change the pipeline and those of watch, watch for status, doctor, scale and
            streams, boundary for the permissions boundary that the policies of deploy require, consumer for Consumer,
            tail and status --application.
        application: With --of consumer, the application's name, which its lease table has too.
        account: Account ID of twelve digits.
        stream: Name of the stream. [STREAM_NAME]
        bucket: The bucket's name; by default the names that CloudFormation generates. [BUCKET_NAME]
        customer_key: Include the permissions for Encryption=CUSTOMER_KEY.
        vpc: Include the permissions for CreateVpc=true.
        compaction: Include the permissions for CreateCompaction=true.
        search: Include the permissions for CreateSearch=true, with the default SearchName.
        quicksight: Include the permissions for QuickSightPrincipal.
        flink: Include the permissions for CreateFlink=true.
        delete_data: Include the permissions for `destroy --delete-data`.
        dry_run: Accepted for scripts; this command never changes anything.
    """
    from truckstream.cloud.policies import (  # noqa: PLC0415
        Scope,
        boundary_policy,
        consumer_policy,
        deploy_policies,
        watch_policies,
    )

    settings = aws.settings(stream, bucket)
    region = settings.region or "us-east-1"
    scope = Scope(account, region, aws.stack, _stream_name(settings), settings.bucket_name)
    if of == "watch":
        found = watch_policies(scope)
    elif of == "boundary":
        found = (boundary_policy(scope),)
    elif of == "consumer":
        found = (consumer_policy(scope, application),)
    else:
        found = deploy_policies(
            scope,
            customer_key=customer_key,
            vpc=vpc,
            compaction=compaction,
            flink=flink,
            search=search,
            quicksight=quicksight,
            delete_data=delete_data,
        )
    print_result(found, "", json=True)
    return 0


def _names(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """Return the parameters that flags name, and those that the environment or `.env` name."""
    values = {"StreamName": _stream_name(settings), "BucketName": settings.bucket_name or ""}
    given: dict[str, str] = {}
    from_settings: dict[str, str] = {}
    for setting, parameter in (("stream_name", "StreamName"), ("bucket_name", "BucketName")):
        if source := settings.sources.get(setting):
            (given if source.startswith("--") else from_settings)[parameter] = values[parameter]
    return given, from_settings


def _stream_name(settings: Settings) -> str:
    """Return the name of the stream, which is the end of its ARN; CloudFormation and policies need it."""
    return settings.stream_name.rpartition("/")[2]


def _template_parameters(given: list[str] | None, **flags: str | int | None) -> dict[str, str]:
    """Return the parameters that flags set. Defaults are not passed: they would reset values."""
    pairs = (_name_and_value(text) for text in given or ())
    return {name: str(value) for name, value in flags.items() if value is not None} | dict(pairs)


def _names_to_leave_out(given: list[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(name for name in given if name != "none")


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError("--parameter", f"is {text!r}", "Write it as Name=value, such as RetentionHours=48.")
    return name, value


def _save(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(
            "--out", f"cannot be written ({error})", "Choose a file that you may write."
        ) from error

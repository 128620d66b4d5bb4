"""The commands that deal with AWS: each is one call of `truckstream.cloud`, and knows only how to ask and how to tell.

aws_console.py says what their exit status means.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App, Parameter

from truckstream.commands.aws_console import Conversation, Where, run, tell
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from truckstream.cloud.deployment.deploy import DeployOptions
    from truckstream.cloud.deployment.destroy import Destruction
    from truckstream.cloud.deployment.stack import Plan
    from truckstream.config import Settings

__all__ = ["app"]

app = App(default_parameter=Parameter(negative=()))


@app.command
def package(
    *,
    architecture: Literal["arm64", "x86_64"] = "arm64",
    python: str = "3.13",
    out: Path = Path("function.zip"),
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Build the Lambda function's zip, the same bytes each time, and say what is in it.

    Args:
        architecture: The function's processor.
        python: The function's Python: 3.11 (x86_64 only) to 3.14.
        out: Where the zip goes.
        dry_run: Build it and write nothing.
        json: Say it as JSON.
    """
    from truckstream.cloud.package.build import PackageOptions, build_package  # noqa: PLC0415
    from truckstream.commands.texts import package_words  # noqa: PLC0415

    archive = asyncio.run(build_package(PackageOptions(architecture, python)))
    if not dry_run:
        _save(out, archive.content)
    tell(archive.facts(), package_words(archive, None if dry_run else out), json=json)
    return 0


_HERE = Where()


@app.command
def provision(
    *,
    where: Where = _HERE,
    stream: str | None = None,
    bucket: str | None = None,
    shards: int | None = None,
    parameter: list[str] | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> int:
    """Make stream and bucket, and the producers' policy, as the simplest start. `deploy` adds the rest to them.

    Args:
        where: Which stack.
        stream: The stream's name. [STREAM_NAME]
        bucket: The bucket's name; by default CloudFormation makes one. [BUCKET_NAME]
        shards: Shards of the stream.
        parameter: Any parameter of the template, such as RetentionHours=48; may be repeated.
        yes: Do not ask.
        dry_run: Show what would change, and change nothing.
    """
    from truckstream.cloud.deployment.deploy import DeployOptions  # noqa: PLC0415

    settings = where.settings(stream, bucket)
    options = DeployOptions(
        where.stack, "STORAGE", _template_parameters(settings, parameter, ShardCount=shards), dry_run=dry_run
    )
    return _deploy(where, settings, options, yes=yes)


@app.command
def deploy(
    *,
    where: Where = _HERE,
    stream: str | None = None,
    bucket: str | None = None,
    shards: int | None = None,
    memory: int | None = None,
    architecture: Literal["arm64", "x86_64"] = "arm64",
    python: str = "3.13",
    email: str | None = None,
    parameter: list[str] | None = None,
    leave_out: list[str] | None = None,
    artifact_bucket: str | None = None,
    yes: bool = False,
    dry_run: bool = False,
) -> int:
    """Package the function and bring the whole pipeline to what is asked for: shown first, as a change set.

    What a stack was told before holds until it is told otherwise.

    Args:
        where: Which stack.
        stream: The stream's name. [STREAM_NAME]
        bucket: The bucket's name; by default CloudFormation makes one. [BUCKET_NAME]
        shards: Shards of the stream.
        memory: The function's memory in MB.
        architecture: The function's processor.
        python: The function's Python.
        email: Who is told when an alarm rings.
        parameter: Any parameter of the template, such as Layout=hive; may be repeated.
        leave_out: A resource of the template that is not wanted; may be repeated.
        artifact_bucket: Where the zip goes, in place of a bucket made for it.
        yes: Do not ask.
        dry_run: Show what would change, and change nothing.
    """
    from truckstream.cloud.deployment.deploy import DeployOptions  # noqa: PLC0415
    from truckstream.cloud.package.build import PackageOptions  # noqa: PLC0415

    settings = where.settings(stream, bucket)
    options = DeployOptions(
        where.stack,
        "PIPELINE",
        _template_parameters(settings, parameter, ShardCount=shards, MemorySize=memory, AlarmEmail=email),
        PackageOptions(architecture, python),
        artifact_bucket,
        tuple(leave_out or ()),
        dry_run,
    )
    return _deploy(where, settings, options, yes=yes)


def _deploy(where: Where, settings: Settings, options: DeployOptions, *, yes: bool) -> int:
    talk = Conversation(where, yes)
    return run(_deploying(talk, settings, options), json=where.json, on_break=talk.on_break)


async def _deploying(talk: Conversation, settings: Settings, options: DeployOptions) -> int:
    from truckstream.cloud.deployment.deploy import deploy  # noqa: PLC0415
    from truckstream.commands.texts import outputs_words, plan_words  # noqa: PLC0415

    async def confirm(plan: Plan) -> bool:
        return talk.agrees(plan_words(plan))

    async with talk.where.account(settings) as account:
        done = await deploy(account, options, confirm=confirm, on_event=talk.tell_event, poll=talk.where.poll)
    nothing_to_do = options.dry_run or done.plan.empty
    words = (
        plan_words(done.plan) if nothing_to_do else outputs_words(done.outputs) if done.done else "Nothing was changed."
    )
    tell(done, words, json=talk.where.json)
    return 0 if done.done or nothing_to_do else 1


@app.command
def status(
    *,
    where: Where = _HERE,
    function: str | None = None,
    minutes: int = 60,
    dry_run: bool = False,  # noqa: ARG001 - changes nothing anyway
) -> int:
    """Show what is deployed and how it fares, on one page. Ends with 1 if an alarm rings or something is missing.

    Args:
        where: Which stack.
        function: A function that no stack of ours made.
        minutes: How far back to look.
        dry_run: Taken for the sake of scripts: this command changes nothing anyway.
    """
    return run(_status(where, function, minutes), json=where.json)


async def _status(where: Where, function: str | None, minutes: int) -> int:
    from truckstream.cloud.watch.status import read_status  # noqa: PLC0415
    from truckstream.commands.texts import status_words  # noqa: PLC0415

    async with where.account(where.settings()) as account:
        found = await read_status(account, where.stack, now=datetime.now(UTC), function_name=function, minutes=minutes)
    tell(found, status_words(found), json=where.json)
    return 0 if found.healthy else 1


@app.command
def doctor(
    *,
    where: Where = _HERE,
    function: str | None = None,
    dry_run: bool = False,  # noqa: ARG001 - changes nothing anyway
) -> int:
    """Look for dangerous settings, and name the command that repairs each. Ends with 1 if there are any.

    Args:
        where: Which stack.
        function: A function that no stack of ours made.
        dry_run: Taken for the sake of scripts: this command changes nothing anyway.
    """
    return run(_doctor(where, function), json=where.json)


async def _doctor(where: Where, function: str | None) -> int:
    from truckstream.cloud.watch.doctor import diagnose  # noqa: PLC0415
    from truckstream.commands.texts import diagnosis_words  # noqa: PLC0415

    async with where.account(where.settings()) as account:
        diagnosis = await diagnose(account, where.stack, now=datetime.now(UTC), function_name=function)
    tell(diagnosis, diagnosis_words(diagnosis), json=where.json)
    return 0 if diagnosis.healthy else 1


@app.command
def scale(
    *, where: Where = _HERE, minutes: int = 60, apply: bool = False, yes: bool = False, dry_run: bool = False
) -> int:
    """Hold the last minutes against the scaling rules, and say what they ask for.

    Args:
        where: Which stack.
        minutes: How far back to look.
        apply: Do it: shards, within what Kinesis allows at once, memory and concurrency.
        yes: Do not ask.
        dry_run: Change nothing, whatever else is asked.
    """
    talk = Conversation(where, yes)
    return run(_scale(talk, minutes, apply=apply and not dry_run), json=where.json, on_break=talk.on_break)


async def _scale(talk: Conversation, minutes: int, *, apply: bool) -> int:
    from truckstream.cloud.watch.scaling import scale  # noqa: PLC0415
    from truckstream.commands.texts import plan_words, scaling_words  # noqa: PLC0415

    async def confirm(plan: Plan) -> bool:
        return talk.agrees(plan_words(plan))

    where = talk.where
    async with where.account(where.settings()) as account:
        done = await scale(
            account,
            where.stack,
            now=datetime.now(UTC),
            minutes=minutes,
            apply=confirm if apply else None,
            on_event=talk.tell_event,
            poll=where.poll,
        )
    tell(done, scaling_words(done), json=where.json)
    return 0 if done.deployment is None or done.deployment.done or done.deployment.plan.empty else 1


@app.command
def destroy(*, where: Where = _HERE, delete_data: bool = False, yes: bool = False, dry_run: bool = False) -> int:
    """Delete the pipeline and keep its data: says what stays.

    Args:
        where: Which stack.
        delete_data: Delete the stream and the bucket with all they hold, and the key 30 days later.
        yes: Do not ask.
        dry_run: Say what would go, and delete nothing.
    """
    talk = Conversation(where, yes)
    return run(_destroy(talk, delete_data=delete_data, dry_run=dry_run), json=where.json, on_break=talk.on_break)


async def _destroy(talk: Conversation, *, delete_data: bool, dry_run: bool) -> int:
    from truckstream.cloud.deployment.destroy import destroy  # noqa: PLC0415
    from truckstream.commands.texts import destruction_words  # noqa: PLC0415

    async def confirm(plan: Destruction) -> bool:
        return talk.agrees(destruction_words(plan))

    where = talk.where
    async with where.account(where.settings()) as account:
        done = await destroy(
            account,
            where.stack,
            confirm=confirm,
            delete_data=delete_data,
            dry_run=dry_run,
            on_event=talk.tell_event,
            poll=where.poll,
        )
    tell(done, destruction_words(done), json=where.json)
    return 0 if done.done or dry_run else 1


@app.command
def policies(
    *,
    where: Where = _HERE,
    of: Literal["deploy", "watch"] = "deploy",
    account: str = "123456789012",
    stream: str | None = None,
    bucket: str | None = None,
    customer_key: bool = False,
    vpc: bool = False,
    delete_data: bool = False,
    dry_run: bool = False,  # noqa: ARG001 - changes nothing anyway
) -> int:
    """Print the IAM policies that the commands need, as small as they can be; each fits a managed policy.

    Args:
        where: Which stack.
        of: deploy for all commands, watch for those that only look.
        account: The account's twelve digits.
        stream: The stream's name. [STREAM_NAME]
        bucket: The bucket's name; by default those that CloudFormation makes. [BUCKET_NAME]
        customer_key: With Encryption=CUSTOMER_KEY.
        vpc: With CreateVpc=true.
        delete_data: With `destroy --delete-data`.
        dry_run: Taken for the sake of scripts: this command changes nothing anyway.
    """
    from truckstream.cloud.policies import Scope, deploy_policies, watch_policies  # noqa: PLC0415

    settings = where.settings(stream, bucket)
    region = settings.region or "us-east-1"
    scope = Scope(account, region, where.stack, settings.stream_name, settings.bucket_name)
    if of == "watch":
        found = watch_policies(scope)
    else:
        found = deploy_policies(scope, customer_key=customer_key, vpc=vpc, delete_data=delete_data)
    tell(found, "", json=True)
    return 0


def _template_parameters(settings: Settings, given: list[str] | None, **flags: str | int | None) -> dict[str, str]:
    """The template's parameters that flags and settings speak of. A default is not passed on: it would undo another."""
    stream = settings.stream_name if settings.stream_name != "truck-sensor-stream" else None
    named = {"StreamName": stream, "BucketName": settings.bucket_name, **flags}
    pairs = (_name_and_value(text) for text in given or ())
    return {name: str(value) for name, value in named.items() if value is not None} | dict(pairs)


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError("--parameter", f"is {text!r}", "Write it as Name=value, such as RetentionHours=48.")
    return name, value


def _save(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError("--out", f"cannot be written ({error})", "Name a file you may write.") from error

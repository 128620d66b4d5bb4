"""The commands that deal with AWS: each is one call of `truckstream.cloud`, and knows only how to ask and how to tell.

Exit status: 0 when all is well, 1 when something is wrong or was not agreed to, 2 when the command was not understood.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import App, Parameter
from rich.console import Console

from truckstream.config import Settings, export_aws_settings, load_settings, read_dotenv
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from truckstream.cloud.account import Account
    from truckstream.cloud.deploy import DeployOptions
    from truckstream.cloud.destroy import Destruction
    from truckstream.cloud.stack import Plan, StackEvent

__all__ = ["app"]

#: CloudFormation's own console asks as often.
POLL_SECONDS = 2.0

app = App(default_parameter=Parameter(negative=()))

_console = Console()


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
    from truckstream.cloud.package import PackageOptions, build_package  # noqa: PLC0415
    from truckstream.cloud.words import package_words  # noqa: PLC0415

    archive = asyncio.run(build_package(PackageOptions(architecture, python)))
    if not dry_run:
        _save(out, archive.content)
    _tell(archive.facts(), package_words(archive, None if dry_run else out), json=json)
    return 0


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Which stack, and how its fate is told.

    Args:
        stack: The stack's name, which is the function's as well.
        region: The region. [AWS_REGION]
        endpoint_url: Another endpoint than AWS, such as a local stand-in's. [AWS_ENDPOINT_URL]
        json: Say it as JSON.
    """

    stack: str = "truckstream"
    region: str | None = None
    endpoint_url: str | None = None
    json: bool = False

    def account(self, settings: Settings) -> Account:
        from truckstream.cloud.account import Account  # noqa: PLC0415

        endpoint_url = self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
        return Account(region_name=settings.region, endpoint_url=endpoint_url)

    @property
    def poll(self) -> float:
        """Seconds between two looks at a stack: a local stand-in is done in no time."""
        return 0.1 if self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL") else POLL_SECONDS

    def settings(self, stream: str | None = None, bucket: str | None = None) -> Settings:
        dotenv = read_dotenv()
        export_aws_settings(dotenv)
        return load_settings({"stream_name": stream, "bucket_name": bucket, "region": self.region}, dotenv=dotenv)


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
    from truckstream.cloud.deploy import DeployOptions  # noqa: PLC0415

    settings = where.settings(stream, bucket)
    options = DeployOptions(
        where.stack, "STORAGE", _template_parameters(settings, parameter, ShardCount=shards), dry_run=dry_run
    )
    return _run(_deploy(where, settings, options, yes=yes))


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
    from truckstream.cloud.deploy import DeployOptions  # noqa: PLC0415
    from truckstream.cloud.package import PackageOptions  # noqa: PLC0415

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
    return _run(_deploy(where, settings, options, yes=yes))


async def _deploy(where: Where, settings: Settings, options: DeployOptions, *, yes: bool) -> int:
    from truckstream.cloud.deploy import deploy  # noqa: PLC0415
    from truckstream.cloud.words import outputs_words, plan_words  # noqa: PLC0415

    async def confirm(plan: Plan) -> bool:
        return _agreed(plan_words(plan), where, yes=yes)

    async with where.account(settings) as account:
        done = await deploy(account, options, confirm=confirm, on_event=_event_teller(where), poll=where.poll)
    nothing_to_do = options.dry_run or done.plan.empty
    words = (
        plan_words(done.plan) if nothing_to_do else outputs_words(done.outputs) if done.done else "Nothing was changed."
    )
    _tell({"done": done.done, "plan": done.plan, "outputs": done.outputs}, words, json=where.json)
    return 0 if done.done or nothing_to_do else 1


@app.command
def status(*, where: Where = _HERE, function: str | None = None, minutes: int = 60) -> int:
    """Show what is deployed and how it fares, on one page. Ends with 1 if an alarm rings or something is missing.

    Args:
        where: Which stack.
        function: A function that no stack of ours made.
        minutes: How far back to look.
    """
    return _run(_status(where, function, minutes))


async def _status(where: Where, function: str | None, minutes: int) -> int:
    from truckstream.cloud.status import read_status  # noqa: PLC0415
    from truckstream.cloud.words import status_words  # noqa: PLC0415

    async with where.account(where.settings()) as account:
        found = await read_status(account, where.stack, now=datetime.now(UTC), function_name=function, minutes=minutes)
    _tell(found, status_words(found), json=where.json)
    return 0 if found.healthy else 1


@app.command
def doctor(*, where: Where = _HERE, function: str | None = None) -> int:
    """Look for dangerous settings, and name the command that repairs each. Ends with 1 if there are any.

    Args:
        where: Which stack.
        function: A function that no stack of ours made.
    """
    return _run(_doctor(where, function))


async def _doctor(where: Where, function: str | None) -> int:
    from truckstream.cloud.doctor import diagnose  # noqa: PLC0415
    from truckstream.cloud.words import diagnosis_words  # noqa: PLC0415

    async with where.account(where.settings()) as account:
        diagnosis = await diagnose(account, where.stack, now=datetime.now(UTC), function_name=function)
    _tell(diagnosis, diagnosis_words(diagnosis), json=where.json)
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
    return _run(_scale(where, minutes, apply=apply and not dry_run, yes=yes))


async def _scale(where: Where, minutes: int, *, apply: bool, yes: bool) -> int:
    from truckstream.cloud.scale import scale  # noqa: PLC0415
    from truckstream.cloud.words import plan_words, scaling_words  # noqa: PLC0415

    async def confirm(plan: Plan) -> bool:
        return _agreed(plan_words(plan), where, yes=yes)

    async with where.account(where.settings()) as account:
        done = await scale(
            account,
            where.stack,
            now=datetime.now(UTC),
            minutes=minutes,
            apply=confirm if apply else None,
            on_event=_event_teller(where),
            poll=where.poll,
        )
    _tell(done, scaling_words(done), json=where.json)
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
    return _run(_destroy(where, delete_data=delete_data, yes=yes, dry_run=dry_run))


async def _destroy(where: Where, *, delete_data: bool, yes: bool, dry_run: bool) -> int:
    from truckstream.cloud.destroy import destroy  # noqa: PLC0415
    from truckstream.cloud.words import destruction_words  # noqa: PLC0415

    async def confirm(plan: Destruction) -> bool:
        return _agreed(destruction_words(plan), where, yes=yes)

    async with where.account(where.settings()) as account:
        done = await destroy(
            account,
            where.stack,
            confirm=confirm,
            delete_data=delete_data,
            dry_run=dry_run,
            on_event=_event_teller(where),
            poll=where.poll,
        )
    _tell(done, destruction_words(done), json=where.json)
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
    """
    from truckstream.cloud.policies import Scope, deploy_policies, watch_policies  # noqa: PLC0415

    settings = where.settings(stream, bucket)
    region = settings.region or "us-east-1"
    scope = Scope(account, region, where.stack, settings.stream_name, settings.bucket_name)
    if of == "watch":
        found = watch_policies(scope)
    else:
        found = deploy_policies(scope, customer_key=customer_key, vpc=vpc, delete_data=delete_data)
    _tell(found, "", json=True)
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


def _agreed(words: str, where: Where, *, yes: bool) -> bool:
    """Show what would be done, and ask unless told not to."""
    if not where.json:
        _console.print(words, highlight=False, soft_wrap=True, markup=False)
    if yes:
        return True
    if where.json or not sys.stdin.isatty():
        raise ConfigurationError("--yes", "is missing", "Nobody can be asked here: pass --yes, or --dry-run to look.")
    return _console.input("Go ahead? [y/N] ").strip().lower() in {"y", "yes"}


def _event_teller(where: Where) -> Callable[[StackEvent], None]:
    from truckstream.cloud.words import event_line  # noqa: PLC0415

    def tell(event: StackEvent) -> None:
        if not where.json:
            _console.print(event_line(event), highlight=False, soft_wrap=True, markup=False)

    return tell


def _save(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError("--out", f"cannot be written ({error})", "Name a file you may write.") from error


def _run(work: Coroutine[None, None, int]) -> int:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        return 130


def _tell(facts: object, words: str, *, json: bool) -> None:
    """A command's result, for people or for programs."""
    if json:
        import msgspec  # noqa: PLC0415

        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
    else:
        _console.print(words, highlight=False, soft_wrap=True, markup=False)

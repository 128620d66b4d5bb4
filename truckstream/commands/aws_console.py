"""How the commands that deal with AWS ask and tell: which stack, "go ahead?", steps, results, and breaking off.

Exit status of each of them:

- 0: done, or all is well.
- 1: looked, and something is wrong: an alarm rings, a danger was found, something is missing; or you said no.
- 2: the command or a setting is wrong, and nothing was tried. Missing credentials are a setting.
- 3: it could not be done: AWS refused or did not answer, or CloudFormation failed and rolled back.
- 130: broken off with Ctrl-C.

With `--json` standard output is one JSON document, whatever happens: the result, or `{"error": …}`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cyclopts import Parameter
from rich.console import Console

from truckstream.config import Settings, export_aws_settings, load_settings, read_dotenv
from truckstream.errors import AwsError, ConfigurationError, DeploymentError, InvalidArgumentError, PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from truckstream.cloud.aws_account import Account
    from truckstream.cloud.deployment.stack import StackEvent
    from truckstream.errors import TruckstreamError

__all__ = ["BROKEN_OFF", "Where", "exit_status", "run", "tell", "tell_error"]

#: CloudFormation's own console asks as often.
POLL_SECONDS: Final = 2.0
#: The exit status after Ctrl-C, as of a program that SIGINT ends.
BROKEN_OFF: Final = 130

_console = Console()
_problems = Console(stderr=True)


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

    def settings(self, stream: str | None = None, bucket: str | None = None) -> Settings:
        dotenv = read_dotenv()
        export_aws_settings(dotenv)
        return load_settings({"stream_name": stream, "bucket_name": bucket, "region": self.region}, dotenv=dotenv)

    def account(self, settings: Settings) -> Account:
        from truckstream.cloud.aws_account import Account  # noqa: PLC0415

        return Account(region_name=settings.region, endpoint_url=self._endpoint_url)

    @property
    def poll(self) -> float:
        """Seconds between two looks at a stack: a local stand-in is done in no time."""
        return 0.1 if self._endpoint_url else POLL_SECONDS

    @property
    def _endpoint_url(self) -> str | None:
        return self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")


@dataclass
class Conversation:
    """One change of a stack, as it is told to who asked for it."""

    where: Where
    #: Do not ask.
    yes: bool
    #: True once CloudFormation may be at work.
    _agreed: bool = field(default=False, init=False)

    def agrees(self, words: str) -> bool:
        """Show what would be done, and ask unless told not to."""
        if not self.where.json:
            _say(words)
        if self.yes:
            self._agreed = True
        elif self.where.json or not sys.stdin.isatty():
            hint = "Nobody can be asked here: pass --yes, or --dry-run to look."
            raise ConfigurationError("--yes", "is missing", hint)
        else:
            self._agreed = _console.input("Go ahead? [y/N] ").strip().lower() in {"y", "yes"}
        return self._agreed

    def tell_event(self, event: StackEvent) -> None:
        """One step of it."""
        from truckstream.commands.texts import event_line  # noqa: PLC0415

        if not self.where.json:
            _say(event_line(event))

    def on_break(self) -> str:
        """What goes on after Ctrl-C."""
        if not self._agreed:
            return "Broken off: nothing was changed."
        stack = self.where.stack
        return (
            f"Broken off here; what CloudFormation has begun goes on without this command. truckstream status --stack "
            f"{stack} shows how it ends, and aws cloudformation cancel-update-stack --stack-name {stack} takes an "
            f"update back."
        )


def run(work: Coroutine[None, None, int], *, json: bool, on_break: Callable[[], str] = lambda: "Broken off.") -> int:
    """Run a command to its exit status; after Ctrl-C say what `on_break` says."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        _problems.print(f"truckstream: {on_break()}", highlight=False, soft_wrap=True, markup=False)
        if json:
            _write_json({"error": {"kind": "Interrupted", "message": on_break()}})
        return BROKEN_OFF


def tell(facts: object, words: str, *, json: bool) -> None:
    """A command's result, for people or for programs."""
    if json:
        _write_json(facts)
    else:
        _say(words)


def tell_error(error: TruckstreamError, *, json: bool) -> None:
    """Why a command did not do what it was asked to: a line for people, and a document for programs."""
    _problems.print(f"truckstream: {error}", style="red", highlight=False, soft_wrap=True, markup=False)
    if json:
        names = ("code", "operation", "hint", "setting", "argument")
        facts = {name: value for name in names if isinstance(value := getattr(error, name, None), str) and value}
        _write_json({"error": {"kind": type(error).__name__, "message": str(error), **facts}})


def exit_status(error: TruckstreamError) -> int:
    """The exit status that says what kind of thing went wrong."""
    if isinstance(error, (ConfigurationError, InvalidArgumentError)):
        return 2
    return 3 if isinstance(error, (AwsError, DeploymentError, PackageError)) else 1


def _say(words: str) -> None:
    _console.print(words, highlight=False, soft_wrap=True, markup=False)


def _write_json(facts: object) -> None:
    import msgspec  # noqa: PLC0415

    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(facts)) + b"\n")
    sys.stdout.buffer.flush()

"""How a command prints its result or its error, and the exit status that follows.

Exit status of the commands on AWS:

- 0: success, and nothing is wrong.
- 1: the command succeeded and found a problem: an active alarm, a dangerous setting, a missing part; or you did not
  confirm the change.
- 2: an option or a setting is wrong, including missing credentials. Nothing was attempted.
- 3: the command failed: AWS returned an error or no response, or CloudFormation failed and rolled back.
- 130: interrupted with Ctrl-C.

With `--json`, standard output is always one JSON document: the result, or `{"error": ...}`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from truckstream.commands.output.console import console, error_console
from truckstream.commands.signals import CANCELLED
from truckstream.errors import AwsError, ConfigurationError, DeploymentError, InvalidArgumentError, PackageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from truckstream.errors import TruckstreamError

__all__ = ["exit_status", "print_error", "print_interrupted", "print_result", "print_text", "run_aws_command"]


def run_aws_command(
    work: Coroutine[None, None, int], *, json: bool, on_interrupt: Callable[[], str] = lambda: "Interrupted."
) -> int:
    """Run a command and return its exit status; after Ctrl-C print the text that `on_interrupt` returns."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        print_interrupted(on_interrupt(), json=json)
        return CANCELLED


def print_interrupted(text: str, *, json: bool) -> None:
    """Print what Ctrl-C has left behind, for people and with `json` also as a document for programs."""
    error_console.print(f"truckstream: {text}", highlight=False, soft_wrap=True, markup=False)
    if json:
        _print_json({"error": {"kind": "Interrupted", "message": text}})


def print_result(result: object, text: str, *, json: bool) -> None:
    """Print the result of a command: `text` for people, or `result` as JSON for programs."""
    if json:
        _print_json(result)
    else:
        print_text(text)


def print_error(error: TruckstreamError, *, json: bool) -> None:
    """Print an error as a line for people, and with `json` also as a document for programs."""
    error_console.print(f"truckstream: {error}", style="red", highlight=False, soft_wrap=True, markup=False)
    if json:
        names = ("code", "operation", "hint", "setting", "argument")
        details = {name: value for name in names if isinstance(value := getattr(error, name, None), str) and value}
        _print_json({"error": {"kind": type(error).__name__, "message": str(error), **details}})


def exit_status(error: TruckstreamError) -> int:
    """Return the exit status for an error."""
    if isinstance(error, (ConfigurationError, InvalidArgumentError)):
        return 2
    return 3 if isinstance(error, (AwsError, DeploymentError, PackageError)) else 1


def print_text(text: str) -> None:
    """Print text as it is, without colour and wrapping."""
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def _print_json(document: object) -> None:
    import msgspec  # noqa: PLC0415

    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    sys.stdout.buffer.flush()

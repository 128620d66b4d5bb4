"""`truckstream init`: write `.env` by asking."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truckstream.commands.output.console import error_console
from truckstream.commands.output.results import print_text
from truckstream.commands.settings.dotenv_text import QUESTIONS, default_answer, updated
from truckstream.commands.signals import CANCELLED
from truckstream.config import load_settings, read_dotenv
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.commands.settings.dotenv_text import SettingQuestion

__all__ = ["init"]

_FILE: Final = Path(".env")


def init(*, region: str | None = None, stream: str | None = None, bucket: str | None = None, yes: bool = False) -> int:
    """Write the settings of the other commands to .env in this directory, by asking for them.

    The answers that are offered come from the environment, an existing .env and the defaults. An existing .env is not
    changed before you have seen the change and confirmed it, and its other lines stay as they are. Exits with 1 if you
    did not confirm, and with 130 after Ctrl-C, which writes nothing.

    Example:
        truckstream init
        truckstream init --yes --region eu-central-1 --stream trucks

    Args:
        region: AWS region, in place of asking.
        stream: Name or ARN of the stream, in place of asking.
        bucket: Name of the bucket, in place of asking.
        yes: Ask nothing: write the options that are given, and for the others what would be offered.
    """
    flags = {"region": region, "stream_name": stream, "bucket_name": bucket}
    existing = read_dotenv(_FILE)
    old = _FILE.read_text(encoding="utf-8") if _FILE.is_file() else ""
    try:
        answers = {
            question.setting.name: _answer(question, flags[question.setting.name], existing, yes=yes)
            for question in QUESTIONS
        }
        new = updated(old, answers)
        if old and new != old and not yes and not _is_confirmed(old, new):
            print_text("Nothing was changed.")
            return 1
    except (KeyboardInterrupt, EOFError):
        error_console.print("\ntruckstream: Interrupted: nothing was written.", highlight=False)
        return CANCELLED
    if new != old:
        _write(new)
    print_text(f"{_FILE} is written." if new != old else f"{_FILE} has these settings already.")
    _print_overrides(answers)
    print_text("Next: truckstream deploy --dry-run")
    return 0


def _answer(question: SettingQuestion, flag: str | None, dotenv: Mapping[str, str], *, yes: bool) -> str | None:
    """Return the flag, the default with `--yes`, or the answer of the user."""
    default = default_answer(question, flag, os.environ, dotenv)
    if flag is not None:
        return default.value
    if yes:
        if default.problem:
            raise ConfigurationError(question.setting.name, "has no valid answer", default.problem)
        return default.value
    _require_terminal(question.setting.flag)
    if default.problem:
        _print_problem(default.problem)
    return _ask(question, default.value)


def _ask(question: SettingQuestion, default: str | None) -> str | None:
    """Ask until the answer keeps to the rule of the setting."""
    offer = f" [{default}]" if default else f" (empty: {question.if_empty})" if question.if_empty else ""
    while True:
        given = input(f"{question.text}{offer}: ").strip() or default
        if given is None and question.if_empty:
            return None
        try:
            return question.setting.check(given or "", "your answer")
        except ConfigurationError as error:
            _print_problem(str(error))


def _is_confirmed(old: str, new: str) -> bool:
    """Show the lines of the file that change, without the others, which may be secrets, and ask."""
    _require_terminal("--yes")
    changes = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    print_text("\n".join(line for line in changes if line[:3] not in {"---", "+++"} and line[:2] != "@@"))
    return input(f"Change {_FILE}? [y/N] ").strip().lower() in {"y", "yes"}


def _require_terminal(flag: str) -> None:
    if not sys.stdin.isatty():
        hint = "There is no terminal to ask at: pass it, or --yes to write the defaults."
        raise ConfigurationError(flag, "is missing", hint)


def _write(text: str) -> None:
    """Replace the file at once: a process that is killed leaves the old one. Only its owner can read a new one."""
    target = _FILE.resolve()  # a link stays a link
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigurationError(str(_FILE), f"cannot be written ({error.strerror})", "Choose a directory.") from error


def _print_overrides(answers: Mapping[str, str | None]) -> None:
    """Name the variables of the environment that count more than what was written."""
    used = load_settings()
    for name, answer in answers.items():
        if answer is not None and (value := getattr(used, name)) != answer:
            print_text(f"Note: {used.sources[name]} is {value!r} and overrides {_FILE}.")


def _print_problem(text: str) -> None:
    error_console.print(text, style="red", highlight=False, soft_wrap=True, markup=False)

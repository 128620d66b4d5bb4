"""The text of a `.env` file with new values: everything else in it stays as it is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.config import SETTINGS, load_settings
from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truckstream.config import Setting

__all__ = ["QUESTIONS", "Default", "SettingQuestion", "default_answer", "updated"]


class SettingQuestion(NamedTuple):
    """One setting to ask for."""

    setting: Setting
    #: The variable that is written; `setting.variables` has its other names.
    variable: str
    text: str
    #: What an empty answer means; None if there must be an answer.
    if_empty: str | None = None


_TEXTS: Final = {
    "region": ("AWS_REGION", "The AWS region of the stream and the bucket", "the region of your AWS profile"),
    "stream_name": ("STREAM_NAME", "The Kinesis stream: its name or its ARN", None),
    "bucket_name": ("BUCKET_NAME", "The S3 bucket where the records are stored", "`deploy` lets AWS choose a name"),
}

#: One question for each setting of truckstream.config.
QUESTIONS: Final = tuple(SettingQuestion(setting, *_TEXTS[setting.name]) for setting in SETTINGS)


class Default(NamedTuple):
    """The answer that is offered."""

    value: str | None
    #: Why a value that was found is not offered.
    problem: str | None = None


def default_answer(
    question: SettingQuestion, flag: str | None, environ: Mapping[str, str], dotenv: Mapping[str, str]
) -> Default:
    """Return the value that a command would use now, from the flag, the environment, `.env` or the default.

    Raises:
        ConfigurationError: the flag breaks the rule of the setting.
    """
    setting = question.setting
    if flag is not None:
        return Default(setting.check(flag, setting.flag))
    names = {*setting.variables, setting.fallback}
    sources = [{name: value for name, value in each.items() if name in names} for each in (environ, dotenv)]
    try:
        found = load_settings(environ=sources[0], dotenv=sources[1])
    except ConfigurationError as error:
        return Default(setting.default, str(error))
    return Default(getattr(found, setting.name))


def updated(text: str, answers: Mapping[str, str | None]) -> str:
    """Return the text of a `.env` file with these answers, by the setting's name; None removes a setting.

    A variable keeps its place in the file, other names of its setting are removed, and new variables come at the end.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415 - the command's dependency, not the library's

    names = {name: question for question in QUESTIONS for name in question.setting.variables}
    lines: list[str] = []
    written: set[str] = set()
    for binding in parse_stream(io.StringIO(text)):
        original = binding.original.string
        question = names.get(binding.key or "")
        if question is None:
            lines.append(original)
            continue
        lines.append(original[: len(original) - len(original.lstrip("\r\n"))])
        value = answers[question.setting.name]
        if value is not None and question.variable not in written:
            lines.append(f"{question.variable}={value}\n")
            written.add(question.variable)
    missing = [
        f"# {question.text}.\n{question.variable}={value}\n"
        for question in QUESTIONS
        if question.variable not in written and (value := answers[question.setting.name]) is not None
    ]
    kept = "".join(lines)
    if kept and missing:
        kept = kept.rstrip("\n") + "\n\n"
    return kept + "\n".join(missing)

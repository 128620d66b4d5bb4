"""Settings from flags, the environment, `.env` and defaults, in this order, each checked by its rule.

A setting has several variables, such as `STREAM_NAME` and `stream_name`. Within one source they must agree: any order
between them would be a guess, and a wrong guess sends the records to another stream.

One table holds the settings; `.env.example` and the README are tested against it. AWS credentials and profiles are not
settings of ours: `export_aws_settings` passes those of `.env` on to the AWS libraries through the environment. Other
variables of `.env` are ignored. The file belongs to the working directory, which may be somebody else's checkout; with
AWS_ENDPOINT_URL or AWS_CA_BUNDLE it could redirect every call, credentials included, to another server.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from truckstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EXPORTED_VARIABLES",
    "SETTINGS",
    "Setting",
    "Settings",
    "export_aws_settings",
    "load_command_settings",
    "load_settings",
    "read_dotenv",
]


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: the sources of a value, and the pattern that it must match."""

    name: str
    #: Variables of the environment and of `.env`. Those that are set in one of them must have the same value.
    variables: tuple[str, ...]
    flag: str
    pattern: str
    rule: str
    default: str | None = None
    #: Variable that counts where none of `variables` is set.
    fallback: str | None = None

    def check(self, value: str, source: str) -> str:
        """Return `value` if it matches the pattern, else raise ConfigurationError."""
        if not re.fullmatch(self.pattern, value):
            raise ConfigurationError(self.name, f"is {value!r} (from {source})", f"It must be {self.rule}.")
        return value


SETTINGS: Final = (
    Setting(
        name="region",
        variables=("AWS_REGION", "REGION", "region"),
        flag="--region",
        # A pattern and no list, so that it accepts the regions of all partitions and those that AWS will add.
        pattern=r"[a-z]{2,8}(-[a-z]+)+-[0-9]{1,2}",
        rule="an AWS region such as us-east-1",
        fallback="AWS_DEFAULT_REGION",  # AWS_REGION overrides it, as in the AWS libraries
    ),
    Setting(
        name="stream_name",
        variables=("STREAM_NAME", "stream_name"),
        flag="--stream",
        pattern=r"[a-zA-Z0-9_.-]{1,128}|arn:[^:]+:kinesis:[^:]+:\d{12}:stream/[a-zA-Z0-9_.-]{1,128}",
        rule="a stream's name (1 to 128 letters, digits, _ . -) or its ARN",
        default="truck-sensor-stream",
    ),
    Setting(
        name="bucket_name",
        variables=("BUCKET_NAME", "bucket_name"),
        flag="--bucket",
        pattern=r"(?=.{3,63}$)[a-z0-9][a-z0-9.-]*[a-z0-9]",
        rule="a bucket's name (3 to 63 lower-case letters, digits, . -)",
    ),
)


#: The variables of `.env` that are passed on to the AWS libraries: the region and the credentials.
EXPORTED_VARIABLES: Final = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run of the command. None where nothing is set and there is no default."""

    #: None leaves the choice to the AWS libraries, such as the region of the profile.
    region: str | None
    stream_name: str
    bucket_name: str | None
    #: Where each value comes from, such as "--stream" or "STREAM_NAME in .env"; without the defaults.
    sources: Mapping[str, str] = field(default_factory=dict)


def load_settings(
    flags: Mapping[str, str | None] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
) -> Settings:
    """Load the settings of this run.

    Args:
        flags: values from the command line by the setting's name; None for a flag that was not passed.
        environ: the environment; by default the process's.
        dotenv: the variables of `.env`; by default of the file in the working directory.

    Raises:
        ConfigurationError: names the setting, its value and source, and the rule it breaks.
    """
    sources = (
        (environ if environ is not None else os.environ, "the environment"),
        (dotenv if dotenv is not None else read_dotenv(), ".env"),
    )
    found = {row.name: _resolve(row, (flags or {}).get(row.name), sources) for row in SETTINGS}
    values = {row.name: found[row.name].value for row in SETTINGS}
    named = {name: resolved.source for name, resolved in found.items() if resolved.source}
    return Settings(**values, sources=named)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class _Resolved:
    """The value of a setting and its source; no source for a default."""

    value: str | None
    source: str | None = None


def _resolve(row: Setting, flag: str | None, sources: tuple[tuple[Mapping[str, str], str], ...]) -> _Resolved:
    if flag is not None:
        return _Resolved(row.check(flag, row.flag), row.flag)
    for values, name in sources:
        if variable := _set_variable(row, values, name):
            source = f"{variable} in {name}"
            return _Resolved(row.check(values[variable].strip(), source), source)
    return _Resolved(row.default)


def _set_variable(row: Setting, values: Mapping[str, str], source: str) -> str | None:
    """Return the variable that sets the row in one source, or None if none does."""
    found = [variable for variable in row.variables if values.get(variable, "").strip()]
    if len({values[variable].strip() for variable in found}) > 1:
        listed = " and ".join(f"{values[variable].strip()!r} ({variable})" for variable in found)
        hint = f"Set one of them, or pass {row.flag}."
        raise ConfigurationError(row.name, f"has different values in {source}: {listed}", hint)
    if found:
        return found[0]
    return row.fallback if row.fallback and values.get(row.fallback, "").strip() else None


def read_dotenv(path: Path | str = ".env") -> dict[str, str]:
    """Return the variables of a `.env` file; none if there is no such file.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    from dotenv import dotenv_values  # noqa: PLC0415 - the command's dependency, not the library's

    file = Path(path)
    if not file.is_file():
        return {}
    try:
        return {name: value for name, value in dotenv_values(file).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(file), f"cannot be read ({error})", "Save it as UTF-8 text.") from error


def export_aws_settings(dotenv: Mapping[str, str]) -> None:
    """Put the `EXPORTED_VARIABLES` of `.env` into the environment, unless it already has them."""
    for name in EXPORTED_VARIABLES:
        if value := dotenv.get(name):
            os.environ.setdefault(name, value)


def load_command_settings(**flags: str | None) -> Settings:
    """Load the settings of a command, and export the region and the AWS variables of `.env` to this process.

    Raises:
        ConfigurationError: as `load_settings` and `read_dotenv`.
    """
    dotenv = read_dotenv()
    settings = load_settings(flags, dotenv=dotenv)  # before the export, after which `.env` would be the environment
    export_aws_settings(dotenv)
    if settings.region:  # the AWS libraries use the same region, wherever it was set
        os.environ.update(AWS_REGION=settings.region, AWS_DEFAULT_REGION=settings.region)
    return settings

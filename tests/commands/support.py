"""Run the `truckstream` command as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from truckstream.commands.app import app
from truckstream.errors import TruckstreamError

#: Settings with which the commands sign requests; moto and the local Kinesis accept any credentials.
AWS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}


def environment_of(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command with no AWS settings but those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return clean | {"COLUMNS": "200", **settings}


def start(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    """Start a command with no AWS settings but those given."""
    return subprocess.Popen(
        [sys.executable, "-m", "truckstream", *arguments],
        cwd=cwd,
        env=environment_of(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def error_of(*arguments: str) -> TruckstreamError:
    """Run a command that an error ends, within this process: to start one takes half a second of CPU."""
    with pytest.raises(TruckstreamError) as raised:
        app(arguments, result_action="return_value")
    return raised.value


def run(*arguments: str, cwd: Path, timeout: float = 50, **environment: str) -> tuple[int, str, str]:
    """Run a command, and return its exit status, its output and its error output."""
    process = start(*arguments, cwd=cwd, **environment)
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def run_without(package: str, *arguments: str, cwd: Path) -> tuple[int, str, str]:
    """Run a command as if a package were not installed, and return its exit status, its output and its errors."""
    code = f"import sys; sys.modules[{package!r}] = None; from truckstream.commands.app import main; main()"
    words = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(words, cwd=cwd, env=environment_of({}), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr

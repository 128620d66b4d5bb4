"""Clients that others wrote, installed by exact version into a cache folder of the user's, once for all runs.

Nothing of them gets into the environment of the tests: a Python client has a virtual environment of its own, npm's
packages a folder of theirs. A lock file keeps parallel runs apart, and the folder's name is the list of what is in it,
so that another version is another folder. Where something can't be installed its tests are skipped; with CI=true that
is a failure, because there a skipped client would pass for one that works.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: The client's first run on a machine fetches up to 40 MB.
SECONDS: Final = 100


class CannotInstallError(Exception):
    """This machine lacks what the client needs."""


@contextlib.contextmanager
def or_skipped(what: str) -> Iterator[None]:
    """What this can't install skips the test, or fails it on CI."""
    try:
        yield
    except CannotInstallError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{what} cannot be run, and CI must not skip it: {error}", pytrace=False)
        pytest.skip(f"{what} cannot be run: {error}")


def tool(name: str) -> str:
    """The path of a program that has to be on this machine."""
    path = shutil.which(name)
    if path is None:
        raise CannotInstallError(f"there is no {name} on this machine")
    return path


def python_with(*requirements: str) -> Path:
    """The interpreter of a virtual environment with these and nothing else in it; name the dependencies too."""

    def install(folder: Path) -> None:
        uv = tool("uv")
        run([uv, "venv", "--quiet", "--clear", str(folder / "venv")], folder)
        python = str(folder / "venv" / "bin" / "python")
        run([uv, "pip", "install", "--quiet", "--no-deps", "--python", python, *requirements], folder)

    return cached("python", requirements, install) / "venv" / "bin" / "python"


def npm_with(*packages: str) -> Path:
    """The folder in whose node_modules these are installed. Their install scripts do not run."""

    def install(folder: Path) -> None:
        (folder / "package.json").write_text("{}")
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--save-exact"]
        run([tool("npm"), "install", *options, *packages], folder)

    tool("node")
    return cached("npm", packages, install)


def cached(kind: str, contents: Sequence[str], install: Callable[[Path], None]) -> Path:
    """The folder that `install` filled, now or in an earlier run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "truckstream-tests"
    digest = hashlib.sha256("\n".join(contents).encode()).hexdigest()[:12]
    folder = cache / f"{kind}-{contents[0].partition('=')[0].strip('@').replace('/', '-')}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            install(folder)
            (folder / "complete").write_text("\n".join(contents))
    return folder


def run(command: Sequence[str], folder: Path) -> None:
    try:
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise CannotInstallError(f"{command[0]} took more than {SECONDS} s") from None
    if answer.returncode:
        raise CannotInstallError(f"{command[0]} failed: {answer.stderr.strip()[-500:]}")

"""Install the clients by exact version into a folder below the user's cache, once for all runs.

The environment of the tests stays as it is: each Python client has a virtual environment of its own, and npm packages
and jars have their own folders. A lock file serialises parallel runs. A folder's name has a digest of the package
versions, so a new version gets a new folder. If a client cannot be installed, its tests are skipped; with CI=true they
fail, because a skipped client would look like one that works.
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

#: The time limit of one command. The first installation of a client downloads up to 40 MB.
SECONDS: Final = 100
#: The time limit of Maven, which downloads up to 140 MB.
MAVEN_SECONDS: Final = 300


class CannotInstallError(Exception):
    """A client cannot be installed on this machine."""


@contextlib.contextmanager
def or_skipped(what: str) -> Iterator[None]:
    """Skip the test if the installation in this context fails; on CI, fail it."""
    try:
        yield
    except CannotInstallError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{what} cannot be run, and CI must not skip it: {error}", pytrace=False)
        pytest.skip(f"{what} cannot be run: {error}")


def tool(name: str) -> str:
    """Return the path of a program; raise `CannotInstallError` if this machine does not have it."""
    path = shutil.which(name)
    if path is None:
        raise CannotInstallError(f"there is no {name} on this machine")
    return path


def python_with(*requirements: str) -> Path:
    """Return the interpreter of a virtual environment with exactly these packages; dependencies must be listed too."""

    def install(folder: Path) -> None:
        uv = tool("uv")
        run([uv, "venv", "--quiet", "--clear", str(folder / "venv")], folder)
        python = str(folder / "venv" / "bin" / "python")
        run([uv, "pip", "install", "--quiet", "--no-deps", "--python", python, *requirements], folder)

    return cached("python", requirements, install) / "venv" / "bin" / "python"


def npm_with(*packages: str) -> Path:
    """Return the folder whose node_modules contains these packages. Their install scripts do not run."""

    def install(folder: Path) -> None:
        (folder / "package.json").write_text("{}")
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--save-exact"]
        run([tool("npm"), "install", *options, *packages], folder)

    tool("node")
    return cached("npm", packages, install)


def java_with(*artifacts: str) -> list[str]:
    """Return the command that runs a Java program with these artifacts of Maven and all that they depend on.

    An artifact is group:name:version.
    """

    def install(folder: Path) -> None:
        (folder / "pom.xml").write_text(
            _POM.format("".join(_DEPENDENCY.format(*each.split(":")) for each in artifacts))
        )
        options = ["--batch-mode", "--quiet", "-Dstyle.color=never", "dependency:copy-dependencies"]
        options += ["-DincludeScope=runtime", f"-DoutputDirectory={folder / 'jars'}"]
        run([tool("mvn"), *options], folder, MAVEN_SECONDS)

    tool("javac")  # `java` compiles a source file before it runs it
    jars = cached("maven", artifacts, install) / "jars"
    return [tool("java"), *JAVA_OPTIONS, "-cp", f"{jars}/*"]


#: A program runs for some seconds only, and these start it sooner.
JAVA_OPTIONS: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")
_POM: Final = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>tests</groupId><artifactId>tests</artifactId><version>1</version>
<dependencies>{}</dependencies>
</project>
"""
_DEPENDENCY: Final = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


def cached(kind: str, contents: Sequence[str], install: Callable[[Path], None]) -> Path:
    """Return the folder that `install` has filled, in this run or an earlier one."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "truckstream-tests"
    digest = hashlib.sha256("\n".join(contents).encode()).hexdigest()[:12]
    name = contents[0].partition("=")[0].strip("@").replace("/", "-").replace(":", "-")
    folder = cache / f"{kind}-{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            install(folder)
            (folder / "complete").write_text("\n".join(contents))
    return folder


def run(command: Sequence[str], folder: Path, seconds: float = SECONDS) -> None:
    try:
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise CannotInstallError(f"{command[0]} took more than {seconds} s") from None
    if answer.returncode:
        raise CannotInstallError(f"{command[0]} failed: {(answer.stderr.strip() or answer.stdout.strip())[-900:]}")

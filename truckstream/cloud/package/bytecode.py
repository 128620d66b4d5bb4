"""Bytecode for the zip, so that a cold start need not compile the modules: their import takes half of the CPU time.

Lambda's folder is read-only, so a function without bytecode compiles its modules at each cold start. Bytecode belongs
to one minor version of Python. It is compiled by the Python that runs the packager, or by another one on this machine
that uv finds; if neither is of the function's version, the zip has none. A function never runs bytecode of another
version: its files have that version in their names, and Python compares their first bytes too.

The files are of the kind "unchecked hash": Python looks at neither times nor hashes of the sources, so that the zip's
fixed dates do not matter. The same interpreter makes the same bytes; another patch version may compile differently.
https://docs.python.org/3/reference/import.html#cached-bytecode-invalidation
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from truckstream.cloud.package.dependencies.wheels import find_uv
from truckstream.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Bytecode", "compile_bytecode"]

#: Where Lambda unpacks the zip. With this path in the bytecode, an import need not correct it.
_TASK_ROOT: Final = "/var/task"

_DESCRIBE: Final = (
    "import sys, platform;"
    "final = sys.version_info.releaselevel == 'final' and sys.implementation.name == 'cpython';"
    "print(platform.python_version() if final else 'unfinished')"
)


class Bytecode(NamedTuple):
    """The bytecode of a zip."""

    #: Contents by path.
    files: Mapping[str, bytes]
    #: The version of the Python that compiled it, such as 3.13.5; None if there is none.
    compiled_by: str | None


async def compile_bytecode(files: Mapping[str, bytes], python: str) -> Bytecode:
    """Compile the Python files among `files` for a version of Python such as 3.13.

    Raises:
        PackageError: a file is not valid in that version.
    """
    return await asyncio.to_thread(_compile, files, python)


def _compile(files: Mapping[str, bytes], python: str) -> Bytecode:
    found = _find_interpreter(python)
    if found is None:
        return Bytecode({}, None)
    interpreter, version = found
    with tempfile.TemporaryDirectory(prefix="truckstream-bytecode-") as name:
        folder = Path(name)
        for path, content in files.items():
            if path.endswith(".py"):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
        done = _run(
            *(interpreter, "-S", "-s", "-P", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
            *("-s", str(folder), "-p", _TASK_ROOT, str(folder)),
        )
        if done.returncode != 0:
            raise PackageError(f"Python {version} cannot compile a file of the zip: {' '.join(done.stdout.split())}")
        compiled = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.pyc")}
    return Bytecode(compiled, version)


def _find_interpreter(python: str) -> tuple[str, str] | None:
    """Return the path and the full version of a finished CPython of this minor version."""
    if sys.version_info[:2] == tuple(map(int, python.split("."))):
        interpreter = sys.executable
    else:
        # A shim that starts another program makes uv fail; then there is no bytecode.
        done = _run(find_uv(), "python", "find", "--no-project", "--no-python-downloads", python)
        if done.returncode != 0:
            return None
        interpreter = done.stdout.strip()
    version = ""
    with contextlib.suppress(OSError):
        version = _run(interpreter, "-S", "-s", "-c", _DESCRIBE).stdout.strip()
    return (interpreter, version) if version.startswith(f"{python}.") else None


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program without the settings of this Python, and with a fixed order of sets."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(  # noqa: S603 - the programs are uv and a Python that it found
        command,
        env=settings | {"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

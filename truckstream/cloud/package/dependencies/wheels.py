"""Unpack the wheels of the function's zip with uv: for Lambda's platform, and only files with a known hash."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from truckstream.cloud.package.archive import is_noise
from truckstream.cloud.package.dependencies.requirements import REQUIREMENTS_FILE, pinned_versions
from truckstream.errors import ConfigurationError, PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["find_uv", "read_wheels"]


async def read_wheels(packages: Iterable[str], *, python: str, platform: str) -> dict[str, bytes]:
    """Return the files of the packages, without noise, by path.

    Their dependencies are not added: the packages are all that the function imports.

    Args:
        packages: names in requirements.txt.
        python: version of the function's Python, such as 3.13.
        platform: the function's platform as uv names it.

    Raises:
        ConfigurationError: uv is not installed.
        PackageError: a wheel or the network is missing, or a file has another hash; the message quotes uv.
    """
    with tempfile.TemporaryDirectory(prefix="truckstream-wheels-") as folder:
        await _install(Path(folder), packages, python, platform)
        return await asyncio.to_thread(_read, Path(folder) / "wheels")


async def _install(folder: Path, packages: Iterable[str], python: str, platform: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(find_uv(), "pip", "install", "--quiet", "--no-progress", "--python", sys.executable),
        *("--target", folder / "wheels", "--python-version", python, "--python-platform", platform),
        *("--only-binary", ":all:", "--no-deps", "--require-hashes", "--constraints", REQUIREMENTS_FILE),
        *(f"{name}=={pinned_versions()[name]}" for name in packages),
        cwd=folder,  # outside of projects, whose settings would apply
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, stderr = await process.communicate()
    except asyncio.CancelledError:  # end uv before its folder is removed, and its pipe before the loop closes
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
        raise
    if process.returncode != 0:
        raise PackageError(f"no packages for Python {python} on {platform}: {_shortened(stderr)}")


def find_uv() -> str:
    """Return the path of uv.

    Raises:
        ConfigurationError: it is not installed.
    """
    # `pip install uv` puts it beside this Python, even if the environment is not activated.
    beside = str(Path(sys.executable).parent)
    if found := shutil.which("uv") or shutil.which("uv", path=beside):
        return found
    raise ConfigurationError("uv", "was not found", "Install it: pip install uv")


def _shortened(stderr: bytes) -> str:
    """Return uv's message in one line, without the dozens of hashes that a file could have had."""
    text = " ".join(stderr.decode(errors="replace").split())
    return re.sub(r"Expected: (sha256:[0-9a-f]+ )+", "", text)


def _read(folder: Path) -> dict[str, bytes]:
    found = ((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return {name: path.read_bytes() for name, path in found if not is_noise(name)}

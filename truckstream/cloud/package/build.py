"""Build the function's zip for Lambda's platform on any machine: from wheels only, without compiling or running code.

uv resolves the requirements for the requested platform, constrained to the versions installed here, so that the
function runs the tested versions. uv chooses the version of a dependency that only the other platform needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from truckstream import __version__
from truckstream.cloud.package.archive import is_noise, pack
from truckstream.cloud.package.sources import needed_sources
from truckstream.errors import ConfigurationError, InvalidArgumentError, PackageError

if TYPE_CHECKING:
    from truckstream.cloud.package.archive import Archive

__all__ = ["REQUIREMENTS", "Architecture", "PackageOptions", "build_package"]

Architecture = Literal["arm64", "x86_64"]

#: All third-party packages that the handler imports; tests/cloud/package compares this with its imports.
REQUIREMENTS: Final = ("msgspec", "obstore")

#: The glibc version of each runtime, as wheels name it. python3.11 runs on Amazon Linux 2 (glibc 2.26), later ones on
#: Amazon Linux 2023 (2.34). obstore's aarch64 wheels need 2.28, so that python3.11 works on x86_64 only.
_GLIBC: Final = {"3.11": "2_17", "3.12": "2_28", "3.13": "2_28", "3.14": "2_28"}
_MACHINES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}


@dataclass(frozen=True, slots=True)
class PackageOptions:
    """Platform of the function.

    Args:
        architecture: processor, arm64 or x86_64.
        python: Python version, such as 3.13.

    Raises:
        InvalidArgumentError: Lambda does not have this platform.
    """

    architecture: Architecture = "arm64"
    python: str = "3.13"

    def __post_init__(self) -> None:
        if self.architecture not in _MACHINES:
            raise InvalidArgumentError("architecture", self.architecture, "must be arm64 or x86_64")
        if self.python not in _GLIBC:
            raise InvalidArgumentError("python", self.python, f"must be one of {', '.join(_GLIBC)}")

    @property
    def platform(self) -> str:
        """The platform as uv names it."""
        return f"{_MACHINES[self.architecture]}-manylinux_{_GLIBC[self.python]}"


async def build_package(options: PackageOptions | None = None) -> Archive:
    """Build the zip: the source files that the handler imports, and the wheels that they need.

    Raises:
        ConfigurationError: uv is not installed.
        PackageError: a wheel or the network is missing, or the zip is too large; the message quotes uv.
    """
    options = options or PackageOptions()
    sources = needed_sources({name: _folder_of(name) for name in ("truckstream", "lambda_entry")})
    with tempfile.TemporaryDirectory(prefix="truckstream-package-") as folder:
        await _install(Path(folder), options)
        wheels = await asyncio.to_thread(_read, Path(folder) / "wheels")
    versions = {"truckstream": __version__, "lambda_entry": __version__, **_versions(wheels)}
    return await asyncio.to_thread(pack, {**wheels, **sources.files}, versions)


def _folder_of(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise PackageError(f"the package {package} is not installed here")
    return Path(spec.origin).parent


async def _install(folder: Path, options: PackageOptions) -> None:
    """Unpack the wheels into `folder`/wheels."""
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in _installed()), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(_find_uv(), "pip", "install", "--quiet", "--no-progress", "--python", sys.executable),
        *("--target", folder / "wheels", "--python-version", options.python),
        *("--python-platform", options.platform, "--only-binary", ":all:"),
        *("--constraints", constraints, *REQUIREMENTS),
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
        platform = f"Python {options.python} on {options.architecture}"
        raise PackageError(f"no packages for {platform}: {' '.join(stderr.decode(errors='replace').split())}")


def _find_uv() -> str:
    # `pip install uv` puts it beside this Python, even if the environment is not activated.
    beside = str(Path(sys.executable).parent)
    if found := shutil.which("uv") or shutil.which("uv", path=beside):
        return found
    raise ConfigurationError("uv", "was not found", "Install it: pip install uv")


def _installed() -> list[tuple[str, str]]:
    """Return the name and version of each installed distribution, sorted."""
    found = {(_normalized(each.metadata["Name"]), each.version) for each in distributions() if each.metadata["Name"]}
    return sorted(found)


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _read(folder: Path) -> dict[str, bytes]:
    found = ((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return {name: path.read_bytes() for name, path in found if not is_noise(name)}


def _versions(files: dict[str, bytes]) -> dict[str, str]:
    """Return the versions by package, from the names of the dist-info folders."""
    folders = {name.partition("/")[0] for name in files}
    return dict(name.removesuffix(".dist-info").split("-", 1) for name in folders if name.endswith(".dist-info"))

"""The function's zip for this machine, unpacked, and a folder with only the modules of Lambda's runtime."""

from __future__ import annotations

import asyncio
import io
import platform
import sys
import zipfile
from importlib.metadata import distribution
from typing import TYPE_CHECKING

import pytest

from tests.runtime.support import Bucket, Runtime
from truckstream.cloud.package.build import PackageOptions, build_package

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

#: awslambdaric and its dependencies.
RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked zip for this machine's processor and Python, as Lambda has it in /var/task."""
    architecture = "arm64" if platform.machine() == "aarch64" else "x86_64"
    python = "{}.{}".format(*sys.version_info)
    archive = asyncio.run(build_package(PackageOptions(architecture, python)))
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        opened.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runtime alone, so that the function cannot import other packages of this environment."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files if file.parts[0] not in {"..", "__pycache__"}}:
            (folder / top).symlink_to(found.locate_file(top))
    return folder


@pytest.fixture
def function(task: Path, modules: Path) -> Callable[..., Runtime]:
    """Return a callable that makes an execution environment of the function from environment variables."""
    return lambda **environment: Runtime(task, modules, environment)


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    async with Bucket() as made:
        yield made

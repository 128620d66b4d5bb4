"""The function's zip for this machine, unpacked, and a folder with only the modules of Lambda's runtime."""

from __future__ import annotations

import asyncio
import io
import platform
import sys
import zipfile
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.support import Bucket, Runtime
from truckstream.cloud.package.build import PackageOptions, build_package

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

SENSOR_MODULE = """\
import msgspec


class Reading(msgspec.Struct, forbid_unknown_fields=True):
    sensor: int
    celsius: float
    place: str | None
"""

#: awslambdaric and its dependencies.
RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")

if sys.platform != "linux":
    collect_ignore_glob = ["test_*.py"]


def unpacked(folder: Path, **options: Any) -> Path:
    """Unpack the zip for this machine's processor and Python, as Lambda has it in /var/task."""
    architecture = "arm64" if platform.machine() == "aarch64" else "x86_64"
    python = "{}.{}".format(*sys.version_info)
    archive = asyncio.run(build_package(PackageOptions(architecture, python, **options)))
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        opened.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked zip."""
    return unpacked(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="session")
def sensor_task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked zip with a user's module, a schema of three fields, and the packages for Parquet."""
    module = tmp_path_factory.mktemp("own") / "my_schema.py"
    module.write_text(SENSOR_MODULE, encoding="utf-8")
    return unpacked(tmp_path_factory.mktemp("sensor-task"), include=(module,), format="parquet")


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
def sensor_function(sensor_task: Path, modules: Path) -> Callable[..., Runtime]:
    """Return a callable like that of `function`, for the zip with the user's module."""
    return lambda **environment: Runtime(sensor_task, modules, environment)


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    async with Bucket() as made:
        yield made

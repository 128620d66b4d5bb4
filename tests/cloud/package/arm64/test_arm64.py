"""The shared libraries of the function's zip for arm64, without their symbols, work on that processor."""

import asyncio
import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.cloud.package.arm64.emulator import PYTHON, arm64_python
from tests.external_clients.installation import CannotInstallError
from truckstream.cloud.package.build import PackageOptions, build_package
from truckstream.cloud.package.shared_libraries import without_symbols

PROGRAM = Path(__file__).with_name("program.py")
#: The first test also installs the emulator and Python, once a machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

STORAGE = ["backports.zstd._zstd", "msgspec._core", "obstore._obstore"]
PARQUET = ["arro3.core._core", "arro3.io._io"]


@pytest.fixture(scope="module")
def python():
    try:
        return arm64_python()
    except CannotInstallError as error:  # in CI as well: a mirror of Debian out of reach is no defect of the zip
        pytest.skip(f"Python for arm64 cannot be installed: {error}")


@pytest.mark.parametrize(
    ("options", "handler", "libraries"),
    [
        ({}, "handler", STORAGE),
        ({"function": "compaction"}, "compaction", ["_duckdb", *PARQUET, *STORAGE]),
    ],
    ids=["storage", "compaction"],
)
def test_each_library_of_the_zip_works_on_arm64(python, tmp_path, options, handler, libraries):
    archive = asyncio.run(build_package(PackageOptions("arm64", PYTHON, **options)))
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        opened.extractall(tmp_path)
    contents = [path.read_bytes() for path in tmp_path.rglob("*.so")]
    assert all(without_symbols(content) == content for content in contents), "the zip has a library with symbols"
    done = subprocess.run(
        [*python, "-P", "-s", "-S", PROGRAM, tmp_path, f"lambda_entry.{handler}"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "machine": "aarch64",
        "imported": libraries,
        "from the package": True,
        "used": {"compress": True, "decode": True, "store": True},
        "handler": f"{tmp_path}/lambda_entry/{handler}.py",
    }

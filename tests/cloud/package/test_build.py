"""Builds of the function's zip: reproducible, for each processor and Python version, and only with needed files."""

import asyncio
import gc
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tests.cloud.package.support import unzipped
from tests.cloud.this_machine import PYTHON
from truckstream.cloud.package.archive import is_noise
from truckstream.cloud.package.build import PackageOptions, build_package
from truckstream.cloud.package.dependencies.requirements import REQUIREMENTS, compaction_packages
from truckstream.errors import ConfigurationError, InvalidArgumentError, PackageError

#: What the bytecode takes in the zip, for a zip without it: the Python that compiles it is not installed everywhere.
BYTECODE = 400_000


@pytest.fixture(scope="module")
def arm64():
    return asyncio.run(build_package())


# --- The same bytes ---------------------------------------------------------------------------------


@pytest.mark.slow
async def test_two_builds_make_the_same_bytes(arm64):
    again = await build_package(PackageOptions("arm64", "3.13"))
    assert again.content == arm64.content
    assert again.sha256 == hashlib.sha256(arm64.content).hexdigest()


def test_entries_are_sorted_and_have_the_same_date_and_mode(arm64):
    with zipfile.ZipFile(io.BytesIO(arm64.content)) as opened:
        found = opened.infolist()
    assert [entry.filename for entry in found] == sorted(entry.filename for entry in found)
    assert {(entry.date_time, entry.external_attr >> 16, entry.create_system) for entry in found} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644, 3)
    }


# --- Contents ---------------------------------------------------------------------------------------


def test_the_zip_contains_the_handler_and_its_requirements_and_is_small(arm64):
    names = set(unzipped(arm64))
    packages = {name.replace("-", "_") for name in REQUIREMENTS}
    assert {part.name for part in arm64.parts} == {"bom.cdx.json", "lambda_entry", "truckstream", *packages}
    assert {"lambda_entry/handler.py", "truckstream/batcher/batcher.py", "truckstream/record.py"} <= names
    bill = json.loads(unzipped(arm64)["bom.cdx.json"])
    assert {each["name"].replace(".", "-") for each in bill["components"]} == {"truckstream", *REQUIREMENTS}
    assert not any(is_noise(name) for name in names if not name.endswith(".pyc"))
    assert arm64.size < 6_000_000 - (0 if arm64.bytecode else BYTECODE)
    assert sum(part.zipped_bytes for part in arm64.parts) < arm64.size
    assert all(part.version for part in arm64.parts if part.name != "bom.cdx.json")


@pytest.mark.slow
@pytest.mark.parametrize("python", ["3.12", "3.13", "3.14"])
async def test_the_zip_is_small_for_each_python(python):
    found = await build_package(PackageOptions("arm64", python))
    assert found.size < 6_000_000 - (0 if found.bytecode else BYTECODE)


#: The machine field of an ELF file, at byte 18.
MACHINES = {"arm64": 183, "x86_64": 62}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "tag"),
    [
        (PackageOptions("arm64", "3.13"), "cpython-313-aarch64"),
        (PackageOptions("x86_64", "3.13"), "cpython-313-x86_64"),
        (PackageOptions("arm64", "3.14"), "cpython-314-aarch64"),
        (PackageOptions("x86_64", "3.11"), "cpython-311-x86_64"),
    ],
    ids=lambda value: value.architecture + value.python if isinstance(value, PackageOptions) else "",
)
async def test_the_wheels_are_for_the_platform_of_the_function(options, tag):
    files = unzipped(await build_package(options))
    libraries = {name: body for name, body in files.items() if name.endswith(".so")}
    assert {int.from_bytes(body[18:20], "little") for body in libraries.values()} == {MACHINES[options.architecture]}
    assert any(tag in name for name in libraries)


@pytest.mark.skipif(sysconfig.get_platform() != "linux-x86_64", reason="the zip is for Linux on x86_64")
def test_the_handler_can_be_imported_from_the_zip_alone(tmp_path):
    """The interpreter has no access to this environment: no site-packages and no checkout."""
    archive = asyncio.run(build_package(PackageOptions("x86_64", PYTHON)))
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        opened.extractall(tmp_path / "task")
    task = str(tmp_path / "task")
    code = f"import sys; sys.path.insert(0, {task!r}); import lambda_entry.handler as h; print(h.__file__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-v", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(tmp_path / "task" / "lambda_entry" / "handler.py"), done.stderr
    # Python reports with -v that it loads each module from the zip's bytecode, and compiles none.
    assert (
        f"code object from '{task}/lambda_entry/__pycache__/handler.{sys.implementation.cache_tag}.pyc'" in done.stderr
    )
    assert f"code object from {task}" not in done.stderr


@pytest.mark.slow
async def test_the_zip_of_the_compaction_has_its_packages():
    archive = await build_package(PackageOptions("arm64", "3.13", function="compaction"))
    names = set(unzipped(archive))
    bill = json.loads(unzipped(archive)["bom.cdx.json"])
    packages = {*REQUIREMENTS, *compaction_packages()}
    assert {each["name"].replace(".", "-") for each in bill["components"]} == {"truckstream", *packages}
    assert {"lambda_entry/compaction.py", "truckstream/data/compaction/compact.py"} <= names
    assert "lambda_entry/handler.py" not in names
    assert archive.unpacked_size < 150_000_000


# --- Failures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "sparc"}, "architecture is 'sparc': must be one of arm64, x86_64"),
        ({"python": "3.10"}, "python is '3.10': must be one of 3.11, 3.12, 3.13, 3.14"),
        ({"format": "csv"}, "format is 'csv': must be one of ndjson, json, parquet"),
        ({"function": "other"}, "function is 'other': must be one of storage, compaction"),
        ({"compression": "lz4"}, "compression is 'lz4': must be one of none, gzip, zstd"),
    ],
)
def test_an_option_that_lambda_or_the_batcher_does_not_have_is_rejected(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        PackageOptions(**options)


async def test_the_error_for_a_missing_wheel_quotes_uv():
    """The wheels of obstore for arm64 need a newer C library than Lambda's python3.11 has."""
    with pytest.raises(PackageError, match=r"Python 3.11 on aarch64.*obstore"):
        await build_package(PackageOptions("arm64", "3.11"))


async def test_the_error_for_a_missing_uv_explains_how_to_install_it(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigurationError, match=r"uv was not found\. Install it: pip install uv"):
        await build_package()


def test_a_cancelled_build_ends_uv_and_causes_no_unraisable_error(monkeypatch, tmp_path):
    """The build has a loop of its own that closes immediately, as in the command."""
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    uv.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(uv))
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)

    async def cancel_a_build():
        building = asyncio.create_task(build_package())
        # uv writes the file, so that there is no event to wait for.
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        building.cancel()
        await building

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_a_build())
    gc.collect()
    assert not unraisable
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


# --- The command ------------------------------------------------------------------------------------


def command(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "truckstream", "package", *arguments],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_the_zip_and_prints_its_contents(tmp_path, arm64):
    done = command("--out", "f.zip", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "f.zip").read_bytes() == arm64.content
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["package", "version", "files", "bytes", "zipped"]
    assert [line.split()[0] for line in lines[1:7]] == [
        *("backports_zstd", "bom.cdx.json", "lambda_entry", "msgspec", "obstore", "truckstream")
    ]
    assert lines[-1].startswith("f.zip: ")
    assert arm64.sha256 in lines[-1]


@pytest.mark.slow
def test_the_command_includes_a_module_and_the_packages_of_a_format(tmp_path):
    (tmp_path / "my_schema.py").write_text("import msgspec\n")
    machine = ("--architecture", "x86_64", "--python", PYTHON)
    done = command(*machine, "--include", "my_schema.py", "--format", "parquet", "--out", "f.zip", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    with zipfile.ZipFile(tmp_path / "f.zip") as opened:
        assert {"my_schema.py", "arro3/io/__init__.py"} <= set(opened.namelist())
    assert f"The bytecode is from Python {PYTHON}." in done.stdout


@pytest.mark.slow
def test_a_dry_run_writes_nothing_and_prints_json(tmp_path, arm64):
    done = command("--dry-run", "--json", cwd=tmp_path)
    facts = json.loads(done.stdout)
    assert (facts["size"], facts["sha256"], facts["digest"]) == (arm64.size, arm64.sha256, arm64.digest)
    assert {part["name"]: part["bytes"] for part in facts["parts"]} == {part.name: part.bytes for part in arm64.parts}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--python", "3.9"), "python is '3.9'"),
        (("--include", "nowhere.py"), "include is 'nowhere.py': must be an existing Python file"),
        pytest.param(("--out", "/dev/null/f.zip"), "--out cannot be written", marks=pytest.mark.slow),
    ],
)
def test_the_command_names_a_bad_argument(tmp_path, arguments, words):
    done = command(*arguments, cwd=tmp_path)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr

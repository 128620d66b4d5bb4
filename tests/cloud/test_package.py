"""The function's zip: the same bytes each time, for either processor, with what the handler needs and nothing else."""

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
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truckstream.cloud.package.archive import MAX_ZIP_BYTES, is_noise, pack
from truckstream.cloud.package.build import REQUIREMENTS, PackageOptions, build_package
from truckstream.cloud.package.sources import imported_modules, needed_sources
from truckstream.errors import ConfigurationError, InvalidArgumentError, PackageError

ROOT = Path(__file__).parents[2]
ROOTS = {name: ROOT / name for name in ("truckstream", "lambda_entry")}


def entries(archive):
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        return {entry.filename: opened.read(entry) for entry in opened.infolist()}


@pytest.fixture(scope="module")
def arm64():
    return asyncio.run(build_package())


# --- What goes in -----------------------------------------------------------------------------------


def test_our_files_in_the_zip_are_those_that_the_handler_loads():
    code = "import sys, json, lambda_entry.handler; json.dump(sorted(sys.modules), sys.stdout)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name for name in json.loads(done.stdout) if name.partition(".")[0] in ROOTS}
    needed = {
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in needed_sources(ROOTS).files
    }
    assert loaded <= needed
    assert not {name for name in needed if name.split(".")[1:2] in (["producer"], ["local"], ["cloud"], ["cli"])}


def test_the_wheels_are_those_that_the_handler_imports():
    optional = {"arro3", "backports", "compression", "pybase64"}  # imported where they are installed, and not needed
    foreign = needed_sources(ROOTS).foreign - sys.stdlib_module_names
    assert foreign - optional == set(REQUIREMENTS) - optional


def test_an_import_for_type_checkers_is_none():
    source = (
        b"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\nelse:\n    import b\nfrom c import d\n"
    )
    assert list(imported_modules(source)) == ["typing", "typing.TYPE_CHECKING", "c", "c.d", "b"]


def test_an_import_within_a_function_counts(tmp_path):
    (tmp_path / "top" / "deep").mkdir(parents=True)
    (tmp_path / "top" / "__init__.py").write_text("")
    (tmp_path / "top" / "entry.py").write_text("def f():\n    from top.deep import leaf\n    import msgspec\n")
    (tmp_path / "top" / "deep" / "__init__.py").write_text("")
    (tmp_path / "top" / "deep" / "leaf.py").write_text("import os.path\n")
    (tmp_path / "top" / "unused.py").write_text("import boto3\n")
    found = needed_sources({"top": tmp_path / "top"}, "top.entry")
    assert sorted(found.files) == ["top/__init__.py", "top/deep/__init__.py", "top/deep/leaf.py", "top/entry.py"]
    assert found.foreign == {"msgspec", "os"}


@pytest.mark.parametrize(
    ("name", "noise"),
    [
        ("msgspec/__pycache__/json.cpython-313.pyc", True),
        ("msgspec/json.pyi", True),
        ("msgspec/py.typed", True),
        ("bin/pybase64", True),
        (".lock", True),
        ("obstore-0.12.1.dist-info/RECORD", True),
        ("obstore-0.12.1.dist-info/INSTALLER", True),
        ("obstore-0.12.1.dist-info/METADATA", False),
        ("msgspec-0.22.0.dist-info/licenses/LICENSE", False),
        ("obstore-0.12.1.dist-info/sboms/obstore.cyclonedx.json", False),
        ("obstore/_obstore.abi3.so", False),
        ("msgspec/json.py", False),
        ("typing_extensions.py", False),
    ],
)
def test_noise_is_told_from_what_runs(name, noise):
    assert is_noise(name) is noise


# --- The same bytes ---------------------------------------------------------------------------------

FILES = st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.py", fullmatch=True), st.binary(max_size=64))


@given(FILES, st.randoms(use_true_random=False))
def test_neither_order_nor_time_is_in_the_zip(files, random):
    names = list(files)
    random.shuffle(names)
    first, second = pack(files, {}), pack({name: files[name] for name in names}, {})
    assert (first.content, first.digest) == (second.content, second.digest)
    assert entries(first) == files


def test_the_digest_tells_names_and_contents_apart():
    digests = {pack(files, {}).digest for files in ({"a": b"x"}, {"b": b"x"}, {"a": b"y"}, {"a": b"x", "b": b""}, {})}
    assert len(digests) == 5


@pytest.mark.slow
async def test_two_builds_are_one(arm64):
    again = await build_package(PackageOptions("arm64", "3.13"))
    assert again.content == arm64.content
    assert again.sha256 == hashlib.sha256(arm64.content).hexdigest()


def test_entries_are_sorted_dated_once_and_readable_by_all(arm64):
    with zipfile.ZipFile(io.BytesIO(arm64.content)) as opened:
        found = opened.infolist()
    assert [entry.filename for entry in found] == sorted(entry.filename for entry in found)
    assert {(entry.date_time, entry.external_attr >> 16, entry.create_system) for entry in found} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644, 3)
    }


# --- What is in it ----------------------------------------------------------------------------------


def test_it_holds_the_handler_and_what_it_needs_and_is_small(arm64):
    names = set(entries(arm64))
    assert {part.name for part in arm64.parts} == {"lambda_entry", "truckstream", *REQUIREMENTS}
    assert {"lambda_entry/handler.py", "truckstream/batcher/batcher.py", "truckstream/record.py"} <= names
    assert not any(is_noise(name) for name in names)
    assert arm64.size < MAX_ZIP_BYTES == 15_000_000
    assert sum(part.zipped_bytes for part in arm64.parts) < arm64.size
    assert all(part.version for part in arm64.parts)


#: An ELF file's machine, at byte 18.
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
async def test_the_wheels_are_for_the_functions_machine(options, tag):
    archive = entries(await build_package(options))
    libraries = {name: body for name, body in archive.items() if name.endswith(".so")}
    assert {int.from_bytes(body[18:20], "little") for body in libraries.values()} == {MACHINES[options.architecture]}
    assert any(tag in name for name in libraries)


async def test_the_versions_are_those_that_were_tested(arm64):
    from importlib.metadata import version  # noqa: PLC0415

    assert {part.name: part.version for part in arm64.parts if part.name in REQUIREMENTS} == {
        name: version(name) for name in REQUIREMENTS
    }


@pytest.mark.skipif(sysconfig.get_platform() != "linux-x86_64", reason="the zip is for Linux on x86_64")
def test_the_zip_alone_is_enough(tmp_path):
    """Nothing of this environment helps: no site-packages, no checkout."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    archive = asyncio.run(build_package(PackageOptions("x86_64", python)))
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        opened.extractall(tmp_path / "task")
    task = str(tmp_path / "task")
    code = f"import sys; sys.path.insert(0, {task!r}); import lambda_entry.handler as h; print(h.__file__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(tmp_path / "task" / "lambda_entry" / "handler.py"), done.stderr


# --- What goes wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"architecture": "sparc"}, "architecture is 'sparc': must be arm64 or x86_64"),
        ({"python": "3.10"}, "python is '3.10': must be one of 3.11, 3.12, 3.13, 3.14"),
    ],
)
def test_a_function_that_lambda_has_not_is_refused(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        PackageOptions(**options)


async def test_a_missing_wheel_is_named_with_uvs_words():
    """For arm64, obstore's wheels need a newer C library than python3.11 has on Lambda."""
    with pytest.raises(PackageError, match=r"Python 3.11 on arm64.*obstore"):
        await build_package(PackageOptions("arm64", "3.11"))


async def test_a_missing_uv_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigurationError, match=r"uv was not found\. Install it: pip install uv"):
        await build_package()


def test_a_build_that_is_broken_off_takes_uv_with_it_and_leaves_nothing_to_complain(monkeypatch, tmp_path):
    """In a loop of its own that closes at once, as the command's does."""
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    uv.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: str(uv))
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)

    async def break_off():
        building = asyncio.create_task(build_package())
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110 - another's file
            await asyncio.sleep(0.01)
        building.cancel()
        await building

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(break_off())
    gc.collect()
    assert not complaints
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_zip_that_is_too_large_is_refused():
    with pytest.raises(PackageError, match="the function's limit is 15,000,000"):
        pack({"noise": os.urandom(MAX_ZIP_BYTES)}, {})


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


def test_the_command_writes_the_zip_and_says_what_is_in_it(tmp_path, arm64):
    done = command("--out", "f.zip", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "f.zip").read_bytes() == arm64.content
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["package", "version", "files", "bytes", "zipped"]
    assert [line.split()[0] for line in lines[1:5]] == ["lambda_entry", "msgspec", "obstore", "truckstream"]
    assert lines[-1].startswith("f.zip: ")
    assert arm64.sha256 in lines[-1]


@pytest.mark.slow
def test_a_dry_run_writes_nothing_and_json_is_for_programs(tmp_path, arm64):
    done = command("--dry-run", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["size"], told["sha256"], told["digest"]) == (arm64.size, arm64.sha256, arm64.digest)
    assert {part["name"]: part["bytes"] for part in told["parts"]} == {part.name: part.bytes for part in arm64.parts}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--python", "3.9"), "python is '3.9'"),
        pytest.param(("--out", "/dev/null/f.zip"), "--out cannot be written", marks=pytest.mark.slow),
    ],
)
def test_the_command_names_a_bad_argument(tmp_path, arguments, words):
    done = command(*arguments, cwd=tmp_path)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr

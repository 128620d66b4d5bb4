"""Bytecode is only that of the function's Python, and the same interpreter makes the same bytes."""

import asyncio
import importlib.util
import marshal
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cloud.this_machine import PYTHON
from truckstream.cloud.package import bytecode
from truckstream.cloud.package.bytecode import compile_bytecode
from truckstream.errors import PackageError

TAG = sys.implementation.cache_tag
FILES = {
    "top/__init__.py": b"",
    "top/leaf.py": b"VALUES = frozenset({'b', 'a', 'c'})\n\n\ndef double(x):\n    return x in {'u', 'v', 'w'}\n",
    "top/data.json": b"{}",
    "alone.py": b"import top.leaf\n",
}


async def test_every_python_file_gets_bytecode_of_this_version():
    files, compiled_by = await compile_bytecode(FILES, PYTHON)
    assert set(files) == {
        f"top/__pycache__/__init__.{TAG}.pyc",
        f"top/__pycache__/leaf.{TAG}.pyc",
        f"__pycache__/alone.{TAG}.pyc",
    }
    assert compiled_by == ".".join(map(str, sys.version_info[:3]))


async def test_the_files_are_unchecked_and_name_lambdas_folder():
    files, _ = await compile_bytecode(FILES, PYTHON)
    content = files[f"top/__pycache__/leaf.{TAG}.pyc"]
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert content[4:8] == b"\x01\x00\x00\x00"  # by hash, not checked
    assert marshal.loads(content[16:]).co_filename == "/var/task/top/leaf.py"


async def test_the_bytes_depend_on_neither_the_run_nor_the_environment(monkeypatch):
    first = await compile_bytecode(FILES, PYTHON)
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("PYTHONOPTIMIZE", "2")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "/nowhere")
    assert await compile_bytecode(FILES, PYTHON) == first


def test_python_runs_the_bytecode_and_does_not_look_at_the_source(tmp_path):
    """The source differs from the bytecode, so that the output shows which of them ran."""
    files, _ = asyncio.run(compile_bytecode({"alone.py": b"print('from bytecode')\n"}, PYTHON))
    for name, content in (files | {"alone.py": b"print('from source')\n"}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run([sys.executable, "-S", "-c", "import alone"], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == b"from bytecode\n"


async def test_without_the_functions_python_there_is_none(monkeypatch, tmp_path):
    """Uv looks for Pythons only in an empty folder."""
    monkeypatch.setenv("UV_PYTHON_PREFERENCE", "only-managed")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    other = "3.14" if PYTHON != "3.14" else "3.13"
    assert await compile_bytecode(FILES, other) == ({}, None)


@pytest.mark.parametrize("found", ["3.13.0 of another", "unfinished", "3.1.0", ""])
async def test_an_interpreter_of_another_version_is_not_used(monkeypatch, found):
    """As if uv found a program that is not a finished CPython of the function's version."""
    monkeypatch.setattr(bytecode, "_run", lambda *_: subprocess.CompletedProcess((), 0, found, ""))
    assert await compile_bytecode(FILES, "3.12" if PYTHON != "3.12" else "3.11") == ({}, None)


#: Pythons of other versions beside this one, where pyenv keeps them.
OTHERS = sorted(Path.home().glob(".pyenv/versions/3.1[1-4].*/bin/python3"))


@pytest.mark.parametrize("other", OTHERS, ids=lambda path: path.parts[-3])
def test_another_python_of_this_machine_compiles_for_itself(other, monkeypatch):
    version = other.parts[-3]
    minor = version.rpartition(".")[0]
    if minor == PYTHON:
        pytest.skip("it is this one")
    monkeypatch.setenv("PATH", f"{other.parent}:{Path(shutil.which('uv')).parent}")
    files, compiled_by = asyncio.run(compile_bytecode(FILES, minor))
    assert compiled_by == version
    content = files[f"__pycache__/alone.cpython-{minor.replace('.', '')}.pyc"]
    magic = subprocess.run(
        [other, "-c", "import importlib.util, sys; sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER)"],
        capture_output=True,
        check=True,
    )
    assert content[:4] == magic.stdout != importlib.util.MAGIC_NUMBER


async def test_a_file_that_cannot_be_compiled_is_named():
    with pytest.raises(PackageError, match=r"cannot compile a file of the zip:.*broken\.py"):
        await compile_bytecode({"broken.py": b"def f(:\n"}, PYTHON)

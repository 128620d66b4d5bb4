"""Shared libraries keep what the loader reads, and lose the rest."""

import importlib
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from truckstream.cloud.package.shared_libraries import without_symbols

LIBRARIES = ["msgspec._core", "obstore._obstore"]
LOAD = 1


def library(name):
    return Path(importlib.import_module(name).__file__)


def segments(content):
    """The type, and the first byte and the bytes in the file, of each segment."""
    (start,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    found = [struct.unpack_from("<IIQQQQ", content, start + index * size) for index in range(count)]
    return [(kind, offset, in_file) for kind, _, offset, _, _, in_file in found]


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of this machine are not in ELF")
@pytest.mark.parametrize("name", LIBRARIES)
def test_all_segments_are_kept_and_the_rest_is_cut_off(name):
    whole = library(name).read_bytes()
    cut = without_symbols(whole)
    assert segments(cut) == segments(whole)
    assert len(cut) == max(offset + in_file for _, offset, in_file in segments(whole))
    assert cut[64:] == whole[64 : len(cut)]
    assert any(kind == LOAD for kind, _, _ in segments(cut))
    assert struct.unpack_from("<QIHHHHHH", cut, 40)[0] == 0, "no section headers"
    assert without_symbols(cut) == cut


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of this machine are not in ELF")
def test_a_library_without_symbols_works(tmp_path):
    for name in LIBRARIES:
        package = library(name).parent
        (tmp_path / package.name).mkdir()
        for path in package.rglob("*"):
            if path.suffix in {".py", ".so"}:
                target = tmp_path / package.name / path.relative_to(package)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(without_symbols(path.read_bytes()))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import msgspec, obstore; from obstore.store import MemoryStore\n"
        "store = MemoryStore(); obstore.put(store, 'a', msgspec.json.encode([1]))\n"
        "print(obstore.__file__, bytes(obstore.get(store, 'a').bytes()))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == f"{tmp_path}/obstore/__init__.py b'[1]'", done.stderr


@pytest.mark.parametrize("content", [b"", b"import msgspec\n", b"\x7fELF\x01\x01", b"\xcf\xfa\xed\xfe" + bytes(60)])
def test_other_files_stay_as_they_are(content):
    assert without_symbols(content) == content

"""The bytes of a zip depend only on the names and contents of its files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cloud.package.support import unzipped
from truckstream.cloud.package.archive import MAX_UNPACKED_BYTES, is_noise, pack
from truckstream.errors import PackageError


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
        ("obstore/store.py", False),
        ("obstore/fsspec.py", True),
        ("obstore/auth/__init__.py", False),
        ("obstore/auth/boto3.py", False),
        ("obstore/auth/_http.py", True),
        ("obstore/auth/planetary_computer.py", True),
        ("msgspec/json.py", False),
        ("typing_extensions.py", False),
        ("backports/zstd/tarfile.py", True),
        ("backports/zstd/zipfile/_path/glob.py", True),
        ("backports/zstd/_cffi/__init__.py", True),
        ("backports/zstd/_zstdfile.py", False),
        ("backports/zstd/_zstd.cpython-313-aarch64-linux-gnu.so", False),
    ],
)
def test_files_that_the_function_does_not_need_are_noise(name, noise):
    assert is_noise(name) is noise


FILES = st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}\.py", fullmatch=True), st.binary(max_size=64))


@given(FILES, st.randoms(use_true_random=False))
def test_the_zip_depends_neither_on_the_order_nor_on_the_time(files, random):
    names = list(files)
    random.shuffle(names)
    first, second = pack(files, {}), pack({name: files[name] for name in names}, {})
    assert (first.content, first.digest) == (second.content, second.digest)
    assert unzipped(first) == files


def test_different_names_or_contents_have_different_digests():
    digests = {pack(files, {}).digest for files in ({"a": b"x"}, {"b": b"x"}, {"a": b"y"}, {"a": b"x", "b": b""}, {})}
    assert len(digests) == 5


def test_a_zip_that_is_too_large_is_rejected():
    with pytest.raises(PackageError, match="contents have 262,144,001 bytes; Lambda's limit is 262,144,000"):
        pack({"large": bytes(MAX_UNPACKED_BYTES), "more": b"x"}, {})


def test_a_module_and_its_bytecode_are_one_part():
    files = {"my_schema.py": b"x", "__pycache__/my_schema.cpython-313.pyc": b"xy"}
    [part] = pack(files, {}).parts
    assert (part.name, part.files, part.bytes) == ("my_schema", 2, 3)

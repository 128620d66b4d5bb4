"""A user's own modules come into the zip with what they import, or the build fails."""

from pathlib import Path

import pytest

from tests.cloud.package.support import unzipped
from truckstream.cloud.package import build as build_module
from truckstream.cloud.package.archive import pack
from truckstream.cloud.package.build import PackageOptions, build_package
from truckstream.errors import InvalidArgumentError, PackageError

SCHEMA = "import msgspec\n\n\nclass Reading(msgspec.Struct):\n    sensor: int\n"


@pytest.fixture(autouse=True)
def without_the_large_library(monkeypatch):
    """Leave obstore's library out, because its compression takes most of a build's time."""
    monkeypatch.setattr(
        build_module,
        "pack",
        lambda files, *rest: pack({name: body for name, body in files.items() if not name.endswith(".so")}, *rest),
    )


async def build(*paths, **options):
    return await build_package(PackageOptions("x86_64", "3.13", include=paths, **options))


async def test_a_file_lies_at_the_top_of_the_zip(module):
    archive = await build(module("my_schema.py", SCHEMA))
    assert unzipped(archive)["my_schema.py"] == SCHEMA.encode()
    assert "my_schema" in {part.name for part in archive.parts}


@pytest.mark.slow
async def test_a_package_comes_with_its_files_and_without_noise(module):
    folder = module("fleet_schemas/__init__.py", "from fleet_schemas import units\nfrom . import more\n").parent
    module("fleet_schemas/units.py", "import json\n")
    module("fleet_schemas/more.py", "")
    module("fleet_schemas/units.json", "{}")
    module("fleet_schemas/.env", "AWS_SECRET_ACCESS_KEY=x")
    module("fleet_schemas/.git/config", "")
    module("fleet_schemas/__pycache__/units.cpython-399.pyc", "")
    names = {name for name in unzipped(await build(folder)) if name.startswith("fleet_schemas/")}
    assert {name for name in names if not name.endswith(".pyc")} == {
        *("fleet_schemas/__init__.py", "fleet_schemas/units.py", "fleet_schemas/more.py", "fleet_schemas/units.json"),
    }
    assert "fleet_schemas/__pycache__/units.cpython-399.pyc" not in names


@pytest.mark.slow
async def test_modules_may_import_each_other_boto3_and_optional_ones(module):
    a = module(
        "a_schema.py", "import b_schema, boto3\ntry:\n    import orjson\nexcept ImportError:\n    orjson = None\n"
    )
    assert {"a_schema.py", "b_schema.py"} <= set(unzipped(await build(a, module("b_schema.py", SCHEMA))))


@pytest.mark.slow
async def test_what_a_module_imports_from_truckstream_comes_along(module):
    entry = module("my_entry.py", "from truckstream import Fleet, make_handler\nimport truckstream.kpl.aggregate\n")
    assert {"truckstream/fleet/fleet.py", "truckstream/lambda_function/handler.py"} <= set(unzipped(await build(entry)))


@pytest.mark.parametrize(
    ("text", "package"),
    [("import typing_extensions\n", "typing_extensions.py"), ("from arro3 import core\n", "arro3/core/__init__.py")],
)
@pytest.mark.slow
async def test_a_module_may_import_the_packages_that_are_written_down(module, text, package):
    assert package in unzipped(await build(module("my_schema.py", text)))


@pytest.mark.parametrize(
    ("options", "package"),
    [({"format": "parquet"}, "arro3/io/__init__.py"), ({"compression": "zstd"}, "backports/zstd/__init__.py")],
)
@pytest.mark.slow
async def test_the_packages_of_a_format_come_with_it(options, package):
    assert package in unzipped(await build(**options))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import pydantic\n", r"pydantic \(imported by my_schema.py\)"),
        ("def f():\n    from orjson import loads\n", r"orjson \(imported by my_schema.py\)"),
        ("from truckstream import Producer\n", r"aiobotocore \(imported by truckstream/"),
    ],
)
async def test_an_import_that_the_function_would_not_find_is_named(module, text, words):
    with pytest.raises(PackageError, match=f"would not find these modules: .*{words}.* Add each with --include"):
        await build(module("my_schema.py", text))


async def test_a_module_that_is_not_python_is_named(module):
    with pytest.raises(PackageError, match=r"my_schema.py is not valid in Python 3\.\d+: .*line 1.* Correct it"):
        await build(module("my_schema.py", "def f(:\n"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.py", "must be an existing Python file"),
        ("notes.txt", "must be an existing Python file"),
        ("empty", "or a folder with __init__.py"),
        ("my-schema.py", "must have a name that Python can import"),
        ("json.py", "the function has a module json"),
        ("msgspec.py", "the function has a module msgspec"),
        ("truckstream.py", "the function has a module truckstream"),
    ],
)
def test_a_path_that_is_no_module_is_rejected(module, tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)  # an error shows the beginning of a long path only
    (tmp_path / "empty").mkdir()
    if name not in {"nowhere.py", "empty"}:
        module(name)
    with pytest.raises(InvalidArgumentError, match=words) as caught:
        PackageOptions(include=(Path(name),))
    assert name in str(caught.value)


def test_two_modules_of_one_name_are_rejected(module):
    """One of them would silently be missing."""
    with pytest.raises(InvalidArgumentError, match="two of them are named my_schema"):
        PackageOptions(include=(module("a/my_schema.py"), module("b/my_schema.py")))

"""The zip's packages are written down with versions and hashes, and uv accepts no other file."""

import re
import tomllib
from importlib.metadata import version

import pytest

from tests.cloud.parsed_template import ROOT
from truckstream.batcher.formats.selection import select_formats
from truckstream.cloud.package.dependencies import wheels
from truckstream.cloud.package.dependencies.requirements import (
    REQUIREMENTS,
    REQUIREMENTS_FILE,
    compaction_packages,
    distributions_for,
    extras_of,
    pinned_versions,
    required_packages,
)
from truckstream.cloud.package.dependencies.wheels import read_wheels
from truckstream.errors import PackageError
from truckstream.record import TruckRecord

LINUX = {"python": "3.13", "platform": "x86_64-manylinux_2_28"}


def test_the_versions_are_those_of_development():
    """The function runs the versions that the tests have run; the head of the file tells how to renew it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tested = dict(
        re.findall(r"^([\w-]+)==([^\s;]+)", "\n".join(project["tool"]["uv"]["constraint-dependencies"]), re.MULTILINE)
    )
    assert pinned_versions() == {name: tested[name] for name in pinned_versions()}
    assert {name: version(name) for name in REQUIREMENTS} == {name: pinned_versions()[name] for name in REQUIREMENTS}


def test_every_package_has_hashes_and_no_host_is_named():
    text = REQUIREMENTS_FILE.read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pinned_versions()) > len(REQUIREMENTS)
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_every_package_that_a_format_needs_is_written_down():
    assert extras_of("ndjson") == ()
    assert extras_of("parquet") == ("arro3-core", "arro3-io")
    assert compaction_packages() == ("arro3-core", "arro3-io", "duckdb")
    assert {*REQUIREMENTS, *compaction_packages()} <= set(pinned_versions())


def test_python_has_zstd_built_in_since_3_14():
    assert required_packages("3.13") == required_packages("3.11") == REQUIREMENTS
    assert required_packages("3.14") == ("msgspec", "obstore")


def test_each_format_of_the_batcher_has_its_packages(monkeypatch):
    """The modules that a format loads, other than msgspec and obstore, come with its extras."""
    imported = set()
    original = __import__

    def spy(name, *rest):
        imported.add(name.partition(".")[0])
        return original(name, *rest)

    monkeypatch.setattr("builtins.__import__", spy)
    select_formats("parquet", None, TruckRecord)
    needed = {package for name in imported for package in distributions_for(name)}
    assert needed <= {*REQUIREMENTS, *extras_of("parquet")}


async def test_a_file_with_another_hash_is_refused(tmp_path, monkeypatch):
    """As if the file of a package had been exchanged: every hash that was written down differs."""
    exchanged = tmp_path / "requirements.txt"
    exchanged.write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", REQUIREMENTS_FILE.read_text()))
    monkeypatch.setattr(wheels, "REQUIREMENTS_FILE", exchanged)
    with pytest.raises(PackageError, match="Hash mismatch for `msgspec==") as caught:
        await read_wheels(["msgspec"], **LINUX)
    assert str(caught.value).count("sha256:") == 1  # the one that was found


async def test_a_package_without_a_hash_is_refused(tmp_path, monkeypatch):
    bare = tmp_path / "requirements.txt"
    bare.write_text("obstore==0.12.1\n")
    monkeypatch.setattr(wheels, "REQUIREMENTS_FILE", bare)
    with pytest.raises(PackageError, match="require-hashes"):
        await read_wheels(["msgspec"], **LINUX)


async def test_dependencies_that_only_type_checkers_load_stay_out():
    """Obstore declares typing_extensions before Python 3.13. With it, msgspec would load it at each cold start."""
    files = await read_wheels(["obstore"], python="3.11", platform="x86_64-manylinux_2_17")
    assert {name.partition("/")[0] for name in files} == {"obstore", f"obstore-{version('obstore')}.dist-info"}

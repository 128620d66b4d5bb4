"""The zip of the Managed Flink application has its program, its SQL and the connector that the template names."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cloud.package.support import unzipped
from tests.cloud.parsed_template import ROOT
from tests.cloud.resolved_template import properties_of, references
from truckstream.cloud.package.flink import CONNECTOR, FlinkPackageOptions, build_flink_package
from truckstream.errors import ConfigurationError, InvalidArgumentError, PackageError


@pytest.fixture
def jar(tmp_path):
    path = tmp_path / "connector.jar"
    path.write_bytes(b"jar")
    return path


async def test_it_has_the_files_that_the_template_names(jar):
    files = unzipped(await build_flink_package(FlinkPackageOptions(jar)))
    found = properties_of("FlinkApplication", references(CreateFlink="true"))["ApplicationConfiguration"]
    [options] = [
        group["PropertyMap"]
        for group in found["EnvironmentProperties"]["PropertyGroups"]
        if group["PropertyGroupId"] == "kinesis.analytics.flink.run.options"
    ]
    assert set(files) == {options["python"], options["jarfile"], "windows.sql"}
    assert files[options["jarfile"]] == b"jar"
    for name in ("main.py", "windows.sql"):
        assert files[name] == (ROOT / "lambda_entry" / "flink" / name).read_bytes()


async def test_two_builds_make_the_same_bytes(jar):
    options = FlinkPackageOptions(jar)
    assert (await build_flink_package(options)).content == (await build_flink_package(options)).content


# --- Maven ------------------------------------------------------------------------------------------


@pytest.fixture
def maven(tmp_path, monkeypatch):
    """Return a callable that puts a shell script in the place of Maven."""

    def maven(script):
        (tmp_path / "mvn").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "mvn").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return maven


async def test_maven_fetches_the_connector(maven):
    maven('for word; do case "$word" in -DoutputDirectory=*) printf "%s" "$*" > "${word#*=}/c.jar";; esac; done')
    files = unzipped(await build_flink_package(FlinkPackageOptions()))
    words = files["lib/flink-sql-connector-aws-kinesis-streams.jar"].decode()
    assert words.startswith(f"--batch-mode --quiet dependency:copy -Dartifact={CONNECTOR} ")


async def test_the_error_of_maven_is_quoted_with_what_to_do(maven):
    maven('echo "[ERROR] Could not find it"; exit 1')
    with pytest.raises(PackageError, match=r"Could not find it\. Pass --connector with the jar of org\.apache\.flink"):
        await build_flink_package(FlinkPackageOptions())


async def test_a_missing_maven_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"mvn was not found\. Install Maven\. Pass --connector"):
        await build_flink_package(FlinkPackageOptions())


def test_a_path_that_is_no_jar_is_rejected(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"connector is .*: must be an existing jar"):
        FlinkPackageOptions(tmp_path / "nowhere.jar")


def test_the_command_writes_the_zip(jar, tmp_path):
    command = [sys.executable, "-m", "truckstream", "package", "--flink", "--connector", str(jar), "--out", "f.zip"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()[1:4]] == ["lib", "main", "windows.sql"]
    assert (tmp_path / "f.zip").stat().st_size > 0

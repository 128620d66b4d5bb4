"""The benchmarks start, and name a package or program that is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py"))


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=BENCHMARKS, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_finds_its_imports_and_prints_its_help(script):
    done = python(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--json" in done.stdout


def test_a_missing_uv_is_named():
    without_uv = "shutil.which = lambda *_, **__: None"
    done = python("-c", f"import shutil; {without_uv}; import support.prerequisites; support.prerequisites.find_uv()")
    assert done.returncode == 1
    assert done.stderr.startswith("This benchmark needs uv")


def test_a_missing_package_is_named():
    done = python("-c", "import support.prerequisites; import no_such_package")
    assert done.returncode == 1
    assert done.stderr.startswith("This benchmark needs the package no_such_package, which is not installed.\n")

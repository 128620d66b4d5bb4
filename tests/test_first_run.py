"""`uv run` installs what the command needs, and `uv run pytest` the packages of the tests as well."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def exported(*options):
    """Return the names of the packages that uv installs with these options, by uv.lock."""
    lines = subprocess.run(
        ["uv", "export", "--quiet", "--frozen", "--no-hashes", "--no-annotate", "--no-emit-project", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return {re.split("[=<>; ]", line)[0] for line in lines if line and not line.startswith(("#", "-e"))}


def test_a_plain_uv_run_installs_the_command_and_none_of_the_developers_tools():
    default = exported()
    assert default >= exported("--no-default-groups", "--extra", "cli")
    of_pytest = {"execnet", "iniconfig", "packaging", "pluggy", "pytest", "pytest-asyncio", "pytest-timeout"}
    assert default - exported("--no-default-groups", "--extra", "cli") == of_pytest | {"pytest-xdist", "colorama"}
    assert exported("--group", "dev") - default >= {"boto3", "duckdb", "hypothesis", "moto", "mypy", "ruff"}


def test_every_group_of_a_tool_has_the_packages_of_the_tests():
    """Mutmut runs the tests, and pyright reads them."""
    groups = PROJECT["dependency-groups"]
    assert all({"include-group": "dev"} in groups[name] for name in groups.keys() - {"default", "dev"})
    assert {"include-group": "default"} in groups["dev"]


@pytest.fixture
def start(tmp_path):
    """Start a program as `uv run` does, with a `uv` that prints its arguments and the mark, and exits with 7."""
    uv = tmp_path / "uv"
    prints = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['TRUCKSTREAM_TEST_PACKAGES']]))"
    uv.write_text(f"#!{sys.executable}\n{prints}\nsys.exit(7)\n")
    uv.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if name != "TRUCKSTREAM_TEST_PACKAGES"}

    def start(*words, cwd=ROOT, **environment):
        done = subprocess.run(
            words, cwd=cwd, env=clean | {"UV": str(uv)} | environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return start


PYTEST = str(Path(sys.executable).parent / "pytest")


@pytest.mark.parametrize("folder", [".", "tests", "tests/kpl", "benchmarks"])
@pytest.mark.parametrize("command", [[PYTEST], [sys.executable, "-m", "pytest"]], ids=["script", "module"])
def test_pytest_starts_again_with_the_packages_of_the_tests(start, command, folder):
    """The arguments, the exit status, and an option of a plugin that is not installed yet, reach the second start."""
    words = [*command, "-q", "-k", "a or b", "--hypothesis-seed=1", str(ROOT / "tests" / "test_config.py")]
    status, out, err = start(*words, cwd=ROOT / folder)
    arguments, mark = json.loads(out)
    assert (status, err, mark) == (7, "", "1")
    assert arguments[:3] == ["run", "--group", "dev"]
    interpreter, *rest = arguments[3:]
    assert Path(interpreter).samefile(sys.executable)
    assert rest == (words[1:] if command[0] == sys.executable else words)


def test_it_starts_again_once(start):
    words = [PYTEST, "-q", "-n0", "--collect-only", "tests/test_first_run.py"]
    status, out, err = start(*words, TRUCKSTREAM_TEST_PACKAGES="1")
    assert status == 0, err
    assert "test_it_starts_again_once" in out


def test_a_program_that_calls_pytest_is_not_started_again(start):
    code = "import pytest, sys; sys.exit(pytest.main(['-q', '-n0', '--collect-only', 'tests/test_first_run.py']))"
    status, out, err = start(sys.executable, "-c", code)
    assert status == 0, err
    assert "test_it_starts_again_once" in out


def test_pytest_alone_names_the_command_that_installs_the_packages(start):
    """Such as in an editor, which starts the environment's Python."""
    code = (
        "import importlib.util as util, sys, pytest; find = util.find_spec; "
        "util.find_spec = lambda name, package=None: None if name == 'hypothesis' else find(name, package); "
        "sys.exit(pytest.main(['-n0', 'tests/test_record.py']))"
    )
    status, _, err = start(sys.executable, "-c", code, UV="")
    assert status == 4
    assert "the tests need the packages of the group dev: uv sync --group dev" in err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_two_commands_of_the_readme_work_in_a_new_clone(tmp_path):
    clone = tmp_path / "clone"
    clone.mkdir()
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in ("uv.lock", *filter(None, files.decode().split("\0"))):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, clone / name)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("UV", "TRUCKSTREAM", "VIRTUAL"))}

    def uv_run(*words):
        command = ["uv", "run", "--python", sys.executable, *words]
        done = subprocess.run(command, cwd=clone, env=clean, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    status, text = uv_run("truckstream", "demo", "--seconds", "1")
    assert status == 0, text
    [packages] = (clone / ".venv").glob("lib/python3*/site-packages")
    assert not (packages / "moto").exists()
    status, text = uv_run("pytest", "-n0", "-q", "tests/test_config.py", "-k", "flags_precede", "--hypothesis-seed=1")
    assert status == 0, text
    assert (packages / "moto").exists()

"""Have uv install the packages of the tests before the first test file is loaded.

A plain `uv run` installs the group `default` of pyproject.toml, so that `uv run truckstream demo` does not download the
tools of developers. uv has no groups for single commands. So pytest, which that group has, starts itself again under
`uv run --group dev`. It does so each time, because only uv knows whether the packages are those of pyproject.toml; with
nothing to install this takes less than half a second.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

#: Set for the second start, and inherited by the processes that tests start.
STARTED_AGAIN = "TRUCKSTREAM_TEST_PACKAGES"


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Start again here: options of plugins that are not installed yet have not been rejected so far."""
    uv = os.environ.get("UV")  # uv sets it for the programs that it runs
    if uv and STARTED_AGAIN not in os.environ and _is_program("pytest"):
        capture = pluginmanager.getplugin("capturemanager")
        if capture is not None:  # otherwise the new process would write into this one's capture
            capture.suspend_global_capture(in_=True)
        os.environ[STARTED_AGAIN] = "1"
        os.execv(uv, [uv, "run", "--group", "dev", *sys.orig_argv])  # noqa: S606 - the words are those of this process
    if importlib.util.find_spec("hypothesis") is None:
        raise pytest.UsageError("the tests need the packages of the group dev: uv sync --group dev")


def _is_program(name: str) -> bool:
    """Return whether this process is `name` or `python -m name`, and not a program that calls it, such as mutmut."""
    program = Path(sys.argv[0])
    return name in {program.stem, program.parent.name if program.name == "__main__.py" else ""}

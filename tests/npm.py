"""Packages of npm that tests compare with: installed once, by exact version and with install scripts off.

They go into a cache folder of the user's; a lock file keeps parallel runs apart. Where npm or the network is missing
the test is skipped; with CI=true that is a failure, because there a skipped comparison would pass for one that agrees.
"""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def node_with(*packages):
    """A function that runs a script under node, with the packages at hand and `text` as its standard input."""
    try:
        node, folder = _tool("node"), _installed(packages)
    except _MissingError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"CI must not skip this comparison: {error}", pytrace=False)
        pytest.skip(str(error))

    def run(script, text):
        done = subprocess.run(
            [node, "-e", script], cwd=folder, input=text, capture_output=True, text=True, timeout=50, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


class _MissingError(Exception):
    """This machine lacks what the comparison needs."""


def _tool(name):
    path = shutil.which(name)
    if path is None:
        raise _MissingError(f"there is no {name} on this machine")
    return path


def _installed(packages):
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "truckstream-tests" / "-".join(packages).replace("@", "-")
    npm = _tool("npm")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", *packages]
            try:
                done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=50, check=False)
            except subprocess.TimeoutExpired:
                raise _MissingError("npm install took more than 50 s") from None
            if done.returncode:
                raise _MissingError(f"npm install failed: {done.stderr.strip()[-500:]}")
            (folder / "installed").touch()
    return folder

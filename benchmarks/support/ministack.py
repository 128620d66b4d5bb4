"""Run ministack, whose DynamoDB keeps conditional writes, in a process and an environment of its own."""

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from support.prerequisites import find_uv

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cloud.conftest import MINISTACK, running


class CannotRunError(Exception):
    """ministack cannot be installed on this machine."""


@contextmanager
def running_ministack():
    """Yield its endpoint."""
    command = [find_uv(), "tool", "run", "--quiet", "--from", MINISTACK, "which", "ministack"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "VIRTUAL_ENV": ""})
    if found.returncode:
        raise CannotRunError(f"ministack cannot be installed: {found.stderr.strip()[-300:]}")
    with tempfile.TemporaryDirectory() as folder, running(found.stdout.strip(), Path(folder)) as url:
        yield url

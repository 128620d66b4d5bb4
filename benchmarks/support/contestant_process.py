"""Run a contestant's script in a process and an environment of its own, and return the figures that it prints."""

import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import asdict

from support.prerequisites import find_uv


def command_of(script, *, is_rival):
    """Return the command line: a rival runs in an environment that uv makes for it, truckstream in this one."""
    if not is_rival:
        return [sys.executable, str(script)]
    return [find_uv(), "run", "--quiet", "--no-project", "--python", platform.python_version(), str(script)]


def environment(ca_file=""):
    """Return a contestant's environment variables, without any AWS settings of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "VIRTUAL_ENV"))}
    keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**kept, **keys, "NO_PROXY": "*", **({"AWS_CA_BUNDLE": ca_file} if ca_file else {})}


def run(command, job, allowed, ca_file=""):
    """Return the figures of one run, or its error. It is killed after `allowed` seconds."""
    process = subprocess.Popen(
        [*command, json.dumps(asdict(job))],
        env=environment(ca_file),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # uv runs the contestant as a child of its own
    )
    try:
        out, errors = process.communicate(timeout=allowed)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {"error": f"did not end within {allowed:.0f} s"}
    if process.returncode:
        return {"error": (errors.strip().splitlines() or [f"exit status {process.returncode}"])[-1]}
    return json.loads(out.splitlines()[-1])

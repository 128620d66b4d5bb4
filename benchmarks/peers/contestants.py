"""The contestants, and how one of them is run: in a process and an environment of its own."""

import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from support.prerequisites import find_uv

PEERS = Path(__file__).parent


@dataclass(frozen=True)
class Contestant:
    """A script in peers/, and the form in which it competes."""

    script: str
    form: str = ""

    @property
    def name(self):
        name = self.script.removeprefix("with_").replace("async_kinesis", "async-kinesis")
        return f"{name} {self.form}".strip()

    @property
    def is_rival(self):
        return self.script != "with_truckstream"

    @property
    def command(self):
        """Return the command line: a rival runs in an environment that uv makes for it, truckstream in this one."""
        path = str(PEERS / f"{self.script}.py")
        if not self.is_rival:
            return [sys.executable, path]
        return [find_uv(), "run", "--quiet", "--no-project", "--python", platform.python_version(), path]


CONTESTANTS = [
    *(Contestant("with_truckstream", form) for form in ("client", "plain", "ordered", "aggregated")),
    *(Contestant(script) for script in ("with_boto3", "with_aiobotocore", "with_aioboto3")),
    *(Contestant("with_async_kinesis", form) for form in ("", "unthrottled")),
    *(Contestant("with_aiokpl", form) for form in ("plain", "aggregated")),
]


def environment(ca_file=""):
    """Return a contestant's environment variables, without any AWS settings of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "VIRTUAL_ENV"))}
    keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**kept, **keys, "NO_PROXY": "*", **({"AWS_CA_BUNDLE": ca_file} if ca_file else {})}


def run(contestant, job, ca_file=""):
    """Return the figures of one run, or its error."""
    allowed = 60 + 20 * job.seconds
    process = subprocess.Popen(
        [*contestant.command, json.dumps(asdict(job))],
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
        return {"error": errors.strip().splitlines()[-1]}
    return json.loads(out.splitlines()[-1])

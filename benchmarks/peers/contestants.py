"""The contestants, and how one is run: a process and an environment of its own."""

import inspect
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from truckstream.producer import Producer

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
    def command(self):
        """Ours runs in this environment, the others in theirs."""
        path = str(PEERS / f"{self.script}.py")
        if self.script == "with_truckstream":
            return [sys.executable, path]
        return [shutil.which("uv"), "run", "--quiet", "--no-project", "--python", platform.python_version(), path]


#: Of the Producer, the forms that it has.
CONTESTANTS = [
    *(Contestant("with_truckstream", form) for form in ("client", "plain", "ordered", "aggregated")),
    *(Contestant(script) for script in ("with_boto3", "with_aiobotocore", "with_aioboto3")),
    *(Contestant("with_async_kinesis", form) for form in ("", "unthrottled")),
    *(Contestant("with_aiokpl", form) for form in ("plain", "aggregated")),
]
OPTION_OF_FORM = {"ordered": "ordered", "aggregated": "aggregate"}


def exists(contestant):
    option = OPTION_OF_FORM.get(contestant.form)
    return contestant.script != "with_truckstream" or not option or option in inspect.signature(Producer).parameters


def environment(ca_file=""):
    """Without anything that the user has set for AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "VIRTUAL_ENV"))}
    keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
    return {**kept, **keys, "NO_PROXY": "*", **({"AWS_CA_BUNDLE": ca_file} if ca_file else {})}


def run(contestant, job, ca_file=""):
    """The figures of one run, or what went wrong."""
    allowed = 60 + 20 * job.seconds
    process = subprocess.Popen(
        [*contestant.command, json.dumps(asdict(job))],
        env=environment(ca_file),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # uv runs a peer as a child of its own
    )
    try:
        out, problems = process.communicate(timeout=allowed)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {"error": f"no end within {allowed:.0f} s"}
    if process.returncode:
        return {"error": problems.strip().splitlines()[-1]}
    return json.loads(out.splitlines()[-1])

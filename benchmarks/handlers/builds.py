"""The handlers, and what each is run from: a folder like Lambda's /var/task, with its packages and nothing else.

Rivals' packages are those that their files pin, installed by uv. Ours are the files that `truckstream package` takes,
with the wheels of the versions that are installed here.
"""

import compileall
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from truckstream.cloud.package.build import REQUIREMENTS
from truckstream.cloud.package.sources import needed_sources

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True, eq=False)
class Handler:
    """A script in handlers/, and the settings with which it competes."""

    name: str
    script: str
    settings: dict[str, str] = field(default_factory=dict)
    #: Of ours, what a setting needs beyond what the zip has.
    extras: tuple[str, ...] = ()


OURS = Handler("truckstream", "with_truckstream")
FORMATS = [
    Handler("truckstream gzip", "with_truckstream", {"COMPRESSION": "gzip"}),
    Handler("truckstream zstd", "with_truckstream", {"COMPRESSION": "zstd"}, ("backports-zstd",)),
    Handler("truckstream parquet", "with_truckstream", {"FORMAT": "parquet"}, ("arro3-core", "arro3-io")),
]
RIVALS = [
    Handler("json + boto3", "with_boto3"),
    Handler("json + aioboto3", "with_aioboto3"),
    Handler("Powertools + boto3", "with_powertools"),
]


def build(handler, folder, *, bytecode):
    """Fill `folder` with the handler and what it needs; versions by package."""
    if handler.script == "with_truckstream":
        packages = [f"{name}=={version(name)}" for name in (*REQUIREMENTS, *handler.extras) if _is_installed(name)]
        for name, content in needed_sources(
            {name: ROOT / name for name in ("truckstream", "lambda_entry")}
        ).files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    else:
        packages = ["-r", str(HERE / f"{handler.script}.py")]
    uv = [shutil.which("uv"), "pip", "install", "--quiet", "--python", sys.executable, "--link-mode", "copy"]
    subprocess.run([*uv, "--target", str(folder), *packages], check=True, cwd=folder)
    for name in (handler.script, "usual", "harness"):
        shutil.copy(HERE / f"{name}.py", folder)
    if bytecode:
        compileall.compile_dir(folder, quiet=2)
    found = (path.name.removesuffix(".dist-info").split("-", 1) for path in folder.glob("*.dist-info"))
    return dict(sorted(found))


def _is_installed(name):
    """False for a package that this Python does not need, such as the zstd of before 3.14."""
    try:
        return bool(version(name))
    except ModuleNotFoundError:
        return False


def run(handler, folder, question, event, *, endpoint_url, seconds=0.0):
    """The figures of one run in a process of its own, or what went wrong. `question`: "encode", "deliver" or "cold"."""
    job = {"module": handler.script, "question": question, "event": str(event), "seconds": seconds}
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(folder),
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": endpoint_url,
        "AWS_LAMBDA_FUNCTION_NAME": "trucks",
        "BUCKET_NAME": "trucks",
        "NO_PROXY": "*",
        **handler.settings,
    }
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-B", str(folder / "harness.py"), json.dumps(job)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60 + 20 * seconds,
        check=False,
        cwd=folder,
    )
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.splitlines()[-1])


class BareBucket:
    """The bare S3 endpoint in a process of its own."""

    def __init__(self, latency=0.0):
        self._command = [sys.executable, str(HERE / "bucket.py"), str(latency)]

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        return f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

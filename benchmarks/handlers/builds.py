"""The handlers, and the folder that each is run from: like Lambda's /var/task, it contains only the handler's packages.

uv installs the packages that a rival's file pins. truckstream's folder has the files that `truckstream package` takes:
the same sources, the packages of the same names without their dependencies, and bytecode of the same kind.
"""

import compileall
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from py_compile import PycInvalidationMode

from support.bare_server import bare_server
from support.prerequisites import find_uv

from truckstream.cloud.package.dependencies.requirements import REQUIREMENTS
from truckstream.cloud.package.shared_libraries import without_symbols
from truckstream.cloud.package.sources import needed_sources

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True, eq=False)
class Handler:
    """A script in handlers/, and the settings with which it competes."""

    name: str
    script: str
    settings: dict[str, str] = field(default_factory=dict)
    #: For truckstream: packages that the settings need and the zip does not contain.
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
    """Fill a new folder with the handler and its packages, and return the packages' versions."""
    folder.mkdir()
    if handler.script == "with_truckstream":
        packages = [f"{name}=={version(name)}" for name in (*REQUIREMENTS, *handler.extras) if _is_installed(name)]
        packages.append("--no-deps")
        _copy_sources(folder)
    else:
        packages = ["-r", str(HERE / f"{handler.script}.py")]
    uv = [find_uv(), "pip", "install", "--quiet", "--python", sys.executable, "--link-mode", "copy"]
    if subprocess.run([*uv, "--target", str(folder), *packages], check=False, cwd=folder).returncode:
        sys.exit(f"uv could not install the packages of {handler.name}.")
    if handler.script == "with_truckstream":
        for path in folder.rglob("*.so"):
            path.write_bytes(without_symbols(path.read_bytes()))
    for name in (handler.script, "hand_written", "run_handler"):
        shutil.copy(HERE / f"{name}.py", folder)
    if bytecode:
        compileall.compile_dir(folder, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    found = (path.name.removesuffix(".dist-info").split("-", 1) for path in folder.glob("*.dist-info"))
    return dict(sorted(found))


def _copy_sources(folder):
    sources = needed_sources({name: ROOT / name for name in ("truckstream", "lambda_entry")})
    for name, content in sources.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _is_installed(name):
    """Return False for a package that this Python does not need, such as zstd's backport from Python 3.14 on."""
    try:
        return bool(version(name))
    except ModuleNotFoundError:
        return False


def run(handler, folder, question, event, *, endpoint_url, seconds=0.0):
    """Run a handler in a process of its own, and return its figures or its error.

    `question` is "encode", "deliver" or "cold".
    """
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
        [sys.executable, "-S", "-P", "-B", str(folder / "run_handler.py"), json.dumps(job)],
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


@contextmanager
def bare_s3(latency=0.0):
    """Run the bare S3 endpoint, and yield its URL."""
    with bare_server("bare_s3", latency) as port:
        yield f"http://127.0.0.1:{port}"

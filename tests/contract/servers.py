"""Start and stop the Kinesis servers that the cases run against, each in a process of its own on 127.0.0.1.

Two of them come from npm. They are installed once, by exact version and without install scripts, into the user's cache
folder; a lock file serializes parallel runs. If npm or the network is missing, the cases of these servers are skipped.
With CI=true that is a failure instead, because a skipped server would look like a server without differences.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

#: The names of the servers in the cases and in the table of differences.
TRUCKSTREAM: Final = "truckstream"
KINESALITE: Final = "kinesalite"
KINESIS_MOCK: Final = "kinesis-mock"
MOTO: Final = "moto"

#: Each server's name on the page, with the version that the table of differences was written for.
TITLES: Final = {
    TRUCKSTREAM: "truckstream.local",
    KINESALITE: "kinesalite 3.3.3",
    KINESIS_MOCK: "kinesis-mock (npm kinesis-local 0.6.2)",
    MOTO: "moto 5.2",
}

NPM_PACKAGES: Final = ("kinesalite@3.3.3", "kinesis-local@0.6.2")

#: Duration of CREATING, UPDATING and DELETING: long enough for a case to see it, short enough to wait for.
SETTLE_MS: Final = 100

#: Makes Node bind to 127.0.0.1. Neither npm server has an option for it, and both would listen on all interfaces.
LOOPBACK_ONLY: Final = """
const net = require('node:net');
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  const port = typeof first === 'object' && first !== null ? first.port : Number(first);
  return listen.call(this, { port, host: '127.0.0.1' }, ...rest.filter((one) => typeof one === 'function'));
};
"""


class CannotStartError(Exception):
    """A program that the server needs is missing on this machine."""


class Server:
    """A server in a process of its own. It keeps its port when it is started again."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = free_port()
        self.endpoint_url = f"http://127.0.0.1:{self.port}"
        #: File with its output, which is shown if it does not start.
        self.log = folder / f"{name}.log"
        self._command = COMMANDS[name](self.port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start the server if it is not running, for example after a crash, and return whether it was started."""
        if self._process is not None and self._process.poll() is None:
            return False
        command = self._command
        with self.log.open("ab") as output:
            # truckstream.local ends when its standard input is closed, which happens when this process ends.
            self._process = subprocess.Popen(
                command.arguments,
                cwd=command.folder,
                env=command.environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        for _ in range(600):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
            time.sleep(0.05)
        self.end()
        pytest.fail(f"{self.name} does not start; its output:\n{self.log.read_text(errors='replace')}", pytrace=False)

    def end(self) -> None:
        """End the server. `start` starts another one, which is empty."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None


@contextlib.contextmanager
def running(name: str, folder: Path) -> Iterator[Server]:
    """Start the server, and end it afterwards. Skip if this machine cannot run it; on CI that is a failure."""
    try:
        server = Server(name, folder)
    except CannotStartError as error:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{TITLES[name]} cannot be started, and CI must not skip it: {error}", pytrace=False)
        pytest.skip(f"{TITLES[name]} cannot be started: {error}")
    try:
        server.start()
        yield server
    finally:
        server.end()


@dataclass(frozen=True, slots=True)
class Command:
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]


def truckstream(port: int) -> Command:
    options = json.dumps({"port": port, "quotas": False, "transition_seconds": SETTLE_MS / 1000})
    arguments = [sys.executable, "-m", "truckstream.local", f"--options={options}", "--while-stdin-is-open"]
    return Command(arguments, Path(__file__).parents[2], dict(os.environ))


def kinesalite(port: int) -> Command:
    options = f"createStreamMs: {SETTLE_MS}, deleteStreamMs: {SETTLE_MS}, updateStreamMs: {SETTLE_MS}, shardLimit: 1000"
    script = f"{LOOPBACK_ONLY} require('kinesalite')({{ {options} }}).listen({port});"
    return Command([tool("node"), "-e", script], npm_folder(), dict(os.environ))


def kinesis_mock(port: int) -> Command:
    durations = (
        "CREATE_STREAM",
        "DELETE_STREAM",
        "REGISTER_STREAM_CONSUMER",
        "START_STREAM_ENCRYPTION",
        "STOP_STREAM_ENCRYPTION",
        "DEREGISTER_STREAM_CONSUMER",
        "MERGE_SHARDS",
        "SPLIT_SHARD",
        "UPDATE_SHARD_COUNT",
        "UPDATE_STREAM_MODE",
    )
    environment = {
        **os.environ,
        **{f"{name}_DURATION": f"{SETTLE_MS}ms" for name in durations},
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "SHARD_LIMIT": "1000",
        "LOG_LEVEL": "ERROR",
    }
    # The server reads its certificate, server.json, from the working directory.
    folder = npm_folder() / "node_modules" / "kinesis-local"
    return Command([tool("node"), "-e", f"{LOOPBACK_ONLY} import('./main.js');"], folder, environment)


def moto(port: int) -> Command:
    arguments = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    return Command(arguments, Path.cwd(), dict(os.environ))


COMMANDS: Final[Mapping[str, Callable[[int], Command]]] = {
    TRUCKSTREAM: truckstream,
    KINESALITE: kinesalite,
    KINESIS_MOCK: kinesis_mock,
    MOTO: moto,
}


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise CannotStartError(f"{name} is not installed on this machine")
    return path


def npm_folder() -> Path:
    """Return the folder whose node_modules has both packages, after installing them on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "truckstream-tests" / "npm"
    done = folder / f"installed-{'-'.join(NPM_PACKAGES)}".replace("@", "-")
    npm = tool("npm")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            install = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", *NPM_PACKAGES]
            try:
                result = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=50, check=False)
            except subprocess.TimeoutExpired:
                raise CannotStartError("npm install took more than 50 s") from None
            if result.returncode:
                raise CannotStartError(f"npm install failed: {result.stderr.strip()[-500:]}")
            done.touch()
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

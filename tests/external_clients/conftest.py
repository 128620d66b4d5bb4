"""A truckstream.local with quotas, in a process of its own, and the means to run a client's program against it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Seconds that one program of a client may take.
PROGRAM_SECONDS = 40


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.external)
            item.add_marker(pytest.mark.timeout(180))


@dataclass(frozen=True, slots=True)
class Answer:
    """A program's exit status, output and error output."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output, parsed as JSON; None if there is no output."""
        assert self.status == 0, self.err
        return json.loads(self.out) if self.out.strip() else None


@dataclass(frozen=True, slots=True)
class Server:
    """The local Kinesis and the environment that points a client's process at it."""

    endpoint_url: str
    region_name: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_name(self) -> str:
        """Return a name that no stream has."""
        return f"stream-{next(self._numbers)}"

    @property
    def environment(self) -> Mapping[str, str]:
        """This process's variables without the user's AWS settings and proxies, and with test credentials."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "PYTHON")) and not name.lower().endswith("_proxy")
        }
        return kept | {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": self.region_name,
            "AWS_DEFAULT_REGION": self.region_name,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_KINESIS": self.endpoint_url,
        }

    @staticmethod
    def program(name: str) -> Path:
        """Return the path of a program in the folder `programs`."""
        return Path(__file__).parent / "programs" / name

    def run(
        self, *command: object, folder: Path | None = None, seconds: float = PROGRAM_SECONDS, **environment: str
    ) -> Answer:
        """Run a program that uses this server."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    command = [sys.executable, "-m", "truckstream.local", "--while-stdin-is-open"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started = json.loads(process.stdout.readline())
    yield Server(started["endpoint_url"], started["region_name"])
    process.stdin.close()
    process.wait(timeout=10)
    process.stdout.close()


@pytest.fixture(scope="session")
def kinesis(server: Server) -> Iterator[Any]:
    """A boto3 client, to check what the client under test has done."""
    session = boto3.session.Session("testing", "testing", region_name=server.region_name)
    client = session.client("kinesis", endpoint_url=server.endpoint_url, config=Config(proxies={}))
    yield client
    client.close()
